"""Reads EML, a mail as it was sent (RFC 5322, MIME): its header, its text, and the mails inside of it.

The subject is a heading; below it stand sender, recipients, date and the names of attachments, then the text: the
plain one where there are several forms of it. Lines quoted from earlier mails keep their ">", and what was appended
whole comes under its own separator as a heading. Attachments are not read: each is named, and remarked.

The library's newer policy parses each header by grammar, for which a mail of 10 KB can take for ever (found by breaking
mails at random); so the older one is used, headers are cut at 8,000 characters, and encoded words are decoded here.

Not covered: quotations in HTML (they are read like the rest), signatures (kept, not checked), mailboxes of many mails,
Outlook's .msg.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_binary_file
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.policy import Compat32
from pathlib import Path
from typing import Any, Final

from retrieval.errors import DamagedFile, EncryptedFile
from retrieval.parsing import html, text
from retrieval.parsing.clean import clean, one_line
from retrieval.parsing.decode import decode
from retrieval.parsing.flow import Piece, paginate, remarked
from retrieval.parsing.types import BlockKind, ParsedPage
from retrieval.types import Remark

__all__ = ["read"]

_SHOWN: Final = ("From", "Sender", "To", "Cc", "Bcc", "Reply-To", "Date")
_LONGEST_HEADER: Final = 8_000  # characters of a header that are read: some thirty addresses a line of the screen
_INSIDE: Final = 3  # mails inside of mails that are read
_NESTED: Final = 20  # parts inside of parts that are looked at
_PARTS: Final = 1_000
_ENCRYPTED: Final = frozenset({"multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"})
_SIGNED: Final = "signed-data"
_QUOTED: Final = re.compile(r"^((?:> ?)+)")
_APPENDED: Final = re.compile(
    r"^\s*-{2,}\s*(?P<what>(?:original|forwarded) message|forwarded by .{0,80}|原始邮件|转发邮件|转发的邮件|邮件原件)"
    r"\s*-{2,}\s*$",
    re.IGNORECASE,
)
_NAME: Final = 120  # characters of an attachment's name in a remark
_TYPE: Final = 60
_KIB: Final = 1 << 10


def read(path: Path, *, max_pages: int) -> tuple[int, Iterator[ParsedPage]]:
    """Return the number of pages and the pages, which are cut as `retrieval.parsing.flow` says.

    Raises:
        EncryptedFile: The mail is encrypted.
    """
    with path.open("rb") as file:
        message = message_from_binary_file(file, policy=_Short())
    remarks = list[Remark]()
    total, pages = paginate(_Mail(remarks).pieces(message), max_pages=max_pages)
    return total, remarked(pages, remarks)


class _Short(Compat32):
    """Gives no header longer than `_LONGEST_HEADER` to those who ask for its value."""

    def header_fetch_parse(self, name: str, value: str) -> Any:
        """Return the value, cut."""
        return super().header_fetch_parse(name, value[:_LONGEST_HEADER])


class _Mail:
    """Walks one file's mails; `remarks` receives what is not read."""

    def __init__(self, remarks: list[Remark]) -> None:
        self._remarks = remarks
        self._parts = 0

    def pieces(self, message: Message, *, inside: int = 0) -> Iterator[Piece]:
        """Yield a mail: heading, header, names of attachments, text, and the mails in it."""
        level = inside + 1
        header = _header(message)
        yield Piece(BlockKind.HEADING, header.pop("Subject", "") or "(no subject)", level)
        yield Piece(BlockKind.PARAGRAPH, "\n".join(f"{name}: {value}" for name, value in header.items()))
        parts = list(self._walk(message))
        mails: list[Any] = [inner for part in parts if _is_mail(part) for inner in part.get_payload()]
        for part in parts:
            if not _is_mail(part) and not _is_text(part):
                name = _described(part)
                yield Piece(BlockKind.LIST_ITEM, f"Attachment, not read: {name}")
                self._remarks.append(Remark(code="attachment_unread", detail=name))
        for part in parts:
            if _is_text(part):
                yield from self._text(part, level)
        for mail in mails:
            if inside < _INSIDE:
                yield from self.pieces(mail, inside=inside + 1)
            else:
                self._remarks.append(Remark(code="attachment_unread", detail="a mail inside of mails"))

    def _text(self, part: Message, level: int) -> Iterator[Piece]:
        decoded = _decoded(part)
        if part.get_content_type() == "text/html":
            pieces = html.pieces_of(decoded, remarks=self._remarks)
        else:
            flowed = str(part.get_param("format", "")).lower() == "flowed"
            pieces = _plain(clean(_unfolded(decoded) if flowed else decoded))
        for piece in pieces:  # headings of the text stand below the subject
            yield Piece(piece.kind, piece.text, piece.level + level if piece.kind is BlockKind.HEADING else 0)

    def _walk(self, message: Message) -> Iterator[Message]:
        """Yield the parts that are read or named, in order, and of the forms of a text only one."""
        stack = [(message, 0)]
        while stack:
            part, depth = stack.pop()
            self._parts += 1
            if self._parts > _PARTS or depth > _NESTED:
                self._remarks.append(Remark(code="truncated", detail="parts of the mail"))
                return
            kind = part.get_content_type()
            if kind in _ENCRYPTED and part.get_param("smime-type") != _SIGNED:
                raise EncryptedFile("The mail is encrypted.", remedy="Save its text without encryption and add that.")
            if part.get_content_maintype() != "multipart" or not part.is_multipart():
                yield part
                continue
            inner = [one for one in part.get_payload() if isinstance(one, Message)]
            if kind == "multipart/alternative":
                inner = _best(inner)
            stack.extend((one, depth + 1) for one in reversed(inner))


def _best(forms: list[Message]) -> list[Message]:
    """Choose among the forms of one text: the plain one unless it is empty, then the last one, which is the richest."""
    for form in forms:
        if form.get_content_type() == "text/plain" and _decoded(form).strip():
            return [form]
    rich = [form for form in forms if form.get_content_type() in ("text/html", "multipart/related")]
    return rich[-1:] or forms[-1:]


def _is_mail(part: Message) -> bool:
    return part.get_content_type() == "message/rfc822" and part.is_multipart()


def _is_text(part: Message) -> bool:
    if part.get_content_disposition() == "attachment":
        return False
    broken = part.get_content_maintype() == "multipart"  # a boundary that never comes: the library leaves the text
    return broken or part.get_content_type() in ("text/plain", "text/html")


def _plain(content: str) -> Iterator[Piece]:
    """Yield a plain text: what was written, what is quoted with its marks, and what was appended below its heading."""
    lines, depth = list[str](), 0
    for line in content.split("\n"):
        marks = _QUOTED.match(line)
        appended = _APPENDED.match(line)
        now = marks.group(1).count(">") if marks else 0
        if lines and (now != depth or appended):
            yield from _marked(lines, depth)
            lines = []
        depth = now
        if appended:
            yield Piece(BlockKind.HEADING, one_line(appended.group("what")), 1)
        else:
            lines.append(line[marks.end() :] if marks else line)
    yield from _marked(lines, depth)


def _marked(lines: list[str], depth: int) -> Iterator[Piece]:
    for piece in text.pieces_of("\n".join(lines)):
        if piece.text.strip():
            yield Piece(piece.kind, f"{'>' * depth} {piece.text}" if depth else piece.text)


def _unfolded(content: str) -> str:
    """Undo the line ends that a mail program put in (RFC 3676): a line that ends with a space goes on in the next."""
    return re.sub(r"(?<!^--)(?<!\n--) \r?\n(?!>)", " ", content)


def _header(message: Message) -> dict[str, str]:
    """Return the header lines that are shown, decoded, in the order of `_SHOWN`, and the subject."""
    found = dict[str, str]()
    wanted = {name.lower(): name for name in (*_SHOWN, "Subject")}
    for name, raw in message.raw_items():
        if (shown := wanted.get(name.lower())) and shown not in found:
            found[shown] = one_line(_words(str(raw)))
    return {name: found[name] for name in ("Subject", *_SHOWN) if found.get(name)}


def _words(line: str) -> str:
    """Decode the words of a header that are encoded (RFC 2047), and bytes beyond ASCII that stand in it as they are."""
    line = line[:_LONGEST_HEADER]
    if not line.isascii():
        line = _readable(line.encode("utf-8", "surrogateescape"), None)
    try:
        parts = decode_header(line)
    except (HeaderParseError, ValueError):
        return line
    return "".join(part if isinstance(part, str) else _readable(part, charset) for part, charset in parts)


def _readable(content: bytes, charset: str | None, *, declared: bool = False) -> str:
    """Decode a piece of a mail; what cannot be is marked, since the rest of the mail can still be read."""
    try:
        return decode(content, charset=charset, declared=declared)
    except DamagedFile:
        return content.decode("utf-8", "replace")


def _decoded(part: Message) -> str:
    content: Any = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    return _readable(content, part.get_content_charset(), declared=part.get_content_type() == "text/html")


def _described(part: Message) -> str:
    name = one_line(_words(part.get_filename() or ""))[:_NAME] or "without a name"
    payload: Any = part.get_payload()
    size = len(payload) if isinstance(payload, str) else 0
    size = size * 3 // 4 if str(part.get("Content-Transfer-Encoding", "")).strip().lower() == "base64" else size
    return f"{name} ({one_line(part.get_content_type())[:_TYPE]}, {max(1, size // _KIB)} KiB)"

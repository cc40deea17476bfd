"""Tells the format of a file by its content, so that a renamed program does not reach a parser.

A name decides only what content cannot: whether a text is meant as Markdown or as a table (CSV), and that a text named
so is one, whatever it looks like: a note may begin with a piece of JSON or with the header of a mail. Not covered: a
file that is valid in two formats at once is read as the first of PDF, ZIP, HTML, JSON, mail and text that fits; members
of a FHIR resource that are listed before its type in more than 8 KiB hide what it is.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Final

from retrieval.errors import EmptyFile, UnsupportedFormat
from retrieval.parsing.archives import OLE, ZIP, name_ole, name_zip
from retrieval.parsing.formats import SPOKEN
from retrieval.parsing.types import CCDA, CSV, DOCX, EML, FHIR, HTML, JSON, MARKDOWN, PDF, PPTX, TEXT, XLSX

__all__ = ["sniff"]

_HEAD: Final = 8192
_PDF_WITHIN: Final = 1024  # readers allow a PDF's header to stand this late (ISO 32000-1, appendix H)

_PDF: Final = re.compile(rb"(?:\A|[^ -~])%PDF-\d")  # and not in the middle of a sentence about PDF

_MAGIC: Final = (
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a Linux program"),
    (b"\xcf\xfa\xed\xfe", "a macOS program"),
    (b"\xce\xfa\xed\xfe", "a macOS program"),
    (b"\xca\xfe\xba\xbe", "a macOS program or Java class"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"BM", "a BMP picture"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"RIFF", "a sound, film or WebP picture"),
    (b"ID3", "a sound"),
    (b"OggS", "a sound or film"),
    (b"\x1aE\xdf\xa3", "a film"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"SQLite format 3", "an SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"{\\rtf", "an RTF document"),
    (b"%!PS", "a PostScript document"),
)
_TEXTUAL: Final = frozenset({b"MZ", b"BM", b"RIFF", b"ID3", b"PAR1", b"BZh", b"GIF8"})
"""Beginnings that a text may have as well; they count only where the rest is no text."""

_WIDE_MARKS: Final = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CONTROLS: Final = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")
_MOST_CONTROLS: Final = 0.02  # share of bytes; text has none but strays

# These run on a stranger's bytes in the serving process: none can be matched in more than one way at one place.
_LEADING: Final = re.compile(r"\s*(?:(?:<!--.*?-->|<\?xml[^>]*>)\s*)*+", re.DOTALL | re.IGNORECASE)
_HTML: Final = re.compile(r"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_XML: Final = re.compile(r"<(?:!doctype|svg)\b", re.IGNORECASE)
_TAGS: Final = re.compile(r"</?(?:p|div|h[1-6]|table|tr|td|ul|ol|li|section|article|br)\b[^<>]*>", re.IGNORECASE)
_MARKUP: Final = re.compile(
    r"^(?:#{1,6}[ \t]{1,3}\S|```|[ \t]{0,3}\|?[ \t]{0,9}:?-{3,99}:?[ \t]{0,9}\||[*+-][ \t]{1,3}\S|>[ \t])"
    r"|\[[^\[\]\n]{1,200}\]\([^()\n]{1,500}\)|\*\*[^*\n]{1,200}\*\*",
    re.MULTILINE,
)
_MARKDOWN_NAMES: Final = (".md", ".markdown", ".mdown", ".mkd")
_HTML_NAMES: Final = (".html", ".htm", ".xhtml")
_TEXT_NAMES: Final = (".txt", ".text", ".log")
_TABLE_NAMES: Final = (".csv", ".tsv", ".tab")
_JSON_NAMES: Final = (".json", ".jsonl", ".ndjson")
_MAIL_NAMES: Final = (".eml",)

_CLINICAL: Final = re.compile(r"<(?:[A-Za-z_][\w.-]*:)?ClinicalDocument[\s>]")
_OBJECT: Final = re.compile(r'\s*(?:\[\s*)?\{\s*(?:"[^"\n]{0,200}"\s*:|\})')
_ARRAY: Final = re.compile(r'\s*\[\s*(?:["\[\]{\d-]|true|false|null)')
_TOKEN: Final = re.compile(r'"((?:[^"\\]|\\.?)*+)(?:"|\Z)(\s*:)?|[{}\[\]]', re.DOTALL)
_RESOURCE: Final = 4  # brackets around the type of the first resource in a bundle: {"entry": [{"resource": {
_HEADER_LINES: Final = 200
_FIELD: Final = re.compile(r"([A-Za-z][A-Za-z-]{1,40}):(?:[ \t]|\r?\n)")
_ADDRESSED: Final = frozenset({"from", "sender", "return-path", "received", "delivered-to"})
_SENT: Final = frozenset({"mime-version", "message-id", "received", "return-path", "content-transfer-encoding"})
"""Fields that a program writes, and a person who notes "From" and "To" does not."""


def sniff(path: Path, *, name: str | None = None) -> str:
    """Return the media type of a file: one of those that are read.

    Args:
        path: The file; its first 8 KiB are read, and the directory of an archive.
        name: What its owner calls it, if not as in `path`.

    Raises:
        EmptyFile: It has no bytes.
        UnsupportedFormat: It is something else; the message says what.
        EncryptedFile: It is an office document behind a password.
        DamagedFile: It begins like an archive and has no end.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        raise EmptyFile("The file is empty.", remedy="Check that it was copied or uploaded in full.")
    if _PDF.search(head[:_PDF_WITHIN]):
        return PDF
    if head.startswith(ZIP):
        kind = name_zip(path)
        if kind in (DOCX, PPTX, XLSX):
            return kind
        raise _unsupported(kind)
    if head.startswith(OLE) and len(head) >= 512:
        raise _unsupported(name_ole(path))
    return _name_text(head, name=(name or path.name).lower())


def _name_text(head: bytes, *, name: str) -> str:
    texts = head.startswith(_WIDE_MARKS) or len(_CONTROLS.findall(head)) <= _MOST_CONTROLS * len(head)
    for magic, kind in _MAGIC:
        if head.startswith(magic) and not (texts and magic in _TEXTUAL):
            raise _unsupported(kind)
    if head[4:8] == b"ftyp":
        raise _unsupported("a film or HEIC picture")
    if not texts:
        raise _unsupported("a binary file")
    return _name_markup(_readable(head), name=name)


def _readable(head: bytes) -> str:
    """Decode as much as telling markup needs: it is ASCII in every encoding that is read."""
    for mark in _WIDE_MARKS:
        if head.startswith(mark):
            encoding = "utf-32" if len(mark) == 4 else "utf-16"
            return head[: len(head) // 4 * 4].decode(encoding, "ignore")
    return head.removeprefix(codecs.BOM_UTF8).decode("latin-1")


def _name_markup(text: str, *, name: str) -> str:
    leading = _LEADING.match(text)
    begun = text[leading.end() :] if leading else text
    if _HTML.match(begun):
        return HTML
    if _CLINICAL.match(begun):
        return CCDA
    if text.lstrip()[:5].lower() == "<?xml" or _XML.match(begun):
        raise _unsupported("an XML file")
    if name.endswith(_MARKDOWN_NAMES):
        return MARKDOWN
    if not name.endswith((*_TEXT_NAMES, *_TABLE_NAMES)):
        if _OBJECT.match(text) or (name.endswith(_JSON_NAMES) and _ARRAY.match(text)):
            return _name_json(text)
        if _is_mail(text, named=name.endswith(_MAIL_NAMES)):
            return EML
    if begun.startswith("<") and len(_TAGS.findall(text)) >= 2:
        return HTML
    if name.endswith(_HTML_NAMES) and _TAGS.search(text):
        return HTML
    if name.endswith(_TABLE_NAMES):
        return CSV
    if name.endswith(_TEXT_NAMES):
        return TEXT
    return MARKDOWN if len(_MARKUP.findall(text)) >= 2 else TEXT


def _name_json(text: str) -> str:
    """Tell a FHIR resource or bundle from other JSON by the place of its type, as far as the head goes."""
    depth, names = 0, list[str]()
    for token in _TOKEN.finditer(text):
        bracket = token.group()
        if bracket in "{[":
            depth += 1
        elif bracket in "}]":
            depth -= 1
            if depth == 0:  # what follows is another line of JSON Lines
                return JSON
        elif token.group(2) is not None:
            if token.group(1) == "resourceType" and (depth == 1 or (depth == _RESOURCE and names == ["entry"])):
                return FHIR
            names = [token.group(1)] if depth == 1 else names
    return JSON


def _is_mail(text: str, *, named: bool) -> bool:
    """Say whether a text begins with the header of a mail: lines "Name: value", and those that tell one."""
    fields = set[str]()
    for line in text.split("\n")[:_HEADER_LINES]:
        field = _FIELD.match(line + "\n")
        if field is not None:
            fields.add(field.group(1).lower())
        elif not line.strip():
            break
        elif line[0] not in " \t" and not (named and line.startswith("From ")):
            return False
    return bool(fields & _ADDRESSED) and len(fields) > 1 and (named or bool(fields & _SENT))


def _unsupported(kind: str) -> UnsupportedFormat:
    return UnsupportedFormat(
        f"The file is {kind}, which is not read.",
        remedy=f"Add it as {SPOKEN}.",
    )

"""Checks the ZIP package of an office file (DOCX, PPTX, XLSX) before a library opens it.

Declared sizes are added up, and an entry never unpacks to more than it declares (`zipfile` stops there); entries that
share bytes with others, which is how a small file declares a large one many times, are refused, as are two entries of
one name. A document type declaration, without which no entity can be defined, is refused in every part that begins like
markup, in every encoding that is let through: office programs write none. Archives inside of the package are never
opened.
"""

from __future__ import annotations

import itertools
import re
import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lxml.etree import XMLSyntaxError

from retrieval.errors import DamagedFile, EncryptedFile, ParseLimit, RetrievalError

__all__ = ["check_package", "damaged", "reading"]

_MIB: Final = 1 << 20
_UNPACKED: Final = 512 * _MIB
_MEMBERS: Final = 10_000
_PIECE: Final = 1 << 20
_ENCRYPTED_FLAG: Final = 0x1
_NO_MEMORY: Final = 2  # libxml2's XML_ERR_NO_MEMORY, which lxml raises as a fault of syntax
_LOCAL_HEADER: Final = 30  # bytes before the name of an entry
_KEPT: Final = 64  # bytes carried from one piece to the next, longer than any form of the declaration

_DECLARATION: Final = re.compile(b"<" + b"".join(b"\\x00{0,3}" + bytes([char]) for char in b"!DOCTYPE"))  # any UTF
_PICTURE: Final = re.compile(b"<" + b"".join(b"\\x00{0,3}" + bytes([char]) for char in b"!ENTITY"))
"""What may not stand in a drawing (SVG), which is no part that is read and often declares its type."""

_MARKUP: Final = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?[\x00\s]*<|\x4c\x6f\xa7\x94")  # the last: EBCDIC
_EBCDIC: Final = b"\x4c\x6f\xa7\x94"
_ENCODING: Final = re.compile(rb"^[^>]{0,200}?encoding\s*=\s*[\"']([^\"']*)[\"']")
_ENCODINGS: Final = frozenset({b"utf-8", b"utf8", b"utf-16", b"us-ascii", b"ascii", b"iso-8859-1", b"windows-1252"})
"""Encodings in which a declaration is what its ASCII bytes say; in UTF-7, for one, it could be written otherwise."""


def check_package(path: Path) -> None:
    """Refuse a package that is built to exhaust or mislead its reader.

    Raises:
        DamagedFile: It is broken, its entries overlap or bear one name, or a part declares a document type.
        EncryptedFile: An entry asks for a password.
        ParseLimit: It has more than 10,000 entries, or unpacks to more than 512 MiB.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if any(member.flag_bits & _ENCRYPTED_FLAG for member in members):
                raise EncryptedFile("The document asks for a password.", remedy="Save it without one.")
            if len(members) > _MEMBERS or sum(member.file_size for member in members) > _UNPACKED:
                raise ParseLimit(
                    f"The document unpacks to more than {_UNPACKED // _MIB} MiB.",
                    remedy="Save it with smaller pictures, or split it.",
                )
            _check_places(members)
            for member in members:
                _check_part(archive, member)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, zlib.error, ValueError) as error:
        raise damaged() from error


def damaged() -> DamagedFile:
    """Return the error of an office file that cannot be read."""
    return DamagedFile(
        "The document is damaged and cannot be read.", remedy="Open it in an office program and save it anew."
    )


def _check_places(members: list[zipfile.ZipInfo]) -> None:
    if len({member.filename for member in members}) < len(members):
        raise damaged()
    placed = sorted(members, key=lambda member: member.header_offset)
    for before, after in itertools.pairwise(placed):
        if before.header_offset + _LOCAL_HEADER + before.compress_size > after.header_offset:
            raise damaged()


def _check_part(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    with archive.open(member) as part:
        piece = part.read(_PIECE)
        if _MARKUP.match(piece) is None:
            return
        declared = _ENCODING.match(piece[:1024].replace(b"\x00", b""))
        if piece.startswith(_EBCDIC) or (declared and declared.group(1).strip().lower() not in _ENCODINGS):
            raise damaged()
        hostile = _PICTURE if member.filename.lower().endswith(".svg") else _DECLARATION
        last = b""
        while piece:
            if hostile.search(last + piece):
                raise DamagedFile(
                    "The document defines XML entities, which no office program does.",
                    remedy="Open it in an office program and save it anew.",
                )
            last, piece = piece[-_KEPT:], part.read(_PIECE)


@contextmanager
def reading() -> Generator[None]:
    """Turn what a library raises on a broken package into our errors.

    Raises:
        DamagedFile: In place of anything that is neither ours nor a lack of memory.
        MemoryError: As it is, and in place of lxml's, which comes as a fault of syntax.
    """
    try:
        yield
    except (RetrievalError, MemoryError):
        raise
    except XMLSyntaxError as error:
        if error.code == _NO_MEMORY:
            raise MemoryError from error
        raise damaged() from error
    except Exception as error:  # a strange package makes these libraries raise nearly anything
        raise damaged() from error

"""Looks at the containers that office programs write, ZIP and OLE, as far as it takes to say what they hold.

This runs in the serving process, so it reads little: the directory of an archive and never a member.
"""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import Final

from retrieval.errors import DamagedFile, EncryptedFile
from retrieval.parsing.types import DOCX, PPTX, XLSX

__all__ = ["OLE", "ZIP", "name_ole", "name_zip"]

ZIP: Final = b"PK\x03\x04"
OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_END: Final = b"PK\x05\x06"
_END_SIZE: Final = 22
_COMMENT: Final = 1 << 16
_DIRECTORY: Final = 4 << 20
_MEMBERS: Final = 20_000

_MACROS: Final = (
    ("word/vbaProject.bin", "a Word document with macros"),
    ("ppt/vbaProject.bin", "a PowerPoint presentation with macros"),
    ("xl/vbaProject.bin", "an Excel workbook with macros"),
)
_READ: Final = (("word/document.xml", DOCX), ("ppt/presentation.xml", PPTX), ("xl/workbook.xml", XLSX))
_KINDS: Final = (
    ("xl/workbook", "a binary Excel workbook (.xlsb)"),
    ("visio/document", "a Visio drawing"),
    ("META-INF/container.xml", "an EPUB book"),
    ("META-INF/MANIFEST.MF", "a Java archive"),
    ("AndroidManifest.xml", "an Android program"),
    ("content.xml", "an OpenDocument file"),
)
_OLE_KINDS: Final = (
    ("WordDocument", "an old Word document (.doc)"),
    ("Workbook", "an old Excel workbook (.xls)"),
    ("PowerPoint Document", "an old PowerPoint presentation (.ppt)"),
    ("__properties_version1.0", "an Outlook message"),
)
_OLE_DIRECTORY: Final = 4096  # bytes of an OLE file's directory that are looked at


def name_zip(path: Path) -> str:
    """Return the media type of a DOCX, PPTX or XLSX file, or what else a ZIP archive is, in words.

    Raises:
        DamagedFile: The archive has no directory, as when its end was cut off.
    """
    _check_directory(path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = frozenset(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise _damaged() from error
    for member, kind in (*_MACROS, *_READ):
        if member in names:
            return kind
    for beginning, kind in _KINDS:
        if any(name.startswith(beginning) for name in names):
            return kind
    return "a ZIP archive"


def name_ole(path: Path) -> str:
    """Return in words what an OLE file is.

    Raises:
        EncryptedFile: It is an office document behind a password: these are encrypted whole, in an OLE container.
    """
    with path.open("rb") as file:
        header = file.read(512)
        shift, first = struct.unpack_from("<H", header, 30)[0], struct.unpack_from("<I", header, 48)[0]
        if shift not in (9, 12):
            return "an OLE file"
        file.seek((first + 1) << shift)
        directory = file.read(_OLE_DIRECTORY)
    if "EncryptedPackage".encode("utf-16-le") in directory:
        raise EncryptedFile("The document asks for a password.", remedy="Save it without a password and add it again.")
    for stream, kind in _OLE_KINDS:
        if stream.encode("utf-16-le") in directory:
            return kind
    return "an old Office file"


def _check_directory(path: Path) -> None:
    """Refuse an archive whose directory is missing or too long to be read in the serving process."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _COMMENT - _END_SIZE))
        tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        raise _damaged()
    members, length = struct.unpack_from("<HI", tail, at + 10)
    if members > _MEMBERS or length > _DIRECTORY:
        raise DamagedFile("The archive lists more parts than a document has.", remedy="Save the document anew.")


def _damaged() -> DamagedFile:
    return DamagedFile("The file is cut off or damaged.", remedy="Copy or download the file again.")

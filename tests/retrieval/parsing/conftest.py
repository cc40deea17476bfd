"""What the parsing tests share: limits, and real files made on the spot."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import docx
import pytest
from reportlab.pdfgen.canvas import Canvas

from retrieval.parsing.types import Limits, ParsedDocument

A4 = (595.0, 842.0)
ROOMY = Limits(max_bytes=50 << 20, max_pages=500, timeout_s=60, memory_mb=1024)


@pytest.fixture
def limits() -> Limits:
    return ROOMY


@pytest.fixture
def pdf(tmp_path: Path) -> Callable[..., Path]:
    """Draw on a canvas and get the file; options go to the canvas."""

    def make(draw: Callable[[Canvas], None], *, name: str = "file.pdf", **options: object) -> Path:
        path = tmp_path / name
        canvas = Canvas(str(path), **{"pagesize": A4, "invariant": True, **options})
        draw(canvas)
        canvas.save()
        return path

    return make


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str, bytes], Path]:
    """Write bytes under a name."""

    def write(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.fixture
def word(tmp_path: Path) -> Callable[..., Path]:
    """Fill a Word document and get the file."""

    def make(fill: Callable[[object], None], *, name: str = "file.docx") -> Path:
        path = tmp_path / name
        document = docx.Document()
        fill(document)
        document.save(str(path))
        return path

    return make


@pytest.fixture
def rezip(tmp_path: Path) -> Callable[..., Path]:
    """Copy a ZIP archive with some of its members replaced or added."""

    def copy(source: Path, members: dict[str, bytes], *, name: str = "copy.docx") -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
            for member in old.namelist():
                if member not in members:
                    new.writestr(member, old.read(member))
            for member, content in members.items():
                new.writestr(member, content)
        return path

    return copy


@pytest.fixture
def blocks_of() -> Callable[[ParsedDocument], list[tuple[str, str]]]:
    """List the blocks of a document as (kind, text)."""

    def texts(document: ParsedDocument) -> list[tuple[str, str]]:
        return [
            (block.kind.value, page.text[block.start : block.end]) for page in document.pages for block in page.blocks
        ]

    return texts


@pytest.fixture
def black_square() -> bytes:
    """A PNG of a black square, by the library that reportlab draws with."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (40, 40), "black").save(buffer, "PNG")
    return buffer.getvalue()

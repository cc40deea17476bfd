"""Office packages built to exhaust or mislead a reader are refused, in each format, before a library opens one."""

import io
import struct
import zipfile

import docx
import openpyxl
import pytest
from pptx import Presentation

from retrieval.errors import DamagedFile, EncryptedFile, ParseLimit
from retrieval.parsing.package import check_package, reading
from retrieval.parsing.parse import parse
from retrieval.parsing.sandbox import Sandbox

MAIN = {"docx": "word/document.xml", "pptx": "ppt/slides/slide1.xml", "xlsx": "xl/worksheets/sheet1.xml"}
TEXT = {"docx": b"<w:t>Canary</w:t>", "pptx": b"<a:t>Canary</a:t>", "xlsx": b"<t>Canary</t>"}


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as made:
        yield made


@pytest.fixture(params=["docx", "pptx", "xlsx"])
def kind(request):
    return request.param


@pytest.fixture
def plain(kind, tmp_path):
    """A file of each format that says "Canary"."""
    path = tmp_path / f"plain.{kind}"
    if kind == "docx":
        document = docx.Document()
        document.add_paragraph("Canary")
    elif kind == "pptx":
        document = Presentation()
        document.slides.add_slide(document.slide_layouts[5]).shapes.title.text = "Canary"
    else:
        document = openpyxl.Workbook()
        document.active.append(["Canary", "x"])
    document.save(str(path))
    return path


@pytest.fixture
def read(sandbox, limits):
    def whole(path, **changes):
        tight = limits.model_copy(update=changes)
        return "".join(page.text for page in parse(path, name=path.name, limits=tight, sandbox=sandbox).pages)

    return whole


def part(path, name):
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def test_the_plain_file_is_read(plain, read):
    check_package(plain)
    assert "Canary" in read(plain)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_that_multiply_are_refused(kind, plain, rezip, read, encoding):
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    body = part(plain, MAIN[kind]).decode().split("?>", 1)[-1]
    bomb = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE w [<!ENTITY a0 "ha">{entities}]>' + body.replace(
        "Canary", "&a9;"
    )
    with pytest.raises(DamagedFile, match="entities"):
        read(rezip(plain, {MAIN[kind]: bomb.encode(encoding)}))


DECLARED = '<!DOCTYPE w [<!ENTITY a "b">]>'


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("utf-7", DECLARED.replace("<!", "+ADwAIQ-").encode()),  # "<!" in base64
        ("hz-gb-2312", b"~{" + bytes(4) + b"~}"),
        ("x-none", b""),
    ],
)
def test_an_encoding_that_can_hide_a_declaration_is_refused(kind, plain, rezip, encoding, written):
    body = part(plain, MAIN[kind]).split(b"?>", 1)[-1]
    assert b"!DOCTYPE" not in written
    check_package(rezip(plain, {MAIN[kind]: b'<?xml version="1.0" encoding="utf-8"?>' + written + body}))
    with pytest.raises(DamagedFile):
        check_package(
            rezip(plain, {MAIN[kind]: f'<?xml version="1.0" encoding="{encoding}"?>'.encode() + written + body})
        )


@pytest.mark.parametrize("encoding", ["cp037", "utf-16", "utf-32"])
def test_a_declaration_in_wide_or_other_letters_is_refused(kind, plain, rezip, encoding):
    text = f'<?xml version="1.0" encoding="{encoding}"?>{DECLARED}<x/>'
    with pytest.raises(DamagedFile):
        check_package(rezip(plain, {MAIN[kind]: text.encode(encoding)}))


def test_an_entity_cannot_name_a_file(kind, plain, rezip, read, put):
    secret = put("secret.txt", b"do not tell")
    body = part(plain, MAIN[kind]).decode().split("?>", 1)[-1].replace("Canary", "&x;")
    hostile = f'<!DOCTYPE w [<!ENTITY x SYSTEM "file://{secret}">]>{body}'
    with pytest.raises(DamagedFile, match="entities"):
        read(rezip(plain, {MAIN[kind]: hostile.encode()}))


@pytest.mark.parametrize("name", ["odd.bin", "ppt/media/image1.png", "noextension"])
def test_a_declaration_in_a_part_of_any_name_is_refused(kind, plain, rezip, name):
    hostile = b'  <!DOCTYPE x [<!ENTITY a "b">]><x/>'
    with pytest.raises(DamagedFile, match="entities"):
        check_package(rezip(plain, {name: hostile}))


def test_a_drawing_may_declare_its_type_but_no_entity(kind, plain, rezip):
    drawing = b'<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x.dtd"><svg/>'
    check_package(rezip(plain, {"media/image1.svg": drawing}))
    with pytest.raises(DamagedFile, match="entities"):
        check_package(rezip(plain, {"media/image1.svg": b'<!DOCTYPE svg [<!ENTITY a "b">]><svg/>'}))


def test_even_past_the_check_the_libraries_expand_nothing(kind, plain, rezip, put):
    """The check is the first wall; this is the second, which each library has of its own."""
    secret = put("secret.txt", b"do not tell")
    body = part(plain, MAIN[kind]).decode().split("?>", 1)[-1].replace("Canary", "&x;&y;")
    hostile = f'<!DOCTYPE w [<!ENTITY x SYSTEM "file://{secret}"><!ENTITY y "EXPANDED">]>{body}'
    said = through_library(kind, rezip(plain, {MAIN[kind]: hostile.encode()}))
    assert "do not tell" not in said
    assert "EXPANDED" not in said


def through_library(kind, path):
    try:
        return library(kind, path)
    except Exception as error:  # noqa: BLE001 - it may refuse, too
        return str(error)


def library(kind, path):
    if kind == "docx":
        return "".join(one.text for one in docx.Document(str(path)).paragraphs)
    if kind == "pptx":
        return "".join(shape.text_frame.text for shape in Presentation(str(path)).slides[0].shapes)
    book = openpyxl.load_workbook(path, read_only=True)
    return str([row for one in book.worksheets for row in one.iter_rows(values_only=True)])


def test_a_bomb_that_declares_its_size_is_refused(kind, plain, rezip):
    path = rezip(plain, {"media/image1.bin": bytes(1_234_567)})
    raw, true = path.read_bytes(), (1_234_567).to_bytes(4, "little")
    assert raw.count(true) >= 2
    path.write_bytes(raw.replace(true, (600 << 20).to_bytes(4, "little")))
    with pytest.raises(ParseLimit, match="unpacks"):
        check_package(path)


def test_a_bomb_that_unfolds_in_memory_is_refused(kind, plain, rezip, read):
    body, text = part(plain, MAIN[kind]), TEXT[kind]
    assert text in body
    bomb = rezip(plain, {MAIN[kind]: body.replace(text, text.replace(b"Canary", b"A" * (9 << 20)))})
    assert bomb.stat().st_size < 1 << 20
    with pytest.raises(ParseLimit):
        read(bomb, memory_mb=70)


def test_entries_that_share_bytes_are_refused(kind, plain, tmp_path):
    """As in an overlap bomb (Fifield 2019): one entry is the content of another, so that its bytes count twice."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("inner.bin", b"x" * 100)
    local, listed = inner.getvalue().split(b"PK\x01\x02", 1)
    entry = b"PK\x01\x02" + listed[: listed.index(b"PK\x05\x06")]
    with zipfile.ZipFile(plain, "a") as archive:
        archive.writestr("outer.bin", local)
        at = archive.getinfo("outer.bin").header_offset + 30 + len("outer.bin")
    check_package(plain)
    raw = plain.read_bytes()
    end = raw.rfind(b"PK\x05\x06")
    count, size, start = struct.unpack_from("<HII", raw, end + 10)
    entry = entry[:42] + struct.pack("<I", at) + entry[46:]
    tail = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, count + 1, count + 1, size + len(entry), start, 0)
    path = tmp_path / f"overlap.{kind}"
    path.write_bytes(raw[:end] + entry + tail)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist()[-1] == "inner.bin"
    with pytest.raises(DamagedFile):
        check_package(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_of_one_name_are_refused(kind, plain):
    with zipfile.ZipFile(plain, "a") as archive:
        archive.writestr(MAIN[kind], b"<other/>")
    with pytest.raises(DamagedFile):
        check_package(plain)


def test_too_many_entries_are_refused(kind, plain, rezip):
    path = rezip(plain, {f"media/{number}": b"" for number in range(10_001)})
    with pytest.raises(ParseLimit):
        check_package(path)


def test_a_nested_archive_is_never_opened(kind, plain, rezip, read):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(50 << 20))
    assert "Canary" in read(rezip(plain, {"embeddings/inner.zip": inner.getvalue()}), memory_mb=150)


def test_an_entry_behind_a_password_is_told(kind, plain):
    raw = bytearray(plain.read_bytes())
    at = raw.find(b"PK\x01\x02")
    raw[at + 8] |= 1
    plain.write_bytes(bytes(raw))
    with pytest.raises(EncryptedFile):
        check_package(plain)


def test_names_that_leave_the_folder_are_only_names(kind, plain, rezip, read, tmp_path):
    path = rezip(plain, {"../../escaped.txt": b"x", "/etc/escaped.txt": b"x"})
    assert "Canary" in read(path)
    assert not list(tmp_path.parent.rglob("escaped.txt"))


def test_lack_of_memory_is_no_damage():
    with pytest.raises(MemoryError), reading():
        raise MemoryError
    with pytest.raises(DamagedFile), reading():
        raise KeyError("x")
    with pytest.raises(ParseLimit), reading():
        raise ParseLimit("too long.", remedy="-")

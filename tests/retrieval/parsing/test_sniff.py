"""A format is told by content; a name changes nothing but Markdown, tables and plain text."""

import zipfile

import docx
import pytest

from retrieval.errors import DamagedFile, EmptyFile, EncryptedFile, UnsupportedFormat
from retrieval.parsing.sniff import sniff
from retrieval.parsing.types import CCDA, CSV, DOCX, EML, FHIR, HTML, JSON, MARKDOWN, PDF, PPTX, TEXT, XLSX


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.pdf", b"%PDF-1.7\n...", PDF),
        ("a.txt", b"%PDF-1.7\n...", PDF),
        ("a.pdf", b"mail header\r\n\r\n%PDF-1.4", PDF),
        ("a.html", b"<!DOCTYPE html><p>hello", HTML),
        ("a.txt", b"  \n<!-- note --><html><body>hello", HTML),
        ("a", b'<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "x"><html>', HTML),
        ("a.html", b"Hello <br> there", HTML),
        ("a", b"<div><p>one</p><p>two</p></div>", HTML),
        ("a.html", b"no tags at all", TEXT),
        ("a.md", b"just words", MARKDOWN),
        ("a", b"# Title\n\n- one\n- two\n", MARKDOWN),
        ("a.md", b"<b>bold</b> words in Markdown <p> </p>", MARKDOWN),
        ("a.py.txt", b"# comment\n# another\n", TEXT),
        ("a.txt", "# 标题\n- 一\n".encode(), TEXT),
        ("a", "Plain words, 纯文本。".encode(), TEXT),
        ("a.pdf", b"not a PDF at all, just words", TEXT),
        ("a.txt", "商业银行应当".encode("gb18030"), TEXT),
        ("a.txt", "商業銀行應當".encode("big5"), TEXT),
        ("a.txt", "Wide text".encode("utf-16"), TEXT),
        ("a.txt", "Wider text".encode("utf-32"), TEXT),
        ("a.html", "<html><p>wide</p>".encode("utf-16"), HTML),
        ("a.txt", b"MZ is how this sentence begins", TEXT),
        ("a.txt", b"\xef\xbb\xbfwith a mark", TEXT),
        ("a.txt", b"A file that begins with %PDF-1.7 is a PDF.", TEXT),
        ("a.txt", b"\n\n%PDF-1.4", PDF),
        ("a", b"<!-- a --><?xml version='1.0'?><!-- b --><html>", HTML),
    ],
)
def test_content_decides(put, name, content, expected):
    assert sniff(put(name, content)) == expected


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00", "Windows program"),
        (b"\x7fELF\x02\x01\x01" + bytes(9), "Linux program"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "PNG"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "JPEG"),
        (b"GIF89a\x01\x00\x01\x00\x00\x00", "GIF"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "WebP"),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(8), "film"),
        (b"\x1f\x8b\x08\x00" + bytes(8), "gzip"),
        (b"{\\rtf1\\ansi hello}", "RTF"),
        (b"%!PS-Adobe-3.0", "PostScript"),
        (b"<?xml version='1.0'?><invoice/>", "XML"),
        (b'<!DOCTYPE lolz [<!ENTITY lol "lol">]><lolz>&lol;</lolz>', "XML"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "XML"),
        (b"words and then\x00\x00\x00\x01\x02\x03\x04", "binary"),
        (b"SQLite format 3\x00" + bytes(10), "SQLite"),
    ],
)
@pytest.mark.parametrize("name", ["report.pdf", "report.txt", "report.docx", "report.md"])
def test_what_is_not_read_is_named(put, name, content, said):
    with pytest.raises(UnsupportedFormat) as caught:
        sniff(put(name, content))
    assert said.lower() in caught.value.message.lower()
    assert "PDF" in caught.value.remedy


def test_no_bytes(put):
    with pytest.raises(EmptyFile):
        sniff(put("empty.pdf", b""))


def test_the_name_may_be_given_apart_from_the_path(put):
    path = put("0f3a", b"plain words")
    assert sniff(path, name="notes.md") == MARKDOWN
    assert sniff(path, name="notes.txt") == TEXT


def test_docx_under_any_name(word):
    assert sniff(word(lambda document: document.add_paragraph("x"), name="renamed.pdf")) == DOCX


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ("xl/workbook.bin", "binary Excel"),
        ("xl/vbaProject.bin", "Excel workbook with macros"),
        ("ppt/vbaProject.bin", "PowerPoint presentation with macros"),
        ("visio/document.xml", "Visio"),
        ("META-INF/MANIFEST.MF", "Java"),
        ("content.xml", "OpenDocument"),
        ("holiday.jpg", "ZIP"),
    ],
)
def test_other_archives_are_named(tmp_path, member, said):
    path = tmp_path / "file.docx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, b"x")
    with pytest.raises(UnsupportedFormat, match=said):
        sniff(path)


@pytest.mark.parametrize(
    ("member", "expected"),
    [("word/document.xml", DOCX), ("ppt/presentation.xml", PPTX), ("xl/workbook.xml", XLSX)],
)
def test_office_packages_are_told_by_their_main_part(tmp_path, member, expected):
    path = tmp_path / "file.pdf"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, b"x")
    assert sniff(path) == expected


HEADER = b"From: Ann <ann@example.org>\r\nTo: b@example.org\r\nSubject: Hello\r\n"
BUNDLE = b'{"entry": [{"resource": {"id": "1", "resourceType": "Patient"}}], "resourceType": "Bundle"}'


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", b"a,b\n1,2\n", CSV),
        ("a.TSV", b"a\tb\n1\t2\n", CSV),
        ("a.csv", b"<html><p>not a table", HTML),
        ("a.csv", b"%PDF-1.7\n", PDF),
        ("a", b"a,b\n1,2\n", TEXT),
        ("a", b'{"a": 1}', JSON),
        ("a.json", b"  \n[1, 2]", JSON),
        ("a", b'[{"a": 1}]', JSON),
        ("a.json", "\ufeff{}".encode(), JSON),
        ("a.json", '{"a": 1}'.encode("utf-16"), JSON),
        ("a.jsonl", b'{"a": 1}\n{"a": 2}\n', JSON),
        ("a", b"[1] A list of references", TEXT),
        ("a", b"[a](b) and [c](d)", MARKDOWN),
        ("a.json", b"not JSON at all", TEXT),
        ("a.txt", b'{"a": 1} is how an object looks', TEXT),
        ("a.md", b'{"a": 1}', MARKDOWN),
        ("a", b"{word} in braces", TEXT),
        ("a", b'{"resourceType": "Bundle", "type": "collection"}', FHIR),
        ("a.json", b'{"id": "x", "text": {"div": "\\"}{"}, "resourceType": "Patient"}', FHIR),
        ("a.json", BUNDLE, FHIR),
        ("a.json", b'{"items": [{"x": {"resourceType": "AWS"}}]}', JSON),
        ("a.json", b'{"a": "resourceType: none", "b": ["resourceType"]}', JSON),
        ("a.ndjson", b'{"id": 1}\n{"resourceType": "Patient"}', JSON),
        ("a.xml", b'<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3">', CCDA),
        ("a.xml", b"<?xml version='1.0'?><?xml-stylesheet href='x'?><!-- c --><n1:ClinicalDocument >", CCDA),
        ("a", b"<ClinicalDocument>", CCDA),
        ("a.eml", HEADER + b"\r\nbody", EML),
        ("a.eml", b"From x@y Mon\n" + HEADER + b"\r\nbody", EML),
        ("a", HEADER + b"MIME-Version: 1.0\r\n\r\nbody", EML),
        ("a", b"Received: from x\n\tby y\n" + HEADER + b"\nbody", EML),
        ("a", HEADER + b"\r\na memo in words", TEXT),
        ("a.txt", HEADER + b"MIME-Version: 1.0\r\n\r\na memo", TEXT),
        ("a.eml", b"Just a line\n" + HEADER, TEXT),
        ("a.eml", b"<html><p>a page</p>", HTML),
    ],
)
def test_content_decides_among_the_newer_formats_too(put, name, content, expected):
    assert sniff(put(name, content)) == expected


@pytest.mark.parametrize(
    "content",
    [
        b'<!DOCTYPE x [<!ENTITY a "b">]><ClinicalDocument>&a;</ClinicalDocument>',
        b"<?xml version='1.0'?><ClinicalDocuments>",
        b"<?xml version='1.0'?><Bundle xmlns='http://hl7.org/fhir'/>",
    ],
)
def test_other_xml_stays_refused(put, content):
    with pytest.raises(UnsupportedFormat, match="XML"):
        sniff(put("a.xml", content))


def test_macros_are_refused(word, rezip):
    plain = word(lambda document: document.add_paragraph("x"))
    with pytest.raises(UnsupportedFormat, match="macros"):
        sniff(rezip(plain, {"word/vbaProject.bin": b"x"}))


def test_an_archive_cut_off_is_damaged(word):
    path = word(lambda document: document.add_paragraph("x"))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DamagedFile):
        sniff(path)


def test_an_archive_with_too_many_parts_is_refused(tmp_path):
    path = tmp_path / "file.docx"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(20_001):
            archive.writestr(str(number), b"")
    with pytest.raises(DamagedFile, match="parts"):
        sniff(path)


def ole(*streams):
    """An OLE file as far as it is looked at: a header that says where the directory is, and the directory."""
    header = bytearray(512)
    header[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    header[30:32] = (9).to_bytes(2, "little")
    header[48:52] = (1).to_bytes(4, "little")
    directory = b"".join(name.encode("utf-16-le").ljust(128, b"\x00") for name in streams)
    return bytes(header) + bytes(512) + directory


@pytest.mark.parametrize(
    ("streams", "said"),
    [
        (("Root Entry", "WordDocument"), ".doc"),
        (("Root Entry", "Workbook"), ".xls"),
        (("Root Entry", "PowerPoint Document"), ".ppt"),
        (("Root Entry", "Else"), "old Office"),
    ],
)
def test_old_office_files_are_named(put, streams, said):
    with pytest.raises(UnsupportedFormat) as caught:
        sniff(put("file.docx", ole(*streams)))
    assert said in caught.value.message


def test_an_encrypted_office_file_is_told_from_an_old_one(put):
    with pytest.raises(EncryptedFile):
        sniff(put("file.docx", ole("Root Entry", "EncryptionInfo", "EncryptedPackage")))


def test_an_ole_file_that_points_beyond_its_end_is_named_all_the_same(put):
    broken = bytearray(ole("WordDocument"))
    broken[48:52] = b"\xff\xff\xff\x7f"
    with pytest.raises(UnsupportedFormat):
        sniff(put("file.doc", bytes(broken)))


def test_python_docx_writes_what_is_accepted(tmp_path):
    path = tmp_path / "blob"
    docx.Document().save(str(path))
    assert sniff(path) == DOCX


@pytest.mark.parametrize(
    "piece",
    [
        b"<!---->",
        b"<!--",
        b"\n",
        b" ",
        b"- \n",
        b"[",
        b"[a](",
        b"**",
        b"|",
        b"<p",
        b"--- ",
        b'\\"',
        b'{"',
        b"From:\n ",
        b"{[ ",
    ],
)
def test_hostile_repetition_takes_no_exponential_time(put, piece):
    for start in (b"", b'{"a": "', b"From: "):
        path = put("file", start + piece * (8192 // len(piece)) + b"x")
        assert sniff(path) in (HTML, JSON, MARKDOWN, TEXT)  # would take ages; the suite's timeout tells

"""A hostile file costs what the limits say and no more, gets one of our errors, and the next file is read."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.errors import (
    DamagedFile,
    DocumentRefused,
    EmptyFile,
    FileTooLarge,
    NoText,
    ParseLimit,
    TooManyPages,
    UnsupportedFormat,
)
from retrieval.parsing.parse import parse
from retrieval.parsing.types import Limits


def tight(**changes):
    return Limits(**{"max_bytes": 50 << 20, "max_pages": 500, "timeout_s": 60, "memory_mb": 1024, **changes})


def read(path, limits, name=None):
    return parse(path, name=name or path.name, limits=limits)


def children():
    """Process ids of the parsing children that this test process has, zombies included."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = process.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1]
            command = process.joinpath("cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == str(os.getpid()) and (b"retrieval.parsing.forkserver" in command or not command):
            found.append(process.name)
    return found


def heavy_html(megabytes):
    return b"<html><body>" + b"<div><p>word</p></div>" * (megabytes * (1 << 20) // 22) + b"</body></html>"


def test_too_many_bytes_are_told_before_one_is_read(tmp_path):
    path = tmp_path / "huge.pdf"
    with path.open("wb") as file:
        file.truncate(300 << 20)  # sparse: its bytes are zeros that no disk holds, and no format
    with pytest.raises(FileTooLarge) as caught:
        read(path, tight(max_bytes=200 << 20))
    assert "300.0 MiB" in caught.value.message
    with pytest.raises(UnsupportedFormat):
        read(path, tight(max_bytes=400 << 20))


def test_no_bytes_are_told(put):
    with pytest.raises(EmptyFile):
        read(put("empty.docx", b""), tight())


def test_too_much_time_ends_the_child(put):
    path = put("slow.html", heavy_html(20))
    with pytest.raises(ParseLimit) as caught:
        read(path, tight(timeout_s=0.7))
    assert "0.7 seconds" in caught.value.message
    assert children() == []


def test_too_much_memory_ends_the_child(put):
    path = put("fat.html", heavy_html(1))
    with pytest.raises(ParseLimit) as caught:
        read(path, tight(memory_mb=80))
    assert "memory" in caught.value.message
    assert children() == []


def test_the_same_file_is_read_when_the_limits_allow(put):
    document = read(put("small.html", heavy_html(1)[: 1 << 16]), tight())
    assert document.pages[0].text.startswith("word")


@pytest.mark.parametrize("memory_mb", [1, 30])
def test_a_limit_below_what_the_interpreter_needs_refuses_too(put, memory_mb):
    with pytest.raises(ParseLimit):
        read(put("note.html", heavy_html(1)), tight(memory_mb=memory_mb))


def test_the_next_file_is_read_after_each_failure(put, pdf):
    good = pdf(lambda canvas: canvas.drawString(50, 50, "Still here"))
    for bad, limits in (
        (put("bad.pdf", b"%PDF-1.4 nothing\n%%EOF"), tight()),
        (put("slow.html", heavy_html(20)), tight(timeout_s=0.5)),
        (put("fat.html", heavy_html(1)), tight(memory_mb=80)),
    ):
        with pytest.raises(DocumentRefused):
            read(bad, limits)
        assert read(good, tight()).pages[0].text == "Still here"
    assert children() == []


def test_a_child_ends_when_its_reader_does_not_want_more(pdf):
    def draw(canvas):
        for _ in range(200):
            canvas.drawString(50, 50, "page")
            canvas.showPage()

    class EnoughError(Exception):
        pass

    def stop(done, total):
        raise EnoughError

    with pytest.raises(EnoughError):
        parse(pdf(draw), name="a.pdf", limits=tight(), report=stop)
    assert children() == []


def test_a_zip_bomb_that_declares_its_size_is_refused(word, rezip):
    plain = word(lambda document: document.add_paragraph("x"))
    path = rezip(plain, {"word/media/image1.bin": bytes(1_234_567)})
    raw, true = path.read_bytes(), (1_234_567).to_bytes(4, "little")
    assert raw.count(true) >= 2, "the size stands in the member's header and in the directory"
    path.write_bytes(raw.replace(true, (600 << 20).to_bytes(4, "little")))
    with pytest.raises(ParseLimit, match="unpacks"):
        read(path, tight())


def test_a_zip_bomb_that_unfolds_in_memory_is_refused(word, rezip):
    plain = word(lambda document: document.add_paragraph("x"))
    with zipfile.ZipFile(plain) as archive:
        body = archive.read("word/document.xml")
    many = b"<w:p/>" * (2 << 20)
    bomb = rezip(plain, {"word/document.xml": body.replace(b"<w:sectPr", many + b"<w:sectPr", 1)})
    assert bomb.stat().st_size < 2 << 20
    with pytest.raises(ParseLimit):
        read(bomb, tight(memory_mb=120))


def test_a_zip_bomb_that_lies_about_its_size_is_refused(word, rezip):
    plain = word(lambda document: document.add_paragraph("x"))
    size = 80 << 20
    text = b"<w:p><w:r><w:t>" + b"A" * size + b"</w:t></w:r></w:p>"
    with zipfile.ZipFile(plain) as archive:
        body = archive.read("word/document.xml").replace(b"<w:sectPr", text + b"<w:sectPr", 1)
    path = rezip(plain, {"word/document.xml": body})
    raw = path.read_bytes()
    true = len(body).to_bytes(4, "little")
    assert raw.count(true) >= 2, "the size stands in the member's header and in the directory"
    path.write_bytes(raw.replace(true, (1000).to_bytes(4, "little")))
    with pytest.raises(DamagedFile):
        read(path, tight())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_an_xml_bomb_is_refused(word, rezip, encoding):
    plain = word(lambda document: document.add_paragraph("x"))
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    bomb = (
        f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE w [<!ENTITY a0 "ha">{entities}]>'
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        "<w:body><w:p><w:r><w:t>&a9;</w:t></w:r></w:p></w:body></w:document>"
    )
    with pytest.raises(DamagedFile, match="entities"):
        read(rezip(plain, {"word/document.xml": bomb.encode(encoding)}), tight())


def test_an_entity_cannot_name_a_file(word, rezip, put):
    secret = put("secret.txt", b"do not tell")
    plain = word(lambda document: document.add_paragraph("x"))
    hostile = (
        f'<!DOCTYPE w [<!ENTITY x SYSTEM "file://{secret}">]>'
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        "<w:body><w:p><w:r><w:t>&x;</w:t></w:r></w:p></w:body></w:document>"
    )
    with pytest.raises(DamagedFile):
        read(rezip(plain, {"word/document.xml": hostile.encode()}), tight())


@pytest.mark.parametrize("tag", [b"div", b"b", b"table", b"ul"])
def test_deep_nesting_is_survived(put, tag):
    depth = 20_000
    markup = b"<html><body><p>first</p>" + (b"<" + tag + b">") * depth + b"deep"
    path = put("deep.html", markup)
    try:
        document = read(path, tight(timeout_s=30))
    except DocumentRefused:
        pass  # refused is as good as read, as long as nothing else comes out
    else:
        assert document.pages[0].text.startswith("first")
    assert read(put("next.txt", b"fine"), tight()).pages[0].text == "fine"


def test_too_many_made_up_pages_are_refused(put):
    text = b"\n\n".join(b"A paragraph of a long text. " * 40 for _ in range(100))
    path = put("long.txt", text)
    with pytest.raises(TooManyPages):
        read(path, tight(max_pages=5))
    assert len(read(path, tight(max_pages=500)).pages) > 5


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", b"  \n\n \t "),
        ("a.txt", "\u200b\u200b\ufeff".encode()),
        ("a.txt", b"--- *** ___"),
        ("a.html", b"<html><body><script>let words = 1</script><p hidden>hidden words</p></body></html>"),
        ("a.md", b"# \n\n---\n"),
    ],
)
def test_text_without_words_is_no_text(put, name, content):
    with pytest.raises(NoText):
        read(put(name, content), tight())


def test_a_document_without_words_is_no_text(word):
    with pytest.raises(NoText):
        read(word(lambda document: document.add_paragraph("  ")), tight())


def test_nothing_of_a_child_reaches_our_error_output(put):
    script = (
        "import sys\nfrom pathlib import Path\nfrom retrieval.errors import DocumentRefused\n"
        "from retrieval.parsing.parse import parse\nfrom retrieval.parsing.types import Limits\n"
        "import structlog\nstructlog.configure(logger_factory=structlog.ReturnLoggerFactory())\n"
        "try:\n    parse(Path(sys.argv[1]), name='a', limits=Limits(max_bytes=9**9, max_pages=9, timeout_s=9, "
        "memory_mb=512))\nexcept DocumentRefused as error:\n    print(error.code)\n"
    )
    path = put("bad.pdf", b"%PDF-1.4 nothing\n%%EOF")
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("damaged_file\n", "")


def test_the_child_imports_nothing_heavy():
    script = (
        "import sys, importlib\n"
        "from retrieval.parsing import child, paint\n"
        "for module in child._PARSERS.values():\n"
        "    importlib.import_module(module)\n"
        "print([name for name in ('torch', 'numpy', 'transformers', 'sqlalchemy', 'faiss') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_messages_tell_neither_text_nor_path(put):
    for content in (b"", b"%PDF-1.4 top secret words\n%%EOF", b"MZ\x00\x00top secret words\x00\x01\x02\x03"):
        path = put("confidential-name.pdf", content)
        with pytest.raises(DocumentRefused) as caught:
            read(path, tight())
        said = caught.value.message + caught.value.remedy
        assert "secret" not in said
        assert str(path.parent) not in said
        assert caught.value.message.endswith(".")
        assert caught.value.remedy


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=400),
    start=st.sampled_from(
        [
            b"",
            b"%PDF-1.5\n",
            b"PK\x03\x04",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
            b"<html>",
            b"# a\n",
            b"\xff\xfe",
        ]
    ),
    end=st.sampled_from([b"", b"\n%%EOF", b"PK\x05\x06" + bytes(18)]),
)
def test_any_bytes_are_read_or_refused(tmp_path, content, start, end):
    path = tmp_path / "fuzz"
    path.write_bytes(start + content + end)
    try:
        document = read(path, tight(timeout_s=20))
    except DocumentRefused:
        return
    assert document.pages

"""A Word document comes out in the order of its body, with what Word shows and without what it hides."""

import zipfile

import pytest

from retrieval.errors import DamagedFile
from retrieval.parsing.parse import parse
from retrieval.parsing.types import DOCX, BlockKind

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def read(path, limits):
    return parse(path, name=path.name, limits=limits)


@pytest.fixture
def body(word, rezip):
    """A document whose body is the XML given."""

    def make(xml):
        plain = word(lambda document: document.add_heading("x", 1), name="plain.docx")
        return rezip(plain, {"word/document.xml": f"<w:document {W}><w:body>{xml}</w:body></w:document>".encode()})

    return make


def test_blocks_in_the_order_of_the_document(word, limits, blocks_of):
    def fill(document):
        document.add_heading("Agreement", 0)
        document.add_heading("Terms", 1)
        document.add_paragraph("The parties agree.")
        table = document.add_table(rows=2, cols=3)
        for row, texts in zip(table.rows, [("Fee", "2023", "2024"), ("Fixed", "1,000", "1,100")], strict=True):
            for cell, text in zip(row.cells, texts, strict=True):
                cell.text = text
        document.add_paragraph("First duty", style="List Bullet")
        document.add_paragraph("Second duty", style="List Number")
        document.add_heading("Ende der Frist", 2)
        document.add_paragraph("尾段。")

    document = read(word(fill), limits)
    assert document.media_type == DOCX
    assert blocks_of(document) == [
        ("heading", "Agreement"),
        ("heading", "Terms"),
        ("paragraph", "The parties agree."),
        ("table", "Fee | 2023 | 2024\nFixed | 1,000 | 1,100"),
        ("list_item", "First duty"),
        ("list_item", "Second duty"),
        ("heading", "Ende der Frist"),
        ("paragraph", "尾段。"),
    ]
    levels = [block.level for block in document.pages[0].blocks if block.kind is BlockKind.HEADING]
    assert levels == [1, 1, 2]


def test_pages_are_made_of_about_three_thousand_characters(word, limits):
    def fill(document):
        for number in range(60):
            document.add_paragraph(f"Paragraph {number}. " + "Some words of a contract. " * 10)

    document = read(word(fill), limits)
    assert len(document.pages) > 4
    assert [page.number for page in document.pages] == list(range(1, len(document.pages) + 1))
    assert all(2000 < len(page.text) <= 3000 for page in document.pages[:-1])
    assert {(page.width, page.height) for page in document.pages} == {(0, 0)}
    assert all(block.boxes == () for page in document.pages for block in page.blocks)
    text = " ".join(page.text for page in document.pages)
    assert all(f"Paragraph {number}." in text for number in range(60))


def test_tracked_changes_are_read_as_shown(body, limits):
    path = body(
        "<w:p><w:r><w:t>The rate is </w:t></w:r><w:del><w:r><w:delText>five</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t>six</w:t></w:r></w:ins><w:r><w:t> percent.</w:t></w:r></w:p>"
    )
    assert read(path, limits).pages[0].text == "The rate is six percent."


def test_hidden_text_is_dropped_and_its_opposite_kept(body, limits):
    path = body(
        "<w:p><w:r><w:t>Seen </w:t></w:r>"
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden </w:t></w:r>"
        '<w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t>shown</w:t></w:r></w:p>'
    )
    assert read(path, limits).pages[0].text == "Seen shown"


def test_content_controls_and_links_are_read(body, limits, blocks_of):
    path = body(
        "<w:sdt><w:sdtContent><w:p><w:hyperlink><w:r><w:t>Linked</w:t></w:r></w:hyperlink>"
        "<w:r><w:tab/><w:t>after</w:t><w:br/><w:t>break</w:t></w:r></w:p></w:sdtContent></w:sdt>"
        "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc>"
        "<w:sdt><w:sdtContent><w:tc><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc></w:sdtContent></w:sdt></w:tr></w:tbl>"
    )
    assert blocks_of(read(path, limits)) == [("paragraph", "Linked after break"), ("table", "a | b")]


def test_a_table_in_a_cell_is_part_of_the_cell(body, limits, blocks_of):
    inner = "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>inner</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
    path = body(
        f"<w:tbl><w:tr><w:tc><w:p><w:r><w:t>outer</w:t></w:r></w:p>{inner}<w:p/></w:tc>"
        "<w:tc><w:p><w:r><w:t>beside</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
    )
    assert blocks_of(read(path, limits)) == [("table", "outer inner | beside")]


def test_invisible_characters_are_stripped(body, limits):
    path = body("<w:p><w:r><w:t>pay\u200bment\U000e0041\u202e due</w:t></w:r></w:p>")
    assert read(path, limits).pages[0].text == "payment due"


@pytest.mark.parametrize("member", ["word/document.xml", "[Content_Types].xml", "_rels/.rels", "word/styles.xml"])
def test_a_broken_part_is_damage(word, rezip, limits, member):
    plain = word(lambda document: document.add_paragraph("x"))
    with pytest.raises(DamagedFile):
        read(rezip(plain, {member: b"<broken"}), limits)


def test_a_missing_part_is_damage(word, tmp_path, limits):
    plain, path = word(lambda document: document.add_paragraph("x")), tmp_path / "missing.docx"
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w") as new:
        for member in old.namelist():
            if member != "_rels/.rels":
                new.writestr(member, old.read(member))
    with pytest.raises(DamagedFile):
        read(path, limits)


def test_flipped_bytes_are_damage(word, limits):
    path = word(lambda document: document.add_paragraph("words " * 500))
    raw = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("word/document.xml")
    at = member.header_offset + 30 + len(member.filename) + member.compress_size // 2
    raw[at : at + 8] = bytes(8)
    path.write_bytes(bytes(raw))
    with pytest.raises(DamagedFile):
        read(path, limits)

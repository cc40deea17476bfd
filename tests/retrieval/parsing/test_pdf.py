"""PDF pages come out in reading order, with every line where the writer put it."""

import io
import itertools

import pypdfium2
import pytest
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import SimpleDocTemplate, Table, TableStyle

from retrieval.errors import DamagedFile, EncryptedFile, NoText, TooManyPages
from retrieval.parsing.parse import parse
from retrieval.parsing.types import PDF, BlockKind

HEIGHT = 842.0


def read(path, limits, **options):
    return parse(path, name=path.name, limits=limits, **options)


def line_box(page, text):
    """The box of the line in which a text stands."""
    at = page.text.index(text)
    block = next(block for block in page.blocks if block.start <= at < block.end)
    ends = (*block.lines[1:], block.end)
    return next(box for box, line, end in zip(block.boxes, block.lines, ends, strict=True) if line <= at < end)


def prose(canvas, lines, *, x=72, y=700, size=11, font="Helvetica", leading=1.25):
    canvas.setFont(font, size)
    for index, line in enumerate(lines):
        canvas.drawString(x, y - index * size * leading, line)


def test_a_line_lies_where_it_was_drawn(pdf, limits):
    path = pdf(lambda canvas: prose(canvas, ["Liquidity coverage ratio"], x=100, y=600, size=12))
    page = read(path, limits).pages[0]
    box = line_box(page, "Liquidity")
    width = pdfmetrics.stringWidth("Liquidity coverage ratio", "Helvetica", 12)
    assert (page.width, page.height) == (595, 842)
    assert box.x0 == pytest.approx(100, abs=1.5)
    assert box.x1 == pytest.approx(100 + width, abs=1.5)
    assert box.top < HEIGHT - 600 - 0.7 * 12, "capitals reach above the baseline"
    assert box.bottom > HEIGHT - 600, "descenders reach below the baseline"
    assert box.bottom - box.top < 1.6 * 12


def test_each_line_of_a_paragraph_has_its_own_box(pdf, limits):
    lines = ["The bank holds a buffer above the", "minimum in all of its regions and", "reports it every month."]
    page = read(pdf(lambda canvas: prose(canvas, lines)), limits).pages[0]
    assert page.text == " ".join(lines)
    (block,) = page.blocks
    assert [page.text[line : line + 8] for line in block.lines] == [line[:8] for line in lines]
    assert all(above.bottom <= below.bottom - 10 for above, below in itertools.pairwise(block.boxes))


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_boxes_follow_a_turned_page(pdf, limits, turn):
    def draw(canvas):
        canvas.setPageSize((400, 600))
        prose(canvas, ["Corner"], x=20, y=560, size=10)

    path = pdf(draw)
    turned = path.with_name("turned.pdf")
    document = pypdfium2.PdfDocument(path)
    document[0].set_rotation(turn)
    document.save(turned)
    document.close()
    page = read(turned, limits).pages[0]
    box = line_box(page, "Corner")
    # The word stands at the top left of the unturned page; turning goes clockwise.
    near_left, near_top = {0: (True, True), 90: (False, True), 180: (False, False), 270: (True, False)}[turn]
    assert (page.width, page.height) == ((400, 600) if turn in (0, 180) else (600, 400))
    assert ((box.x0 + box.x1) / 2 < page.width / 2) is near_left
    assert ((box.top + box.bottom) / 2 < page.height / 2) is near_top
    assert box.x0 >= 0
    assert box.top >= 0
    assert box.x1 <= page.width
    assert box.bottom <= page.height
    upright = turn in (0, 180)
    assert (box.x1 - box.x0 > box.bottom - box.top) is upright


def test_a_crop_box_moves_the_origin_and_hides_what_is_outside(pdf, limits):
    def draw(canvas):
        canvas.setCropBox((100, 200, 400, 700))
        prose(canvas, ["Inside the crop"], x=120, y=650, size=10)
        prose(canvas, ["Cut away"], x=120, y=750, size=10)

    page = read(pdf(draw), limits).pages[0]
    assert (page.width, page.height) == (300, 500)
    assert page.text == "Inside the crop"
    box = line_box(page, "Inside")
    assert box.x0 == pytest.approx(20, abs=1.5)
    assert box.bottom == pytest.approx(50, abs=4)


def test_larger_and_bold_lines_are_headings_with_levels(pdf, limits):
    def draw(canvas):
        prose(canvas, ["Annual report"], y=780, size=24)
        prose(canvas, ["1 Risk"], y=730, size=16)
        prose(canvas, ["The group manages its credit risk centrally and reviews it."] * 4, y=700)
        prose(canvas, ["1.1 Market risk"], y=620, size=16)
        prose(canvas, ["Bold and short"], y=590, font="Helvetica-Bold")
        prose(canvas, ["Positions are limited by value at risk and by stress tests."] * 4, y=570)

    page = read(pdf(draw), limits).pages[0]
    headings = [(page.text[b.start : b.end], b.level) for b in page.blocks if b.kind is BlockKind.HEADING]
    names, levels = [name for name, _ in headings], [level for _, level in headings]
    assert names == ["Annual report", "1 Risk", "1.1 Market risk", "Bold and short"]
    assert levels == sorted(levels)
    assert len(set(levels)) == 4
    assert sum(block.kind is BlockKind.PARAGRAPH for block in page.blocks) == 2


def test_a_bold_word_does_not_make_a_heading(pdf, limits):
    def draw(canvas):
        prose(canvas, ["Note"], x=72, y=700, font="Helvetica-Bold")
        prose(canvas, ["that the limit applies to all of the desks"], x=98, y=700)
        prose(canvas, ["and is reviewed each year."], y=686)

    page = read(pdf(draw), limits).pages[0]
    assert page.text == "Note that the limit applies to all of the desks and is reviewed each year."
    assert [block.kind for block in page.blocks] == [BlockKind.PARAGRAPH]


def test_paragraphs_part_at_gaps_and_lists_at_markers(pdf, limits, blocks_of):
    def draw(canvas):
        prose(canvas, ["The first paragraph runs over two lines", "and ends here."], y=700)
        prose(canvas, ["The second one follows after a gap and", "has two lines as well."], y=655)
        prose(canvas, ["• capital", "• liquidity of the group", "1. first number", "(b) second letter"], y=610)

    assert blocks_of(read(pdf(draw), limits)) == [
        ("paragraph", "The first paragraph runs over two lines and ends here."),
        ("paragraph", "The second one follows after a gap and has two lines as well."),
        ("list_item", "• capital"),
        ("list_item", "• liquidity of the group"),
        ("list_item", "1. first number"),
        ("list_item", "(b) second letter"),
    ]


def test_two_columns_are_read_one_after_the_other(pdf, limits):
    left = [f"left column line number {n} has several words" for n in range(12)]
    right = [f"right column line number {n} goes on beside it" for n in range(12)]

    def draw(canvas):
        prose(canvas, ["A title that stands above both of the columns of this page and crosses the gutter"], y=780)
        prose(canvas, left, x=50, y=740, size=10)
        prose(canvas, right, x=320, y=733, size=10)  # half a line lower, as columns often stand
        prose(canvas, ["A line below both columns that also crosses the gutter between the two of them"], y=500)

    text = read(pdf(draw), limits).pages[0].text
    found = [text.index(line) for line in (*left, *right)]
    assert found == sorted(found)
    assert text.startswith("A title")
    assert text.endswith("the two of them")


def test_a_table_keeps_each_number_beside_its_label(pdf, limits, blocks_of):
    rows = [("", "2023", "2022"), ("Revenue", "1,234", "1,100"), ("Operating profit", "(56)", "3.5"), ("Tax", "7", "8")]

    def draw(canvas):
        prose(canvas, ["Figures are in millions and were audited by the firm."], y=740)
        for index, (label, *numbers) in enumerate(rows):
            y = 700 - 16 * index
            canvas.drawString(72, y, label)
            canvas.drawRightString(320, y, numbers[0])
            canvas.drawString(360, y, "$")
            canvas.drawRightString(420, y, numbers[1])

    blocks = blocks_of(read(pdf(draw), limits))
    assert blocks[0] == ("paragraph", "Figures are in millions and were audited by the firm.")
    assert blocks[1] == (
        "table",
        "Figures are in millions | 2023 | $2022\nRevenue | 1,234 | $1,100\nOperating profit | (56) | $3.5\n"
        "Tax | 7 | $8",
    )
    assert len(blocks) == 2


def test_a_table_over_two_pages_is_a_table_on_both(tmp_path, limits):
    path = tmp_path / "table.pdf"
    data = [["Item", "Amount", "Share"]] + [[f"Position {n}", f"{n},000", f"{n}.5%"] for n in range(1, 71)]
    table = Table(data, repeatRows=1, colWidths=[200, 100, 100])
    table.setStyle(TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.grey)]))
    SimpleDocTemplate(str(path), pagesize=A4).build([table])
    document = read(path, limits)
    assert len(document.pages) == 2
    rows = []
    for page in document.pages:
        (block,) = page.blocks
        assert block.kind is BlockKind.TABLE
        lines = page.text.split("\n")
        assert lines[0] == "Item | Amount | Share"
        assert len(block.boxes) == len(lines)
        rows += lines[1:]
    assert rows == [f"Position {n} | {n},000 | {n}.5%" for n in range(1, 71)]


def test_hyphens_at_line_ends_go_and_those_of_words_stay(pdf, limits):
    lines = [
        "The inter-",
        "national and long-",
        "term loans, non-",
        "performing or state-",
        "owned, fell 10-",
        "20 percent.",
    ]

    def draw(canvas):
        prose(canvas, lines, y=700)
        prose(canvas, ["A state-owned bank holds them."], y=600)

    text = read(pdf(draw), limits).pages[0].text
    assert "The international and long-term loans, non-performing or state-owned, fell 10-20 percent." in text


def test_chinese_lines_join_without_a_space(pdf, limits):
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    lines = ["商业银行的资本充足率不得低于百分之八，", "并应当定期向监管机构报告。"]
    page = read(pdf(lambda canvas: prose(canvas, lines, font="STSong-Light")), limits).pages[0]
    assert page.text == "".join(lines)
    assert line_box(page, "并应当").top > line_box(page, "商业银行").top + 10


HIDING = b"""%PDF-1.4
1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj
2 0 obj <</Type/Pages/Kids[3 0 R]/Count 1>> endobj
3 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>> endobj
4 0 obj <</Length 46>> stream
BT /F1 12 Tf 50 100 Td (payZment dueY nowX) Tj ET
endstream endobj
5 0 obj <</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 6 0 R>> endobj
6 0 obj <</Length 160>> stream
/CIDInit /ProcSet findresource begin 1 begincmap
1 begincodespacerange <00> <FF> endcodespacerange
3 beginbfchar <5A> <200B> <59> <DB40DC41> <58> <202E> endbfchar
endcmap end
endstream endobj
trailer <</Root 1 0 R>>
startxref
0
%%EOF
"""
"""A page whose font says that Z is a zero-width space, Y a tag character and X turns the direction."""


def test_what_a_reader_cannot_see_is_stripped(put, limits):
    assert read(put("hiding.pdf", HIDING), limits).pages[0].text == "payment due now"


def test_sideways_text_is_kept_in_one_piece(pdf, limits, blocks_of):
    def draw(canvas):
        prose(canvas, ["The page itself is upright and has a note on its side."], y=700)
        canvas.rotate(90)
        canvas.drawString(300, -560, "Confidential draft")

    assert ("paragraph", "Confidential draft") in blocks_of(read(pdf(draw), limits))


def test_pages_without_text_keep_their_number(pdf, limits, black_square):
    def draw(canvas):
        canvas.drawImage(ImageReader(io.BytesIO(black_square)), 100, 100)
        canvas.showPage()
        prose(canvas, ["On the second page"])

    first, second = read(pdf(draw), limits).pages
    assert (first.number, first.text, first.blocks) == (1, "", ())
    assert (second.number, second.text) == (2, "On the second page")


def test_progress_is_told_page_by_page(pdf, limits):
    def draw(canvas):
        for number in range(5):
            prose(canvas, [f"Page {number}"])
            canvas.showPage()

    told = []
    document = read(pdf(draw), limits, report=lambda done, total: told.append((done, total)))
    assert told == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    assert document.media_type == PDF


def test_landscape_pages_have_their_size(pdf, limits):
    page = read(pdf(lambda canvas: prose(canvas, ["Wide"], y=500), pagesize=landscape(A4)), limits).pages[0]
    assert page.width > page.height


def test_images_alone_are_no_text(pdf, limits, black_square):
    path = pdf(lambda canvas: canvas.drawImage(ImageReader(io.BytesIO(black_square)), 100, 100))
    with pytest.raises(NoText) as caught:
        read(path, limits)
    assert "OCR" in caught.value.remedy


def test_a_password_is_asked_for(pdf, limits):
    path = pdf(lambda canvas: prose(canvas, ["Secret"]), encrypt="password")
    with pytest.raises(EncryptedFile):
        read(path, limits)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_file_cut_off_is_refused_and_not_read_in_part(pdf, limits, share):
    def draw(canvas):
        for number in range(20):
            prose(canvas, [f"Page {number}"])
            canvas.showPage()

    path = pdf(draw)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DamagedFile):
        read(path, limits)


def test_garbage_between_head_and_end_is_damage(put, limits):
    path = put("file.pdf", b"%PDF-1.7\n" + bytes(range(256)) * 40 + b"\nstartxref\n9\n%%EOF\n")
    with pytest.raises(DamagedFile):
        read(path, limits)


def test_too_many_pages_are_told_before_any_is_read(put, limits):
    many = HIDING.replace(b"/Kids[3 0 R]/Count 1", b"/Kids[" + b"3 0 R " * 5000 + b"]/Count 5000")
    path, reported = put("long.pdf", many), []
    with pytest.raises(TooManyPages) as caught:
        read(path, limits, report=lambda *progress: reported.append(progress))
    assert "5000" in caught.value.message
    assert reported == []
    assert len(read(put("short.pdf", many.replace(b"5000", b"20")), limits).pages) == 20


def test_an_ideograph_beyond_the_first_plane_is_read(put, limits):
    rare = HIDING.replace(b"(payZment dueY nowX)", b"(Mr Z signed)       ").replace(b"<5A> <200B>", b"<5A> <D842DFB7>")
    assert read(put("rare.pdf", rare), limits).pages[0].text == "Mr 𠮷 signed"

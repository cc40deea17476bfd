"""A presentation comes out slide by slide, as an audience sees it, with its notes marked and its charts as tables."""

import contextlib
import datetime
import zipfile

import pytest
from pptx import Presentation
from pptx.chart.data import BubbleChartData, CategoryChartData, XyChartData
from pptx.dml.color import RGBColor
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches, Pt

from retrieval.chunking import chunk
from retrieval.errors import DamagedFile, NoText, TooManyPages
from retrieval.parsing.parse import parse
from retrieval.parsing.sandbox import Sandbox
from retrieval.parsing.slides import read
from retrieval.parsing.types import PPTX, ParsedDocument

TITLE_ONLY, TITLE_AND_BODY, BLANK = 5, 1, 6
PLACE = (Inches(1), Inches(2), Inches(3), Inches(1))


@pytest.fixture
def deck(tmp_path):
    """Fill a presentation and get the file."""

    def make(fill, *, name="deck.pptx"):
        presentation, path = Presentation(), tmp_path / name
        fill(presentation)
        presentation.save(path)
        return path

    return make


def slide(presentation, layout=BLANK, title=None):
    made = presentation.slides.add_slide(presentation.slide_layouts[layout])
    if title is not None:
        made.shapes.title.text = title
    return made


def box(made, text, place=PLACE):
    shape = made.shapes.add_textbox(*place)
    shape.text_frame.text = text
    return shape


def pages_of(path):
    total, pages = read(path, max_pages=100)
    pages = list(pages)
    assert total == len(pages)
    return pages


def blocks(path):
    return [[(b.kind.value, page.text[b.start : b.end]) for b in page.blocks] for page in pages_of(path)]


def remarks(path):
    return [(one.code, one.page, one.detail) for page in pages_of(path) for one in page.remarks]


def test_a_slide_is_a_page_under_its_title(deck):
    def fill(presentation):
        first = slide(presentation, TITLE_AND_BODY, "Results")
        box(first, "Source: annual report")
        first.placeholders[1].text_frame.text = "Revenue grew\nCosts fell"
        first.notes_slide.notes_text_frame.text = "Say thanks.\nPause."
        slide(presentation, TITLE_ONLY, "尾页")

    path = deck(fill)
    assert blocks(path) == [
        [
            ("heading", "Results"),
            ("list_item", "Revenue grew"),
            ("list_item", "Costs fell"),
            ("paragraph", "Source: annual report"),
            ("heading", "Speaker notes"),
            ("paragraph", "Say thanks."),
            ("paragraph", "Pause."),
        ],
        [("heading", "尾页")],
    ]
    first = pages_of(path)[0]
    assert (first.width, first.height) == (720, 540)
    assert [block.level for block in first.blocks if block.level] == [1, 2]
    source = first.blocks[3].boxes[0]
    assert (source.x0, source.top, source.x1, source.bottom) == (72, 144, 288, 216)
    assert first.blocks[-1].boxes == ()


def test_passages_of_notes_say_so_in_their_headings(deck):
    def fill(presentation):
        first = slide(presentation, TITLE_ONLY, "Results")
        first.notes_slide.notes_text_frame.text = "A long remark of the speaker. " * 60
        box(slide(presentation), "No title here")

    document = ParsedDocument(media_type=PPTX, pages=tuple(pages_of(deck(fill))))
    paths = [piece.headings for piece in chunk(document)]
    assert ("Results", "Speaker notes") in paths
    assert paths[-1] == ("Slide 2",), "text without a title is not under the title of the slide before"


def test_tables_are_whole_and_merged_cells_are_read_once(deck):
    def fill(presentation):
        table = slide(presentation, TITLE_ONLY, "T").shapes.add_table(3, 3, *PLACE).table
        for row in range(3):
            for column in range(3):
                table.cell(row, column).text = f"{row}{column}" if row else f"h{column}"
        table.cell(1, 0).merge(table.cell(2, 0))
        table.cell(1, 0).text = "both"

    assert blocks(deck(fill))[0][1] == ("table", "h0 | h1 | h2\nboth | 11 | 12\nboth | 21 | 22")


def charted(presentation, kind, data):
    return slide(presentation).shapes.add_chart(kind, *PLACE, data).chart


def test_charts_are_the_tables_behind_them(deck):
    def fill(presentation):
        data = CategoryChartData(number_format="0.0%")
        data.categories = ["Q1", "Q2"]
        data.add_series("North", (0.1, 0.25))
        data.add_series("South", (0.3, None))
        chart = charted(presentation, XL_CHART_TYPE.COLUMN_CLUSTERED, data)
        chart.has_title = chart.value_axis.has_title = True
        chart.chart_title.text_frame.text = "Margin"
        chart.value_axis.axis_title.text_frame.text = "per cent"
        data = XyChartData()
        series = data.add_series("Model")
        series.add_data_point(1, 2)
        series.add_data_point(3, 4.5)
        charted(presentation, XL_CHART_TYPE.XY_SCATTER, data)
        data = BubbleChartData()
        data.add_series("Deals").add_data_point(1, 2, 10)
        charted(presentation, XL_CHART_TYPE.BUBBLE, data)
        data = CategoryChartData()
        europe = data.add_category("EU")
        europe.add_sub_category("DE")
        europe.add_sub_category("FR")
        data.add_category("US").add_sub_category("NY")
        data.add_series("Sales", (1, 2, 3))
        charted(presentation, XL_CHART_TYPE.PIE, data)
        data = CategoryChartData()
        data.categories = [datetime.date(2024, 1, 1), datetime.date(2024, 2, 1)]
        data.add_series("Rate", (1.5, 2))
        charted(presentation, XL_CHART_TYPE.LINE, data)

    assert [found[1:] for found in blocks(deck(fill))] == [
        [("paragraph", "Margin; per cent"), ("table", " | North | South\nQ1 | 10.0% | 30.0%\nQ2 | 25.0%")],
        [("table", "X | Model\n1 | 2\n3 | 4.5")],
        [("table", "X | Deals\n1 | 2 (10)")],
        [("table", " | Sales\nEU DE | 1\nEU FR | 2\nUS NY | 3")],
        [("table", " | Rate\n2024-01-01 | 1.5\n2024-02-01 | 2")],
    ]


def test_shapes_of_a_group_stand_where_the_group_stands(deck):
    def fill(presentation):
        made = slide(presentation)
        group = made.shapes.add_group_shape()
        inner = group.shapes.add_group_shape()
        box(inner, "inside")
        for one in (group, inner):
            one.left, one.top, one.width, one.height = PLACE
        inner._element.grpSpPr.xfrm.chOff.x = Inches(1)
        group.left += Inches(2)

    path = deck(fill)
    assert blocks(path) == [[("heading", "Slide 1"), ("paragraph", "inside")]]
    where = pages_of(path)[0].blocks[1].boxes[0]
    assert (where.x0, where.top) == (216, 144)


def test_what_the_audience_does_not_see_is_left_out_and_said(deck):
    def fill(presentation):
        first = slide(presentation, TITLE_ONLY, "Seen")
        box(first, "off", (Inches(20), 0, Inches(1), Inches(1)))
        box(first, "above", (0, Inches(-5), Inches(1), Inches(1)))
        hidden = box(first, "hidden")
        hidden._element.nvSpPr.cNvPr.set("hidden", "1")
        group = first.shapes.add_group_shape()
        box(group, "in a hidden group")
        group._element.nvGrpSpPr.cNvPr.set("hidden", "true")
        run = box(first, "").text_frame.paragraphs[0].add_run()
        run.text, run.font.size = "tiny", Pt(1)
        shape = box(first, "")
        shape.fill.solid()
        shape.fill.fore_color.rgb = RGBColor(0, 128, 0)
        run = shape.text_frame.paragraphs[0].add_run()
        run.text, run.font.color.rgb = "green on green", RGBColor(0, 128, 0)
        run = shape.text_frame.paragraphs[0].add_run()
        run.text, run.font.color.rgb = "white on green", RGBColor(255, 255, 255)
        second = slide(presentation, TITLE_ONLY, "hidden slide")
        second._element.set("show", "0")
        second.notes_slide.notes_text_frame.text = "hidden notes"
        slide(presentation, TITLE_ONLY, "Last")

    path = deck(fill)
    assert blocks(path) == [[("heading", "Seen"), ("paragraph", "white on green")], [], [("heading", "Last")]]
    assert remarks(path) == [
        ("hidden_text", 1, "hidden shapes: 2"),
        ("hidden_text", 1, "pieces of text that cannot be seen: 2"),
        ("off_page_text", 1, "shapes off the slide: 2"),
        ("hidden_text", 2, "hidden slide: 1"),
    ]


def test_a_slide_that_is_a_picture_has_no_text_and_says_so(deck, black_square, put, limits):
    picture = put("p.png", black_square)

    def fill(presentation):
        slide(presentation).shapes.add_picture(str(picture), 0, 0)
        slide(presentation)

    path = deck(fill)
    assert blocks(path) == [[], []]
    assert remarks(path) == [("picture_unread", 1, "slide that is a picture: 1")]
    with pytest.raises(NoText):
        parse(path, name=path.name, limits=limits)


def test_the_child_reads_it_whatever_the_file_is_called(deck, limits):
    def fill(presentation):
        slide(presentation, TITLE_ONLY, "One")
        slide(presentation, TITLE_ONLY, "Two")

    with Sandbox() as sandbox:
        document = parse(deck(fill, name="0f3a"), name="d.pptx", limits=limits, sandbox=sandbox)
        assert (document.media_type, [page.text for page in document.pages]) == (PPTX, ["One", "Two"])
        with pytest.raises(TooManyPages, match="2 pages"):
            parse(deck(fill), name="d.pptx", limits=limits.model_copy(update={"max_pages": 1}), sandbox=sandbox)


@pytest.mark.parametrize(
    "member",
    ["ppt/presentation.xml", "ppt/slides/slide1.xml", "[Content_Types].xml", "ppt/slides/_rels/slide1.xml.rels"],
)
def test_a_broken_part_is_damage(deck, rezip, member):
    path = deck(lambda presentation: slide(presentation, TITLE_ONLY, "x"))
    with pytest.raises(DamagedFile):
        blocks(rezip(path, {member: b"<broken"}))


def test_a_show_and_a_template_are_read_like_a_presentation(deck, rezip):
    path = deck(lambda presentation: slide(presentation, TITLE_ONLY, "x"))
    with zipfile.ZipFile(path) as archive:
        types = archive.read("[Content_Types].xml")
    for kind in (b"slideshow", b"template"):
        other = types.replace(b"presentationml.presentation.main", b"presentationml." + kind + b".main")
        assert other != types
        assert blocks(rezip(path, {"[Content_Types].xml": other})) == [[("heading", "x")]]


@pytest.mark.parametrize("value", ["9" * 30, "-99999999999999"])
def test_a_shape_beyond_all_slides_does_no_harm(deck, rezip, value):
    path = deck(lambda presentation: box(slide(presentation), "text"))
    with zipfile.ZipFile(path) as archive:
        markup = archive.read("ppt/slides/slide1.xml")
    moved = markup.replace(b'<a:off x="914400"', b'<a:off x="' + value.encode() + b'"')
    assert moved != markup
    copy = rezip(path, {"ppt/slides/slide1.xml": moved})
    with contextlib.suppress(DamagedFile):  # refused is as good as left out
        assert blocks(copy) == [[]]

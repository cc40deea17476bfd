"""Cells of a PDF table stand in their columns, under one header row, with their unit, on every page."""

import pytest
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Table, TableStyle

from retrieval.chunking import chunk
from retrieval.parsing.columns import columns_of, unit_of
from retrieval.parsing.layout import regions
from retrieval.parsing.pdf import read
from retrieval.parsing.runs import Run
from retrieval.parsing.types import PDF, BlockKind, ParsedDocument

BODY = getSampleStyleSheet()["BodyText"]
PROSE = "The group manages its credit risk centrally and reviews all of its limits every quarter, as note 4 describes."
PLAIN = TableStyle([("FONTSIZE", (0, 0), (-1, -1), 9), ("ALIGN", (1, 0), (-1, -1), "RIGHT")])
PLAIN.add("TOPPADDING", (0, 0), (-1, -1), 1)
PLAIN.add("BOTTOMPADDING", (0, 0), (-1, -1), 1)
RULED = TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.grey), ("VALIGN", (0, 0), (-1, -1), "TOP")])


@pytest.fixture
def flow(tmp_path):
    """Set flowables as a PDF and read its pages."""

    def make(*flowables):
        path = tmp_path / "flow.pdf"
        SimpleDocTemplate(str(path), pagesize=A4).build(
            [Paragraph(one, BODY) if isinstance(one, str) else one for one in flowables]
        )
        _, pages = read(path, max_pages=20)
        return tuple(pages)

    return make


def tables(pages):
    return [page.text[b.start : b.end] for page in pages for b in page.blocks if b.kind is BlockKind.TABLE]


def written(*rows, pitch=14.0, unit=""):
    """Write rows of (x, text) as `columns_of` does; each character is five points wide."""
    runs = [
        Run(text=text, x0=x, top=100 + pitch * n, x1=x + 5 * len(text), bottom=110 + pitch * n, size=10, bold=False)
        for n, row in enumerate(rows)
        for x, text in row
    ]
    (found,) = regions(runs)
    return [line.text for line in columns_of(found, unit=unit).lines]


def right(x, text):
    return (x - 5 * len(text), text)


def test_a_row_that_lacks_a_figure_keeps_the_others_in_their_columns():
    assert written(
        [right(200, "Note"), right(300, "2025"), right(400, "2024")],
        [(40, "Revenue"), right(200, "3"), right(300, "486"), right(400, "458")],
        [(40, "Gross profit of the whole group"), right(300, "144"), right(400, "131")],
        [(40, "Gains"), right(400, "(12)")],
        [(40, "Other")],
        [(40, "Tax"), right(200, "7"), right(300, "—"), right(400, "9")],
    ) == [
        "| Note | 2025 | 2024",
        "Revenue | 3 | 486 | 458",
        "Gross profit of the whole group |  | 144 | 131",
        "Gains |  |  | (12)",
        "Other",
        "Tax | 7 | — | 9",
    ]


def test_header_rows_become_one_and_a_centred_cell_counts_for_its_columns():
    assert written(
        [(260, "Quarter"), (467, "Year")],
        [(40, "(in millions)"), right(250, "2025"), right(330, "2024"), right(450, "2025"), right(530, "2024")],
        [(40, "Revenue"), right(250, "1,234"), right(330, "1,100"), right(450, "4,800"), right(530, "4,200")],
        [(40, "Costs"), right(330, "(650)"), right(530, "(2,500)")],
    ) == [
        "(in millions) | Quarter 2025 | Quarter 2024 | Year 2025 | Year 2024",
        "Revenue | 1,234 | 1,100 | 4,800 | 4,200",
        "Costs |  | (650) |  | (2,500)",
    ]


def test_a_header_over_one_column_stays_with_it():
    first, *_ = written(
        [right(450, "Restated")],
        [right(250, "2025"), right(450, "2024")],
        [(40, "Revenue"), right(250, "12"), right(450, "11")],
    )
    assert first == "| 2025 | Restated 2024"


def test_rows_whose_cells_meet_are_written_as_they_stand():
    rows = (
        [(40, "a"), (100, "b"), (150, "c"), (300, "d")],
        [(40, "e"), (100, "text over two"), (300, "g")],
        [(40, "h"), (100, "i"), (150, "j"), (300, "k")],
    )
    assert written(*rows) == ["a | b | c | d", "e | text over two | g", "h | i | j | k"]


def test_labels_of_several_lines_are_joined_and_titles_inside_are_not():
    assert written(
        [right(250, "2025")],
        [(40, "Long-term debt, including")],
        [(40, "current maturities"), right(250, "12")],
        [(40, "Current assets")],
        [(40, "Inventories"), right(250, "5")],
        [(40, "Purchase commitments"), right(250, "7")],
        [(40, "for raw materials")],
        [(40, "Total"), right(250, "24")],
        [right(250, "24")],
        pitch=12,
    ) == [
        "| 2025",
        "Long-term debt, including current maturities | 12",
        "Current assets",
        "Inventories | 5",
        "Purchase commitments for raw materials | 7",
        "Total | 24",
        "| 24",
    ]


def test_the_unit_joins_the_header():
    rows = ([right(250, "2025")], [(40, "Revenue"), right(250, "12")])
    assert written(*rows, unit="in millions")[0] == "in millions | 2025"


@pytest.mark.parametrize(
    ("line", "unit"),
    [
        ("(in millions, except per share data)", "in millions, except per share data"),
        ("Year ended 31 December. Figures in thousands of pounds (£000).", "Figures in thousands of pounds (£000)"),
        ("(Dollars in thousands)", "Dollars in thousands"),
        ("(In millions of U.S. dollars)", "In millions of U.S. dollars"),
        ("£ million", "£ million"),
        ("单位：万元", "单位：万元"),
        ("金额单位：人民币元", "金额单位：人民币元"),
        ("We invested in three million shares", ""),
        ("Revenue in 2025 rose", ""),
        (
            "The fair value is stated in millions of euros in a line that is long, " + "and long, " * 8,
            "",
        ),
    ],
)
def test_a_line_names_its_unit(line, unit):
    assert unit_of(line) == unit


def test_a_statement_with_caption_unit_and_two_header_rows(flow):
    spans = [("SPAN", (1, 0), (2, 0)), ("SPAN", (3, 0), (4, 0)), ("ALIGN", (1, 0), (-1, 0), "CENTER")]
    pages = flow(
        PROSE,
        "<b>Consolidated statements of income</b>",
        "(in millions, except per share data)",
        Table(
            [
                ["", "Three months ended", "", "Year ended", ""],
                ["", "Dec 31, 2023", "Dec 31, 2022", "2023", "2022"],
                ["Revenue", "1,234", "1,100", "4,800", "4,200"],
                ["Restructuring", "", "(12)", "", "(40)"],
                ["Earnings per share:", "", "", "", ""],
                ["Basic", "$ 1.02", "$ 0.88", "$ 4.00", "$ 3.30"],
            ],
            style=TableStyle([*PLAIN.getCommands(), *spans]),
            colWidths=[150, 80, 80, 80, 80],
        ),
        PROSE,
    )
    (table,) = tables(pages)
    assert table.split("\n") == [
        "in millions, except per share data | Three months ended Dec 31, 2023 | Three months ended Dec 31, 2022"
        " | Year ended 2023 | Year ended 2022",
        "Revenue | 1,234 | 1,100 | 4,800 | 4,200",
        "Restructuring |  | (12) |  | (40)",
        "Earnings per share:",
        "Basic | $ 1.02 | $ 0.88 | $ 4.00 | $ 3.30",
    ]
    block = next(block for block in pages[0].blocks if block.kind is BlockKind.TABLE)
    header, first = block.boxes[:2]
    assert header.bottom - header.top > 1.5 * (first.bottom - first.top), "the box holds both rows of the header"
    part = chunk(ParsedDocument(media_type=PDF, pages=pages), words=30)[-2]
    assert part.headings[-1] == "Consolidated statements of income"


def test_cells_of_several_lines_in_a_ruled_table(flow):
    small = BODY.clone("small", fontSize=8, leading=9.6)
    rows = [
        ("Covenant", "Definition", "Limit"),
        (
            "Leverage",
            "Net debt at the end of each quarter divided by EBITDA of the last four of them as defined",
            "3.50",
        ),
        ("Liquidity", "Cash and undrawn committed facilities of the borrower and of its material subsidiaries", "25"),
    ]
    cells = [[Paragraph(text, small) for text in row] for row in rows]
    (table,) = tables(flow(Table(cells, style=RULED, colWidths=[110, 230, 90]), PROSE))
    assert table.split("\n") == [" | ".join(row) for row in rows]


def test_a_table_that_goes_on_keeps_its_header_on_each_page(flow):
    rows = [["Item", "2023", "2022"], *([f"Position {n}", f"{n},000", f"({n})"] for n in range(1, 160))]
    pages = flow("(in thousands)", Table(rows, style=PLAIN, colWidths=[200, 100, 100]), PROSE)
    assert len(pages) >= 3
    found = tables(pages)
    assert all(table.split("\n")[0] == "Item in thousands | 2023 | 2022" for table in found)
    assert [line for table in found for line in table.split("\n")[1:]] == [
        f"Position {n} | {n},000 | ({n})" for n in range(1, 160)
    ]
    block = next(block for block in pages[1].blocks if block.kind is BlockKind.TABLE)
    assert block.boxes[0].bottom == block.boxes[0].top, "the repeated header has no place of its own"


def test_a_table_of_other_columns_gets_no_foreign_header(flow):
    long = [["Item", "2023"], *([f"Position {n}", f"{n},000"] for n in range(1, 20))]
    other = [[f"Share {n}", f"{n}.5%", f"{n}.6%", f"{n}.7%"] for n in range(1, 5)]
    above = Table(long, style=PLAIN, colWidths=[200, 100])
    first, second = tables(flow(above, PageBreak(), Table(other, style=PLAIN, colWidths=[100, 90, 90, 90])))
    assert first.startswith("Item | 2023\nPosition 1 | 1,000\n")
    assert second.startswith("Share 1 | 1.5% | 1.6% | 1.7%\n")


def test_a_bold_title_over_a_header_begins_another_table(pdf):
    def draw(canvas):
        y = 700
        for title, figure in (("5. Employees", "109"), ("6. Finance income", "11")):
            canvas.setFont("Helvetica-Bold", 10)
            canvas.drawString(72, y, title)
            canvas.setFont("Helvetica", 10)
            for step, row in enumerate((("", "2025", "2024"), ("Wages", figure, "98"), ("Other", "7", "6")), 1):
                for x, text in zip((72, 300, 400), row, strict=True):
                    canvas.drawString(x, y - 14 * step, text)
            y -= 14 * 4

    _, pages = read(pdf(draw), max_pages=2)
    assert tables(tuple(pages)) == [
        "| 2025 | 2024\nWages | 109 | 98\nOther | 7 | 6",
        "| 2025 | 2024\nWages | 11 | 98\nOther | 7 | 6",
    ]


def test_no_figure_of_the_shipped_report_stands_in_a_wrong_column(examples):
    _, pages = read(examples / "documents" / "annual-report-2025.pdf", max_pages=50)
    rows = [line.split(" | ") for table in tables(tuple(pages)) for line in table.split("\n")]
    assert ["Gross profit", "", "144,435", "131,135"] in rows
    assert ["Profit for the year", "", "", "37,914", "37,914"] in rows
    assert ["Figures in thousands of pounds (£000)", "Note", "2025", "2024"] in rows


def test_a_header_cell_over_no_column_is_not_lost():
    rows = (
        [(40, "Item"), right(250, "2025"), (700, "far beside it all")],
        [(40, "Revenue"), right(250, "12")],
        [(40, "Tax"), right(250, "3")],
    )
    assert written(*rows) == ["Item | 2025 | far beside it all", "Revenue | 12", "Tax | 3"]

"""The annual report of an invented shipping company, as a PDF of fourteen pages."""

from __future__ import annotations

from pathlib import Path

from reportlab.graphics.charts.barcharts import VerticalBarChart
from reportlab.graphics.shapes import Drawing, Rect, String
from reportlab.lib.colors import HexColor, white
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, NextPageTemplate, PageBreak, Paragraph, Table, TableStyle

from sources.figures import SEGMENTS, Accounts, accounts
from sources.invented import AUDITOR, CHAIR, CHIEF_EXECUTIVE, COMPANY, FINANCE_DIRECTOR
from sources.report_more_notes import second_notes
from sources.report_notes import first_notes
from sources.report_statements import balance_sheet, cash_flow, changes_in_equity, income_statement
from sources.report_text import chair_letter, growth, millions, risks, segment_review
from sources.typesetting import INK, NAVY, STYLES, TEXT_WIDTH, Document, contents, gap, heading

__all__ = ["write"]

_PALE = HexColor("#9fb6c9")


def write(path: Path) -> None:
    """Write the report.

    Raises:
        DoesNotTie: the figures of the sources contradict each other.
    """
    year = accounts()
    document = Document(
        path,
        title=f"{COMPANY}: Annual Report 2025",
        author=COMPANY,
        subject="Invented example document",
        head=f"{COMPANY}  |  Annual Report 2025",
        foot="A fictitious company, invented as an example",
        cover=_cover,
    )
    story: list[Flowable] = [
        NextPageTemplate("inside"),
        PageBreak(),
        *_highlights(year),
        PageBreak(),
        *chair_letter(year),
        *segment_review(year),
        *risks(year),
        PageBreak(),
        *income_statement(year),
        *changes_in_equity(year),
        *balance_sheet(year),
        *cash_flow(year),
        PageBreak(),
        *first_notes(year),
        *second_notes(year),
    ]
    document.multiBuild(story)


def _cover(canvas: Canvas, _document: Document) -> None:
    width, height = A4
    canvas.saveState()
    canvas.setFillColor(NAVY)
    canvas.rect(0, height * 0.36, width, height * 0.64, stroke=0, fill=1)
    canvas.setStrokeColor(_PALE)
    canvas.setLineWidth(1.1)
    for at in range(5):  # a calm sea: five long waves that fade
        canvas.setStrokeAlpha(0.65 - at * 0.12)
        path = canvas.beginPath()
        base = height * 0.36 + 34 + at * 17
        path.moveTo(0, base)
        for part in range(4):
            left, step = part * width / 4, width / 4
            path.curveTo(left + step / 3, base + 13, left + 2 * step / 3, base - 13, left + step, base)
        canvas.drawPath(path)
    canvas.setFillColor(white)
    canvas.setFont("Helvetica", 13)
    canvas.drawString(62, height - 96, COMPANY)
    canvas.setFont("Helvetica-Bold", 46)
    canvas.drawString(60, height - 250, "Annual Report")
    canvas.setFont("Helvetica", 46)
    canvas.drawString(60, height - 302, "2025")
    canvas.setFillColor(INK)
    canvas.setFont("Times-Roman", 12)
    canvas.drawString(62, height * 0.36 - 48, "Year ended 31 December 2025")
    canvas.setFont("Times-Italic", 9.5)
    canvas.drawString(62, 60, "A fictitious company: names, figures and events were invented as an example document.")
    canvas.restoreState()


def _highlights(year: Accounts) -> list[Flowable]:
    this, last = year.this, year.last
    boxes = [
        ("Revenue", millions(this.revenue), f"up {growth(this.revenue, last.revenue)}"),
        (
            "Operating profit",
            millions(this.operating_profit),
            f"up {growth(this.operating_profit, last.operating_profit)}",
        ),
        ("Basic earnings per share", f"{this.earnings_per_share:.1f}p", f"2024: {last.earnings_per_share:.1f}p"),
        ("Dividend for the year", "7.4p", "2024: 6.4p"),
    ]
    cells = [
        [
            Paragraph(name, STYLES["cell"]),
            Paragraph(f"<font size=15 color='#14324f'><b>{value}</b></font>", STYLES["key-figure"]),
            Paragraph(change, STYLES["cell"]),
        ]
        for name, value, change in boxes
    ]
    table = Table([cells], [TEXT_WIDTH / 4] * 4)
    table.setStyle(
        TableStyle(
            [
                ("LINEABOVE", (0, 0), (-1, 0), 1.2, NAVY),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("TOPPADDING", (0, 0), (-1, -1), 7),
            ]
        )
    )
    people = (
        f"<b>Board.</b> {CHAIR}, Chair. {CHIEF_EXECUTIVE}, Chief Executive. {FINANCE_DIRECTOR}, Finance Director. "
        "Callum Dreyer, senior independent director and chair of the audit committee. Ingrid Halvorsen-Pike and Samuel "
        f"Achterberg, non-executive directors. <b>Auditor.</b> {AUDITOR}. <b>Bank.</b> Wexmoor Bank plc."
    )
    return [
        heading("2025 at a glance"),
        table,
        gap(14),
        _chart(year),
        gap(10),
        Paragraph(people, STYLES["body"]),
        gap(4),
        Paragraph("<b>Contents</b>", STYLES["contents-title"]),
        contents(),
    ]


def _chart(year: Accounts) -> Drawing:
    drawing = Drawing(TEXT_WIDTH, 190)
    drawing.add(
        String(0, 178, "Revenue by segment, £ million", fontName="Helvetica-Bold", fontSize=9.5, fillColor=NAVY)
    )
    chart = VerticalBarChart()
    chart.x, chart.y, chart.width, chart.height = 28, 26, TEXT_WIDTH - 40, 128
    chart.data = [
        [amount / 1000 for amount in year.last.flows.revenue],
        [amount / 1000 for amount in year.this.flows.revenue],
    ]
    colours = (_PALE, NAVY)
    for at, colour in enumerate(colours):
        chart.bars[at].fillColor = colour
        chart.bars[at].strokeColor = None
    chart.barWidth, chart.groupSpacing, chart.barSpacing = 10, 12, 1.5
    chart.barLabelFormat, chart.barLabels.nudge = "%.1f", 8
    chart.barLabels.fontName, chart.barLabels.fontSize = "Helvetica", 8
    chart.categoryAxis.categoryNames = list(SEGMENTS)
    chart.categoryAxis.labels.fontName, chart.categoryAxis.labels.fontSize = "Helvetica", 8.5
    chart.categoryAxis.visibleTicks = 0
    chart.categoryAxis.strokeColor = chart.valueAxis.gridStrokeColor = HexColor("#b9c3cd")
    chart.valueAxis.valueMin, chart.valueAxis.valueMax, chart.valueAxis.valueStep = 0, 250, 50
    chart.valueAxis.labels.fontName, chart.valueAxis.labels.fontSize = "Helvetica", 8
    chart.valueAxis.visibleGrid, chart.valueAxis.gridStrokeWidth = 1, 0.4
    chart.valueAxis.visibleAxis = chart.valueAxis.visibleTicks = 0
    drawing.add(chart)
    for at, (name, colour) in enumerate(zip(("2024", "2025"), colours, strict=True)):
        left = TEXT_WIDTH - 90 + at * 46
        drawing.add(Rect(left, 178, 8, 8, fillColor=colour, strokeColor=None))
        drawing.add(String(left + 12, 178.5, name, fontName="Helvetica", fontSize=8.5, fillColor=INK))
    return drawing

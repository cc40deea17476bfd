"""Valid files of each format, made on the spot by the libraries that write them. Each holds the word CANARY."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from email.message import EmailMessage
from functools import cache

CANARY = "Zebrafinch"


def _pdf(*, compressed: int) -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(400, 300), pageCompression=compressed, invariant=True)
    for page in range(3):
        canvas.setFont("Helvetica-Bold", 16)
        canvas.drawString(40, 260, f"{CANARY} {page}")
        canvas.setFont("Helvetica", 10)
        for row in range(6):
            for column in range(3):
                canvas.drawString(40 + 90 * column, 220 - 15 * row, f"Cell {row} {column}")
        canvas.bookmarkPage(f"p{page}")
        canvas.addOutlineEntry(f"Part {page}", f"p{page}")
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _docx() -> bytes:
    import docx

    document, buffer = docx.Document(), io.BytesIO()
    document.add_heading(CANARY, 1)
    document.add_paragraph("The parties agree. 双方同意。")
    document.add_paragraph("First duty", style="List Bullet")
    table = document.add_table(rows=3, cols=3)
    for number, cell in enumerate(table._cells):
        cell.text = f"cell {number}"
    document.save(buffer)
    return buffer.getvalue()


def _pptx() -> bytes:
    from pptx import Presentation
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE

    presentation, buffer = Presentation(), io.BytesIO()
    slide = presentation.slides.add_slide(presentation.slide_layouts[1])
    slide.shapes.title.text = CANARY
    slide.placeholders[1].text_frame.text = "Revenue grew\nCosts fell"
    slide.notes_slide.notes_text_frame.text = "Say thanks."
    slide = presentation.slides.add_slide(presentation.slide_layouts[6])
    table = slide.shapes.add_table(3, 3, 0, 0, 4_000_000, 2_000_000).table
    for number, cell in enumerate(table.iter_cells()):
        cell.text = f"cell {number}"
    table.cell(0, 1).merge(table.cell(0, 2))
    data = CategoryChartData(number_format="0.0%")
    data.categories = ["Q1", "Q2"]
    data.add_series("North", (0.1, 0.2))
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, 4_000_000, 2_000_000, data)
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, 1_000_000, 1_000_000).text_frame.text = "in a group"
    presentation.save(buffer)
    return buffer.getvalue()


def _xlsx() -> bytes:
    import datetime

    import openpyxl
    from openpyxl.styles import Font

    workbook, buffer = openpyxl.Workbook(), io.BytesIO()
    sheet = workbook.active
    sheet.title = CANARY
    sheet.append(["Statement of income"])
    sheet.merge_cells("A1:C1")
    sheet.append(["Item", "2023", "2024"])
    for row in range(10):
        sheet.append([f"Line {row}", row * 1000.5, datetime.date(2024, 1, row + 1)])
        sheet.cell(row + 3, 2).number_format = "#,##0.00_);(#,##0.00)"
    sheet.append(["Sum", "=SUM(B3:B12)"])
    sheet["A15"] = "white"
    sheet["A15"].font = Font(color="FFFFFFFF")
    sheet.row_dimensions[16].hidden = True
    sheet.column_dimensions["F"].hidden = True
    workbook.create_sheet("Rates").append(["CET1", 0.125])
    workbook.create_sheet("Hidden").sheet_state = "hidden"
    workbook.save(buffer)
    return buffer.getvalue()


def _shared_strings() -> bytes:
    import xlsxwriter

    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as workbook:
        sheet = workbook.add_worksheet(CANARY)
        rich = workbook.add_format({"bold": True, "num_format": "0.0%"})
        for row in range(20):
            sheet.write_row(row, 0, [f"Line {row % 5}", "shared", row / 7], rich)
        sheet.write_rich_string(20, 0, "plain ", rich, "bold", " end")
        sheet.merge_range(21, 0, 22, 2, "merged")
        sheet.write_formula(23, 0, "=1+1", None, 2)
        workbook.add_worksheet("Second").write(0, 0, "text")
    return buffer.getvalue()


def _csv() -> bytes:
    rows = [f'"Line {row}","a, b ""c""",{row * 7.5},2024-01-{row % 28 + 1:02d}' for row in range(60)]
    return "\r\n".join([f"{CANARY} figures", "", "Item,Text,Value,日期", *rows]).encode()


def _html() -> bytes:
    rows = "".join(f"<tr><td>Line {row}</td><td>{row}</td></tr>" for row in range(10))
    return (
        f"<!DOCTYPE html><html><head><meta charset=utf-8><title>t</title></head><body><h1>{CANARY}</h1>"
        f"<p style='color:red'>Words &amp; more 文字.</p><ul><li>one<li>two</ul><table><caption>Table</caption>{rows}"
        "</table><p hidden>not seen</p></body></html>"
    ).encode()


def _eml() -> bytes:
    message = EmailMessage()
    message["From"], message["To"] = "张三 <zhang@example.org>", "Bob <bob@example.org>, c@example.org"
    message["Subject"], message["Date"] = f"{CANARY} 合同", "Tue, 24 Nov 2026 10:00:00 +0000"
    message["Message-ID"] = "<1@example.org>"
    message.set_content("Hello,\n\n- one\n- two\n\nAnn wrote:\n> Old text\n>> older\n\n-----Original Message-----\nx\n")
    message.add_alternative("<p>Hello <b>there</b></p>", subtype="html")
    message.add_attachment(bytes(2000), maintype="application", subtype="pdf", filename="预算.pdf")
    inner = EmailMessage()
    inner["From"], inner["Subject"] = "d@example.org", "inner"
    inner.set_content("inner text")
    message.add_attachment(inner)
    return message.as_bytes()


def _markdown() -> bytes:
    lines = (
        f"# {CANARY}\n\nWords with **marks** and [a link](http://example.org).\n\n- one\n  - two\n\n"
        "| a | b |\n|---|---|\n| 1 | 2 |\n\n```\ncode\n```\n\n> quoted\n\n<div>raw <b>html</b></div>\n\n## 第二章\n\n"
        "正文。\n"
    )
    return lines.encode()


def _text() -> bytes:
    text = f"{CANARY}\n\nA paragraph that was\nwrapped by hand.\n\n1. one\n2. two\n\n第一条 本法适用于。\n"
    return (text * 5).encode()


def _json() -> bytes:
    people = [{"name": f"P{row}", "age": row, "tags": ["a", "b"]} for row in range(10)]
    deep = {"a": {f"k{row}": {"v": row, "list": [1, {"z": None}]} for row in range(5)}}
    return json.dumps({"title": CANARY, "rate": 1.5e-3, "people": people, "deep": deep, "文": "字"}).encode()


def _fhir() -> bytes:
    patient = {"resourceType": "Patient", "id": "ann", "name": [{"given": ["Ann"], "family": CANARY}]}
    coding = {"coding": [{"system": "http://loinc.org", "code": "2951-2", "display": "Sodium"}]}
    seen = [
        {
            "resourceType": "Observation",
            "id": f"o{row}",
            "status": "final",
            "code": coding,
            "subject": {"reference": "Patient/ann"},
            "valueQuantity": {"value": 140.5 + row, "unit": "mmol/L"},
            "effectiveDateTime": f"2024-01-0{row + 1}",
        }
        for row in range(4)
    ]
    condition = {"resourceType": "Condition", "id": "c", "code": coding, "subject": {"reference": "Patient/ann"}}
    entries = [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in (patient, *seen, condition)]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


def _ccda() -> bytes:
    rows = "".join(f"<tr><td>Sodium</td><td>{140 + row}</td></tr>" for row in range(4))
    entry = (
        '<entry><observation classCode="OBS" moodCode="EVN"><code code="2951-2" codeSystem="2.16.840.1.113883.6.1" '
        'displayName="Sodium"/><effectiveTime value="20240101"/><value xsi:type="PQ" value="140" unit="mmol/L"/>'
        "</observation></entry>"
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><ClinicalDocument xmlns="urn:hl7-org:v3" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><title>Summary</title><recordTarget><patientRole>'
        f'<id extension="1"/><patient><name><given>Ann</given><family>{CANARY}</family></name>'
        '<birthTime value="19700101"/></patient></patientRole></recordTarget><component><structuredBody><component>'
        f"<section><title>Results</title><text><table><thead><tr><th>Test</th><th>Value</th></tr></thead><tbody>{rows}"
        f"</tbody></table></text>{entry}</section></component></structuredBody></component></ClinicalDocument>"
    ).encode()


_MAKERS: dict[str, tuple[str, tuple[Callable[[], bytes], ...]]] = {
    "pdf": ("a.pdf", (lambda: _pdf(compressed=1), lambda: _pdf(compressed=0))),
    "docx": ("a.docx", (_docx,)),
    "pptx": ("a.pptx", (_pptx,)),
    "xlsx": ("a.xlsx", (_xlsx, _shared_strings)),
    "csv": ("a.csv", (_csv,)),
    "html": ("a.html", (_html,)),
    "eml": ("a.eml", (_eml,)),
    "markdown": ("a.md", (_markdown,)),
    "text": ("a.txt", (_text,)),
    "json": ("a.json", (_json,)),
    "fhir": ("a.json", (_fhir,)),
    "c-cda": ("a.xml", (_ccda,)),
}
FORMATS = tuple(_MAKERS)


def name_of(kind: str) -> str:
    """Return a file name for a format."""
    return _MAKERS[kind][0]


@cache
def seeds_of(kind: str) -> tuple[bytes, ...]:
    """Return valid files of a format."""
    return tuple(make() for make in _MAKERS[kind][1])

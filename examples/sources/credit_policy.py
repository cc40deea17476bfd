"""The Chinese credit policy of an invented bank, as a Word document."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any, Final

import docx
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt, RGBColor

from sources.credit_policy_text import CHAPTERS, Table
from sources.invented import FIXED_TIME, LENDER_ZH

__all__ = ["write"]

_DIGITS: Final = "零一二三四五六七八九"
_STYLES: Final = {
    *("Normal", "Title", "heading 1", "footer", "Title Char", "Heading 1 Char", "Footer Char"),
    *("Default Paragraph Font", "Normal Table", "No List", "Table Grid"),
}
_UNUSED: Final = {"thumbnail", "stylesWithEffects", "numbering", "customXml"}
_TITLE: Final = f"{LENDER_ZH}信贷风险管理办法"
_NOTICE: Final = "（示例文件：银行、文号和全部数字均为虚构，不构成任何法律或者业务意见。）"


def write(path: Path) -> None:
    """Write the policy."""
    document = docx.Document()
    _set_up(document)
    _line(document, _TITLE, style="Title")
    _line(document, "澜银发〔2025〕42号    2025年12月15日董事会审议通过", align=WD_ALIGN_PARAGRAPH.CENTER)
    _line(document, _NOTICE, align=WD_ALIGN_PARAGRAPH.CENTER)
    article = 0
    for number, (name, parts) in enumerate(CHAPTERS, start=1):
        _line(document, f"第{_numeral(number)}章　{name}", style="Heading 1")
        for part in parts:
            if isinstance(part, tuple):
                _table(document, part)
                continue
            article += 1
            _article(document, article, part)
    memory = io.BytesIO()
    document.save(memory)
    path.write_bytes(_without_times(memory.getvalue()))


def _numeral(number: int) -> str:
    """Write 1 to 99 in Chinese numerals."""
    tens, ones = divmod(number, 10)
    head = "" if tens == 0 else "十" if tens == 1 else f"{_DIGITS[tens]}十"
    return head + (_DIGITS[ones] if ones else "")


def _set_up(document: Any) -> None:
    for name, latin, chinese, size in (
        ("Normal", "Times New Roman", "宋体", 10.5),
        ("Title", "Times New Roman", "黑体", 20),
        ("Heading 1", "Times New Roman", "黑体", 13),
    ):
        style = document.styles[name]
        style.font.name, style.font.size, style.font.color.rgb = latin, Pt(size), RGBColor(0x1D, 0x23, 0x2A)
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        for attribute in [key for key in fonts.attrib if key.endswith("Theme")]:
            del fonts.attrib[attribute]
        for script in ("w:ascii", "w:hAnsi"):
            fonts.set(qn(script), latin)
        fonts.set(qn("w:eastAsia"), chinese)
    for name in ("Title", "Heading 1"):
        document.styles[name].paragraph_format.alignment = WD_ALIGN_PARAGRAPH.CENTER
    body = document.styles["Normal"].paragraph_format
    body.line_spacing, body.space_after = 1.35, Pt(4)
    section = document.sections[0]
    section.page_width, section.page_height = Cm(21), Cm(29.7)
    section.left_margin = section.right_margin = Cm(2.8)
    section.top_margin = section.bottom_margin = Cm(2.5)
    _number_pages(section.footer.paragraphs[0])
    _keep_only_used(document)
    known = document.core_properties
    known.title, known.author, known.last_modified_by, known.language = _TITLE, LENDER_ZH, LENDER_ZH, "zh-CN"
    known.subject, known.comments, known.revision = "Invented example document", "", 1
    known.created = known.modified = FIXED_TIME


def _number_pages(paragraph: Any) -> None:
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), "PAGE")
    run = OxmlElement("w:r")
    text = OxmlElement("w:t")
    text.text = "1"
    run.append(text)
    field.append(run)
    paragraph._p.append(field)


def _keep_only_used(document: Any) -> None:
    """Take out what python-docx's template brings along and this document does not use: nine tenths of its size."""
    for relations in (document.part.package.rels, document.part.rels):
        for key in [key for key, relation in relations.items() if relation.reltype.rsplit("/", 1)[-1] in _UNUSED]:
            del relations[key]
    styles = document.styles.element
    for style in styles.findall(qn("w:style")):
        if style.find(qn("w:name")).get(qn("w:val")) not in _STYLES:
            styles.remove(style)
    styles.remove(styles.find(qn("w:latentStyles")))
    for element in styles.iter():
        if not (element.text or "").strip():
            element.text = None
        if not (element.tail or "").strip():
            element.tail = None


def _line(document: Any, text: str, *, style: str = "Normal", align: Any = None) -> Any:
    paragraph = document.add_paragraph(text, style=style)
    if align is not None:
        paragraph.alignment = align
    return paragraph


def _article(document: Any, number: int, text: str) -> None:
    first, *items = text.split("\n")
    paragraph = _line(document, "")
    paragraph.paragraph_format.first_line_indent = Pt(21)
    paragraph.add_run(f"第{_numeral(number)}条").bold = True
    paragraph.add_run(f"　{first}")
    for item in items:
        _line(document, item).paragraph_format.first_line_indent = Pt(21)


def _table(document: Any, rows: Table) -> None:
    table = document.add_table(rows=0, cols=len(rows[0]), style="Table Grid")
    for at, row in enumerate(rows):
        cells = table.add_row().cells
        for cell, text in zip(cells, row, strict=True):
            paragraph = cell.paragraphs[0]
            paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
            paragraph.paragraph_format.space_after = Pt(0)
            paragraph.add_run(text).bold = at == 0
    repeat = OxmlElement("w:tblHeader")
    repeat.set(qn("w:val"), "true")
    table.rows[0]._tr.get_or_add_trPr().append(repeat)
    _line(document, "").paragraph_format.space_after = Pt(0)


def _without_times(packed: bytes) -> bytes:
    """Pack the parts again, in order of name, at a fixed time and uncompressed: a zlib's choices leave no trace."""
    memory = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed)) as source, zipfile.ZipFile(memory, "w", zipfile.ZIP_STORED) as kept:
        # [Content_Types].xml goes first: readers that stream a package look for it there (ECMA-376 part 2).
        for name in sorted(source.namelist(), key=lambda name: (name != "[Content_Types].xml", name)):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            kept.writestr(entry, source.read(name))
    return memory.getvalue()

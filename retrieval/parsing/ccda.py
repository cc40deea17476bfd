"""Reads a C-CDA document (XML): the patient's header, and each section with its narrative and its entries.

The patient's name and id are the heading of the first level, so that each passage of the record says whose it is.
Below it stands a section a heading: the narrative whole, then, as a table, the structured entries that the narrative
does not show. A file without pages is cut into pages by `retrieval.parsing.flow`.

The XML is a stranger's: a document type declaration, without which no entity can be defined, is refused, nothing is
fetched, and libxml2's limits (256 levels, 10 MB in one text) stay on.

Not covered: style sheets, pictures, signatures, and bodies that are no XML other than text and HTML.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from lxml import etree

from retrieval.errors import DamagedFile
from retrieval.parsing import html
from retrieval.parsing import text as plain
from retrieval.parsing.ccda_entries import COLUMNS, entries_of, moment, shown_in, times, worded
from retrieval.parsing.ccda_narrative import HL7, local, narrative
from retrieval.parsing.clean import clean, one_line
from retrieval.parsing.decode import decode
from retrieval.parsing.flow import Piece, paginate, remarked
from retrieval.parsing.grid import grid
from retrieval.parsing.types import BlockKind, ParsedPage
from retrieval.types import Remark

__all__ = ["read"]

_NO_MEMORY: Final = 2  # libxml2's XML_ERR_NO_MEMORY, which lxml raises as a fault of syntax
_BESIDE: Final = "Entries recorded beside this text:"
_LONGEST_ID: Final = 64


def read(path: Path, *, max_pages: int) -> tuple[int, Iterator[ParsedPage]]:
    """Return the number of pages and the pages; remarks stand on the first.

    Raises:
        DamagedFile: It is no well-formed CDA document, nests deeper than one does, or defines entities.
    """
    root = _load(path)
    remarks = list[Remark]()
    total, pages = paginate(_pieces(root, remarks), max_pages=max_pages)
    patients = len(root.findall(f"{HL7}recordTarget"))
    if patients > 1:
        remarks.append(
            Remark(code="several_patients", detail=f"{patients} patients, whose sections are not told apart")
        )
    return total, remarked(pages, remarks)


def _load(path: Path) -> Any:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True, huge_tree=False
    )
    try:
        tree = etree.parse(str(path), parser)
    except etree.XMLSyntaxError as error:
        if error.code == _NO_MEMORY:
            raise MemoryError from error
        raise _damaged() from error
    except OSError as error:
        raise _damaged() from error
    if tree.docinfo.doctype:
        raise DamagedFile(
            "The document has a document type declaration, which no clinical document has.",
            remedy="Export the record anew.",
        )
    root = tree.getroot()
    if root.tag != f"{HL7}ClinicalDocument":
        raise _damaged()
    return root


def _damaged() -> DamagedFile:
    return DamagedFile(
        "The file is no C-CDA document, or is damaged or nested deeper than one.", remedy="Export the record anew."
    )


def _pieces(root: Any, remarks: list[Remark]) -> Iterator[Piece]:
    roles = root.findall(f"{HL7}recordTarget/{HL7}patientRole")
    names = [f"Patient {_person(role.find(f'{HL7}patient')) or 'without a name'}{_bracketed(role)}" for role in roles]
    yield Piece(BlockKind.HEADING, "; ".join(names) or "Patient not named", 1)
    for role in roles:
        yield from grid(("", ""), [row for row in _patient(role) if row[1]])
    yield from grid(("", ""), [row for row in _document(root) if row[1]])
    for body in root.iterfind(f"{HL7}component/{HL7}structuredBody"):
        for section in body.iterfind(f"{HL7}component/{HL7}section"):
            yield from _section(section, 2)
    for text in root.iterfind(f"{HL7}component/{HL7}nonXMLBody/{HL7}text"):
        yield from _body(text, remarks)


def _bracketed(role: Any) -> str:
    known = _id(role.find(f"{HL7}id"))
    return f" (id {known[:_LONGEST_ID]})" if known else ""


def _id(node: Any) -> str:
    return one_line(node.get("extension") or node.get("root") or "") if node is not None else ""


def _patient(role: Any) -> Iterator[list[str]]:
    patient = role.find(f"{HL7}patient")
    if patient is not None:
        yield ["Name", _person(patient)]
        yield ["Born", moment(_value(patient.find(f"{HL7}birthTime")))]
        yield ["Sex", worded(patient.find(f"{HL7}administrativeGenderCode"), null=False)]
        yield ["Died", moment(_value(patient.find("{urn:hl7-org:sdtc}deceasedTime")))]
        yield ["Marital status", worded(patient.find(f"{HL7}maritalStatusCode"), null=False)]
        yield ["Race", worded(patient.find(f"{HL7}raceCode"), null=False)]
        yield ["Ethnic group", worded(patient.find(f"{HL7}ethnicGroupCode"), null=False)]
        for language in patient.iterfind(f"{HL7}languageCommunication/{HL7}languageCode"):
            yield ["Language", language.get("code", "")]
    for known in role.iterchildren(f"{HL7}id"):
        owner = one_line(known.get("assigningAuthorityName", ""))
        yield ["Identifier", f"{_id(known)} ({owner})" if owner and _id(known) else _id(known)]
    yield from (["Address", _joined(one)] for one in role.iterchildren(f"{HL7}addr"))
    yield from (["Contact", one.get("value", "")] for one in role.iterchildren(f"{HL7}telecom"))


def _document(root: Any) -> Iterator[list[str]]:
    yield ["Document", _words(root.find(f"{HL7}title"))]
    yield ["Kind", worded(root.find(f"{HL7}code"), null=False)]
    yield ["Written", times(root.find(f"{HL7}effectiveTime"))]
    yield ["Covers", times(root.find(f"{HL7}documentationOf/{HL7}serviceEvent/{HL7}effectiveTime"))]
    for author in root.iterfind(f"{HL7}author/{HL7}assignedAuthor"):
        who = _person(author.find(f"{HL7}assignedPerson")) or _words(author.find(f".//{HL7}softwareName"))
        where = _words(author.find(f"{HL7}representedOrganization/{HL7}name"))
        yield ["Author", ", ".join(filter(None, (who, where)))]
    keeper = f"{HL7}custodian/{HL7}assignedCustodian/{HL7}representedCustodianOrganization/{HL7}name"
    yield ["Custodian", _words(root.find(keeper))]
    for stay in root.iterfind(f"{HL7}componentOf/{HL7}encompassingEncounter"):
        kind, when = worded(stay.find(f"{HL7}code"), null=False), times(stay.find(f"{HL7}effectiveTime"))
        yield ["Encounter", ", ".join(filter(None, (kind, when)))]


def _section(section: Any, level: int) -> Iterator[Piece]:
    title = _words(section.find(f"{HL7}title")) or worded(section.find(f"{HL7}code"), null=False)
    found = narrative(section.find(f"{HL7}text"))
    rows = [entry.row() for entry in entries_of(section, found) if not shown_in(entry, found)]
    table = list(grid(COLUMNS, rows))
    if found.pieces or table or title:
        yield Piece(BlockKind.HEADING, title or "Section", level)
    yield from found.pieces
    if found.pieces and table:
        yield Piece(BlockKind.PARAGRAPH, _BESIDE)
    yield from table
    for inner in section.iterfind(f"{HL7}component/{HL7}section"):
        yield from _section(inner, level + 1)


def _body(node: Any, remarks: list[Remark]) -> Iterator[Piece]:
    """Yield a body that is no XML, if it is text; else say that it was not read."""
    kind = node.get("mediaType", "text/plain").lower()
    text = "".join(node.itertext())
    try:
        markup = decode(base64.b64decode(text), declared=True) if node.get("representation") == "B64" else text
    except (binascii.Error, ValueError, DamagedFile):
        markup = ""
    if not kind.startswith("text/") or kind == "text/rtf" or not markup.strip():
        remarks.append(Remark(code="attachment_unread", detail="a body that is no text"))
        return
    for piece in html.pieces_of(markup) if "html" in kind else plain.pieces_of(clean(markup)):
        yield Piece(piece.kind, piece.text, piece.level + 1) if piece.level else piece


def _person(node: Any) -> str:
    """Return the name of a patient or person."""
    name = node.find(f"{HL7}name") if node is not None else None
    if name is None:
        return ""
    return _joined(name, " ")


def _joined(node: Any, between: str = ", ") -> str:
    parts = [_words(part) for part in node if local(part)]
    return between.join(filter(None, parts)) if any(parts) else _words(node)


def _value(node: Any) -> str:
    return node.get("value", "") if node is not None else ""


def _words(node: Any) -> str:
    return one_line("".join(node.itertext())) if node is not None else ""

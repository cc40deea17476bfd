"""Reads a FHIR R4 record (JSON): a bundle or a single resource, as the tables and notes that a clinician would read.

Each patient is a heading of the first level with name and id, so that no passage of one can be taken for another's;
below it stand a header, one section a kind of record, and the notes. A file without pages is cut into pages by
`retrieval.parsing.flow`. Numbers stay as they were written.

Not covered: FHIR as XML or as lines of JSON (bulk data), STU3 and R5 where they differ, extensions, attachments other
than text and HTML, and the narrative of resources that have a section of their own. Claims, provenance and other
administration are counted and not shown.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NoReturn

from retrieval.errors import DamagedFile, ParseLimit
from retrieval.parsing.decode import decode
from retrieval.parsing.fhir_bundle import Bundle, title_of
from retrieval.parsing.fhir_notes import notes_of
from retrieval.parsing.fhir_tables import SECTIONS, section_of
from retrieval.parsing.fhir_values import Json, address, concept, items, moment, name, text, value
from retrieval.parsing.flow import Piece, paginate, remarked
from retrieval.parsing.grid import grid
from retrieval.parsing.page_text import CELL
from retrieval.parsing.types import BlockKind, ParsedPage
from retrieval.types import Remark

__all__ = ["read"]

_ADMINISTRATION: Final = frozenset(
    {"Account", "AuditEvent", "Claim", "ClaimResponse", "Coverage", "CoverageEligibilityRequest", "MessageHeader"}
    | {"CoverageEligibilityResponse", "ExplanationOfBenefit", "Invoice", "OperationOutcome", "Provenance", "Task"}
)
_ACTORS: Final = frozenset(
    {"Practitioner", "PractitionerRole", "Organization", "Location", "RelatedPerson", "CareTeam"}
)
_HELD: Final = frozenset({"Binary", "Medication", "Patient"})  # shown where they are referred to, or in the header
_NOTED: Final = frozenset({"Composition", "DocumentReference", "DiagnosticReport"})
_LONGEST_ID: Final = 64  # characters, as the standard limits an id
_DEEPEST: Final = 8  # levels of an unknown resource that are shown


def read(path: Path, *, max_pages: int) -> tuple[int, Iterator[ParsedPage]]:
    """Return the number of pages and the pages; what could not be resolved or read is remarked on the first.

    Raises:
        DamagedFile: It is not JSON, or no FHIR resource.
        ParseLimit: It nests deeper or holds more entries than a record does.
    """
    bundle = Bundle(_load(decode(path.read_bytes())))
    owners = [bundle.owner(one) for one in bundle.resources]
    remarks = list[Remark]()
    total, pages = paginate(_pieces(bundle, owners, remarks), max_pages=max_pages)
    return total, remarked(pages, [*remarks, *_told(bundle, patients=len(set(filter(None, owners))))])


def _load(markup: str) -> Json:
    try:
        root = json.loads(markup, parse_float=str, parse_int=str, parse_constant=_no_constant)
    except RecursionError as error:
        raise ParseLimit("The record nests deeper than a record does.", remedy="Export it anew.") from error
    except ValueError as error:
        raise _damaged() from error
    if not isinstance(root, dict) or not text(root.get("resourceType")).isalpha():
        raise _damaged()
    return root


def _no_constant(found: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")


def _damaged() -> DamagedFile:
    return DamagedFile("The file is no FHIR record in JSON.", remedy="Export the record anew as FHIR R4 JSON.")


def _told(bundle: Bundle, *, patients: int) -> Iterator[Remark]:
    if patients > 1:
        yield Remark(code="several_patients", detail=f"{patients} patients")
    if bundle.broken:
        yield Remark(code="broken_reference", detail=f"{len(bundle.broken)} point at nothing in the file")
    if bundle.unread:
        yield Remark(code="entry_unread", detail=f"{bundle.unread} entries are no FHIR resources")


def _pieces(bundle: Bundle, owners: list[str | None], remarks: list[Remark]) -> Iterator[Piece]:
    """Yield the record patient by patient; what belongs to none stands with a single patient, or at the end."""
    known = {bundle.key(patient): patient for patient in bundle.patients}
    keys = list(dict.fromkeys([*known, *filter(None, owners)]))
    alone = keys[0] if len(keys) == 1 else None
    for key in keys:
        held = [one for one, owner in zip(bundle.resources, owners, strict=True) if (owner or alone) == key]
        yield Piece(BlockKind.HEADING, _heading(key, known.get(key)), 1)
        if key in known:
            yield from _header(known[key], bundle)
        yield from _sections(held, bundle, remarks)
    if alone is None:
        rest = [one for one, owner in zip(bundle.resources, owners, strict=True) if owner is None]
        if keys and rest:
            yield Piece(BlockKind.HEADING, "Records of no single patient", 1)
        yield from _sections(rest, bundle, remarks)


def _heading(key: str, patient: Json | None) -> str:
    if patient is None:
        return f"Patient {key[:_LONGEST_ID]} (not in this file)"
    return f"Patient {name(patient.get('name')) or 'without a name'} (id {key.removeprefix('Patient/')[:_LONGEST_ID]})"


def _header(patient: Json, bundle: Bundle) -> Iterator[Piece]:
    links = [one for one in items(patient, "communication") if isinstance(one, dict)]
    died = value(patient, "deceased")
    rows = [
        ["Name", name(patient.get("name"))],
        ["Born", moment(patient.get("birthDate"))],
        ["Sex", text(patient.get("gender"))],
        ["Died", died if died != "no" else ""],
        ["Marital status", concept(patient.get("maritalStatus"))],
        ["Language", concept([one.get("language") for one in links])],
        *(["Identifier", _identifier(one)] for one in items(patient, "identifier") if isinstance(one, dict)),
        *(["Address", address(one)] for one in items(patient, "address")),
        *(["Contact", _contact(one)] for one in items(patient, "telecom") if isinstance(one, dict)),
        ["General practitioner", bundle.shown(patient.get("generalPractitioner"), inside=patient)],
    ]
    yield from grid(("", ""), [row for row in rows if row[1]])


def _identifier(found: Json) -> str:
    kind = concept(found.get("type")) or text(found.get("system"))
    return f"{text(found.get('value'))} ({kind})" if kind else text(found.get("value"))


def _contact(found: Json) -> str:
    return " ".join(filter(None, (text(found.get("system")), text(found.get("value")), text(found.get("use")))))


def _sections(resources: list[Json], bundle: Bundle, remarks: list[Remark]) -> Iterator[Piece]:
    rows = {kind: list[list[str]]() for kind in SECTIONS}
    for one in resources:
        kind = section_of(one)
        if kind is not None:
            rows[kind].extend(SECTIONS[kind].rows(one, bundle))
    for kind, section in SECTIONS.items():
        table = list(grid(section.columns.split(CELL), sorted(rows[kind], key=lambda row: row[0])))
        if table:
            yield Piece(BlockKind.HEADING, section.title, 2)
            yield from table
    yield from notes_of([one for one in resources if one["resourceType"] in _NOTED], bundle, remarks)
    yield from _others(resources, bundle)


def _others(resources: list[Json], bundle: Bundle) -> Iterator[Piece]:
    """Yield what has no section: people and places by name, unknown kinds with all they hold, the rest as counts."""
    actors, others, counted = list[list[str]](), list[list[str]](), Counter[str]()
    for one in resources:
        kind = text(one["resourceType"])
        if kind in _ADMINISTRATION:
            counted[kind] += 1
        elif kind in _ACTORS:
            contacts = [_contact(part) for part in items(one, "telecom") if isinstance(part, dict)]
            places = [address(part) for part in items(one, "address")]
            role = concept(one.get("specialty")) or concept(one.get("type"))
            actors.append([kind, title_of(one), role, "; ".join(contacts), "; ".join(places)])
        elif section_of(one) is None and kind not in _HELD | _NOTED:
            others.append([kind, title_of(one), "; ".join(_leaves(one))])
    for heading, columns, rows in (
        ("People and places", ("Kind", "Name", "Role", "Contact", "Address"), actors),
        ("Other records", ("Kind", "Name", "Content"), others),
        ("Not shown", ("Kind", "Records"), [[kind, str(count)] for kind, count in sorted(counted.items())]),
    ):
        table = list(grid(columns, rows))
        if table:
            yield Piece(BlockKind.HEADING, heading, 2)
            yield from table


def _leaves(found: Any, path: str = "", depth: int = 0) -> Iterator[str]:
    """Yield the values of a resource of an unknown kind, each with its path."""
    if isinstance(found, dict) and depth < _DEEPEST:
        for key, inner in found.items():
            if key not in ("resourceType", "id", "meta", "text", "extension", "contained", "div", "data"):
                yield from _leaves(inner, f"{path}.{key}" if path else key, depth + 1)
    elif isinstance(found, list) and depth < _DEEPEST:
        for inner in found:
            yield from _leaves(inner, path, depth + 1)
    elif shown := text(found):
        yield f"{path}: {shown}"

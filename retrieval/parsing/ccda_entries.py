"""Makes rows of the structured entries of a C-CDA section, and says which of them its narrative does not show.

Source: HL7 CDA R2, clinical statements; C-CDA R2.1 templates. The narrative is what was attested, yet systems leave
values out of it: a laboratory panel named in a line has its results in entries alone. An entry counts as shown when
the line that it refers to (or a line with a cell of its name and its day) holds its value; else it is shown again
rather than lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from retrieval.parsing.ccda_narrative import HL7, Narrative, local
from retrieval.parsing.clean import one_line

__all__ = ["COLUMNS", "Entry", "entries_of", "moment", "shown_in", "times", "worded"]

COLUMNS: Final = ("Date", "Entry", "Value", "Reference range", "Interpretation", "Status", "Detail", "Code")
_STATEMENTS: Final = frozenset(
    {"act", "encounter", "observation", "organizer", "procedure", "substanceAdministration", "supply"}
)
_RELATIONS: Final = {"MFST": "reaction", "RSON": "reason", "CAUS": "cause", "REFR": "about", "COMP": "part"}
_PLANNED: Final = {"INT": "intended", "RQO": "ordered", "PRP": "proposed", "PRMS": "promised", "ARQ": "requested"}
_SYSTEMS: Final = {
    "2.16.840.1.113883.6.96": "SNOMED CT",
    "2.16.840.1.113883.6.1": "LOINC",
    "2.16.840.1.113883.6.88": "RxNorm",
    "2.16.840.1.113883.6.90": "ICD-10-CM",
    "2.16.840.1.113883.6.103": "ICD-9-CM",
    "2.16.840.1.113883.12.292": "CVX",
    "2.16.840.1.113883.6.12": "CPT",
}
_NULLS: Final = {"NI": "no information", "UNK": "unknown", "NA": "not applicable", "ASKU": "asked but unknown"}
_TIME: Final = re.compile(r"(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:\.\d+)?([+-]\d{4})?")
_NUMBER: Final = re.compile(r"[<>=]*\s*(-?\d+(?:\.\d+)?)")


@dataclass
class Entry:
    """One clinical statement. `references` are the IDs of the lines in which its narrative stands."""

    day: str = ""
    name: str = ""
    value: str = ""
    reference_range: str = ""
    interpretation: str = ""
    status: str = ""
    details: list[str] = field(default_factory=list)
    code: str = ""
    coded: bool = False
    references: list[str] = field(default_factory=list)

    def row(self) -> list[str]:
        """Return the cells in the order of `COLUMNS`."""
        detail = "; ".join(dict.fromkeys(filter(None, self.details)))
        return [
            self.day,
            self.name,
            self.value,
            self.reference_range,
            self.interpretation,
            self.status,
            detail,
            self.code,
        ]


def entries_of(section: Any, found: Narrative) -> Iterator[Entry]:
    """Yield the statements of a section that say something, in its order."""
    for entry in section.iterchildren(f"{HL7}entry"):
        yield from _statements(entry, found, of="", panel="")


def _statements(holder: Any, found: Narrative, *, of: str, panel: str) -> Iterator[Entry]:
    for node in holder:
        kind = local(node)
        if kind not in _STATEMENTS:
            continue
        entry = _entry(node, found)
        relation = _RELATIONS.get(holder.get("typeCode", ""), "")
        if of and local(holder) == "entryRelationship":
            entry.details.append(f"{relation} of {of}".strip())
        entry.details.append(f"part of {panel}" if panel else "")
        if kind != "organizer" and (entry.value or entry.name or any(entry.details[:-1])):
            yield entry
        inside = entry.name if kind == "organizer" and node.get("classCode") == "BATTERY" else ""
        about = (entry.value if entry.coded else entry.name) or of
        for inner in node:
            if local(inner) in ("entryRelationship", "component"):
                yield from _statements(inner, found, of=about, panel=inside)


def _entry(node: Any, found: Narrative) -> Entry:
    drug = node.find(f".//{HL7}manufacturedMaterial") if local(node) in ("substanceAdministration", "supply") else None
    named = drug.find(f"{HL7}code") if drug is not None else node.find(f"{HL7}code")
    values = [worded(value, found) for value in node.iterchildren(f"{HL7}value")]
    name = "" if named is None or named.get("code") == "ASSERTION" else worded(named, found, null=False)
    if not name and drug is not None:
        name = _text(drug.find(f"{HL7}name"))
    entry = Entry(
        day=" ".join(filter(None, map(times, node.iterchildren(f"{HL7}effectiveTime")))),
        name=f"NOT: {name}".strip() if node.get("negationInd") == "true" else name,
        value="; ".join(filter(None, values)),
        reference_range="; ".join(filter(None, _ranges(node, found))),
        interpretation="; ".join(worded(one, found) for one in node.iterchildren(f"{HL7}interpretationCode")),
        status=_attribute(node.find(f"{HL7}statusCode"), "code"),
        details=list(_details(node, found)),
        code=_code(named) or _code(node.find(f"{HL7}value")),
        coded=any(value.get("code") is not None for value in node.iterchildren(f"{HL7}value")),
    )
    for holder in (node, named, drug, *node.iterchildren(f"{HL7}value")):
        if holder is not None:
            for path in (f"{HL7}text/{HL7}reference", f"{HL7}originalText/{HL7}reference"):
                entry.references += [one.get("value", "").lstrip("#") for one in holder.iterfind(path)]
    return entry


def _details(node: Any, found: Narrative) -> Iterator[str]:
    yield _PLANNED.get(node.get("moodCode", ""), "")
    for path, before in (
        ("doseQuantity", "dose"),
        ("rateQuantity", "rate"),
        ("routeCode", "route"),
        ("administrationUnitCode", "form"),
        ("maxDoseQuantity", "at most"),
        ("targetSiteCode", "site"),
        ("approachSiteCode", "approach"),
        ("methodCode", "method"),
        ("priorityCode", "priority"),
    ):
        for one in node.iterchildren(f"{HL7}{path}"):
            shown = worded(one, found, null=False)
            yield f"{before} {shown}" if shown else ""
    lot = node.find(f".//{HL7}lotNumberText") if local(node) == "substanceAdministration" else None
    yield f"lot {_text(lot)}" if _text(lot) else ""
    for taking in node.iterchildren(f"{HL7}participant"):
        entity = taking.find(f"{HL7}participantRole/{HL7}playingEntity")
        if entity is not None:
            shown = _text(entity.find(f"{HL7}name")) or worded(entity.find(f"{HL7}code"), found, null=False)
            before = "substance" if taking.get("typeCode") == "CSM" else "with"
            yield f"{before} {shown}" if shown else ""
    yield _text(node.find(f"{HL7}text"))


def _ranges(node: Any, found: Narrative) -> Iterator[str]:
    for one in node.iterfind(f"{HL7}referenceRange/{HL7}observationRange"):
        written = _text(one.find(f"{HL7}text"))
        yield written or worded(one.find(f"{HL7}value"), found, null=False)


def worded(node: Any, found: Narrative | None = None, *, null: bool = True) -> str:
    """Return a value of any CDA data type in words: a code's display, a quantity with its unit, an interval.

    Args:
        node: the element, or None.
        found: the narrative in which references to original text are looked up.
        null: whether to say why a value is missing.
    """
    if node is None:
        return ""
    for shown in (node.get("displayName"), _original(node, found), *_translated(node)):
        if shown:
            return one_line(shown)
    low, high = node.find(f"{HL7}low"), node.find(f"{HL7}high")
    if low is not None or high is not None:
        return _interval(worded(low, found, null=False), worded(high, found, null=False))
    top, bottom = node.find(f"{HL7}numerator"), node.find(f"{HL7}denominator")
    if top is not None and bottom is not None:
        return f"{worded(top, found)} / {worded(bottom, found)}"
    if node.get("value") is not None:
        unit = node.get("unit", "")
        return one_line(f"{node.get('value')} {unit if unit != '1' else ''}")
    reason = node.get("nullFlavor")
    said = _text(node) or node.get("code", "")
    return said or (f"no value: {_NULLS.get(reason, reason)}" if null and reason else "")


def _interval(low: str, high: str) -> str:
    if low and high:
        return f"{low} to {high}"
    return f"at least {low}" if low else f"at most {high}" if high else ""


def _original(node: Any, found: Narrative | None) -> str:
    original = node.find(f"{HL7}originalText")
    if original is None:
        return ""
    reference = original.find(f"{HL7}reference")
    place = (
        found.by_id.get(reference.get("value", "").lstrip("#")) if found is not None and reference is not None else None
    )
    return _text(original) or (found.lines[place] if found is not None and place is not None else "")


def _translated(node: Any) -> Iterator[str]:
    yield from (one.get("displayName", "") for one in node.iterchildren(f"{HL7}translation"))


def times(node: Any) -> str:
    """Return an effectiveTime: a moment, "from to", or how often."""
    if node is None:
        return ""
    low, high = (moment(_attribute(node.find(f"{HL7}{end}"), "value")) for end in ("low", "high"))
    often = node.find(f"{HL7}period")
    if often is not None:
        return f"every {worded(often)}"
    if low and high:
        return low if low == high else f"{low} to {high}"
    return moment(node.get("value", "")) or (f"since {low}" if low else f"until {high}" if high else "")


def moment(written: str) -> str:
    """Return an HL7 time stamp (20240504092947-0500) as 2024-05-04 09:29 -0500; another text as it is."""
    found = _TIME.fullmatch(written.strip())
    if found is None:
        return one_line(written)
    year, month, day, hour, minute, _, zone = found.groups()
    date = "-".join(filter(None, (year, month, day)))
    return " ".join(filter(None, (date, f"{hour}:{minute or '00'}" if hour else "", zone if hour else "")))


def shown_in(entry: Entry, found: Narrative) -> bool:
    """Say whether the narrative shows what an entry says."""
    wanted = entry.value if entry.coded or not entry.name else entry.name
    number = _NUMBER.match(entry.value) if not entry.coded else None
    named = {place for one in entry.references if (place := found.by_id.get(one)) is not None}
    places = named or {place for text in (entry.name, entry.value) for place in found.by_text.get(text.casefold(), ())}
    for place in places:
        line = found.lines[place]
        if wanted.removeprefix("NOT: ").casefold() not in line.casefold() or entry.name.startswith("NOT: "):
            continue
        if entry.value and not entry.coded and not _holds(line, number.group(1) if number else entry.value):
            continue
        if named or not entry.day or _has_day(line, entry.day):
            return True
    return False


def _holds(line: str, value: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(value)}(?![\w]|\.\d)", line, re.IGNORECASE) is not None


def _has_day(line: str, written: str) -> bool:
    day = re.search(r"(\d{4})-(\d\d)-(\d\d)", written)
    if day is None:
        return True
    year, month, date = day.groups()
    forms = (day.group(), year + month + date, f"{int(month)}/{int(date)}/{year}", f"{month}/{date}/{year}")
    return any(form in line for form in forms)


def _code(node: Any) -> str:
    if node is None or not node.get("code"):
        return ""
    system = node.get("codeSystem", "")
    named = _SYSTEMS.get(system) or node.get("codeSystemName") or system
    return one_line(f"{named} {node.get('code')}")


def _attribute(node: Any, name: str) -> str:
    return one_line(node.get(name, "")) if node is not None else ""


def _text(node: Any) -> str:
    return one_line("".join(node.itertext())) if node is not None else ""

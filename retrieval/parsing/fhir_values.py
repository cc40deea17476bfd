"""Writes the data types of FHIR R4 as a clinician reads them: "5.4 mmol/L", "2 times per 1 day", "high".

Source: HL7 FHIR R4 (4.0.1), Datatypes. A record is a stranger's, so nothing is taken for granted: what has another
shape than the standard says is an empty text and not an error. Numbers come as the text that was written, because
"5.40" and "5.4" are different results.
"""

from __future__ import annotations

import re
from typing import Any, Final

from retrieval.parsing.clean import one_line

__all__ = [
    "Json",
    "address",
    "annotation",
    "code",
    "concept",
    "dosage",
    "items",
    "moment",
    "name",
    "period",
    "quantity",
    "reference_range",
    "text",
    "value",
]

Json = dict[str, Any]

_SYSTEMS: Final = {
    "http://snomed.info/sct": "SNOMED CT",
    "http://loinc.org": "LOINC",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
    "http://hl7.org/fhir/sid/icd-10": "ICD-10",
    "http://hl7.org/fhir/sid/icd-10-cm": "ICD-10-CM",
    "http://hl7.org/fhir/sid/icd-9-cm": "ICD-9-CM",
    "http://hl7.org/fhir/sid/cvx": "CVX",
    "http://hl7.org/fhir/sid/ndc": "NDC",
    "http://www.ama-assn.org/go/cpt": "CPT",
    "http://www.whocc.no/atc": "ATC",
    "http://unitsofmeasure.org": "UCUM",
}
_UNITS: Final = {"s": "second", "min": "minute", "h": "hour", "d": "day", "wk": "week", "mo": "month", "a": "year"}
_ZERO_SECONDS: Final = re.compile(r"(T\d\d:\d\d:\d\d)\.0+(?=\D|$)")


def items(resource: Json, *names: str) -> list[Any]:
    """Return what stands under the first of the names that is there, always as a list."""
    for one in names:
        found = resource.get(one)
        if found not in (None, [], {}):
            return found if isinstance(found, list) else [found]
    return []


def text(found: Any) -> str:
    """Return a string, number or boolean as text, and nothing for any other shape."""
    if isinstance(found, bool):
        return "yes" if found else "no"
    return one_line(found) if isinstance(found, str) else ""


def concept(found: Any) -> str:
    """Return what a CodeableConcept, a Coding or a code means: its text, else its first display, else its code."""
    if isinstance(found, list):
        return "; ".join(dict.fromkeys(filter(None, map(concept, found))))
    if not isinstance(found, dict):
        return text(found)
    codings = [one for one in items(found, "coding") if isinstance(one, dict)] or [found]
    shown = [text(found.get("text")), *(text(one.get("display")) for one in codings)]
    return next(filter(None, shown), "") or next((text(one.get("code")) for one in codings if one.get("code")), "")


def code(found: Any) -> str:
    """Return the codes of a CodeableConcept with the short names of their systems."""
    if isinstance(found, list):
        return ", ".join(filter(None, map(code, found)))
    if not isinstance(found, dict):
        return ""
    codings = [one for one in items(found, "coding") if isinstance(one, dict)]
    codes = (
        f"{_system(text(one.get('system')))} {text(one.get('code'))}".strip() for one in codings if one.get("code")
    )
    return ", ".join(dict.fromkeys(codes))


def _system(uri: str) -> str:
    return _SYSTEMS.get(uri.rstrip("/"), uri)


def quantity(found: Any) -> str:
    """Return a Quantity (or Age, Duration, Money) with its comparator and unit."""
    if not isinstance(found, dict):
        return ""
    unit = text(found.get("unit")) or text(found.get("code")) or text(found.get("currency"))
    number = text(found.get("value"))
    return f"{text(found.get('comparator'))}{number} {unit}".strip() if number else ""


def moment(found: Any) -> str:
    """Return a date or time as it was written, with a space between the two."""
    return _ZERO_SECONDS.sub(r"\1", text(found)).replace("T", " ", 1) if text(found)[:4].isdigit() else text(found)


def period(found: Any) -> str:
    """Return a Period as "start to end", "since start" or "until end"."""
    if not isinstance(found, dict):
        return ""
    start, end = moment(found.get("start")), moment(found.get("end"))
    if start and end:
        return start if start == end else f"{start} to {end}"
    return f"since {start}" if start else f"until {end}" if end else ""


def value(resource: Json, prefix: str) -> str:
    """Return the choice element of a name: for "value" that is valueQuantity, valueString or another of them."""
    for key, found in resource.items():
        if key.startswith(prefix) and key[len(prefix) : len(prefix) + 1].isupper():
            shown = _choice(key[len(prefix) :], found)
            if shown:
                return shown
    return ""


def _choice(kind: str, found: Any) -> str:
    if kind in ("Quantity", "Age", "Duration", "Money"):
        return quantity(found)
    if kind in ("DateTime", "Date", "Instant", "Time"):
        return moment(found)
    if kind == "Period":
        return period(found)
    if kind == "Range" and isinstance(found, dict):
        return _span(found)
    if kind == "Ratio" and isinstance(found, dict):
        return " / ".join(filter(None, (quantity(found.get("numerator")), quantity(found.get("denominator")))))
    if kind == "SampledData" and isinstance(found, dict):
        return f"sampled data, {len(text(found.get('data')).split())} points"
    if kind == "Timing":
        return _timing(found)
    return concept(found)


def _span(found: Json) -> str:
    low, high = quantity(found.get("low")), quantity(found.get("high"))
    if low and high:
        return f"{low} to {high}"
    return f"at least {low}" if low else f"at most {high}" if high else ""


def reference_range(resource: Json) -> str:
    """Return the reference ranges of an Observation, each with what it is for."""
    shown = []
    for one in items(resource, "referenceRange"):
        if isinstance(one, dict):
            span = text(one.get("text")) or _span(one)
            kinds = " ".join(filter(None, (concept(one.get("type")), concept(one.get("appliesTo")))))
            shown.append(f"{span} ({kinds})" if span and kinds else span)
    return "; ".join(filter(None, shown))


def dosage(found: Any) -> str:
    """Return dosage instructions: their own text where there is one, else dose, route, timing and limits."""
    if isinstance(found, list):
        return "; ".join(filter(None, map(dosage, found)))
    if not isinstance(found, dict):
        return text(found)
    parts = [text(found.get("text"))]
    if not parts[0]:
        doses = [one for one in items(found, "doseAndRate") if isinstance(one, dict)]
        parts = [value(one, "dose") for one in doses] + [value(one, "rate") for one in doses]
        parts += [quantity(found.get("dose")), value(found, "rate")]  # of a MedicationAdministration
        parts += [concept(found.get("method")), concept(found.get("route")), _timing(found.get("timing"))]
        parts.append("as needed" if found.get("asNeededBoolean") is True else "")
        parts.append(f"as needed for {concept(found.get('asNeededCodeableConcept'))}".removesuffix("as needed for "))
        limit = value({"maxDoseRatio": found.get("maxDosePerPeriod")}, "maxDose")
        parts.append(f"at most {limit}" if limit else "")
    parts += [text(found.get("patientInstruction")), concept(items(found, "additionalInstruction"))]
    return ", ".join(dict.fromkeys(filter(None, parts)))


def _timing(found: Any) -> str:
    if not isinstance(found, dict):
        return ""
    repeat = found.get("repeat")
    named = concept(found.get("code"))
    if not isinstance(repeat, dict):
        return named or ", ".join(filter(None, map(moment, items(found, "event"))))
    unit, every, times = text(repeat.get("periodUnit")), text(repeat.get("period")), text(repeat.get("frequency"))
    parts = [f"{times or '1'} times per {every} {_UNITS.get(unit, unit)}" if every and unit else ""]
    parts += [", ".join(map(text, items(repeat, key))) for key in ("when", "dayOfWeek", "timeOfDay")]
    parts.append(f"for {bound}" if (bound := value(repeat, "bounds")) else "")
    return ", ".join(filter(None, (named, *parts)))


def name(found: Any) -> str:
    """Return a HumanName, or the first usable one of a list; old names come last."""
    names = [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, dict)]
    for one in sorted(names, key=lambda one: (one.get("use") == "old", one.get("use") not in ("official", "usual"))):
        parts = [*items(one, "prefix"), *items(one, "given"), *items(one, "family"), *items(one, "suffix")]
        shown = text(one.get("text")) or " ".join(filter(None, map(text, parts)))
        if shown:
            return shown
    return text(found)


def address(found: Any) -> str:
    """Return an Address on one line."""
    if not isinstance(found, dict):
        return ""
    parts = [*items(found, "line"), *(found.get(key) for key in ("city", "state", "postalCode", "country"))]
    return text(found.get("text")) or ", ".join(filter(None, map(text, parts)))


def annotation(found: Any) -> str:
    """Return notes, each with its day."""
    if isinstance(found, list):
        return "; ".join(filter(None, map(annotation, found)))
    if not isinstance(found, dict):
        return text(found)
    day = moment(found.get("time"))[:10]
    return f"{text(found.get('text'))} ({day})" if day else text(found.get("text"))

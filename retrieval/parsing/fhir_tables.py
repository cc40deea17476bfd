"""Says which columns a clinician reads of each kind of FHIR resource, and in which order the sections stand.

Source: HL7 FHIR R4 (4.0.1). A status is always shown, because "entered-in-error", "refuted" and "not-done" turn a row
into its opposite. Columns that no row fills are left out by `retrieval.parsing.grid`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from retrieval.parsing.fhir_bundle import Bundle
from retrieval.parsing.fhir_values import (
    Json,
    annotation,
    code,
    concept,
    dosage,
    items,
    moment,
    quantity,
    reference_range,
    text,
    value,
)

__all__ = ["SECTIONS", "Section", "section_of"]

Row = list[str]


class Section(NamedTuple):
    """A heading, the names of its columns with bars between, and what makes rows of a resource.

    Rows are sorted by their first column, which is a date.
    """

    title: str
    columns: str
    rows: Callable[[Json, Bundle], Iterator[Row]]


def _conditions(one: Json, bundle: Bundle) -> Iterator[Row]:
    yield [
        value(one, "onset"),
        concept(one.get("code")),
        value(one, "abatement"),
        concept(one.get("clinicalStatus")),
        concept(one.get("verificationStatus")),
        concept(one.get("severity")),
        concept(one.get("bodySite")),
        concept(one.get("category")),
        moment(one.get("recordedDate")),
        annotation(one.get("note")),
        code(one.get("code")),
    ]


def _medications(one: Json, bundle: Bundle) -> Iterator[Row]:
    drug = concept(one.get("medicationCodeableConcept")) or bundle.shown(one.get("medicationReference"), inside=one)
    held = one.get("medicationReference")
    target = bundle.find(text(held.get("reference")), inside=one) if isinstance(held, dict) else None
    reasons = [concept(one.get("reasonCode")), bundle.shown(one.get("reasonReference"), inside=one)]
    by = bundle.shown(one.get("requester") or one.get("informationSource"), inside=one)
    yield [
        moment(one.get("authoredOn")) or value(one, "effective") or moment(one.get("whenHandedOver")),
        f"DO NOT GIVE: {drug}" if one.get("doNotPerform") is True else drug,
        dosage(one.get("dosageInstruction") or one.get("dosage")),
        text(one.get("status")),
        concept(one.get("statusReason")),
        text(one.get("intent")) or text(one.get("resourceType")).removeprefix("Medication").lower(),
        value(one, "effective"),
        quantity(one.get("quantity")),
        "; ".join(filter(None, reasons)),
        by,
        annotation(one.get("note")),
        code(one.get("medicationCodeableConcept") or (target or {}).get("code")),
    ]


def _allergies(one: Json, bundle: Bundle) -> Iterator[Row]:
    reactions = list[str]()
    for reaction in items(one, "reaction"):
        if isinstance(reaction, dict):
            shown = concept(reaction.get("manifestation")) or text(reaction.get("description"))
            parts = (shown, text(reaction.get("severity")), concept(reaction.get("substance")))
            reactions.append(", ".join(filter(None, parts)))
    yield [
        value(one, "onset") or moment(one.get("recordedDate")),
        concept(one.get("code")),
        "; ".join(filter(None, reactions)),
        text(one.get("criticality")),
        text(one.get("type")),
        concept(items(one, "category")),
        concept(one.get("clinicalStatus")),
        concept(one.get("verificationStatus")),
        moment(one.get("lastOccurrence")),
        annotation(one.get("note")),
        code(one.get("code")),
    ]


def _observations(one: Json, bundle: Bundle) -> Iterator[Row]:
    name, day = concept(one.get("code")), value(one, "effective") or moment(one.get("issued"))
    parts = [part for part in items(one, "component") if isinstance(part, dict)]
    measured = _measured(one)
    if not measured and not parts and one.get("hasMember"):
        measured = f"consists of {bundle.shown(one['hasMember'], inside=one)}"
    if measured or not parts:
        yield _observation(one, name, day, measured, one)
    for part in parts:
        yield _observation(part, f"{name}: {concept(part.get('code'))}", day, _measured(part), one)


def _observation(one: Json, name: str, day: str, measured: str, whole: Json) -> Row:
    return [
        day,
        name,
        measured,
        reference_range(one),
        concept(one.get("interpretation")),
        text(whole.get("status")),
        concept(whole.get("bodySite")),
        concept(whole.get("method")),
        annotation(whole.get("note")),
        code(one.get("code")),
    ]


def _measured(one: Json) -> str:
    absent = concept(one.get("dataAbsentReason"))
    return value(one, "value") or (f"no value: {absent}" if absent else "")


def _reports(one: Json, bundle: Bundle) -> Iterator[Row]:
    yield [
        value(one, "effective") or moment(one.get("issued")),
        concept(one.get("code")),
        text(one.get("conclusion")) or concept(one.get("conclusionCode")),
        text(one.get("status")),
        bundle.shown(one.get("result"), inside=one),
        bundle.shown(one.get("performer"), inside=one),
    ]


def _immunizations(one: Json, bundle: Bundle) -> Iterator[Row]:
    doses = [value(dose, "doseNumber") for dose in items(one, "protocolApplied") if isinstance(dose, dict)]
    yield [
        value(one, "occurrence"),
        concept(one.get("vaccineCode")),
        text(one.get("status")),
        concept(one.get("statusReason")),
        quantity(one.get("doseQuantity")),
        ", ".join(filter(None, doses)),
        text(one.get("lotNumber")),
        concept(one.get("site")),
        concept(one.get("route")),
        annotation(one.get("note")),
        code(one.get("vaccineCode")),
    ]


def _procedures(one: Json, bundle: Bundle) -> Iterator[Row]:
    actors = [doer.get("actor") for doer in items(one, "performer") if isinstance(doer, dict)]
    yield [
        value(one, "performed"),
        concept(one.get("code")),
        text(one.get("status")),
        concept(one.get("statusReason")),
        "; ".join(filter(None, (concept(one.get("reasonCode")), bundle.shown(one.get("reasonReference"), inside=one)))),
        concept(one.get("bodySite")),
        concept(one.get("outcome")),
        concept(one.get("complication")),
        bundle.shown(actors, inside=one),
        annotation(one.get("note")),
        code(one.get("code")),
    ]


def _encounters(one: Json, bundle: Bundle) -> Iterator[Row]:
    people = [part.get("individual") for part in items(one, "participant") if isinstance(part, dict)]
    places = [part.get("location") for part in items(one, "location") if isinstance(part, dict)]
    stay = one.get("hospitalization")
    yield [
        value({"pPeriod": one.get("period")}, "p"),
        concept(one.get("type")),
        concept(one.get("class")),
        text(one.get("status")),
        "; ".join(filter(None, (concept(one.get("reasonCode")), bundle.shown(one.get("reasonReference"), inside=one)))),
        bundle.shown(people, inside=one),
        bundle.shown(places, inside=one) or bundle.shown(one.get("serviceProvider"), inside=one),
        concept(stay.get("dischargeDisposition")) if isinstance(stay, dict) else "",
    ]


def _plans(one: Json, bundle: Bundle) -> Iterator[Row]:
    details = [act.get("detail") for act in items(one, "activity") if isinstance(act, dict)]
    acts = [f"{concept(d.get('code'))} {text(d.get('description'))}".strip() for d in details if isinstance(d, dict)]
    goals = [value(goal, "detail") for goal in items(one, "target") if isinstance(goal, dict)]
    yield [
        value({"pPeriod": one.get("period")}, "p") or value(one, "start") or moment(one.get("authoredOn")),
        next(filter(None, (concept(one.get(key)) for key in ("title", "description", "code", "category"))), ""),
        text(one.get("status")) or concept(one.get("lifecycleStatus")),
        "; ".join(filter(None, (*acts, *goals))),
        bundle.shown(one.get("addresses"), inside=one) or concept(one.get("reasonCode")),
        text(one.get("intent")),
        annotation(one.get("note")),
    ]


def _families(one: Json, bundle: Bundle) -> Iterator[Row]:
    found = [part for part in items(one, "condition") if isinstance(part, dict)]
    for part in found or [{}]:
        yield [
            moment(one.get("date")),
            concept(one.get("relationship")),
            concept(part.get("code")),
            value(part, "onset"),
            concept(part.get("outcome")),
            value(one, "deceased"),
            text(one.get("status")),
            annotation(part.get("note") or one.get("note")),
        ]


def _answers(one: Json, bundle: Bundle) -> Iterator[Row]:
    stack = list(reversed(items(one, "item")))
    while stack:
        item = stack.pop()
        if not isinstance(item, dict):
            continue
        answers = [answer for answer in items(item, "answer") if isinstance(answer, dict)]
        shown = "; ".join(filter(None, (value(answer, "value") for answer in answers)))
        if shown or not item.get("item"):
            yield [
                moment(one.get("authored")),
                text(item.get("text")) or text(item.get("linkId")),
                shown,
                text(one.get("status")),
            ]
        for held in (*reversed(answers), item):
            stack.extend(reversed(items(held, "item")))


def _studies(one: Json, bundle: Bundle) -> Iterator[Row]:
    series = [part for part in items(one, "series") if isinstance(part, dict)]
    yield [
        moment(one.get("started")),
        text(one.get("description")) or concept(one.get("procedureCode")),
        concept(one.get("modality")) or concept([part.get("modality") for part in series]),
        concept([part.get("bodySite") for part in series]),
        text(one.get("status")),
        annotation(one.get("note")),
    ]


def _devices(one: Json, bundle: Bundle) -> Iterator[Row]:
    names = [text(part.get("name")) for part in items(one, "deviceName") if isinstance(part, dict)]
    yield [
        moment(one.get("manufactureDate")),
        "; ".join(filter(None, names)) or concept(one.get("type")),
        concept(one.get("type")),
        text(one.get("status")),
        text(one.get("lotNumber")),
        text(one.get("serialNumber")),
    ]


_OBSERVED: Final = "Date | Test | Value | Reference range | Interpretation | Status | Site | Method | Note | Code"

SECTIONS: Final = {
    "Condition": Section(
        "Problems",
        "Onset | Problem | Ended | Status | Verification | Severity | Site | Category | Recorded | Note | Code",
        _conditions,
    ),
    "Medication": Section(
        "Medications",
        "Date | Medication | Dosage | Status | Status reason | Intent | Period | Quantity | Reason | By | Note | Code",
        _medications,
    ),
    "AllergyIntolerance": Section(
        "Allergies and intolerances",
        "Since | Substance | Reaction | Criticality | Type | Category | Status | Verification | Last | Note | Code",
        _allergies,
    ),
    "laboratory": Section("Laboratory results", _OBSERVED, _observations),
    "vital-signs": Section("Vital signs", _OBSERVED, _observations),
    "social-history": Section("Social history", _OBSERVED, _observations),
    "Observation": Section("Other observations", _OBSERVED, _observations),
    "DiagnosticReport": Section(
        "Diagnostic reports", "Date | Report | Conclusion | Status | Results | Performer", _reports
    ),
    "Immunization": Section(
        "Immunizations",
        "Date | Vaccine | Status | Status reason | Dose | Dose number | Lot | Site | Route | Note | Code",
        _immunizations,
    ),
    "Procedure": Section(
        "Procedures",
        "Date | Procedure | Status | Status reason | Reason | Site | Outcome | Complication | Performer | Note | Code",
        _procedures,
    ),
    "Encounter": Section(
        "Encounters", "Period | Type | Class | Status | Reason | With | Place | Discharge", _encounters
    ),
    "Plan": Section(
        "Plans, goals and orders", "Date | Plan | Status | Activities and targets | For | Intent | Note", _plans
    ),
    "FamilyMemberHistory": Section(
        "Family history", "Date | Relative | Condition | Onset | Outcome | Died | Status | Note", _families
    ),
    "QuestionnaireResponse": Section("Questionnaires", "Date | Question | Answer | Status", _answers),
    "ImagingStudy": Section("Imaging", "Date | Study | Modality | Site | Status | Note", _studies),
    "Device": Section("Devices", "Made | Device | Type | Status | Lot | Serial", _devices),
}
"""Sections in the order in which they stand, by the kind that `section_of` gives."""

_KINDS: Final = {
    "MedicationRequest": "Medication",
    "MedicationStatement": "Medication",
    "MedicationAdministration": "Medication",
    "MedicationDispense": "Medication",
    "CarePlan": "Plan",
    "Goal": "Plan",
    "ServiceRequest": "Plan",
}


def section_of(resource: Json) -> str | None:
    """Return the key of the section in which a resource stands, or None for a kind that has none here."""
    kind = text(resource.get("resourceType"))
    if kind == "Observation":
        categories = [one for one in items(resource, "category") if isinstance(one, dict)]
        codings = [coding for one in categories for coding in items(one, "coding") if isinstance(coding, dict)]
        named = [text(coding.get("code")) for coding in codings]
        return next((name for name in named if name in SECTIONS), kind)
    kind = _KINDS.get(kind, kind if kind != "Medication" else "")
    return kind if kind in SECTIONS else None

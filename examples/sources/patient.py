"""The record of an invented patient as a FHIR R4 bundle (HL7 FHIR 4.0.1, Bundle of type ``collection``).

Observations carry LOINC codes and UCUM units, medicines ATC codes, conditions ICD-10 codes. Each resource is tagged
HTEST, HL7's mark for test data. References are relative and resolve through the entries' full addresses.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from sources.invented import CLINIC, FIXED_TIME

__all__ = ["bundle", "write"]

_BASE: Final = "https://fhir.brackenmere.example"
_TERMS: Final = "http://terminology.hl7.org/CodeSystem"
_PATIENT: Final = {"reference": "Patient/ilse-kettering", "display": "Ilse Kettering"}
_DOCTOR: Final = {"reference": "Practitioner/anneliese-corwin", "display": "Dr Anneliese Corwin"}
_CLINIC: Final = {"reference": "Organization/brackenmere", "display": CLINIC}
_VISITS: Final = ("2025-06-10", "2025-09-16", "2025-12-09")

_Resource = dict[str, Any]


def write(path: Path) -> None:
    """Write the bundle as JSON with one resource a line."""
    whole = bundle()
    entries = ",\n".join(_json(entry) for entry in whole.pop("entry"))
    path.write_text(f'{_json(whole)[:-1]},"entry":[\n{entries}\n]}}\n', encoding="utf-8", newline="\n")


def _json(value: _Resource) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def bundle() -> _Resource:
    """Build the bundle."""
    resources = [*_people(), *_conditions(), *_allergies(), *_encounters(), *_observations(), *_medicines()]
    return {
        "resourceType": "Bundle",
        "id": "ilse-kettering-record",
        "meta": {"tag": [_tag()]},
        "type": "collection",
        "timestamp": FIXED_TIME.isoformat(),
        "entry": [
            {"fullUrl": f"{_BASE}/{resource['resourceType']}/{resource['id']}", "resource": resource}
            for resource in resources
        ],
    }


def _tag() -> _Resource:
    return {"system": f"{_TERMS}/v3-ActReason", "code": "HTEST", "display": "test health data"}


def _resource(kind: str, name: str, /, **fields: Any) -> _Resource:
    return {"resourceType": kind, "id": name, "meta": {"tag": [_tag()]}, **fields}


def _coded(system: str, code: str, text: str, *, display: str | None = None) -> _Resource:
    return {"coding": [{"system": system, "code": code, "display": display or text}], "text": text}


def _status(system: str, code: str) -> _Resource:
    return {"coding": [{"system": f"{_TERMS}/{system}", "code": code}]}


def _people() -> list[_Resource]:
    return [
        _resource(
            "Organization",
            "brackenmere",
            active=True,
            name=CLINIC,
            telecom=[{"system": "phone", "value": "020 7946 0642", "use": "work"}],
            address=[{"line": ["8 Fuller Lane"], "city": "Port Averley", "postalCode": "AV3 2QN", "country": "GB"}],
        ),
        _resource(
            "Practitioner",
            "anneliese-corwin",
            active=True,
            name=[{"use": "official", "family": "Corwin", "given": ["Anneliese"], "prefix": ["Dr"]}],
        ),
        _resource(
            "Patient",
            "ilse-kettering",
            identifier=[{"use": "usual", "system": f"{_BASE}/record-number", "value": "BFC-004417"}],
            active=True,
            name=[{"use": "official", "family": "Kettering", "given": ["Ilse", "Maud"]}],
            telecom=[{"system": "phone", "value": "07700 900417", "use": "mobile"}],
            gender="female",
            birthDate="1961-04-17",
            address=[{"line": ["27 Heron Walk"], "city": "Port Averley", "postalCode": "AV3 5LT", "country": "GB"}],
            generalPractitioner=[_DOCTOR],
            managingOrganization=_CLINIC,
        ),
    ]


def _conditions() -> list[_Resource]:
    known = (
        ("hypertension", "I10", "Essential (primary) hypertension", "2023-02-21"),
        ("diabetes", "E11.9", "Type 2 diabetes mellitus without complications", "2019-10-08"),
    )
    return [
        _resource(
            "Condition",
            name,
            clinicalStatus=_status("condition-clinical", "active"),
            verificationStatus=_status("condition-ver-status", "confirmed"),
            category=[_coded(f"{_TERMS}/condition-category", "problem-list-item", "Problem List Item")],
            code=_coded("http://hl7.org/fhir/sid/icd-10", code, text),
            subject=_PATIENT,
            onsetDateTime=since,
            recordedDate=since,
            recorder=_DOCTOR,
        )
        for name, code, text, since in known
    ]


def _allergies() -> list[_Resource]:
    known = (
        ("penicillin", "allergy", "high", "J01C", "Penicillins", "Anaphylaxis", "severe", "1994"),
        ("lisinopril", "intolerance", "low", "C09AA03", "Lisinopril", "Dry cough", "mild", "2024-01"),
    )
    return [
        _resource(
            "AllergyIntolerance",
            name,
            clinicalStatus=_status("allergyintolerance-clinical", "active"),
            verificationStatus=_status("allergyintolerance-verification", "confirmed"),
            type=kind,
            category=["medication"],
            criticality=criticality,
            code=_coded("http://www.whocc.no/atc", code, text),
            patient=_PATIENT,
            onsetDateTime=since,
            recorder=_DOCTOR,
            reaction=[{"manifestation": [{"text": reaction}], "severity": severity}],
        )
        for name, kind, criticality, code, text, reaction, severity, since in known
    ]


def _encounters() -> list[_Resource]:
    return [
        _resource(
            "Encounter",
            f"visit-{day}",
            status="finished",
            **{"class": {"system": f"{_TERMS}/v3-ActCode", "code": "AMB", "display": "ambulatory"}},
            type=[{"text": "Blood pressure review"}],
            subject=_PATIENT,
            participant=[{"individual": _DOCTOR}],
            period={"start": f"{day}T09:30:00Z", "end": f"{day}T09:50:00Z"},
            serviceProvider=_CLINIC,
        )
        for day in _VISITS
    ]


def _quantity(value: float, unit: str, code: str) -> _Resource:
    return {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": code}


def _observation(name: str, day: str, category: str, code: str, text: str, **value: Any) -> _Resource:
    titles = {"vital-signs": "Vital Signs", "laboratory": "Laboratory"}
    return _resource(
        "Observation",
        f"{name}-{day}",
        status="final",
        category=[_coded(f"{_TERMS}/observation-category", category, titles[category])],
        code=_coded("http://loinc.org", code, text),
        subject=_PATIENT,
        encounter={"reference": f"Encounter/visit-{day}"},
        effectiveDateTime=f"{day}T09:35:00Z",
        performer=[_DOCTOR],
        **value,
    )


def _observations() -> list[_Resource]:
    made: list[_Resource] = []
    for day, systolic, diastolic, pulse in zip(_VISITS, (158, 152, 138), (96, 94, 84), (76, 74, 72), strict=True):
        made.append(_blood_pressure(day, systolic, diastolic))
        rate = _quantity(pulse, "beats/minute", "/min")
        made.append(_observation("heart-rate", day, "vital-signs", "8867-4", "Heart rate", valueQuantity=rate))
    last = _VISITS[-1]
    signs = (
        ("height", "8302-2", "Body height", 164, "cm", "cm"),
        ("weight", "29463-7", "Body weight", 78.4, "kg", "kg"),
        ("bmi", "39156-5", "Body mass index (BMI) [Ratio]", 29.1, "kg/m2", "kg/m2"),
    )
    tests = (
        ("potassium", "2823-3", "Potassium [Moles/volume] in Serum or Plasma", 4.4, "mmol/L", "mmol/L"),
        ("creatinine", "14682-9", "Creatinine [Moles/volume] in Serum or Plasma", 78, "µmol/L", "umol/L"),
        (
            "egfr",
            "98979-8",
            "Glomerular filtration rate/1.73 sq M.predicted [Volume Rate/Area] in Serum, Plasma or Blood by "
            "Creatinine-based formula (CKD-EPI 2021)",
            73,
            "mL/min/1.73 m2",
            "mL/min/{1.73_m2}",
        ),
        ("hba1c", "59261-8", "Hemoglobin A1c/Hemoglobin.total in Blood by IFCC protocol", 53, "mmol/mol", "mmol/mol"),
    )
    for category, lines in (("vital-signs", signs), ("laboratory", tests)):
        for name, code, text, value, unit, ucum in lines:
            quantity = _quantity(value, unit, ucum)
            made.append(_observation(name, last, category, code, text, valueQuantity=quantity))
    return made


def _blood_pressure(day: str, systolic: int, diastolic: int) -> _Resource:
    parts = [
        {"code": _coded("http://loinc.org", code, text), "valueQuantity": _quantity(value, "mmHg", "mm[Hg]")}
        for code, text, value in (
            ("8480-6", "Systolic blood pressure", systolic),
            ("8462-4", "Diastolic blood pressure", diastolic),
        )
    ]
    text = "Blood pressure panel with all children optional"
    return _observation("blood-pressure", day, "vital-signs", "85354-9", text, component=parts)


def _medicines() -> list[_Resource]:
    given = (
        ("metformin", "active", "A10BA02", "Metformin 500 mg tablet", 2, 500, "2019-10-22", "diabetes"),
        ("lisinopril", "stopped", "C09AA03", "Lisinopril 10 mg tablet", 1, 10, "2023-03-07", "hypertension"),
        ("losartan", "active", "C09CA01", "Losartan 50 mg tablet", 1, 50, "2024-01-30", "hypertension"),
        ("amlodipine", "active", "C08CA01", "Amlodipine 5 mg tablet", 1, 5, "2025-09-16", "hypertension"),
    )
    return [
        _resource(
            "MedicationRequest",
            name,
            status=status,
            intent="order",
            medicationCodeableConcept=_coded("http://www.whocc.no/atc", code, text, display=name),
            subject=_PATIENT,
            authoredOn=since,
            requester=_DOCTOR,
            reasonReference=[{"reference": f"Condition/{reason}"}],
            dosageInstruction=[
                {
                    "text": f"{dose} mg by mouth {'once' if times == 1 else 'twice'} a day",
                    "timing": {"repeat": {"frequency": times, "period": 1, "periodUnit": "d"}},
                    "doseAndRate": [{"doseQuantity": _quantity(dose, "mg", "mg")}],
                }
            ],
        )
        for name, status, code, text, times, dose, since, reason in given
    ]

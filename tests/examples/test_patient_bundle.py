"""The patient bundle has the shape that FHIR R4 (4.0.1) asks of its resources."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_REQUIRED = {
    "Patient": {"name", "gender", "birthDate", "identifier"},
    "Practitioner": {"name"},
    "Organization": {"name"},
    "Condition": {"clinicalStatus", "verificationStatus", "code", "subject"},
    "Observation": {"status", "category", "code", "subject", "effectiveDateTime"},
    "MedicationRequest": {"status", "intent", "medicationCodeableConcept", "subject", "authoredOn"},
    "AllergyIntolerance": {"clinicalStatus", "verificationStatus", "code", "patient"},
    "Encounter": {"status", "class", "subject", "period"},
}
_STATUS = {
    "Observation": {"registered", "preliminary", "final", "amended"},
    "MedicationRequest": {"active", "on-hold", "cancelled", "completed", "stopped", "draft"},
    "Encounter": {"planned", "arrived", "in-progress", "finished", "cancelled"},
}
_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}:\d{2}(Z|[+-]\d{2}:\d{2}))?)?)?")


@pytest.fixture(scope="module")
def bundle(examples: Path) -> dict[str, Any]:
    return json.loads((examples / "records/patient-bundle.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def resources(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in bundle["entry"]]


def _walk(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from _walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner)


def test_bundle_holds_every_kind_under_its_own_address(bundle: dict[str, Any]) -> None:
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "collection")
    addresses = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(addresses)) == len(addresses)
    for entry in bundle["entry"]:
        resource = entry["resource"]
        assert entry["fullUrl"].endswith(f"/{resource['resourceType']}/{resource['id']}")
        assert re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", resource["id"])
    assert {entry["resource"]["resourceType"] for entry in bundle["entry"]} == _REQUIRED.keys()


def test_resources_have_required_fields_and_known_statuses(resources: list[dict[str, Any]]) -> None:
    for resource in resources:
        kind = resource["resourceType"]
        missing = _REQUIRED[kind] - resource.keys()
        assert not missing, (kind, resource["id"], missing)
        if kind in _STATUS:
            assert resource["status"] in _STATUS[kind]


def test_every_reference_resolves_to_the_kind_it_names(bundle: dict[str, Any]) -> None:
    known = {f"{entry['resource']['resourceType']}/{entry['resource']['id']}" for entry in bundle["entry"]}
    references = [value for key, value in _walk(bundle) if key == "reference"]
    assert len(references) > 50
    assert set(references) <= known


def test_everything_is_about_the_one_patient(resources: list[dict[str, Any]]) -> None:
    [patient] = [resource for resource in resources if resource["resourceType"] == "Patient"]
    about = [resource.get("subject", resource.get("patient")) for resource in resources]
    assert {entry["reference"] for entry in about if entry} == {f"Patient/{patient['id']}"}


def test_every_resource_is_marked_as_test_data(bundle: dict[str, Any], resources: list[dict[str, Any]]) -> None:
    for resource in [bundle, *resources]:
        assert [tag["code"] for tag in resource["meta"]["tag"]] == ["HTEST"]


def test_observations_have_a_value_with_a_ucum_unit(resources: list[dict[str, Any]]) -> None:
    observations = [resource for resource in resources if resource["resourceType"] == "Observation"]
    for observation in observations:
        assert ("valueQuantity" in observation) != ("component" in observation)
        for part in observation.get("component", [observation]):
            quantity = part["valueQuantity"]
            assert quantity["system"] == "http://unitsofmeasure.org"
            assert quantity["code"]
            assert quantity["value"] > 0


def _luhn(digits: str) -> int:
    """Return the check digit that LOINC codes end with (mod 10, from the right)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if place % 2 == 0 else 1)
        total += number - 9 if number > 9 else number
    return -total % 10


def test_loinc_codes_have_their_check_digit(bundle: dict[str, Any]) -> None:
    codes = {
        coding["code"]
        for key, value in _walk(bundle)
        if key == "coding"
        for coding in value
        if coding["system"] == "http://loinc.org"
    }
    assert len(codes) >= 10
    for code in codes:
        digits, check = code.split("-")
        assert _luhn(digits) == int(check), code


def test_dates_are_dates_and_no_encounter_ends_before_it_begins(resources: list[dict[str, Any]]) -> None:
    names = {"birthDate", "onsetDateTime", "recordedDate", "authoredOn", "effectiveDateTime", "start", "end"}
    for resource in resources:
        for key, value in _walk(resource):
            if key in names:
                assert _DATE.fullmatch(value), (resource["id"], key, value)
        if resource["resourceType"] == "Encounter":
            assert resource["period"]["start"] < resource["period"]["end"]


def test_body_mass_index_is_weight_over_height_squared(resources: list[dict[str, Any]]) -> None:
    values = {
        resource["code"]["coding"][0]["code"]: resource["valueQuantity"]["value"]
        for resource in resources
        if resource["resourceType"] == "Observation" and "valueQuantity" in resource
    }
    assert values["39156-5"] == pytest.approx(values["29463-7"] / (values["8302-2"] / 100) ** 2, abs=0.05)


def test_nothing_prescribed_and_active_is_something_the_patient_must_avoid(resources: list[dict[str, Any]]) -> None:
    def codes(kind: str, field: str, **wanted: str) -> set[str]:
        return {
            resource[field]["coding"][0]["code"]
            for resource in resources
            if resource["resourceType"] == kind and all(resource[key] == value for key, value in wanted.items())
        }

    avoided = codes("AllergyIntolerance", "code")
    assert len(avoided) == 2
    taken = codes("MedicationRequest", "medicationCodeableConcept", status="active")
    assert taken
    assert not any(medicine.startswith(code) for medicine in taken for code in avoided)

"""A FHIR record says in its text what a clinician would read of it, and says what it could not resolve."""

import base64
import json

import pytest

from retrieval.chunking import chunk
from retrieval.errors import DamagedFile, ParseLimit, TooManyPages
from retrieval.parsing.fhir import read
from retrieval.parsing.sandbox import Sandbox
from retrieval.parsing.types import FHIR, BlockKind, ParsedDocument

ANN = {"reference": "Patient/ann"}


def patient(identity="ann", family="Lindqvist", **more):
    return {"resourceType": "Patient", "id": identity, "name": [{"given": ["Ann"], "family": family}], **more}


def coded(display, code="1", system="http://loinc.org"):
    return {"coding": [{"system": system, "code": code, "display": display}]}


def observation(display="Sodium", **more):
    base = {"resourceType": "Observation", "status": "final", "code": coded(display, "2951-2"), "subject": ANN}
    return {**base, "category": [{"coding": [{"code": "laboratory"}]}], **more}


@pytest.fixture
def record(put):
    """Write resources as a bundle, read it, and return its pages."""

    def make(*resources, raw=None, max_pages=500):
        entries = [{"fullUrl": f"urn:uuid:{n}", "resource": one} for n, one in enumerate(resources)]
        whole = {"resourceType": "Bundle", "type": "collection", "entry": entries}
        total, pages = read(put("record.json", raw or json.dumps(whole).encode()), max_pages=max_pages)
        pages = tuple(pages)
        assert total == len(pages)
        return pages

    return make


def text_of(pages):
    return "\n".join(page.text for page in pages)


def rows_under(pages, heading):
    """The rows of the table under a heading, as lists of cells."""
    rows, inside = [], False
    for page in pages:
        for block in page.blocks:
            text = page.text[block.start : block.end]
            if block.kind is BlockKind.HEADING:
                inside = text == heading
            elif inside and block.kind is BlockKind.TABLE:
                rows += [[cell.strip() for cell in line.split("|")] for line in text.split("\n")]
    return rows


def remarks(pages):
    return {remark.code: remark.detail for page in pages for remark in page.remarks}


def test_the_shipped_record_says_what_a_clinician_asks(examples):
    _, pages = read(examples / "records" / "patient-bundle.json", max_pages=50)
    pages = tuple(pages)
    assert pages[0].text.startswith(
        "Patient Ilse Maud Kettering (id ilse-kettering)\n\nName | Ilse Maud Kettering\nBorn |"
    )
    assert next(row[:4] for row in rows_under(pages, "Medications") if "Lisinopril" in row[1]) == [
        "2023-03-07",
        "Lisinopril 10 mg tablet",
        "10 mg by mouth once a day",
        "stopped",
    ]
    assert any(
        row[1:3] == ["Potassium [Moles/volume] in Serum or Plasma", "4.4 mmol/L"]
        for row in rows_under(pages, "Laboratory results")
    )
    assert any("Anaphylaxis, severe" in row for row in rows_under(pages, "Allergies and intolerances"))
    assert any("Diastolic blood pressure" in row[1] and row[2] == "96 mmHg" for row in rows_under(pages, "Vital signs"))
    assert remarks(pages) == {}


def test_a_result_has_value_unit_range_flag_and_day_in_one_row(record):
    pages = record(
        patient(),
        observation(
            effectiveDateTime="2024-05-04T09:29:47.000Z",
            valueQuantity={"value": 5.40, "comparator": "<", "unit": "mmol/L"},
            referenceRange=[{"low": {"value": 3.5, "unit": "mmol/L"}, "high": {"value": 5.1, "unit": "mmol/L"}}],
            interpretation=[coded("High", "H")],
            note=[{"text": "haemolysed"}],
        ),
    )
    header, row = rows_under(pages, "Laboratory results")
    assert dict(zip(header, row, strict=True)) == {
        "Date": "2024-05-04 09:29:47Z",
        "Test": "Sodium",
        "Value": "<5.4 mmol/L",
        "Reference range": "3.5 mmol/L to 5.1 mmol/L",
        "Interpretation": "High",
        "Status": "final",
        "Note": "haemolysed",
        "Code": "LOINC 2951-2",
    }


def test_a_number_stays_as_it_was_written(record):
    raw = json.dumps(
        {"resourceType": "Bundle", "entry": [{"resource": observation(valueQuantity={"value": "@", "unit": "g"})}]}
    )
    for number in ("5.40", "1e999", "9" * 6000, "-0.0"):
        assert f"{number} g" in text_of(record(raw=raw.replace('"@"', number).encode()))


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"valueString": "trace"}, "trace"),
        ({"valueCodeableConcept": coded("Positive")}, "Positive"),
        ({"valueBoolean": False}, "no"),
        ({"valueInteger": 0}, "0"),
        ({"valueRange": {"low": {"value": 1}, "high": {"value": 2, "unit": "/HPF"}}}, "1 to 2 /HPF"),
        ({"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}}, "1 / 128"),
        ({"valuePeriod": {"start": "2024-01-01"}}, "since 2024-01-01"),
        ({"valueSampledData": {"data": "1 2 3"}}, "sampled data, 3 points"),
        ({"dataAbsentReason": coded("Not Performed")}, "no value: Not Performed"),
    ],
)
def test_a_value_of_each_type_is_shown(record, fields, shown):
    header, row = rows_under(record(patient(), observation(**fields)), "Laboratory results")
    assert row[header.index("Value")] == shown


def test_what_turns_a_row_into_its_opposite_is_shown(record):
    pages = record(
        patient(),
        {"resourceType": "Condition", "code": coded("Asthma"), "subject": ANN, "verificationStatus": coded("Refuted")},
        {"resourceType": "Immunization", "status": "not-done", "vaccineCode": coded("MMR"), "patient": ANN},
        {
            "resourceType": "MedicationRequest",
            "status": "active",
            "doNotPerform": True,
            "medicationCodeableConcept": {"text": "Ibuprofen"},
            "subject": ANN,
        },
        observation(status="entered-in-error", valueInteger=7),
    )
    assert "Refuted" in rows_under(pages, "Problems")[1]
    assert "not-done" in rows_under(pages, "Immunizations")[1]
    assert "DO NOT GIVE: Ibuprofen" in rows_under(pages, "Medications")[1]
    assert "entered-in-error" in rows_under(pages, "Laboratory results")[1]


def test_a_dosage_without_text_is_put_together(record):
    structured = {
        "doseAndRate": [{"doseQuantity": {"value": 500, "unit": "mg"}}],
        "route": coded("oral"),
        "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
        "asNeededCodeableConcept": coded("pain"),
        "maxDosePerPeriod": {"numerator": {"value": 2, "unit": "g"}, "denominator": {"value": 1, "unit": "d"}},
    }
    pages = record(
        patient(),
        {
            "resourceType": "MedicationRequest",
            "medicationReference": {"reference": "#m"},
            "contained": [{"resourceType": "Medication", "id": "m", "code": coded("Paracetamol", "161")}],
            "dosageInstruction": [structured],
            "subject": ANN,
        },
    )
    row = rows_under(pages, "Medications")[1]
    assert row[0] == "Paracetamol" or row[1] == "Paracetamol"
    assert "500 mg, oral, 2 times per 1 day, as needed for pain, at most 2 g / 1 d" in row
    assert "LOINC 161" in row


def test_references_are_resolved_and_broken_ones_said(record):
    doctor = {
        "resourceType": "Practitioner",
        "id": "d",
        "name": [{"text": "Dr Osei"}],
        "identifier": [{"system": "s", "value": "7"}],
    }

    def asked(reference, **more):
        return {
            "resourceType": "MedicationRequest",
            "subject": ANN,
            "requester": {"reference": reference, **more},
            "medicationCodeableConcept": {"text": reference},
        }

    references = (
        "Practitioner/d",
        "Practitioner/d/_history/3",
        "urn:uuid:1",
        "Practitioner?identifier=s|7",
    )  # the last as an export of a server writes it
    pages = record(
        patient(), doctor, *map(asked, references), asked("Practitioner/gone"), asked("x/away", display="Dr Named")
    )
    header, *rows = rows_under(pages, "Medications")
    by = {row[header.index("Medication")]: row[header.index("By")] for row in rows}
    assert {by[reference.replace("|", "/")] for reference in references} == {"Dr Osei"}
    assert by["Practitioner/gone"] == "Practitioner/gone (not in this file)"
    assert by["x/away"] == "Dr Named"
    assert remarks(pages) == {"broken_reference": "2 point at nothing in the file"}


def test_two_patients_are_kept_apart_by_heading_and_said(record):
    pages = record(
        patient("ann", "Lindqvist"),
        observation(valueString="of Ann"),
        patient("bea", "Moreau"),
        observation(valueString="of Bea", subject={"reference": "urn:uuid:2"}),
        observation(valueString="of nobody here", subject={"reference": "Patient/gone"}),
        {"resourceType": "Organization", "name": "Clinic"},
    )
    assert remarks(pages)["several_patients"] == "3 patients"
    document = ParsedDocument(media_type="application/fhir+json", pages=pages)
    for piece in chunk(document, words=20):
        for whose, first in (
            ("of Ann", "Patient Ann Lindqvist (id ann)"),
            ("of Bea", "Patient Ann Moreau (id bea)"),
            ("of nobody here", "Patient Patient/gone (not in this file)"),
            ("Clinic", "Records of no single patient"),
        ):
            assert whose not in piece.text or piece.headings[0] == first


def test_one_patient_is_no_remark_and_holds_what_names_nobody(record):
    pages = record(patient(), {"resourceType": "Organization", "name": "Clinic"})
    assert remarks(pages) == {}
    assert ["Organization", "Clinic"] in rows_under(pages, "People and places")
    assert "no single patient" not in text_of(pages)


def test_components_members_and_panels(record):
    pages = record(
        patient(),
        observation(
            "Blood pressure", component=[{"code": coded("Systolic"), "valueQuantity": {"value": 120, "unit": "mmHg"}}]
        ),
        observation("Panel", hasMember=[{"reference": "urn:uuid:1"}]),
    )
    header, *rows = rows_under(pages, "Laboratory results")
    shown = {row[header.index("Test")]: row[header.index("Value")] for row in rows}
    assert shown == {"Blood pressure: Systolic": "120 mmHg", "Panel": "consists of Blood pressure"}


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def test_notes_are_read_and_what_is_no_text_is_said(record):
    def document(**attachment):
        return {
            "resourceType": "DocumentReference",
            "subject": ANN,
            "type": coded("Progress note"),
            "date": "2024-01-02",
            "content": [{"attachment": attachment}],
        }

    pages = record(
        patient(),
        document(contentType="text/plain; charset=utf-8", data=encoded("Chest clear.\n\nReview in\ntwo weeks.")),
        document(
            contentType="text/html", data=encoded("<h1>Plan</h1><p>Rest.</p><p style='display:none'>not this</p>")
        ),
        document(contentType="text/plain", url="Binary/b"),
        {"resourceType": "Binary", "id": "b", "contentType": "text/plain", "data": encoded("Held elsewhere.")},
        document(contentType="application/pdf", data=encoded("%PDF")),
        document(contentType="text/plain", data="***"),
        {
            "resourceType": "Composition",
            "title": "Summary",
            "subject": ANN,
            "section": [{"title": "Course", "text": {"div": "<div><p>Uneventful.</p></div>"}}],
        },
    )
    text = text_of(pages)
    assert "Notes\n\nProgress note 2024-01-02\n\nChest clear.\n\nReview in two weeks." in text
    assert "Rest." in text
    assert "not this" not in text
    assert "Held elsewhere." in text
    assert "Summary\n\nCourse\n\nUneventful." in text
    assert remarks(pages)["attachment_unread"] == "1 of type application/pdf"
    levels = {page.text[b.start : b.end]: b.level for page in pages for b in page.blocks if b.kind is BlockKind.HEADING}
    assert levels["Notes"] < levels["Progress note 2024-01-02"] < levels["Plan"]


def test_every_other_section_has_its_rows(record):
    pages = record(
        patient(),
        {
            "resourceType": "Procedure",
            "status": "completed",
            "code": coded("Appendectomy"),
            "subject": ANN,
            "performedDateTime": "2020-02-03",
        },
        {
            "resourceType": "Encounter",
            "class": {"code": "AMB"},
            "type": [coded("Check-up")],
            "subject": ANN,
            "period": {"start": "2020-01-01", "end": "2020-01-02"},
        },
        {
            "resourceType": "CarePlan",
            "title": "Foot care",
            "subject": ANN,
            "activity": [{"detail": {"description": "Inspect feet"}}],
        },
        {"resourceType": "Goal", "description": {"text": "HbA1c below 53"}, "subject": ANN},
        {
            "resourceType": "FamilyMemberHistory",
            "patient": ANN,
            "relationship": coded("mother"),
            "condition": [{"code": coded("Gout"), "onsetString": "fifties"}],
        },
        {
            "resourceType": "QuestionnaireResponse",
            "subject": ANN,
            "item": [{"text": "Smokes?", "answer": [{"valueBoolean": False}]}],
        },
        {"resourceType": "DiagnosticReport", "code": coded("CT head"), "conclusion": "No bleed.", "subject": ANN},
        {"resourceType": "ImagingStudy", "description": "CT", "subject": ANN, "series": [{"modality": {"code": "CT"}}]},
        {"resourceType": "Device", "deviceName": [{"name": "Pacer"}], "patient": ANN},
        {"resourceType": "NutritionOrder", "patient": ANN, "oralDiet": {"instruction": "low salt"}},
        {"resourceType": "Claim", "patient": ANN, "total": {"value": 999}},
    )
    for heading, cell in (
        ("Procedures", "Appendectomy"),
        ("Encounters", "2020-01-01 to 2020-01-02"),
        ("Plans, goals and orders", "Inspect feet"),
        ("Plans, goals and orders", "HbA1c below 53"),
        ("Family history", "fifties"),
        ("Questionnaires", "Smokes?"),
        ("Diagnostic reports", "No bleed."),
        ("Imaging", "CT"),
        ("Devices", "Pacer"),
        ("Not shown", "Claim"),
    ):
        assert cell in [cell for row in rows_under(pages, heading) for cell in row], heading
    assert "oralDiet.instruction: low salt" in text_of(pages)
    assert "999" not in text_of(pages)


def test_a_long_table_has_its_header_on_every_page(record):
    many = [observation(f"Test {n}", effectiveDateTime=f"20{n % 90 + 10}-01-01", valueInteger=n) for n in range(300)]
    pages = record(patient(), *many)
    assert len(pages) > 3
    for page in pages[1:-1]:
        assert page.text.startswith("Date | Test | Value | Status | Code\n")
        assert len(page.text) <= 3000
    assert {f"Test {n}" for n in range(300)} <= {row[1] for row in rows_under(pages, "Laboratory results")}


def test_a_bar_in_a_cell_begins_no_other_cell(record):
    pages = record(patient(), observation("A | B", valueString="x | y"))
    header, row = rows_under(pages, "Laboratory results")
    assert len(row) == len(header)
    assert row[header.index("Value")] == "x / y"


def test_invisible_characters_are_stripped(record):
    assert "payment" in text_of(record(patient(), observation(valueString="pay\u200bm\U000e0041ent")))


@pytest.mark.parametrize("shape", [7, "x", [], {}, [[]], [None], {"coding": "x"}, {"coding": [[1]]}, True, None])
def test_fields_of_another_shape_are_no_error(record, shape):
    fields = (
        "code",
        "subject",
        "component",
        "referenceRange",
        "valueQuantity",
        "note",
        "category",
        "name",
        "identifier",
        "contained",
    )
    pages = record(
        patient(),
        *({**observation(), field: shape} for field in fields),
        {**patient("b"), "name": shape, "telecom": shape},
    )
    assert "Ann Lindqvist" in text_of(pages)


def test_entries_that_are_no_resources_are_counted(record):
    raw = {
        "resourceType": "Bundle",
        "entry": [
            {"resource": 5},
            7,
            {"request": {"method": "DELETE"}},
            {"resource": {"resourceType": "Bundle", "entry": [{"resource": patient()}]}},
        ],
    }
    pages = record(raw=json.dumps(raw).encode())
    assert "Ann Lindqvist" in text_of(pages)
    assert remarks(pages) == {"entry_unread": "2 entries are no FHIR resources"}


def test_a_single_resource_is_read(record):
    assert "Ann Lindqvist" in text_of(record(raw=json.dumps(patient()).encode()))


@pytest.mark.parametrize(
    "raw", [b"{", b"[]", b'{"a": 1}', b'{"resourceType": 5}', b'{"resourceType": "Patient", "x": NaN}', b"\xff\xfe{"]
)
def test_what_is_no_record_is_damage(record, raw):
    with pytest.raises(DamagedFile):
        record(raw=raw)


def test_nesting_is_limited(record):
    deep = b'{"resourceType": "Patient", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(ParseLimit):
        record(raw=deep)


def test_too_many_pages_are_told(record):
    with pytest.raises(TooManyPages):
        record(patient(), *(observation(f"Test {n}", valueInteger=n) for n in range(300)), max_pages=2)


def test_the_limited_child_reads_it(put, limits):
    path = put("record.json", json.dumps(patient()).encode())
    job = {"do": "parse", "path": str(path), "media_type": FHIR, "max_pages": 5}
    with Sandbox() as sandbox:
        assert "Ann Lindqvist" in json.dumps(list(sandbox.run(job, limits=limits)))

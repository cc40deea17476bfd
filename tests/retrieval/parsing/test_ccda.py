"""A C-CDA record says in its text what a clinician would read: narrative whole, and the entries that it leaves out."""

import base64
import io
import json
import re
import zipfile

import pytest
from lxml import etree

from retrieval.chunking import chunk
from retrieval.errors import DamagedFile, TooManyPages
from retrieval.parsing.ccda import read
from retrieval.parsing.ccda_narrative import HL7
from retrieval.parsing.sandbox import Sandbox
from retrieval.parsing.types import CCDA, BlockKind, ParsedDocument

ROLE = (
    '<recordTarget><patientRole><id root="1.2" extension="{id}"/><addr><city>Leiden</city></addr><patient>'
    "<name><given>Ann</given><family>{family}</family></name>"
    '<administrativeGenderCode code="F" displayName="Female"/><birthTime '
    'value="19610417"/></patient></patientRole></recordTarget>'
)
BODY = "<component><structuredBody>{}</structuredBody></component>"
LAB = (
    '<entry><observation classCode="OBS" moodCode="EVN"><code code="2951-2" codeSystem="2.16.840.1.113883.6.1" '
    'displayName="Sodium">{text}</code><statusCode code="completed"/><effectiveTime value="20240504092947"/>'
    '<value xsi:type="PQ" value="141" unit="mmol/L"/><interpretationCode code="N" '
    'displayName="Normal"/><referenceRange>'
    '<observationRange><value xsi:type="IVL_PQ"><low value="135" unit="mmol/L"/><high value="145" '
    'unit="mmol/L"/></value>'
    "</observationRange></referenceRange></observation></entry>"
)


def section(title="Results", text="", entries="", more=""):
    narrative = f"<text>{text}</text>" if text else ""
    return f"<component><section><title>{title}</title>{narrative}{entries}{more}</section></component>"


@pytest.fixture
def record(put):
    """Write a document with these sections, read it, and return its pages."""

    def make(*sections, roles=1, head="", body=None, raw=None, max_pages=500):
        targets = "".join(ROLE.format(id=f"p{n}", family=f"Lindqvist{n}") for n in range(roles))
        inner = BODY.format("".join(sections)) if body is None else body
        whole = (
            '<?xml version="1.0"?>' + head + '<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:sdtc="urn:hl7-org:sdtc" '
            f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><title>Summary</title>{targets}{inner}'
            f"</ClinicalDocument>"
        )
        total, pages = read(put("record.xml", raw or whole.encode()), max_pages=max_pages)
        pages = tuple(pages)
        assert total == len(pages)
        return pages

    return make


def text_of(pages):
    return "\n\n".join(page.text for page in pages)


def tables(pages):
    return [page.text[b.start : b.end] for page in pages for b in page.blocks if b.kind is BlockKind.TABLE]


def codes(pages):
    return [remark.code for page in pages for remark in page.remarks]


def test_the_header_names_the_patient(record):
    pages = record(section(text="None."))
    assert pages[0].text.startswith(
        "Patient Ann Lindqvist0 (id p0)\n\nName | Ann Lindqvist0\nBorn | 1961-04-17\nSex | Female"
    )
    assert "Address | Leiden" in pages[0].text
    (piece, *_) = [
        piece for piece in chunk(ParsedDocument(media_type="x", pages=pages), words=8) if "None." in piece.text
    ]
    assert piece.headings == ("Patient Ann Lindqvist0 (id p0)", "Results")


def test_a_narrative_table_keeps_its_columns(record):
    pages = record(
        section(
            text="<table><caption>Blood</caption><thead><tr><th colspan='2'>Drug</th><th>Stop</th></tr>"
            "<tr><th>Name</th><th>Dose</th><th/></tr></thead><tbody>"
            "<tr><td rowspan='2'>Metformin</td><td>500 mg</td><td/></tr><tr><td>850 "
            "mg</td><td>2020</td></tr></tbody></table>"
        )
    )
    assert "Results\n\nBlood\n\nDrug Name | Dose | Stop\nMetformin | 500 mg |\nMetformin | 850 mg | 2020" in text_of(
        pages
    )


def test_a_narrative_is_read_as_it_is_shown(record):
    text = text_of(
        record(
            section(
                text="Loose <content>words</content>.<br/>Next<paragraph>One <sub>two</sub></paragraph>"
                "<list><caption>List</caption><item>first</item><item>second<list><item>inner</item></list></item>"
                "</list>"
                "<paragraph>kept<content revised='delete'> deleted</content></paragraph>a\u200bb"
            )
        )
    )
    assert "Loose words. Next\n\nOne two\n\nList\n\nfirst\n\nsecond\n\ninner\n\nkept\n\nab" in text


def test_an_entry_that_the_narrative_lacks_is_shown_beside_it(record):
    pages = record(section(text="<paragraph>Blood was taken.</paragraph>", entries=LAB.format(text="")))
    assert "Blood was taken.\n\nEntries recorded beside this text:\n\n" in text_of(pages)
    assert tables(pages)[-1].split("\n") == [
        "Date | Entry | Value | Reference range | Interpretation | Status | Code",
        "2024-05-04 09:29 | Sodium | 141 mmol/L | 135 mmol/L to 145 mmol/L | Normal | completed | LOINC 2951-2",
    ]


ROW = "<table><tbody><tr ID='r'><td>{}</td></tr></tbody></table>"
REFERRED = "<originalText><reference value='#r'/></originalText>"


@pytest.mark.parametrize(
    ("cells", "text", "again"),
    [
        ("Sodium</td><td>141 mmol/L", REFERRED, False),
        ("Sodium</td><td>1412 mmol/L", REFERRED, True),
        ("Sodium</td><td>14.141 mmol/L", REFERRED, True),
        ("Sodium", REFERRED, True),
        ("Sodium</td><td>141</td><td>2024-05-04", "", False),
        ("Sodium</td><td>141</td><td>5/4/2024", "", False),
        ("Sodium</td><td>141</td><td>2023-05-04", "", True),
        ("Potassium</td><td>141</td><td>2024-05-04", "", True),
    ],
)
def test_an_entry_is_shown_again_unless_its_line_holds_its_value(record, cells, text, again):
    pages = record(section(text=ROW.format(cells), entries=LAB.format(text=text)))
    assert ("Entries recorded beside this text:" in text_of(pages)) is again


def test_entries_without_a_narrative_stand_alone(record):
    drug = (
        '<entry><substanceAdministration moodCode="INT"><effectiveTime xsi:type="IVL_TS"><low '
        'value="20200101"/></effectiveTime>'
        '<effectiveTime xsi:type="PIVL_TS" operator="A"><period value="12" '
        'unit="h"/></effectiveTime><routeCode displayName="oral"/>'
        '<doseQuantity value="2" unit="tablets"/><consumable><manufacturedProduct><manufacturedMaterial>'
        '<code code="1" codeSystem="2.16.840.1.113883.6.88" '
        'displayName="Metformin"/></manufacturedMaterial></manufacturedProduct></consumable>'
        '<entryRelationship typeCode="RSON"><observation><code code="ASSERTION"/><value xsi:type="CD" '
        'code="4" displayName="Diabetes"/>'
        "</observation></entryRelationship></substanceAdministration></entry>"
    )
    rows = tables(record(section("Medications", entries=drug)))[-1].split("\n")
    assert rows[1].startswith("since 2020-01-01 every 12 h | Metformin |")
    assert "intended; dose 2 tablets; route oral" in rows[1]
    assert "Diabetes" in rows[2]
    assert "reason of Metformin" in rows[2]


def test_a_negated_entry_says_so(record):
    denied = LAB.format(text="").replace("<observation ", "<observation negationInd='true' ")
    assert "NOT: Sodium" in text_of(record(section(text=ROW.format("Sodium</td><td>141"), entries=denied)))


def test_an_allergy_names_its_substance_and_a_panel_its_parts(record):
    allergy = (
        "<entry><act><code nullFlavor='NA'/><entryRelationship typeCode='SUBJ'><observation><code code='ASSERTION'/>"
        "<value xsi:type='CD' code='4' displayName='Drug allergy'/><participant "
        "typeCode='CSM'><participantRole><playingEntity>"
        "<code displayName='Penicillin'/></playingEntity></participantRole></participant><entryRelationship "
        "typeCode='MFST'>"
        "<observation><code code='ASSERTION'/><value xsi:type='CD' code='5' "
        "displayName='Hives'/></observation></entryRelationship>"
        "</observation></entryRelationship></act></entry>"
    )
    panel = (
        "<entry><organizer classCode='BATTERY'><code displayName='Electrolytes'/><component>"
        + LAB.format(text="").removeprefix("<entry>").removesuffix("</entry>")
        + "</component></organizer></entry>"
    )
    text = text_of(record(section("Allergies", entries=allergy), section(entries=panel)))
    assert "Drug allergy | substance Penicillin" in text
    assert "Hives | reaction of Drug allergy" in text
    assert "part of Electrolytes" in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ('<value xsi:type="INT" value="3"/>', "3"),
        ('<value xsi:type="PQ" value="3" unit="1"/>', "3"),
        ('<value xsi:type="ST">trace</value>', "trace"),
        ('<value xsi:type="CD" code="9" nullFlavor="OTH"><translation displayName="Purple"/></value>', "Purple"),
        ('<value xsi:type="CD" nullFlavor="UNK"/>', "no value: unknown"),
        ('<value xsi:type="IVL_PQ"><low value="3" unit="g"/></value>', "at least 3 g"),
        ('<value xsi:type="RTO"><numerator value="1"/><denominator value="128"/></value>', "1 / 128"),
        ('<value xsi:type="BL" value="true"/>', "true"),
    ],
)
def test_a_value_of_each_type_is_shown(record, value, shown):
    entry = f'<entry><observation><code displayName="Test"/>{value}</observation></entry>'
    assert tables(record(section(entries=entry)))[-1].split("\n")[1].split(" | ")[1] == shown


def test_sections_inside_of_sections_are_below_them(record):
    pages = record(section("Outer", text="a", more=section("Inner", text="b")))
    levels = {page.text[b.start : b.end]: b.level for page in pages for b in page.blocks if b.kind is BlockKind.HEADING}
    assert levels["Outer"] == 2
    assert levels["Inner"] == 3


def test_two_patients_are_said(record):
    pages = record(section(text="x"), roles=2)
    assert codes(pages) == ["several_patients"]
    assert pages[0].text.startswith("Patient Ann Lindqvist0 (id p0); Patient Ann Lindqvist1 (id p1)\n")
    assert codes(record(section(text="x"))) == []


def test_a_body_of_text_is_read_and_another_said(record):
    def body(kind, text):
        inner = f'<text mediaType="{kind}" representation="B64">{text}</text>'
        return f"<component><nonXMLBody>{inner}</nonXMLBody></component>"

    plain = record(body=body("text/plain", base64.b64encode(b"Chest clear.\n\nReview.").decode()))
    assert plain[0].text.endswith("Chest clear.\n\nReview.")
    assert codes(plain) == []
    html = record(body=body("text/html", base64.b64encode(b"<p>Rest.</p><script>no</script>").decode()))
    assert html[0].text.endswith("Rest.")
    for unread in (body("application/pdf", "JVBERi0="), body("text/plain", "*")):
        assert codes(record(body=unread)) == ["attachment_unread"]


def test_a_long_table_has_its_header_on_every_page(record):
    rows = "".join(f"<tr><td>Item {n}</td><td>{n} mg</td></tr>" for n in range(600))
    pages = record(
        section(text=f"<table><thead><tr><th>Drug</th><th>Dose</th></tr></thead><tbody>{rows}</tbody></table>")
    )
    assert len(pages) > 3
    assert all(page.text.startswith("Drug | Dose\n") for page in pages[2:])
    lines = [line for table in tables(pages) for line in table.split("\n")]
    assert [line for line in lines if line.startswith("Item")] == [f"Item {n} | {n} mg" for n in range(600)]


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize("head", [BOMB, "<!DOCTYPE x>", '<!DOCTYPE x SYSTEM "file:///etc/passwd">'])
def test_a_document_type_is_refused(record, head):
    with pytest.raises(DamagedFile, match="document type"):
        record(section(text="x"), head=head)


@pytest.mark.parametrize(
    "raw",
    [
        b"<ClinicalDocument xmlns='urn:hl7-org:v3'>",
        b"<a/>",
        b"<ClinicalDocument/>",
        b"",
        b"\x00\x01",
        b"<?xml version='1.0' encoding='nonsense'?><a/>",
    ],
)
def test_what_is_no_clinical_document_is_damage(record, raw, tmp_path):
    with pytest.raises(DamagedFile) as caught:
        record(raw=raw or b" ")
    assert str(tmp_path) not in caught.value.message


def test_nesting_is_limited(record):
    with pytest.raises(DamagedFile):
        record(section(text="<content>" * 5000 + "x" + "</content>" * 5000))


@pytest.mark.parametrize("span", ["-1", "0", "x", "99999999999", "1000", ""])
def test_absurd_spans_are_bounded(record, span):
    text = text_of(
        record(
            section(
                text=f"<table><tr><td colspan='{span}' rowspan='{span}'>a</td><td>b</td></tr>"
                "<tr><td>c</td></tr></table>"
            )
        )
    )
    assert "a" in text
    assert "c" in text


def test_too_many_pages_are_told(record):
    with pytest.raises(TooManyPages):
        record(section(text="<paragraph>" + "word " * 500 + "</paragraph>") * 5, max_pages=2)


def test_real_records_lose_no_cell_no_measurement_and_no_finding(shared_data, put):
    source = shared_data / "med_synthea" / "ccda.zip"
    if not source.is_file():
        pytest.skip(f"no C-CDA records at {source}")
    with zipfile.ZipFile(source) as archive:
        smallest = sorted(archive.infolist(), key=lambda member: member.file_size)[:3]
        for member in smallest:
            raw = archive.read(member)
            _, pages = read(put("real.xml", raw), max_pages=5000)
            _complete(etree.parse(io.BytesIO(raw)).getroot(), text_of(tuple(pages)).casefold())


def _complete(root, shown):
    lines = shown.split("\n")
    for cell in root.iter(f"{HL7}td"):
        assert re.sub(r"\s+", " ", "".join(cell.itertext())).strip().casefold() in shown
    for value in root.iter(f"{HL7}value"):
        name = value.getparent().find(f"{HL7}code").get("displayName", "").casefold()
        if value.get("displayName"):
            assert value.get("displayName").casefold() in shown
        elif value.get("value"):
            assert any(name in line and value.get("value") in line for line in lines), name


def test_the_limited_child_reads_it(record, tmp_path, limits):
    record(section(text="Chest clear."))
    job = {"do": "parse", "path": str(tmp_path / "record.xml"), "media_type": CCDA, "max_pages": 5}
    with Sandbox() as sandbox:
        assert "Chest clear." in json.dumps(list(sandbox.run(job, limits=limits)))

"""The routes of statements as a caller meets them: a real service over HTTP, its ledger, its permissions."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest

from app.identity.principal import Role
from app.service import Service
from domains.finance.notice import RETENTION_DAYS
from tests.app.conftest import add, serving
from tests.domains.finance.statements.filings import BOEING, CORNING, GENERAL_MILLS

Make = Callable[..., Service]
ASSESS = "/v1/finance/statements/assess"
FILE = "/v1/finance/statements/assess-file"

QINGHE: dict[str, Any] = {
    "company": "青禾纸业",
    "currency": "CNY",
    "unit": "万元",
    "industry": "制造业",
    "periods": [
        {
            "end": "2022-12-31",
            "figures": {
                "营业收入": 118000,
                "营业成本": 85000,
                "净利润": 7000,
                "货币资金": 9000,
                "应收账款": 14000,
                "流动资产合计": 50000,
                "资产总计": 120000,
                "流动负债合计": 50000,
                "负债合计": 80000,
                "所有者权益合计": 40000,
                "经营活动产生的现金流量净额": 6000,
            },
        },
        {
            "end": "2021-12-31",
            "figures": {"营业收入": 110000, "应收账款": 12000, "资产总计": 110000, "净利润": 6500},
        },
        {
            "end": "2023-12-31",
            "source": "2023年年度报告第92页",
            "figures": {
                "营业收入": "120,000",
                "营业成本": 90000,
                "净利润": 3000,
                "货币资金": 5000,
                "应收账款": "20,000",
                "流动资产合计": 60000,
                "资产总计": 140000,
                "流动负债合计": "７０,０００",
                "负债合计": 100000,
                "所有者权益合计": 40000,
                "经营活动产生的现金流量净额": "(500)",
            },
        },
    ],
}


def stored(name: str, current_liabilities: int, **more: Any) -> dict[str, Any]:
    copy = json.loads(json.dumps(QINGHE))
    copy["periods"][2]["figures"]["流动负债合计"] = current_liabilities
    return copy | {"company": name, "label": "internal"} | more


@pytest.fixture
def client(make_service: Make) -> Iterator[httpx.Client]:
    with serving(make_service()) as session:
        yield session


def test_an_assessment_points_out_the_risk_with_numerator_denominator_periods_and_cells(client: httpx.Client) -> None:
    """Turnover: 120,000 / 17,000 = 7.06 after 118,000 / 13,000 = 9.08: 22.2 % slower."""
    found = client.post(ASSESS, json=QINGHE).json()
    point = next(risk for risk in found["risks"] if risk["id"] == "receivables_slower")
    assert point["severity"] == "medium"
    assert point["text"]["zh"].startswith(
        "应收账款周转率同比下降22.2%（2022年为9.08，2023年为7.06），存在坏账风险。"
        "2023年：营业收入12.00亿元 ÷ 平均应收账款1.70亿元 = 7.06。"
    )
    assert "Receivables turnover is down 22.2% on 2022, from 9.08 to 7.06 in 2023" in point["text"]["en"]
    assert point["formula"] == "revenue / avg(trade_receivables)"
    assert point["factor"] == "receivables_turnover"
    assert [work["period"] for work in point["workings"]] == ["2023-01-01..2023-12-31", "2022-01-01..2022-12-31"]
    assert point["workings"][0]["numerator"]["value"] == "1200000000"
    assert point["workings"][0]["denominator"] == {
        "formula": "avg(trade_receivables)",
        "title": {"en": "average trade receivables, net", "zh": "平均应收账款"},
        "value": "170000000",
    }
    cells = {(cell["item"], cell["period"][:4]): cell for cell in point["cells"]}
    assert cells["trade_receivables", "2023"]["value"] == "200000000"
    assert cells["trade_receivables", "2023"]["source"]["document"] == "2023年年度报告第92页"
    assert ("trade_receivables", "2021") in cells


def test_an_assessment_has_rating_checks_factors_versions_and_a_record(make_service: Make) -> None:
    service = make_service()
    with serving(service) as client:
        found = client.post(ASSESS, json=QINGHE | {"all_factors": True}).json()
        entry = service.ledger.get(found["entry"]).event
    assert found["rating"]["overall"] in ("weak", "fair")
    assert {group["id"] for group in found["rating"]["groups"]} >= {"liquidity", "solvency", "growth"}
    assert found["struck"] == []
    assert [finding["code"] for finding in found["findings"]] == ["missing"]
    assert len(found["factors"]) == 1024 * 3
    assert found["factor_count"]["computed"] > 100
    assert sum(found["factor_count"].values()) == 1024
    assert {"en", "zh"} == set(found["notice"])
    assert entry.action == "finance.statements.assessed"
    assert entry.body["input"] == found["digest"]
    assert entry.body["rules"] == found["versions"]["rules"]
    assert entry.body["library"] == found["versions"]["library"]
    kept = json.dumps(dict(entry.body), ensure_ascii=False, default=str)
    assert not any(word in kept for word in ("青禾", "120000", "1200000000", "7.06"))


def test_the_same_figures_give_the_same_digest_and_others_another(client: httpx.Client) -> None:
    first = client.post(ASSESS, json=QINGHE).json()["digest"]
    turned = QINGHE | {"periods": list(reversed(QINGHE["periods"]))}
    assert client.post(ASSESS, json=turned).json()["digest"] == first
    other = json.loads(json.dumps(QINGHE))
    other["periods"][2]["figures"]["应收账款"] = 20001
    assert client.post(ASSESS, json=other).json()["digest"] != first


@pytest.mark.parametrize("filing", [CORNING, BOEING, GENERAL_MILLS], ids=lambda filing: filing["company"])
def test_real_filings_over_http(client: httpx.Client, filing: dict[str, Any]) -> None:
    found = client.post(ASSESS, json=filing).json()
    assert found["struck"] == []
    assert found["rating"]["overall"] is not None
    assert found["risks"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"currency": None}, 422, "statement_input"),
        ({"currency": "¥"}, 422, "statement_input"),
        ({"unit": "dozen"}, 422, "statement_input"),
        ({"industry": "astrology"}, 422, "statement_input"),
        ({"periods": []}, 422, "invalid_request"),
        ({"periods": QINGHE["periods"] * 9}, 422, "invalid_request"),
        ({"periods": [{"end": "2023", "figures": {"营业收入": 1e300}}]}, 422, "statement_input"),
        ({"periods": [{"end": "2023", "figures": {"营业收入": "NaN"}}]}, 422, "statement_input"),
        ({"periods": [{"end": "2023", "figures": {"神秘": 5}}]}, 422, "statement_input"),
        ({"periods": [{"end": "2023", "figures": {"营业收入": [5]}}]}, 422, "invalid_request"),
        ({"surprise": 1}, 422, "invalid_request"),
        (
            {"periods": QINGHE["periods"] + [QINGHE["periods"][2] | {"figures": {"营业收入": 7}}]},
            422,
            "period_conflict",
        ),
        ({"periods": [*QINGHE["periods"][:2], QINGHE["periods"][2] | {"currency": "USD"}]}, 422, "mixed_currencies"),
        ({"periods": [*QINGHE["periods"][:2], QINGHE["periods"][2] | {"end": "2023-09-30"}]}, 422, "statements"),
        ({"periods": [*QINGHE["periods"][:2], QINGHE["periods"][2] | {"unit": "元"}]}, 422, "statement_input"),
    ],
)
def test_what_cannot_be_assessed_is_refused_in_one_shape(
    client: httpx.Client, change: dict[str, Any], status: int, code: str
) -> None:
    reply = client.post(ASSESS, json=QINGHE | change)
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code), reply.text
    assert set(reply.json()["error"]) == {"code", "message", "remedy", "request_id"}


def test_a_break_of_scale_can_be_accepted(client: httpx.Client) -> None:
    periods = [*QINGHE["periods"][:2], QINGHE["periods"][2] | {"unit": "元"}]
    refused = client.post(ASSESS, json=QINGHE | {"periods": periods})
    assert "times smaller" in refused.json()["error"]["message"]
    assert client.post(ASSESS, json=QINGHE | {"periods": periods, "accept_scale_break": True}).status_code == 200


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_numbers_that_json_does_not_have_are_refused(client: httpx.Client, number: str) -> None:
    body = json.dumps(QINGHE).replace("118000", number)
    reply = client.post(ASSESS, content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == 422, reply.text


def test_a_key_that_stands_twice_is_refused(client: httpx.Client) -> None:
    body = json.dumps(QINGHE, ensure_ascii=False).replace('"营业成本": 85000', '"营业收入": 85000')
    reply = client.post(ASSESS, content=body.encode(), headers={"Content-Type": "application/json"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (422, "statement_input")
    assert "twice" in reply.json()["error"]["message"]


def test_peers_of_the_request_and_stored_ones_place_the_company(client: httpx.Client) -> None:
    peers = [stored(f"P{n}", 20_000 + 5_000 * n) for n in range(2)]
    for peer in peers:
        peer.pop("label")
    assert client.post("/v1/finance/companies", json=stored("海登船舶", 40_000)).status_code == 201
    found = client.post(ASSESS, json=QINGHE | {"peers": peers, "peers_stored": True}).json()
    liquidity = next(group for group in found["rating"]["groups"] if group["id"] == "liquidity")
    current = next(figure for figure in liquidity["figures"] if figure["id"] == "current_ratio")
    # peers: 60,000 / 20,000 = 3, 60,000 / 25,000 = 2.4, 60,000 / 40,000 = 1.5
    assert current["peers"] == {"peers": 3, "middle": "2.4", "quarter": "lowest"}
    assert client.post(ASSESS, json=QINGHE).json()["rating"]["groups"][0]["figures"][0]["peers"] is None


def book() -> bytes:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.title = "合并报表"
    for row in (
        ["单位：人民币万元"],
        ["项目", "2023年度", "2022年度"],
        ["营业收入", 120000, 118000],
        ["净利润", 3000, 7000],
    ):
        sheet.append(row)
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


def test_a_workbook_is_assessed_and_each_figure_says_its_cell(client: httpx.Client) -> None:
    reply = client.post(FILE, files={"files": ("年报.xlsx", book())}, data={"company": "青禾纸业"})
    assert reply.status_code == 200, reply.text
    point = next(risk for risk in reply.json()["risks"] if risk["id"] == "income_falls")
    assert {cell["source"]["place"] for cell in point["cells"]} == {"合并报表!B4", "合并报表!C4"}
    assert point["cells"][0]["source"]["document"] == "年报.xlsx"


def test_two_files_are_one_company(client: httpx.Client) -> None:
    files = [
        ("files", ("income.csv", "单位：万元\n项目,2023年度\n营业收入,120000\n".encode())),
        ("files", ("balance.csv", "单位：元\n项目,2023年12月31日\n资产总计,1400000000\n".encode())),
    ]
    found = client.post(FILE, files=files, data={"company": "A"}).json()
    turnover = [factor["value"] for factor in found["factors"] if factor["id"] == "altman_x5"]
    assert turnover == ["0.8571428571"]


def test_a_file_may_be_larger_than_a_question_and_not_larger_than_an_upload(client: httpx.Client) -> None:
    filler = "备注," + "x" * 2_000 + "\n"
    text = "单位：万元\n项目,2023年度\n营业收入,120000\n" + filler * 800
    reply = client.post(FILE, files={"files": ("a.csv", text.encode())}, data={"company": "A"})
    assert len(text) > 1 << 20
    assert reply.status_code == 200, reply.text


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 422, "statement_file"),
        (b"PK\x03\x04broken", 422, "statement_file"),
        (b"%PDF-1.7", 422, "statement_file"),
        (b"a,b\n" * 6_000, 413, "statement_limit"),
        (b'{"facts": 5}', 422, "statement_file"),
    ],
)
def test_files_that_cannot_be_read_are_refused_in_one_shape(
    client: httpx.Client, data: bytes, status: int, code: str
) -> None:
    reply = client.post(FILE, files={"files": ("x", data)}, data={"company": "A"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code), reply.text


def test_what_the_documents_disclose_is_attached_under_the_callers_scope(client: httpx.Client) -> None:
    text = "# 青禾纸业年度报告\n\n## 应收账款\n\n青禾纸业应收账款账龄延长，坏账准备计提比例提高，回款放缓。\n"
    document = add(client, "青禾纸业2023年报.md", text)
    found = client.post(ASSESS, json=QINGHE).json()
    point = next(risk for risk in found["risks"] if risk["id"] == "receivables_slower")
    assert found["disclosures_searched"] is True
    assert [passage["document_id"] for passage in point["passages"]] == [document["id"]]
    assert "坏账准备" in point["passages"][0]["text"]
    other = client.post(ASSESS, json=QINGHE | {"company": "海登船舶"}).json()
    assert all(not risk["passages"] for risk in other["risks"])
    assert client.post(ASSESS, json=QINGHE | {"search": False}).json()["disclosures_searched"] is False


def test_a_text_is_held_against_the_figures(client: httpx.Client) -> None:
    text = "2023年流动比率为0.86。应收账款周转率同比下降23%。营业收入为12.00亿元。净利润翻番。营业收入上升1.7%。"
    reply = client.post("/v1/finance/statements/verify", json=QINGHE | {"text": text})
    assert reply.status_code == 200, reply.text
    assert [item["holds"] for item in reply.json()["sentences"]] == [True, False, True, False, True]
    assert "翻番" not in reply.json()["text"]
    unknown = client.post("/v1/finance/statements/verify", json=QINGHE | {"text": "x", "factors": ["nope"]})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "factor_not_found")


def test_factors_items_and_industries_can_be_looked_up(client: httpx.Client) -> None:
    page = client.get("/v1/finance/factors", params={"query": "流动比率", "limit": 3}).json()
    assert page["total"] >= 3
    assert len(page["factors"]) == 3
    assert sum(page["groups"].values()) == 1024
    one = client.get("/v1/finance/factors/current_ratio").json()
    assert one["formula"] == "current_assets / current_liabilities"
    missing = client.get("/v1/finance/factors/nope")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "factor_not_found")
    items = {item["id"]: item for item in client.get("/v1/finance/items").json()}
    assert "net sales" in items["revenue"]["names"]
    assert "bank" in client.get("/v1/finance/industries").json()
    assert client.get("/v1/finance/factors", params={"limit": 0}).status_code == 422


def key(service: Service, role: Role, *labels: str) -> dict[str, str]:
    made = service.keys.create(
        f"{role}-{'-'.join(labels)}", role=role, labels=frozenset(labels), collections=frozenset()
    )
    return {"Authorization": f"Bearer {made}"}


def test_a_company_is_seen_by_who_holds_its_label_and_by_nobody_else(make_service: Make) -> None:
    service = make_service(environ={"VOUCH_AUTH": "keys"})
    with serving(service) as client:
        writer = key(service, Role.CONTRIBUTOR, "desk-a")
        reader, stranger = key(service, Role.READER, "desk-a"), key(service, Role.READER, "desk-b")
        kept = client.post("/v1/finance/companies", json=stored("A", 7, label="desk-a"), headers=writer)
        assert kept.status_code == 201, kept.text
        path = f"/v1/finance/companies/{kept.json()['id']}"
        assert client.get(path, headers=reader).json()["company"] == "A"
        assert client.get(path, headers=stranger).json()["error"]["code"] == "company_not_found"
        assert client.get("/v1/finance/companies", headers=stranger).json() == {"companies": [], "total": 0}
        assert client.get("/v1/finance/companies", headers=reader).json()["total"] == 1
        for caller, label in ((reader, "desk-a"), (writer, "desk-b")):
            refused = client.post("/v1/finance/companies", json=stored("B", 7, label=label), headers=caller)
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "company_forbidden")
        assert client.delete(path, headers=reader).status_code == 403
        assert client.delete(path, headers=key(service, Role.CONTRIBUTOR, "desk-b")).status_code == 404
        assert client.delete(path, headers=writer).status_code == 204
        assert client.get(path, headers=reader).status_code == 404
        assert client.post(ASSESS, json=QINGHE).status_code == 401


def test_storing_a_company_again_replaces_its_figures(client: httpx.Client) -> None:
    first = client.post("/v1/finance/companies", json=stored("海登 船舶", 7_000)).json()
    second = client.post("/v1/finance/companies", json=stored("海登船舶", 8_000)).json()
    assert first["id"] == second["id"]
    assert first["digest"] != second["digest"]
    assert client.get("/v1/finance/companies").json()["total"] == 1


def test_the_routes_describe_themselves_with_an_example_that_works(client: httpx.Client) -> None:
    description = client.get("/v1/openapi.json").json()
    assert description["paths"][ASSESS]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    example = description["components"]["schemas"]["AssessRequest"]["examples"][0]
    assert client.post(ASSESS, json=example).status_code == 200


def test_records_are_to_be_kept_for_twenty_years(make_service: Make) -> None:
    plugin = make_service().registry["finance"]
    assert plugin.retention_days == RETENTION_DAYS
    assert RETENTION_DAYS >= 20 * 365.25


def test_companies_survive_a_restart(make_service: Make, tmp_path: Path) -> None:
    service = make_service()
    with serving(service) as client:
        kept = client.post("/v1/finance/companies", json=stored("A", 7)).json()
    with serving(make_service()) as client:
        assert client.get(f"/v1/finance/companies/{kept['id']}").json()["digest"] == kept["digest"]


DOCUMENTATION = Path(__file__).resolve().parents[4] / "docs" / "finance.md"


def test_the_session_of_the_documentation_prints_what_it_says(client: httpx.Client) -> None:
    page = DOCUMENTATION.read_text("utf-8")
    body = json.loads(page.split("```json\n")[1].split("```")[0])
    found = client.post(ASSESS, json=body).json()
    told = [line.strip() for line in page.splitlines() if line.startswith(("    20", "    应收"))]
    assert len(told) == 3
    assert all(any(line.startswith(shown) for line in found["narrative"]["zh"].splitlines()) for shown in told)
    point = next(risk for risk in found["risks"] if risk["id"] == "receivables_slower")
    assert f'"tested": "{point["tested"]}"' in page
    text = page.split('"text": "')[1].split('"')[0]
    verdicts = client.post("/v1/finance/statements/verify", json=body | {"text": text}).json()
    assert [item["holds"] for item in verdicts["sentences"]] == [True, False, False]
    assert all(json.dumps(item["reason"], ensure_ascii=False) in page for item in verdicts["sentences"])

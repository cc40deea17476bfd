"""Questions about stored companies: which are ours, what is computed for them, and who may see it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from app.identity.principal import Role
from app.service import Service
from domains.contract import Facilities, Question, Turn
from domains.finance.plugin import Finance
from domains.finance.statements.body import gather_request
from domains.finance.statements.refusals import CompanyNotFound, RulesRefused
from domains.finance.statements.rules import RULES, in_force
from domains.finance.statements.schema import StatementsIn
from domains.finance.tools import COMPARE, FIGURES, RISKS
from retrieval.language import language_of
from retrieval.types import EVERYTHING, EvidenceKind, Scope
from tests.app.conftest import serving
from tests.contracts.domain_plugin import DomainPluginContract, EmptyShelf
from tests.domains.finance.statements.test_over_http import QINGHE, key, stored

ALL = Scope(subject="someone", labels=frozenset({EVERYTHING}), collections=frozenset({EVERYTHING}))
COMPANIES = {"青禾纸业": 70_000, "海登船舶": 30_000, "Larkfield Paper": 40_000}


class Notebook:
    """A recorder that keeps what it is told."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, dict[str, Any]]] = []

    def record(self, action: str, *, actor: Any, body: Any, outcome: str = "ok") -> int:
        self.kept.append((action, dict(body)))
        return len(self.kept) - 1


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Finance]:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    plugin = Finance()
    plugin.open(Facilities(engine, tmp_path, Notebook(), EmptyShelf()))
    yield plugin
    plugin.close()
    engine.dispose()


def put(plugin: Finance, name: str, current_liabilities: int, label: str = "internal") -> str:
    body = stored(name, current_liabilities)
    body.pop("label")
    statements = gather_request(StatementsIn.model_validate(body)).statements
    return plugin._companies.put(statements, label=label, owner="tests").id


@pytest.fixture
def three(opened: Finance) -> Finance:
    for name, liabilities in COMPANIES.items():
        put(opened, name, liabilities)
    return opened


def ask(text: str, *, scope: Scope = ALL, before: str | None = None) -> Question:
    history = () if before is None else (Turn(before, "An answer."),)
    return Question(text=text, language=language_of(text), scope=scope, history=history)


class TestFinance(DomainPluginContract):
    plugin_class = Finance
    question_texts = ("Which of these companies has the weakest liquidity?", "青禾纸业有哪些风险？", "What is it?")

    def test_a_follow_up_is_searched_whole(self, plugin: Finance):
        made = self.prepare(plugin, ask("那2021年呢？", before="青禾纸业2022年的营业收入是多少？"))
        assert made.question == "青禾纸业2021年的营业收入是多少？"
        assert made.queries == (made.question, "那2021年呢？")

    @pytest.fixture
    def plugin(self, opened: Finance) -> Finance:
        return opened


@pytest.mark.parametrize(
    "text",
    [
        "Which of these three companies has the weakest liquidity?",
        "Compare the leverage of the companies.",
        "这三家公司哪家流动性最弱？",
        "比较各公司的偿债能力",
        "青禾纸业有哪些风险？",
        "青禾纸业的流动比率是多少？",
        "What is the current ratio of Larkfield Paper?",
        "Does Larkfield Paper show red flags?",
    ],
)
def test_questions_about_stored_companies_come_here(three: Finance, text: str) -> None:
    assert three.matches(ask(text)) > 0.5


@pytest.mark.parametrize(
    "text",
    [
        "What was the revenue of Halden Marine in 2025?",
        "Who is the auditor of Larkfield Paper?",
        "青禾纸业的董事长是谁？",
        "What are the risks of warfarin?",
        "Which company supplies the paper?",
        "What does the policy say about liquidity?",
        "流动性风险管理办法有哪些规定？",
        "Which of these drugs is the strongest?",
        "How do I return an item?",
        "",
        "?",
    ],
)
def test_general_questions_stay_general(three: Finance, text: str) -> None:
    assert three.matches(ask(text)) == 0.0


def test_without_stored_companies_nothing_is_claimed(opened: Finance) -> None:
    assert opened.matches(ask("Which of these three companies has the weakest liquidity?")) == 0.0
    prepared = asyncio.run(opened.prepare(ask("青禾纸业有哪些风险？"), None))  # type: ignore[arg-type]
    assert prepared.calls == ()


def test_companies_outside_the_scope_do_not_exist(three: Finance) -> None:
    stranger = Scope(subject="x", labels=frozenset({"other"}), collections=frozenset({EVERYTHING}))
    for scope in (stranger, Scope.nobody()):
        assert three.matches(ask("青禾纸业有哪些风险？", scope=scope)) == 0.0
        assert three.matches(ask("这三家公司哪家流动性最弱？", scope=scope)) == 0.0


def run(plugin: Finance, question: Question) -> list[Any]:
    prepared = asyncio.run(plugin.prepare(question, None))  # type: ignore[arg-type]
    tools = {tool.name: tool for tool in plugin.tools()}
    made = []
    for call in prepared.calls:
        request = {"type": "tool_call", "name": call.tool, "args": dict(call.arguments), "id": "1"}
        made.extend(asyncio.run(tools[call.tool].ainvoke(request)).artifact)
    return made


def test_a_comparison_says_who_is_weakest_and_shows_the_table(three: Finance) -> None:
    (zh,) = run(three, ask("这三家公司哪家流动性最弱？"))
    assert zh.kind is EvidenceKind.COMPUTATION
    assert zh.text.startswith("这些公司中，青禾纸业的流动性最弱，海登船舶的流动性最强。")
    assert "青禾纸业，2023年：流动性弱，流动比率 0.86" in zh.text
    (en,) = run(three, ask("Which of these three companies has the weakest liquidity?"))
    assert en.text.startswith("Of these companies, 青禾纸业 has the weakest liquidity and 海登船舶 has the strongest")
    assert "Larkfield Paper, 2023: liquidity is fair; current ratio 1.50" in en.text


def test_companies_alike_tie(opened: Finance) -> None:
    put(opened, "A公司甲", 50_000)
    put(opened, "A公司乙", 50_000)
    (found,) = run(opened, ask("这两家公司哪家流动性最弱？"))
    assert found.text.startswith("这些公司的流动性并列")


def test_named_companies_alone_are_compared(three: Finance) -> None:
    (found,) = run(three, ask("比较青禾纸业和海登船舶的流动性"))
    assert "Larkfield" not in found.text


def test_a_figure_is_given_for_every_period_with_what_is_missing(three: Finance) -> None:
    (found,) = run(three, ask("青禾纸业的流动比率是多少？"))
    assert "青禾纸业，2023年流动比率为0.86。" in found.text
    assert "青禾纸业，2021年流动比率为不适用（缺少：流动资产合计、流动负债合计）。" in found.text


def test_the_question_before_supplies_the_company(three: Finance) -> None:
    found = run(three, ask("它的速动比率呢？", before="青禾纸业的流动比率是多少？"))
    assert "青禾纸业，2023年速动比率为" in found[0].text


def test_risks_are_the_proved_sentences(three: Finance) -> None:
    (found,) = run(three, ask("青禾纸业有哪些风险？"))
    assert "青禾纸业：应收账款周转率同比下降22.2%（2022年为9.08，2023年为7.06），存在坏账风险。" in found.text


def test_a_tool_asks_again_who_may_see(three: Finance) -> None:
    id_ = three._companies.names(ALL)[0][0]
    tools = {tool.name: tool for tool in three.tools()}
    nobody = {"subject": "x", "labels": [], "collections": []}
    for name, more in ((COMPARE, {"groups": ["liquidity"]}), (FIGURES, {"groups": [], "factors": []}), (RISKS, {})):
        with pytest.raises(CompanyNotFound):
            tools[name].invoke({"company_ids": [id_], "scope": nobody, "language": "en", **more})


WEAKEST_ZH = "这些公司中，青禾纸业的流动性最弱，海登船舶的流动性最强[1]。"
WEAKEST_EN = "Of these companies, 青禾纸业 has the weakest liquidity and 海登船舶 has the strongest liquidity [1]."
WRONG = "这些公司中，海登船舶，2023年：流动性弱，流动比率 9.99[1]。"


@pytest.mark.parametrize(
    ("question", "reply"),
    [
        ("这三家公司哪家流动性最弱？", WEAKEST_ZH),
        ("Which of these three companies has the weakest liquidity?", WEAKEST_EN),
    ],
)
def test_the_chat_answers_with_the_computed_table_as_evidence(
    make_service: Callable[..., Service], question: str, reply: str
) -> None:
    service = make_service(reply)
    with serving(service) as client:
        for name, liabilities in COMPANIES.items():
            assert client.post("/v1/finance/companies", json=stored(name, liabilities)).status_code == 201
        answer = client.post("/v1/ask", json={"question": question, "stream": False}).json()
    assert answer["domain"] == "finance"
    assert not answer["abstained"]
    assert [claim["verdict"] for claim in answer["claims"]] == ["supported"]
    assert answer["evidence"][0]["kind"] == "computation"
    assert "0.86" in answer["evidence"][0]["text"]
    assert answer["notice"]


def test_a_figure_that_the_table_does_not_hold_is_struck_from_the_chat(make_service: Callable[..., Service]) -> None:
    with serving(make_service(WRONG)) as client:
        for name, liabilities in COMPANIES.items():
            client.post("/v1/finance/companies", json=stored(name, liabilities))
        answer = client.post("/v1/ask", json={"question": "这三家公司哪家流动性最弱？", "stream": False}).json()
    assert answer["abstained"]
    assert [claim["verdict"] for claim in answer["claims"]] == ["contradicted"]


def test_the_chat_shows_a_caller_only_what_his_label_grants(make_service: Callable[..., Service]) -> None:
    service = make_service("NOT_FOUND", environ={"VOUCH_AUTH": "keys"})
    with serving(service) as client:
        writer = key(service, Role.CONTRIBUTOR, "desk-a")
        client.post("/v1/finance/companies", json=stored("青禾纸业", 70_000, label="desk-a"), headers=writer)
        asked = {"question": "青禾纸业有哪些风险？", "stream": False}
        seen = client.post("/v1/ask", json=asked, headers=writer).json()
        unseen = client.post("/v1/ask", json=asked, headers=key(service, Role.READER, "desk-b")).json()
    assert (seen["domain"], unseen["domain"]) == ("finance", "general")
    assert seen["evidence"]
    assert unseen["evidence"] == []
    assert QINGHE["company"] not in json.dumps(unseen["evidence"])


def test_an_installation_may_have_rules_of_its_own_and_a_wrong_file_keeps_the_domain_closed(tmp_path: Path) -> None:
    text = files("domains.finance.statements").joinpath("rules.toml").read_text("utf-8")
    own = tmp_path / "statements" / "rules.toml"
    own.parent.mkdir()
    own.write_text(text.replace("watch = 1.2\nmedium = 1.0", "watch = 9.0\nmedium = 1.0", 1), encoding="utf-8")
    assert in_force(tmp_path).version != RULES.version
    own.write_text("version = 1", encoding="utf-8")
    with pytest.raises(RulesRefused):
        in_force(tmp_path)
    own.write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(RulesRefused):
        in_force(tmp_path)
    own.unlink()
    assert in_force(tmp_path) is RULES

"""The way of a question: its order, its record, and what comes out."""

from __future__ import annotations

import pytest

from app.answering.record import stated
from app.answering.types import Answer, Checked, Draft, Finished, Retrieved, Started, Verdict
from app.errors import BadRequest, Forbidden, TooLarge
from app.identity.principal import OPERATOR, Principal, Role
from domains.registry import UnknownDomain
from retrieval.types import Scope
from tests.app.answering.conftest import passage, question

REVENUE = "Revenue of Larkfield Paper in 2022 was $5.2 million. It employed 240 people."
COSTS = "Costs of Larkfield Paper in 2022 fell by 3% to $4.1 million."
REVENUE_ZH = "青禾纸业2022年营业收入为5.2亿元，员工240人。"


def test_a_supported_answer_comes_with_its_marks_evidence_and_receipt(desk):
    made = desk([REVENUE, COSTS], "Revenue in 2022 was $5.2 million [1]. Costs fell by 3% [2].")
    answer = made.answer("What were revenue and costs of Larkfield Paper in 2022?")
    assert answer.text == "Revenue in 2022 was $5.2 million [1]. Costs fell by 3% [2]."
    assert [claim.verdict for claim in answer.claims] == [Verdict.SUPPORTED] * 2
    assert [item.text for item in answer.evidence] == [REVENUE, COSTS]
    assert (answer.abstained, answer.reason, answer.domain, answer.language) == (False, None, "general", "en")
    assert answer.receipt.entry == 1
    assert {"intent", "search", "model", "check", "outcome"} <= answer.seconds.keys()


def test_a_chinese_answer_is_joined_the_chinese_way(desk):
    made = desk([REVENUE_ZH], "青禾纸业2022年营业收入为5.2亿元[1]。员工240人[1]。")
    answer = made.answer("青禾纸业2022年营业收入和员工是多少？")
    assert answer.text == "青禾纸业2022年营业收入为5.2亿元[1]。员工240人[1]。"
    assert answer.language == "zh"


def test_events_come_in_order_and_the_last_is_the_answer(desk):
    events = desk([REVENUE], "Revenue was $5.2 million [1]. It employed 240 people [1].").events(
        "Revenue of Larkfield?"
    )
    kinds = [type(event) for event in events]
    assert kinds[:2] == [Started, Retrieved]
    assert kinds[-1] is Finished
    assert kinds.count(Checked) == 2
    assert "".join(e.text for e in events if isinstance(e, Draft)) == (
        "Revenue was $5.2 million [1]. It employed 240 people [1]."
    )
    first_verdict = kinds.index(Checked)
    assert Draft in kinds[first_verdict:], "a claim is checked while the draft still comes in"


def test_the_intent_is_recorded_before_anything_else_and_the_outcome_before_the_answer(desk):
    made = desk([REVENUE], "Revenue was $5.2 million [1].")
    seen: list[tuple[str, int, int]] = []
    made.sink.before_each = lambda action: seen.append((action, len(made.shelf.asked), len(made.chat.seen)))
    made.answer("What was the revenue of Larkfield Paper?")
    assert seen == [("answer.intent", 0, 0), ("answer.outcome", 1, 1)]


def test_the_record_says_what_happened_without_a_word_of_it(desk, vault):
    made = desk([REVENUE, COSTS], "Revenue in 2022 was $5.2 million [1]. Revenue was $9 million [1].")
    asked = "What was the revenue of Larkfield Paper in 2022?"
    answer = made.answer(asked)
    intent, outcome = made.sink.entries
    assert (intent.action, outcome.action, outcome.outcome, outcome.closes) == (
        "answer.intent",
        "answer.outcome",
        "ok",
        0,
    )
    assert [item["digest"] for item in outcome.body["evidence"]] == [item.digest for item in answer.evidence]
    assert [claim["verdict"] for claim in outcome.body["claims"]] == ["supported", "contradicted"]
    assert outcome.body["versions"]["model"] == "scripted"
    assert {"prompt", "checks", "index"} <= outcome.body["versions"].keys()
    assert outcome.body["retention_days"] == 183
    opened = vault.open(OPERATOR.subject, answer.id)
    assert {name: opening.commitment for name, opening in opened.items()} == stated(intent.body) | stated(outcome.body)
    assert (opened["question"].text, opened["answer"].text) == (asked, answer.text)
    assert [opened[f"claim.{number}"].text for number in range(2)] == [claim.text for claim in answer.claims]
    written = repr([intent.body, outcome.body])
    for content in ("Larkfield", "evenue", "5.2", "report-1", "million"):
        assert content not in written


def test_what_is_not_supported_is_struck_out_but_stays_in_the_claims(desk):
    made = desk([REVENUE], "Revenue in 2022 was $5.2 million [1]. The chair is Ines Varga [1].")
    answer = made.answer("What was the revenue of Larkfield Paper in 2022, and who is the chair?")
    assert answer.text == "Revenue in 2022 was $5.2 million [1]."
    assert [claim.verdict for claim in answer.claims] == [Verdict.SUPPORTED, Verdict.UNSUPPORTED]


@pytest.mark.parametrize(
    ("asked", "reply", "reason"),
    [
        ("What was the revenue of Larkfield Paper?", "NOT_FOUND", "not_supported"),
        ("What was the revenue of Larkfield Paper?", "NOT_FOUND [1]", "not_supported"),
        ("What was the revenue of Larkfield Paper?", "The passages do not mention it [1].", "not_supported"),
        ("What was the revenue of Larkfield Paper?", "Revenue was $7 million [1].", "not_supported"),
        ("What was the revenue of Larkfield Paper?", "", "not_supported"),
    ],
)
def test_an_answer_without_support_says_so_and_shows_the_nearest_passages(desk, asked, reply, reason):
    answer = desk([REVENUE], reply).answer(asked)
    assert (answer.abstained, answer.reason) == (True, reason)
    assert answer.text.startswith("The documents do not answer this question.")
    assert [item.text for item in answer.evidence] == [REVENUE]


def test_words_of_abstention_are_in_the_language_of_the_question(desk):
    assert desk([REVENUE_ZH], "NOT_FOUND").answer("青禾纸业2022年的营业收入是多少？").text.startswith("文档没有回答")


def test_without_evidence_the_model_is_not_asked(desk):
    made = desk([], "Revenue was $5.2 million [1].")
    answer = made.answer("What was the revenue?")
    assert (answer.reason, answer.evidence, made.chat.seen) == ("no_evidence", (), [])
    assert made.sink.entries[-1].body["reason"] == "no_evidence"


def test_with_evidence_about_something_else_the_model_is_not_asked(desk):
    made = desk(["The cat sat on the mat."], "Revenue was $5.2 million [1].")
    answer = made.answer("What was the revenue of Larkfield Paper in 2022?")
    assert (answer.reason, made.chat.seen) == ("weak_evidence", [])
    assert len(answer.evidence) == 1


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", BadRequest),
        (" \n ", BadRequest),
        ("x" * 200_000, TooLarge),
        ("元" * 8001, TooLarge),
        ("\ud800?", BadRequest),
    ],
)
def test_a_question_that_is_none_is_refused_before_the_record(desk, text, error):
    made = desk([REVENUE])
    with pytest.raises(error):
        made.answer(text)
    assert made.sink.entries == []


def test_a_scope_wider_than_its_principal_is_refused(desk):
    made = desk([REVENUE], "Revenue was $5.2 million [1].")
    reader = Principal(
        subject="r", role=Role.READER, method="key", labels=frozenset({"public"}), collections=frozenset({"*"})
    )
    wide = Scope(subject="r", labels=frozenset({"public", "secret"}), collections=frozenset({"default"}))
    narrow = wide.model_copy(update={"labels": frozenset({"public"})})

    async def ask(scope: Scope) -> Answer:
        return await made.pipeline.answer(question("Revenue of Larkfield Paper?", scope=scope), principal=reader)

    import asyncio

    with pytest.raises(Forbidden):
        asyncio.run(ask(wide))
    assert not made.shelf.asked
    assert not asyncio.run(ask(narrow)).abstained
    assert made.shelf.asked[0][1] == narrow


def test_a_domain_that_is_not_there_closes_the_record(desk):
    made = desk([REVENUE])
    with pytest.raises(UnknownDomain):
        made.answer("Revenue?", domain="astrology")
    assert [(e.action, e.outcome) for e in made.sink.entries] == [("answer.intent", "ok"), ("answer.outcome", "error")]
    assert made.sink.entries[-1].body["error"] == "unknown_domain"


def test_a_follow_up_is_searched_and_asked_as_a_whole_question(desk):
    made = desk([REVENUE], "Revenue of Larkfield Paper in 2022 was $5.2 million [1].")
    answer = made.answer("and in 2022?", history=[("What was the revenue of Larkfield Paper in 2021?", "$4 million.")])
    [(queries, _, _)] = made.shelf.asked
    assert queries[0] == "What was the revenue of Larkfield Paper in 2022?"
    assert "What was the revenue of Larkfield Paper in 2022?" in made.chat.seen[0][-1].content
    assert not answer.abstained
    assert answer.question == "and in 2022?"
    assert made.sink.entries[0].body["history"]["turns"] == 1


def test_the_same_question_gives_the_same_prompt_and_the_same_answer(desk):
    made = desk([REVENUE, COSTS], "Revenue in 2022 was $5.2 million [1].")
    first, second = (made.answer("What was the revenue of Larkfield Paper in 2022?") for _ in range(2))
    assert made.chat.seen[0] == made.chat.seen[1]
    same = {"id", "receipt", "seconds"}
    assert first.model_dump(exclude=same) == second.model_dump(exclude=same)


def test_what_stands_around_a_passage_is_shown_to_the_model_and_cited_for_itself(desk):
    scopes: list[Scope] = []

    def expand(found, scope):
        scopes.append(scope)
        return [*found, passage(COSTS, number=7, name="report-7.pdf")]

    made = desk([REVENUE], "Costs fell by 3% to $4.1 million [2].", expand=expand)
    answer = made.answer("By how much did the costs of Larkfield Paper fall in 2022?")
    assert [(item.id, item.text) for item in answer.evidence] == [("1", REVENUE), ("2", COSTS)]
    assert (answer.claims[0].verdict, answer.claims[0].cites) == (Verdict.SUPPORTED, ("2",))
    assert scopes == [OPERATOR.scope()]

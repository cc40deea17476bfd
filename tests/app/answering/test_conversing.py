"""The pipeline with long texts, follow-ups and answers in place of earlier ones: what is read, asked, and recorded."""

from __future__ import annotations

import asyncio
import re

from app.answering.drafters.prose import Prose
from app.answering.drafters.sections import Sections
from app.answering.types import Retrieved
from app.identity.principal import OPERATOR
from domains.contract import Question
from retrieval.types import Scope
from tests.app.answering.conftest import passage, question
from tests.scripted_chat import ScriptedChat

PADDING = "The parties met on several occasions and spoke of many other things of no weight here. " * 12
FACT = "The notice period for the warehouse is 45 days."
ASKED = "What is the notice period for the warehouse?"
ALL = "List all notice periods in the agreement."
SHORT = 1500
"""Tokens of a prompt that rules, examples and about three of these passages fill."""


def reader(messages) -> str:
    """A model that copies the sentences with days of the passages in its prompt, or finds nothing."""
    passages = str(messages[-1].content).split("</passages")[0]
    blocks = re.findall(r"\[(\d+)\] \([^)\n]*\)\n(.*?)(?=\n\n\[|\Z)", passages, re.DOTALL)
    said = [f"{one.strip()}. [{id_}]" for id_, text in blocks for one in text.split(".") if "days" in one]
    return " ".join(said) or "NOT_FOUND"


def long(desk, texts, *, replies=(reader,), **options):
    parts = {"prompt_tokens": lambda: SHORT, "passages": 99, "drafters": (Sections(size=500), Prose())}
    return desk(texts, *replies, **(parts | options))


def test_a_fact_beyond_the_first_prompt_is_found_cited_and_recorded(desk):
    made = long(desk, [PADDING] * 9 + [f"{PADDING}{FACT}"])
    events = made.events(ASKED)
    answer = events[-1].answer
    assert not answer.abstained
    assert FACT.rstrip(".") in answer.text
    assert answer.sections.read < answer.sections.of
    assert f"(Read {answer.sections.read} of {answer.sections.of} sections.)" in answer.text
    (claim,) = [claim for claim in answer.claims if claim.text == FACT]
    cited = next(item for item in answer.evidence if item.id == claim.cites[0])
    assert (cited.text, cited.passage_id) == (f"{PADDING}{FACT}", 10)
    assert len({item.id for item in answer.evidence}) == len(answer.evidence)
    body = made.sink.entries[-1].body
    assert (body["drafter"], body["sections"]) == ("sections", {"read": answer.sections.read, "of": answer.sections.of})
    assert {item["passage_id"] for item in body["evidence"]} >= {10}
    assert len([event for event in events if isinstance(event, Retrieved)]) > 1


def test_a_text_that_fits_is_read_at_once(desk):
    answer = long(desk, [PADDING, FACT]).answer(ASKED)
    assert answer.sections is None
    assert "sections" not in answer.text


def test_partial_reading_is_said_in_chinese_too_and_when_nothing_was_found(desk):
    texts = ["双方多次会面，谈到许多无关紧要的事情。仓库的通知期另有约定。" * 20] * 30
    answer = long(desk, texts, replies=("NOT_FOUND",)).answer("仓库的通知期是多少天？")
    assert answer.abstained
    assert f"（全文{answer.sections.of}节，读了{answer.sections.read}节。）" in answer.text


def test_a_question_for_everything_reads_the_whole_document_that_was_found(desk):
    found = [passage(f"{PADDING} The notice period for hall {n} is {n} days.", number=n) for n in range(1, 7)]
    place = {"document_id": "d1", "document": "agreement.pdf"}
    whole = [item.model_copy(update={"locator": item.locator.model_copy(update=place)}) for item in found]
    asked: list[tuple[str, Scope]] = []

    def document(name, scope):
        asked.append((name, scope))
        return whole

    made = long(desk, [FACT], whole=document)
    answer = made.answer(ALL)
    assert asked == [("d1", OPERATOR.scope())]
    assert [claim.cites for claim in answer.claims] == [(str(n),) for n in range(1, 7)]
    assert (answer.sections.read, answer.sections.of) == (6, 6)
    assert "sections" not in answer.text, "nothing was left out"


def test_a_gist_shares_no_words_with_its_document_and_is_read_all_the_same(desk):
    made = long(desk, [FACT], whole=lambda _name, _scope: [passage(FACT)])
    assert not made.answer("Summarise this.").abstained
    assert desk([], "x").answer("Summarise this.").reason == "no_evidence"


def test_a_document_that_the_scope_may_not_see_whole_leaves_what_was_found(desk):
    answer = long(desk, [FACT], whole=lambda _name, _scope: []).answer(ALL)
    assert [item.text for item in answer.evidence] == [FACT]


def test_a_follow_up_is_searched_and_answered_as_it_was_reworded(desk, vault):
    made = desk([FACT], "What is the notice period for the warehouse?", f"{FACT} [1]")
    answer = made.answer("And for the warehouse?", history=((ASKED.replace("warehouse", "office"), "It is 30 days."),))
    assert made.shelf.asked[0][0] == ("What is the notice period for the warehouse?",)
    assert "Question: What is the notice period for the warehouse?" in str(made.chat.seen[-1][-1].content)
    assert answer.question == "And for the warehouse?"
    assert vault.open(OPERATOR.subject, answer.id)["asked"].text == "What is the notice period for the warehouse?"
    assert not answer.abstained


def test_a_chinese_question_after_an_english_one_is_answered_in_chinese(desk):
    made = desk(["仓库的通知期为45天。"], "仓库的通知期为45天[1]。")
    answer = made.answer("仓库的通知期是多少天？", history=(("What is the rent?", "900 euros."),))
    assert (answer.language, answer.abstained) == ("zh", False)
    assert "你根据带编号的段落回答问题" in str(made.chat.seen[-1][0].content)


class Options(ScriptedChat):
    """Notes what comes with each request."""

    options: list[dict]

    async def _astream(self, messages, stop=None, run_manager=None, **kwargs):
        self.options.append(kwargs)
        async for chunk in super()._astream(messages, stop, run_manager):
            yield chunk


def asked_in_place(desk, before: str | None, **fields) -> tuple[dict, dict]:
    chat = Options(replies=[f"{FACT} [1]"], options=[])
    made = desk([FACT], chat=chat, asked_before=lambda _subject, _answer_id: before, drafters=(Prose(),))
    plain = question(ASKED)
    asking = Question(plain.text, plain.language, plain.scope, **fields)
    asyncio.run(made.pipeline.answer(asking, principal=OPERATOR))
    return chat.options[-1], made.sink.entries[0].body


def test_the_same_question_in_place_of_its_answer_is_drawn_otherwise(desk):
    options, intent = asked_in_place(desk, ASKED, replaces="a" * 32)
    assert options["temperature"] > 0
    assert isinstance(options["seed"], int)
    assert intent["replaces"] == "a" * 32


def test_a_changed_question_or_another_persons_is_drawn_as_any(desk):
    assert asked_in_place(desk, "What is the rent?", replaces="a" * 32)[0] == {}
    assert asked_in_place(desk, None, replaces="a" * 32)[0] == {}
    options, intent = asked_in_place(desk, ASKED)
    assert options == {}
    assert "replaces" not in intent


def test_computed_evidence_and_the_prompts_digest_are_sealed_and_pinned(desk, vault):
    made = desk([FACT], f"{FACT} [1]")
    answer = made.answer(ASKED)
    kept = vault.open(OPERATOR.subject, answer.id)
    body = made.sink.entries[-1].body
    assert re.fullmatch(r"[0-9a-f]{64}", kept["prompt"].text)
    assert kept["prompt"].opens(body["prompt"])
    assert kept["prompt"].text != body["prompt"], "a plain digest would let a short question be guessed"
    assert "commitment" not in body["evidence"][0]

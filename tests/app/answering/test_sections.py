"""Long texts read section by section: how they are cut, chosen and put together, and what is told of it."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest
from langchain_core.messages import HumanMessage

from app.answering.claims import DraftClaim
from app.answering.drafters.contract import Coverage, Task
from app.answering.drafters.sections import Sections, chosen, cut, repeats
from app.answering.prompt import estimate_tokens
from domains.contract import Question
from model.errors import ModelInterrupted
from retrieval.language import language_of
from retrieval.types import Evidence, Scope
from tests.app.answering.conftest import passage
from tests.scripted_chat import ScriptedChat

ASKED = "What is the notice period for the warehouse?"
FACT = "The notice period for the warehouse is 45 days."
PADDING = "The parties met on several occasions and spoke of many other things of no weight here. " * 8
_ID = re.compile(r"^\[(\d+)\] (.*)$", re.MULTILINE)


def over(evidence):
    return (HumanMessage("\n".join(f"[{item.id}] {item.text}" for item in evidence)),)


def reader(messages) -> str:
    """A model that copies out each sentence of its prompt that has a figure, with its id, or finds nothing."""
    found = [
        f"{sentence.strip()}. [{id_}]"
        for id_, text in _ID.findall(str(messages[0].content))
        for sentence in text.split(".")
        if re.search(r"\d", sentence)
    ]
    return " ".join(found) or "NOT_FOUND"


def task_of(texts, *, asked=ASKED, fits=2, chat=None, **options) -> Task:
    found = tuple(passage(text, number=number) for number, text in enumerate(texts, 1))
    asking = Question(text=asked, language=language_of(asked), scope=Scope.nobody())
    chat = chat or ScriptedChat(replies=[reader])
    parts = {"domain": "general", "budget": 3000, "left_out": found[fits:], "over": over} | options
    return Task(asking, asked, found[:fits], (), chat, **parts)


def drafted(task, **options):
    async def run():
        return [piece async for piece in Sections(size=300, **options).draft(task)]

    return asyncio.run(run())


def text_of(pieces) -> str:
    return "".join(piece for piece in pieces if isinstance(piece, str))


def test_what_did_not_fit_is_read_and_can_be_cited():
    task = task_of([PADDING] * 9 + [FACT])
    pieces = drafted(task)
    assert text_of(pieces) == f"{FACT} [10]\n"
    later = [piece for piece in pieces if isinstance(piece, Evidence)]
    assert next(item for item in later if item.id == "10") == task.left_out[-1]
    assert pieces.index(f"{FACT} [10]\n") > max(pieces.index(item) for item in later)


def test_it_suits_only_what_is_too_long():
    drafter = Sections(size=300)
    assert drafter.suits(task_of([FACT] * 3, fits=2))
    assert not drafter.suits(task_of([FACT] * 2))
    assert not drafter.suits(task_of([PADDING] * 9, fits=9))
    assert drafter.suits(task_of([PADDING] * 9, fits=9, asked="Summarise the lease."))
    assert not drafter.suits(task_of([FACT], asked="Summarise the lease."))


def test_an_answer_is_read_nearest_first_and_no_further_than_needed():
    chat = ScriptedChat(replies=[reader])
    pieces = drafted(task_of([PADDING] * 20 + [FACT], chat=chat), at_once=2)
    assert text_of(pieces) == f"{FACT} [21]\n"
    assert len(chat.seen) == 2
    assert pieces[-1].read == 2
    assert pieces[-1].of > 10


def test_no_more_sections_are_read_than_allowed_and_that_is_told():
    chat = ScriptedChat(replies=["NOT_FOUND"])
    pieces = drafted(task_of([PADDING] * 30, chat=chat), most=5)
    assert text_of(pieces) == ""
    assert len(chat.seen) == 5
    assert pieces[-1] == Coverage(5, len(cut([passage(PADDING)] * 30, size=300)))


def test_everything_of_a_kind_comes_from_all_sections_in_their_order():
    texts = [f"{PADDING} The tenant must pay fee {number}." for number in range(1, 9)]
    pieces = drafted(task_of(texts, asked="List all fees that the tenant must pay."))
    said = [piece for piece in pieces if isinstance(piece, str)]
    assert said == [f"The tenant must pay fee {number}. [{number}]\n" for number in range(1, 9)]
    assert pieces[-1] == Coverage(8, 8)


def test_what_two_sections_say_is_said_once():
    texts = [f"{PADDING} {FACT}", f"{PADDING} {FACT}", f"{PADDING} The rent is 900 euros."]
    pieces = drafted(task_of(texts, asked="Summarise the lease of the warehouse."))
    assert text_of(pieces) == f"{FACT} [1]\nThe rent is 900 euros. [3]\n"


def test_claims_that_have_less_to_do_with_the_question_are_left_out():
    texts = [PADDING, "The rent of the office is 900 euros.", PADDING, FACT]
    assert text_of(drafted(task_of(texts), at_once=9)) == f"{FACT} [4]\n"


def test_a_single_passage_is_cited_without_a_mark():
    chat = ScriptedChat(replies=[lambda _messages: FACT])
    pieces = drafted(task_of([PADDING, f"{PADDING} {FACT}"], chat=chat, fits=1), at_once=1)
    assert text_of(pieces).startswith(f"{FACT} [2]")


def test_marks_of_passages_that_another_section_has_cite_nothing():
    chat = ScriptedChat(replies=["The notice period for the warehouse is 45 days. [77]"])
    assert "[77]" not in text_of(drafted(task_of([PADDING] * 4, chat=chat)))


def test_a_passage_longer_than_a_section_is_read_in_parts_under_its_own_id():
    long = PADDING * 6 + FACT
    pieces = drafted(task_of([long], fits=0))
    assert text_of(pieces) == f"{FACT} [1]\n"
    assert [piece.text for piece in pieces if isinstance(piece, Evidence)] == [long]


@pytest.mark.parametrize("text", ["x" * 5000, "字" * 5000, "word " * 3000, "a.b.c." * 900])
def test_a_text_without_sentences_is_cut_all_the_same(text):
    sections = cut([passage(text)], size=300)
    assert all(estimate_tokens(item.text) <= 300 for section in sections for item in section)
    assert "".join(item.text for section in sections for item in section).replace(" ", "") == text.replace(" ", "")


def test_cutting_keeps_the_order_and_never_puts_two_parts_of_one_passage_together():
    items = [passage(PADDING * (1 + number % 3), number=number) for number in range(1, 8)]
    sections = cut(items, size=300)
    ids = [int(item.id) for section in sections for item in section]
    assert ids == sorted(ids)
    assert all(len({item.id for item in section}) == len(section) for section in sections)
    assert cut([], size=300) == []


def test_sections_for_the_gist_are_spread_over_the_text():
    sections = [(passage(f"Part {number}.", number=number),) for number in range(1, 11)]
    picked = chosen(sections, "Summarise the report.", most=5)
    assert [section[0].id for section in picked] == ["1", "3", "5", "7", "9"]


def test_sections_for_everything_of_a_kind_are_the_nearest_in_their_order():
    sections = [(passage(text, number=number),) for number, text in enumerate(("fees a", "x", "y", "fees b"), 1)]
    picked = chosen(sections, "List all fees.", most=2)
    assert [section[0].id for section in picked] == ["1", "4"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("The fee is 5 euros.", "The fee is 5 euros.", True),
        ("The fee is 5 euros.", "The fee is 6 euros.", False),
        ("The fee is refundable.", "The fee is not refundable.", False),
        ("The tenant pays the fee.", "The landlord pays the tax.", False),
        ("租金为900欧元。", "租金为900欧元", True),
        ("租金为900欧元。", "押金为900欧元。", False),
    ],
)
def test_repetition(one, other, same):
    assert repeats(DraftClaim(one), DraftClaim(other)) is same


def test_ids_end_where_citation_marks_end():
    task = task_of([FACT.replace("45", str(number)) for number in range(200)], fits=90, asked="List all periods.")
    ids = [int(piece.id) for piece in drafted(task, most=100) if isinstance(piece, Evidence)]
    assert ids == list(range(91, 100))


def test_new_ids_do_not_meet_those_of_a_prompt_with_gaps():
    task = task_of([PADDING, FACT])
    gap = task_of([PADDING] * 3, fits=3)
    assert (task.next_id, gap.next_id) == ("3", "4")
    assert Task(gap.question, ASKED, (gap.evidence[0], gap.evidence[2]), (), gap.chat, "general", 100).next_id == "4"


def test_a_model_that_fails_fails_the_question():
    chat = ScriptedChat(replies=["One. Two."], dies_after=1, dies_with=lambda: httpx.ReadError("gone"))
    with pytest.raises(ModelInterrupted):
        drafted(task_of([PADDING] * 4, chat=chat))


@pytest.mark.parametrize("wrong", [{"most": 0}, {"at_once": 0}, {"size": 0}])
def test_settings_without_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="at least one"):
        Sections(**wrong)

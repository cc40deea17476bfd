"""Replaying an answer from a real ledger and a real vault: what is compared, who may, and what is never guessed."""

from __future__ import annotations

import asyncio
import json

import pytest

from app.answering.checking.verify import CHECKS_VERSION, Verifier
from app.answering.guarding import guarded
from app.answering.prompt import PROMPT_VERSION
from app.answering.replay import REPLAY, Present, entry_of, replay
from app.answering.types import Verdict
from app.errors import LedgerCorrupt, NotFound
from app.identity.principal import OPERATOR, Principal, Role
from app.ledger.log import Ledger
from app.ledger.reading import LedgerReader
from app.storage.engine import connect
from domains.contract import Style
from retrieval.types import Evidence, EvidenceKind, Locator, Passage
from tests.app.answering.conftest import passage
from tests.app.answering.test_drafters import Fixed

REVENUE = "Revenue of Larkfield Paper in 2022 was $5.2 million. It employed 240 people."
ASKED = "What was the revenue of Larkfield Paper in 2022?"
REPLY = "Revenue in 2022 was $5.2 million [1]. The chair is Ines Varga [1]."
VERSIONS = {"model": "scripted", "index": "1", "prompt": PROMPT_VERSION, "checks": CHECKS_VERSION}


def check(draft, readings, asked, language):
    known = {id_: reading.evidence for id_, reading in readings.items()}
    return guarded(Verifier().check(draft, known, question=asked), evidence=readings, language=language)


def shelf(*texts: str):
    """A catalog of passages, with ids from 1."""
    held = {}
    for number, text in enumerate(texts, 1):
        item = passage(text, number=number)
        held[number] = Passage(
            id=number, document_id=f"d{number}", ordinal=0, text=text, locator=item.locator, language="en"
        )
    return lambda ids: [held[number] for number in ids if number in held]


@pytest.fixture
def answered(desk, vault, tmp_path):
    """Return a function that answers over a ledger and gives what a replay of it finds."""
    engine = connect(f"sqlite:///{tmp_path / 'record.db'}", durable=True)
    with Ledger(engine) as ledger:

        def ask(
            asked=ASKED, *replies, texts=(REVENUE,), history=(), caller=OPERATOR, before=None, entry=None, **options
        ):
            present = {key: options.pop(key) for key in ("versions", "passages", "check", "again") if key in options}
            made = desk(texts, *(replies or (REPLY,)), sink=ledger, **options)
            answer = made.answer(asked, domain="general", history=history)
            if before is not None:
                before(answer)
            parts = {"versions": VERSIONS, "passages": shelf(*texts), "check": check} | present
            reader = LedgerReader(engine)
            outcome = entry_of(reader, answer.receipt.entry if entry is None else entry(answer))
            found = asyncio.run(replay(reader, vault, ledger, outcome, caller=caller, present=Present(**parts)))
            return answer, found, ledger

        yield ask
    engine.dispose()


def test_everything_that_is_as_it_was_is_the_same(answered):
    answer, found, ledger = answered()
    assert [item["state"] for item in found["evidence"]] == ["same"]
    assert [claim["state"] for claim in found["claims"]] == ["same", "same"]
    assert [claim["now"]["verdict"] for claim in found["claims"]] == [claim.verdict.value for claim in answer.claims]
    assert found["versions"] == {"same": ["checks", "index", "model", "prompt"], "differ": {}}
    assert (found["differs"], found["complete"]) == (False, False)
    assert found["text"]["state"] == "not_replayed"
    event = ledger.entries()[-1].event
    assert (event.action, event.body["answer_id"], event.body["text"]) == (REPLAY, answer.id, "not_replayed")


def test_no_content_is_part_of_the_result_or_of_its_record(answered):
    _, found, ledger = answered()
    whole = json.dumps(found) + json.dumps(dict(ledger.entries()[-1].event.body))
    assert not [word for word in ("Larkfield", "5.2", "Varga", "240", "report-1") if word in whole]


def test_the_intent_leads_to_the_outcome(answered):
    answer, found, _ = answered(entry=lambda answer: answer.receipt.entry - 1)
    assert found["entry"] == answer.receipt.entry


def test_versions_that_differ_are_listed_and_are_no_difference_by_themselves(answered):
    _, found, _ = answered(versions=VERSIONS | {"index": "2", "model": None})
    assert found["versions"]["differ"] == {
        "index": {"then": "1", "now": "2"},
        "model": {"then": "scripted", "now": None},
    }
    assert not found["differs"]


@pytest.mark.parametrize(("texts", "state"), [((REVENUE + " Amended.",), "changed"), ((), "gone")])
def test_evidence_that_is_not_as_it_was_leaves_its_claims_aside(answered, texts, state):
    _, found, _ = answered(passages=shelf(*texts))
    assert found["evidence"][0]["state"] == state
    assert found["claims"][0]["state"] == "not_replayed"
    assert found["differs"]


def test_checks_that_say_otherwise_are_told(answered):
    def lax(draft, readings, asked, language):
        return check(draft, readings, asked, language).model_copy(
            update={"verdict": Verdict.UNSUPPORTED, "reason": "new"}
        )

    _, found, _ = answered(check=lax)
    assert found["claims"][0]["state"] == "differs"
    assert found["claims"][0]["then"] == {"verdict": "supported", "reason": None}
    assert found["claims"][0]["now"]["verdict"] == "unsupported"
    assert found["differs"]


def test_erased_content_is_named_and_nothing_is_guessed(answered, vault):
    _, found, _ = answered(before=lambda answer: vault.discard([answer.id]))
    assert {claim["why"] for claim in found["claims"]} == {"its text was erased"}
    assert "erased" in found["text"]["why"]
    assert (found["differs"], found["complete"]) == (False, False)


def test_computed_evidence_comes_from_the_vault(answered, vault):
    place = Locator(document_id="d1", document="report-1.pdf", page=1, start=0, end=10)
    computed = Evidence.of("2", "5.2 million - 5.0 million = 0.2 million", place, kind=EvidenceKind.COMPUTATION)
    drafters = (Fixed(computed, "The revenue of Larkfield Paper in 2022 grew by 0.2 million [2]."),)
    _, found, _ = answered(drafters=drafters)
    assert [item["state"] for item in found["evidence"]] == ["same", "same"]
    assert found["claims"][0]["state"] == "same"
    _, found, _ = answered(drafters=drafters, before=lambda answer: vault.discard([answer.id]))
    assert [item["state"] for item in found["evidence"]] == ["same", "erased"]


def test_a_follow_up_is_checked_by_the_wording_that_was_answered(answered):
    _, found, _ = answered("And how many people?", "It employed 240 people [1].", history=((ASKED, "5.2 million"),))
    assert [claim["state"] for claim in found["claims"]] == ["same"]


def again_by():
    """A model's answer that the test gives, and what it was asked."""
    seen = []

    async def again(question, evidence, domain):
        seen.append((question, evidence, domain))
        return again.answer

    again.seen = seen
    return again


def test_the_text_is_made_again_from_the_recorded_evidence_and_compared(answered):
    again = again_by()
    _, found, _ = answered(again=again, before=lambda answer: setattr(again, "answer", answer))
    (question, evidence, domain), *_ = again.seen
    assert (question.text, question.style, domain) == (ASKED, Style.FULL, "general")
    assert [item.text for item in evidence] == [REVENUE]
    assert found["text"]["state"] == "same"
    assert found["complete"]


def test_another_text_is_a_difference_and_says_how_much_is_the_same(answered):
    again = again_by()

    def other(answer):
        last = answer.claims[-1].model_copy(update={"text": "Something else."})
        again.answer = answer.model_copy(update={"claims": (*answer.claims[:-1], last)})

    _, found, _ = answered(again=again, before=other)
    assert (found["text"]["state"], found["text"]["claims_same"], found["text"]["claims_then"]) == ("differs", 1, 2)
    assert found["differs"]


@pytest.mark.parametrize(
    ("versions", "why"),
    [
        (VERSIONS | {"model": "other"}, "another model is served now"),
        (VERSIONS | {"prompt": "0"}, "the prompt is worded otherwise now"),
    ],
)
def test_the_text_of_another_model_or_prompt_is_not_made(answered, versions, why):
    again = again_by()
    _, found, _ = answered(again=again, versions=versions)
    assert found["text"] == {"state": "not_replayed", "why": why}
    assert again.seen == []


def test_another_persons_answer_is_refused_and_that_is_recorded(answered):
    eve = Principal(subject="eve", role=Role.READER, method="key")
    with pytest.raises(NotFound):
        answered(caller=eve)


def test_kept_content_that_was_changed_is_damage(answered, vault):
    def swap(answer):
        vault.discard([answer.id])
        vault.seal("operator", answer.id, {"question": "Another question?", "claim.0": "Another claim."})

    with pytest.raises(LedgerCorrupt, match="kept text"):
        answered(before=swap)


def test_an_entry_that_is_no_answer_is_refused(answered):
    _, _, ledger = answered()
    with pytest.raises(NotFound, match="no answer's outcome"):
        answered(entry=lambda _answer: ledger.size - 3)  # the replay of the answer before

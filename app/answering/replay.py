"""Goes through a recorded answer again: is its evidence still there, do the checks still say so, does the model?

Four things are held against the record, each by itself:

    versions   program, model, embedder, index, prompt and checks, then and now
    evidence   each recorded digest against the text that stands there now; what was computed comes from the vault
    claims     each recorded claim against the recorded evidence, by the checks of today
    text       where the model of then is served now: the question answered again from the recorded evidence

Content comes from the vault and is opened against the commitments of the ledger first; a text that does not open its
commitment is damage, and told as such. What was erased cannot be replayed and is named, never guessed. No content is
part of the result.

A draft that comes out the same shows that record and model agree. One that differs shows less than it seems: the same
model may round otherwise in another batch or on another machine, so token identity is neither promised nor claimed.

Not covered: what the search would find today; answers with tools (their tables have changed since); passages that
stand elsewhere now because their document was added again.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from app.answering.claims import DraftClaim
from app.answering.instructions import Reading, read_as_data
from app.answering.record import INTENT, OUTCOME, stated
from app.answering.types import Answer, Claim
from app.errors import NotFound
from app.identity.principal import Permission, Principal
from app.ledger.facts import answer_of
from app.ledger.reading import Entry, LedgerReader, corrupt
from app.ledger.sink import AuditSink
from app.ledger.vault import Vault
from domains.contract import Question, Style, Turn
from retrieval.language import Language
from retrieval.types import Evidence, EvidenceKind, Passage, Scope

__all__ = ["REPLAY", "Present", "entry_of", "replay"]

REPLAY: Final = "audit.replay"

Check = Callable[[DraftClaim, Mapping[str, Reading], str, Language], Claim]
Again = Callable[[Question, Sequence[Evidence], str], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Present:
    """What the record is held against.

    Attributes:
        versions: As an outcome has them; a part that cannot be told is None.
        passages: Gives passages by their ids, as far as the caller may see them.
        check: Gives a claim its verdict: claim, readings by evidence id, question, language.
        again: Answers a question from given evidence in a domain; None: no model is at hand.
        without: Why it is not.
        repeatable: The domains whose answers follow from question and documents alone.
    """

    versions: Mapping[str, Any]
    passages: Callable[[Sequence[int]], Sequence[Passage]]
    check: Check
    again: Again | None = None
    without: str = "no model server is named (VOUCH_MODEL_URL)"
    repeatable: frozenset[str] = frozenset({"general"})


@dataclass(frozen=True, slots=True)
class _Recorded:
    """An answer as ledger and vault have it. `texts` holds what was kept, by name."""

    intent: Mapping[str, Any]
    outcome: Mapping[str, Any]
    texts: Mapping[str, str]

    @property
    def question(self) -> Question | None:
        """The question as it was asked, without a scope; None when it was erased."""
        if "question" not in self.texts:
            return None
        return Question(
            text=self.texts["question"],
            language=self.intent["language"],
            scope=Scope.nobody(),
            history=tuple(Turn(*turn) for turn in json.loads(self.texts.get("history", "[]"))),
            style=Style(self.intent.get("style", Style.FULL)),
            choices=tuple(json.loads(self.texts.get("choices", "[]"))),
        )


def entry_of(reader: LedgerReader, seq: int) -> Entry:
    """Return the outcome that an entry is, or that closes it.

    Raises:
        NotFound: the entry is no answer's, or its answer has no outcome yet.
    """
    entry = reader.get(seq)
    if entry.event.action == INTENT:
        closing = reader.find(closes=seq, limit=1)
        entry = closing[0] if closing else entry
    if entry.event.action != OUTCOME:
        raise NotFound(
            f"Entry {seq} is no answer's outcome.", remedy="Name the `entry` of a receipt, or an answer's id."
        )
    return entry


async def replay(
    reader: LedgerReader, vault: Vault, sink: AuditSink, entry: Entry, *, caller: Principal, present: Present
) -> dict[str, Any]:
    """Hold an answer's record against the present, and record that it was done.

    Returns:
        ``versions``, ``evidence``, ``claims`` and ``text`` as the module says; ``differs``: whether evidence, a verdict
        or the text is another than then; ``complete``: whether all of it could be replayed.

    Raises:
        NotFound: the answer is another person's, and the caller is no administrator.
        LedgerCorrupt: the kept content is not what the ledger commits to.
        LedgerUnavailable, VaultUnavailable: it cannot be recorded or read; nothing was given.
        ModelError: from the model, where the text is made again.
    """
    event = entry.event
    answer_id = answer_of(event)
    if not (event.actor.subject == caller.subject or caller.may(Permission.ADMIN)) or answer_id is None:
        sink.append(REPLAY, actor=caller, body={"entry": entry.seq}, outcome="denied")
        raise NotFound(f"Entry {entry.seq} is no answer of yours.", remedy="Name an answer of your own.")
    recorded = _opened(reader, vault, entry, answer_id)
    evidence, readings = _evidence(recorded, present)
    claims = _claims(recorded, readings, present)
    text = await _text(recorded, evidence, readings, present)
    states = [item["state"] for item in (*evidence, *claims, text)]
    found = {
        "answer_id": answer_id,
        "entry": entry.seq,
        "subject": event.actor.subject,
        "outcome": event.outcome,
        "versions": _versions(recorded.outcome.get("versions", {}), present.versions),
        "evidence": evidence,
        "claims": claims,
        "text": text,
        "differs": any(state in ("changed", "gone", "differs") for state in states),
        "complete": not any(state in ("erased", "not_replayed") for state in states),
    }
    counts = {"differs": found["differs"], "complete": found["complete"], "text": text["state"]}
    body = {"entry": entry.seq, "answer_id": answer_id, "subject": event.actor.subject, **counts}
    sink.append(REPLAY, actor=caller, body=body)
    return found


def _opened(reader: LedgerReader, vault: Vault, entry: Entry, answer_id: str) -> _Recorded:
    """Open what intent and outcome commit to."""
    closes = entry.event.closes
    intent: Mapping[str, Any] = {} if closes is None else reader.get(closes).event.body
    commitments = stated(intent) | stated(entry.event.body)
    openings = vault.open(entry.event.actor.subject, answer_id)
    for name, opening in openings.items():
        if name in commitments and not opening.opens(commitments[name]):
            raise corrupt(f"The kept text of {name!r} is not the one that the entries of this answer commit to.")
    texts = {name: opening.text for name, opening in openings.items() if name in commitments}
    return _Recorded(intent, entry.event.body, texts)


def _versions(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Return which versions are the same, and those that differ, then and now (None: not known)."""
    names = sorted(then.keys() | now.keys())
    differing = {
        name: {"then": then.get(name), "now": now.get(name)} for name in names if then.get(name) != now.get(name)
    }
    return {"same": [name for name in names if name not in differing], "differ": differing}


def _evidence(recorded: _Recorded, present: Present) -> tuple[list[dict[str, Any]], dict[str, Reading]]:
    """Return what became of each piece of evidence, and those that are as they were, as the checks read them."""
    listed = recorded.outcome.get("evidence", [])
    ids = [item["passage_id"] for item in listed if item.get("passage_id") is not None]
    by_id = {passage.id: passage for passage in present.passages(ids)}
    told, readings = [], {}
    for number, item in enumerate(listed):
        passage = by_id.get(item.get("passage_id"))
        if passage is not None:
            found = Evidence.of(
                item["id"], passage.text, passage.locator, kind=EvidenceKind(item["kind"]), passage_id=passage.id
            )
            state = "same" if found.digest == item["digest"] else "changed"
        else:
            kept = _sealed(recorded.texts.get(f"evidence.{number}"))
            state = "gone" if item.get("passage_id") is not None else "erased"
            if kept is not None:
                found, state = kept, "same" if kept.digest == item["digest"] else "changed"
        if state == "same":
            readings[item["id"]] = read_as_data(found)
        told.append({name: item.get(name) for name in ("id", "kind", "document_id", "page")} | {"state": state})
    return told, readings


def _sealed(text: str | None) -> Evidence | None:
    try:
        return None if text is None else Evidence.model_validate_json(text)
    except ValidationError:  # of a version with other fields
        return None


def _claims(recorded: _Recorded, readings: Mapping[str, Reading], present: Present) -> list[dict[str, Any]]:
    """Return each claim's verdict then and now; one whose text or evidence is not there is not replayed."""
    asked = recorded.texts.get("asked") or recorded.texts.get("question")
    told = []
    for number, claim in enumerate(recorded.outcome.get("claims", [])):
        text = recorded.texts.get(f"claim.{number}")
        then = {"verdict": claim["verdict"], "reason": claim.get("reason")}
        line: dict[str, Any] = {"number": number, "then": then, "now": None, "state": "not_replayed"}
        if text is None or asked is None:
            line["why"] = "its text was erased"
        elif not set(claim["cites"]) <= readings.keys() or not readings:
            line["why"] = "evidence that it cites is not as it was"
        else:
            draft = DraftClaim(text, tuple(claim["cites"]))
            checked = present.check(draft, readings, asked, recorded.intent["language"])
            line["now"] = {"verdict": checked.verdict.value, "reason": checked.reason}
            line["state"] = "same" if checked.verdict.value == claim["verdict"] else "differs"
        told.append(line)
    return told


async def _text(
    recorded: _Recorded, evidence: Sequence[Mapping[str, Any]], readings: Mapping[str, Reading], present: Present
) -> dict[str, Any]:
    """Answer the question again from the recorded evidence, where that is possible, and compare."""
    question, body = recorded.question, recorded.outcome
    why = _why_not(recorded, evidence, present)
    if why or question is None or present.again is None:
        return {"state": "not_replayed", "why": why}
    found = [reading.found for reading in readings.values() if reading.found.kind is not EvidenceKind.COMPUTATION]
    answer = await present.again(question, found, body["domain"])
    then = [recorded.texts.get(f"claim.{number}") for number in range(len(body["claims"]))]
    now = [claim.text for claim in answer.claims]
    same = sum(one == other for one, other in zip(then, now, strict=False))
    shown = {"abstained": body.get("abstained"), "text": recorded.texts.get("answer")}
    equal = shown == {"abstained": answer.abstained, "text": answer.text} and then == now
    return {
        "state": "same" if equal else "differs",
        "claims_then": len(then),
        "claims_now": len(now),
        "claims_same": same,
        "abstained_then": body.get("abstained"),
        "abstained_now": answer.abstained,
    }


def _why_not(recorded: _Recorded, evidence: Sequence[Mapping[str, Any]], present: Present) -> str:
    """Say why the text cannot be made again; an empty text when it can."""
    body = recorded.outcome
    then = body.get("versions", {})
    reasons = (
        (
            recorded.question is None or "answer" not in recorded.texts,
            "its content was erased, or it came to no answer",
        ),
        (any(item["state"] != "same" for item in evidence), "its evidence is not as it was"),
        (bool(body.get("tools")), "it used tools, whose tables have changed since"),
        (body.get("domain") not in present.repeatable, "its domain may answer otherwise by what it has stored"),
        (recorded.intent.get("replaces") is not None, "it was asked for again, with words drawn at random"),
        (present.again is None, present.without),
        (then.get("model") != present.versions.get("model"), "another model is served now"),
        (then.get("prompt") != present.versions.get("prompt"), "the prompt is worded otherwise now"),
    )
    return next((why for stands, why in reasons if stands), "")

"""What the ledger keeps of a question: digests, ids, versions, verdicts and counts, and never a word of content.

The question, its history, the answer and each claim are pinned by salted commitments; what opens them lies sealed in
the vault under the names that stand here. Evidence is pinned by the SHA-256 of its text, which its reader can compute:
whoever may read the document may know that it was used. Names of documents and headings are content too and stay out; a
document's id and the place in it go in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from langchain_core.messages import BaseMessage

from app.answering.types import Claim
from domains.contract import Question, Style, ToolCall
from retrieval.types import Evidence

__all__ = [
    "INTENT",
    "OUTCOME",
    "ContentStore",
    "evidence_body",
    "intent_body",
    "intent_texts",
    "outcome_body",
    "outcome_texts",
    "prompt_digest",
    "replay_texts",
    "stated",
]

INTENT: Final = "answer.intent"
OUTCOME: Final = "answer.outcome"

_MOST_CLAIMS: Final = 150
"""Claims that are listed one by one; the count is of all. Keeps an entry under the ledger's limit."""


_REPLAYED: Final = ("asked", "instructions", "prompt", "short")
"""Content that only a replay needs, by the names under which the vault has it and the body has its commitment."""


class ContentStore(Protocol):
    """Where content is kept beside the ledger; the vault is one."""

    def seal(self, subject: str, answer_id: str, texts: Mapping[str, str]) -> Mapping[str, str]:
        """Keep texts under their names and return the commitment of each, when they are durable.

        Raises:
            LedgerError: they may not have been kept; what they belong to must not be recorded or shown.
        """
        ...


def intent_texts(question: Question) -> dict[str, str]:
    """Return the content of what is about to be answered, by name."""
    texts = {"question": question.text}
    if question.history:
        turns = [[turn.question, turn.answer] for turn in question.history]
        texts["history"] = json.dumps(turns, ensure_ascii=False)
    if question.choices:
        texts["choices"] = json.dumps(question.choices, ensure_ascii=False)
    return texts


def intent_body(
    question: Question, *, answer_id: str, domain: str | None, commitments: Mapping[str, str]
) -> dict[str, Any]:
    """Say what is about to be answered."""
    body: dict[str, Any] = {
        "answer_id": answer_id,
        "question": commitments["question"],
        "language": question.language,
        "domain_asked": domain,
        "collections": sorted(question.scope.collections),
        "labels": sorted(question.scope.labels),
    }
    if question.history:
        body["history"] = {"turns": len(question.history), "commitment": commitments["history"]}
    if question.replaces is not None:
        body["replaces"] = question.replaces
    if question.style is not Style.FULL:
        body["style"] = question.style.value
    if question.choices:
        body["choices"] = {"count": len(question.choices), "commitment": commitments["choices"]}
    return body


def outcome_texts(claims: Sequence[Claim], answer: str | None) -> dict[str, str]:
    """Return the content of what came of it, by name."""
    texts = {f"claim.{number}": claim.text for number, claim in enumerate(claims[:_MOST_CLAIMS])}
    return texts if answer is None else texts | {"answer": answer}


def replay_texts(
    question: Question,
    *,
    asked: str,
    instructions: str,
    messages: Sequence[BaseMessage],
    short: str | None,
    evidence: Sequence[Evidence],
) -> dict[str, str]:
    """Return what else has to be kept for an answer to be replayed, by name.

    That is the wording that was answered, where it is another than the question's; what the domain added to the rules;
    the prompt's digest (a commitment hides it: from the plain digest a short question could be guessed); the bare
    answer; and each piece of evidence that is no passage of the catalog, whole, as JSON.
    """
    texts = {"asked": asked if asked != question.text else "", "instructions": instructions, "short": short or ""}
    if messages:
        texts["prompt"] = prompt_digest(messages)
    for number, item in enumerate(evidence):
        if item.passage_id is None:
            texts[f"evidence.{number}"] = item.model_dump_json()
    return {name: text for name, text in texts.items() if text}


def prompt_digest(messages: Sequence[BaseMessage]) -> str:
    """Return the SHA-256, in hexadecimal, of a prompt's messages: role and content as JSON."""
    said = json.dumps([[message.type, message.content] for message in messages], ensure_ascii=True)
    return hashlib.sha256(said.encode("ascii")).hexdigest()


def outcome_body(
    *,
    answer_id: str,
    domain: str | None,
    domain_reason: str | None,
    calls: Sequence[ToolCall],
    evidence: Sequence[Evidence],
    claims: Sequence[Claim],
    versions: Mapping[str, Any],
    seconds: Mapping[str, float],
    commitments: Mapping[str, str],
) -> dict[str, Any]:
    """Say what came of it, as far as it came; a claim without a commitment is one whose text was not kept."""
    body = {
        "answer_id": answer_id,
        "domain": domain,
        "domain_reason": domain_reason,
        "tools": [call.tool for call in calls],
        "evidence": [
            evidence_body(item) | _committed(commitments, f"evidence.{number}") for number, item in enumerate(evidence)
        ],
        "claim_count": len(claims),
        "corrected": sum(claim.corrected for claim in claims),
        "claims": [
            _claim_body(claim, commitments.get(f"claim.{number}")) for number, claim in enumerate(claims[:_MOST_CLAIMS])
        ],
        "versions": dict(versions),
        "milliseconds": {step: round(1000 * value) for step, value in seconds.items()},
    }
    return body | {name: commitments[name] for name in ("answer", *_REPLAYED) if name in commitments}


def stated(body: Mapping[str, Any]) -> dict[str, str]:
    """Return the commitments that an intent's or an outcome's body states, by the names under which the vault has them.

    Of a body of another kind it returns none, whatever stands in it.
    """
    found = {name: body.get(name) for name in ("question", "answer", *_REPLAYED)}
    for name in ("history", "choices"):
        if isinstance(part := body.get(name), Mapping):
            found[name] = part.get("commitment")
    for kind, listed in (("claim", body.get("claims")), ("evidence", body.get("evidence"))):
        for number, item in enumerate(listed if isinstance(listed, list) else ()):
            found[f"{kind}.{number}"] = item.get("commitment") if isinstance(item, Mapping) else None
    return {name: value for name, value in found.items() if isinstance(value, str)}


def evidence_body(item: Evidence) -> dict[str, Any]:
    """Pin a piece of evidence and its place."""
    place = item.locator
    return {
        "id": item.id,
        "kind": item.kind.value,
        "digest": item.digest,
        "passage_id": item.passage_id,
        "document_id": place.document_id,
        "page": place.page,
        "start": place.start,
        "end": place.end,
    }


def _claim_body(claim: Claim, commitment: str | None) -> dict[str, Any]:
    return {
        "commitment": commitment,
        "cites": list(claim.cites),
        "verdict": claim.verdict.value,
        "score": claim.score,
        "reason": claim.reason,
        "corrected": claim.corrected,
    }


def _committed(commitments: Mapping[str, str], name: str) -> dict[str, str]:
    return {"commitment": commitments[name]} if name in commitments else {}

"""What the ledger keeps of a question: digests, ids, versions, verdicts and counts, and never a word of content.

The question, the answer and each claim are pinned by a keyed commitment, evidence by the SHA-256 of its text. Names of
documents and headings are content too and stay out; a document's id and the place in it go in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from app.answering.types import Claim
from domains.contract import Question, ToolCall
from retrieval.types import Evidence

__all__ = ["INTENT", "OUTCOME", "evidence_body", "intent_body", "outcome_body"]

INTENT: Final = "answer.intent"
OUTCOME: Final = "answer.outcome"

_MOST_CLAIMS: Final = 150
"""Claims that are listed one by one; the count is of all. Keeps an entry under the ledger's limit."""


def intent_body(
    question: Question, *, answer_id: str, domain: str | None, commit: Callable[[str], str]
) -> dict[str, Any]:
    """Say what is about to be answered."""
    body: dict[str, Any] = {
        "answer_id": answer_id,
        "question": commit(question.text),
        "language": question.language,
        "domain_asked": domain,
        "collections": sorted(question.scope.collections),
        "labels": sorted(question.scope.labels),
    }
    if question.history:
        turns = [[turn.question, turn.answer] for turn in question.history]
        body["history"] = {"turns": len(turns), "commitment": commit(json.dumps(turns, ensure_ascii=False))}
    return body


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
    commit: Callable[[str], str],
) -> dict[str, Any]:
    """Say what came of it, as far as it came."""
    return {
        "answer_id": answer_id,
        "domain": domain,
        "domain_reason": domain_reason,
        "tools": [call.tool for call in calls],
        "evidence": [evidence_body(item) for item in evidence],
        "claim_count": len(claims),
        "claims": [_claim_body(claim, commit) for claim in claims[:_MOST_CLAIMS]],
        "versions": dict(versions),
        "milliseconds": {step: round(1000 * value) for step, value in seconds.items()},
    }


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


def _claim_body(claim: Claim, commit: Callable[[str], str]) -> dict[str, Any]:
    return {
        "commitment": commit(claim.text),
        "cites": list(claim.cites),
        "verdict": claim.verdict.value,
        "score": claim.score,
        "reason": claim.reason,
    }

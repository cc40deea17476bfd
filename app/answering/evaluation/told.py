"""What a result tells of an answer, so that a person can judge it: each shown claim with the words that it cites."""

from __future__ import annotations

from typing import Any, Final

from app.answering.types import Answer, Verdict

__all__ = ["shown_by", "told_of"]

_QUOTED: Final = 600
"""Most characters of a cited piece of evidence."""


def shown_by(answer: Answer) -> str:
    """Return the claims that an answer shows, without the marks of their citations; "" where it abstains."""
    if answer.abstained:
        return ""
    return "\n".join(claim.text for claim in answer.claims if claim.verdict is Verdict.SUPPORTED)


def told_of(answer: Answer) -> dict[str, Any]:
    """Return the shown text, the bare answer, the claims with their cited evidence, and what it took, as plain JSON."""
    evidence = {item.id: item for item in answer.evidence}
    return {
        "text": answer.text,
        "short": answer.short,
        "abstained": answer.abstained,
        "reason": answer.reason,
        "claims": [
            {
                "text": claim.text,
                "verdict": claim.verdict.value,
                "shown": claim.verdict is Verdict.SUPPORTED and not answer.abstained,
                "reason": claim.reason,
                "cited": [
                    {"id": id_, "kind": evidence[id_].kind.value, "text": evidence[id_].text[:_QUOTED]}
                    for id_ in claim.cites
                    if id_ in evidence
                ],
            }
            for claim in answer.claims
        ],
        "seconds": dict(answer.seconds),
    }

"""Cheap signs that a claim turns its passage around: an added or lost "not", an opposite word, a "may" made a "must".

Not covered: irony, double negation, negation by a word that is not listed ("refuses to", 拒不), and who did what to
whom.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from app.answering.checking.support import coverage, informative

__all__ = ["negated", "turned"]

_NOT: Final = re.compile(r"\b(?:not|no|never|none|neither|nor|without|cannot)\b|n['’]t\b", re.IGNORECASE)
_NOT_ZH: Final = re.compile(r"[不没未无勿非]|禁止|除外")
_NO_NEGATION_ZH: Final = re.compile(
    r"不仅|不但|不只|不论|不管|不断|不同|不良|不动产|不少于|不低于|不超过|不高于|不得不|无论|无形|无线|未来|非常|非洲|非上市|非流动|没收|差不多|对不起"
)

_CLAUSES: Final = re.compile(r"[,;:，；：、]|\b(?:but|and|while|whereas|however)\b|但是|但|而")
_ALIGNED: Final = 0.7
"""Share of a claim's terms that one clause must hold before a "not" in that clause is held against the claim."""

_AT_MOST: Final = re.compile(
    r"\b(?:(?:shall|may|must|can|will|should|do(?:es)?)?\s*not\s+(?:be\s+)?(?:exceed\w*|(?:more|greater|higher|later)\s+than)"
    r"|no\s+(?:more|greater|higher)\s+than|at\s+most|up\s+to|maximum|highest|most\s+that)\b"
    r"|不(?:得|能|应|可|会)?(?:超过|高于|大于|多于)|至多|最多|最高|上限|以内",
    re.IGNORECASE,
)
_AT_LEAST: Final = re.compile(
    r"\b(?:(?:shall|may|must|can|will|should|do(?:es)?)?\s*not\s+(?:be\s+)?(?:(?:less|fewer|lower)\s+than|(?:fall\s+)?below)"
    r"|no\s+(?:less|fewer|lower)\s+than|at\s+least|minimum|lowest|(?<!at )least)\b"
    r"|不(?:得|能|应|可|会)?(?:低于|少于|小于)|至少|最少|最低|下限",
    re.IGNORECASE,
)

_PAIRS: Final = tuple(
    (re.compile(one, re.IGNORECASE), re.compile(other, re.IGNORECASE))
    for one, other in (
        (
            r"\b(?:increas|ris|rose|grew|grow|gain)\w*|\bhigher\b|增加|增长|上升|提高|上涨|上调",
            r"\b(?:decreas|fall|fell|declin|drop|reduc|shr[aiu]nk)\w*|\blower\b|减少|下降|降低|下跌|下滑|下调",
        ),
        ("≤", "≥"),  # bounds, as `_with_bounds` writes them
        (r"\b(?:above|exceed\w*|more than)\b|高于|超过|大于", r"\b(?:below|less than|fewer than)\b|低于|少于|小于"),
        (r"\b(?:before|prior to)\b|之前|以前", r"\b(?:after|following)\b|之后|以后"),
        (r"\b(?:profit|net income)\w*|盈利", r"\bloss(?:es)?\b|亏损"),
        (r"\b(?:approv|accept)\w*|批准|同意", r"\b(?:reject|refus|den(?:y|ied))\w*|驳回|拒绝"),
    )
)
_MUST: Final = re.compile(r"\b(?:must|shall|required|mandatory|obliged)\b|必须|应当|须|强制", re.IGNORECASE)
_MAY: Final = re.compile(r"\b(?:may|can|could|might|optional)\b|可以|可(?=[选自由以])|酌情", re.IGNORECASE)


def negated(text: str) -> bool:
    """Say whether a text holds a word of negation."""
    return bool(_NOT.search(text) or _NOT_ZH.search(_NO_NEGATION_ZH.sub("", text)))


def turned(claim: str, source: Sequence[str]) -> str | None:
    """Return how a claim turns its source around, as a code, or None.

    Args:
        claim: The claim's text.
        source: The sentences that the claim rests on.

    Returns:
        "negation", "direction" or "modality".
    """
    whole = _with_bounds(" ".join(source))
    claim = _with_bounds(claim)
    if negated(claim):
        if not negated(whole):
            return "negation"
    elif _said_with_not(claim, whole):
        return "negation"
    for one, other in _PAIRS:
        for mine, theirs in ((one, other), (other, one)):
            if mine.search(claim) and not theirs.search(claim) and theirs.search(whole) and not mine.search(whole):
                return "direction"
    if _MUST.search(claim) and _MAY.search(whole) and not _MUST.search(whole):
        return "modality"
    return None


def _with_bounds(text: str) -> str:
    """Write bounds as signs, since they are said with "not" and without: "shall not exceed 3" is "at most 3"."""
    return _AT_LEAST.sub(" ≥ ", _AT_MOST.sub(" ≤ ", text))


def _said_with_not(claim: str, source: str) -> bool:
    """Say whether every clause that holds nearly all of the claim's terms is a negated one, and there is one."""
    terms = informative(claim)
    aligned = [clause for clause in _CLAUSES.split(source) if coverage(terms, [clause]) >= _ALIGNED]
    return bool(aligned) and all(negated(clause) for clause in aligned)

"""Which questions are about a document as a whole: "summarise the contract", "list all obligations", 总结, 列出全部.

A search finds the passages nearest to a question; such a question has none that are nearer than the rest. So the whole
document is read that most of what was found comes from.

Not covered: several documents at once ("compare all contracts"): one is read, and its name stands at each citation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from retrieval.types import Evidence

__all__ = ["asks_whole", "document_of", "summarises"]

_SUMMARY: Final = re.compile(
    r"\b(?:summar(?:y|ies|i[sz]e\w*|i[sz]ing)|(?:key|main) (?:points|terms|provisions|findings)"
    r"|overview of (?:the|this)|what is (?:the|this) (?:document|contract|agreement|report|policy) about)\b"
    r"|总结|概括|概述|摘要|归纳|(?:主要|核心)(?:内容|要点|条款)|讲了什么|说了什么",
    re.IGNORECASE,
)
_ALL: Final = re.compile(
    r"\b(?:list|name|give|find|extract|enumerate)\b.{0,20}\b(?:all|every|each)\b"
    r"|\b(?:what|which) are (?:all|all of) (?:the|its|their)\b"
    r"|\b(?:all|every|each)\b.{1,40}\b(?:in|of|under|from) (?:the|this) (?:whole |entire )?"
    r"(?:document|contract|agreement|report|policy|filing|file|text)\b"
    r"|\b(?:whole|entire) (?:document|contract|agreement|report|policy|filing|file|text)\b"
    r"|(?:列出|列举|找出|梳理|整理|提取|指出).{0,12}(?:所有|全部|各项|每一?[项个条])|(?:所有|全部|各项).{1,12}(?:有哪些|是什么|列出|分别)"
    r"|(?:全文|整份|整篇|通篇)",
    re.IGNORECASE,
)


def summarises(question: str) -> bool:
    """Say whether a question asks for the gist of a document."""
    return bool(_SUMMARY.search(question))


def asks_whole(question: str) -> bool:
    """Say whether a question is about a document as a whole: its gist, or everything of a kind in it."""
    return bool(_SUMMARY.search(question) or _ALL.search(question))


def document_of(found: Sequence[Evidence]) -> str | None:
    """Return the id of the document that most of the evidence comes from, the better places counting more."""
    weights: dict[str, float] = {}
    for place, item in enumerate(found, 1):
        name = item.locator.document_id
        weights[name] = weights.get(name, 0.0) + 1.0 / place
    return max(weights, key=lambda name: weights[name], default=None)

"""Which questions are taken at all. Those that are not leave no record: nothing was asked."""

from __future__ import annotations

import re
from typing import Final

from app.answering.harmless import visible
from app.errors import BadRequest, Forbidden, TooLarge
from app.identity.principal import Principal
from domains.contract import Question
from retrieval.types import EVERYTHING, Scope

__all__ = ["admit"]

_HALF_CHARACTER: Final = re.compile(r"[\ud800-\udfff]")
"""A surrogate without its pair: JSON can carry one, but no text that is sent on can."""


def admit(question: Question, principal: Principal, *, longest: int) -> None:
    """Check a question before anything is recorded or done.

    Args:
        question: What was asked, with its history.
        principal: Who asked; the question's scope may not hold more than was granted to them.
        longest: Most characters of the question, and of each earlier one.

    Raises:
        BadRequest: the question is empty or is no valid text.
        TooLarge: it has more characters than the limit.
        Forbidden: its scope is wider than its principal's.
    """
    if not visible(question.text).strip():
        raise BadRequest("The question is empty.", remedy="Write a question.")
    length = max([len(question.text), *(len(turn.question) for turn in question.history)])
    if length > longest:
        raise TooLarge(
            f"The question has {length} characters; the limit is {longest}.",
            remedy="Shorten it; put long material into a document and add that.",
        )
    texts = [question.text, *(text for turn in question.history for text in (turn.question, turn.answer))]
    if any(_HALF_CHARACTER.search(text) for text in texts):
        raise BadRequest("The question holds half of a character.", remedy="Send valid Unicode text.")
    if not _within(question.scope, principal.scope()):
        raise Forbidden("The question asks for documents that you may not see.", remedy="Ask in your own scope.")


def _within(wanted: Scope, granted: Scope) -> bool:
    return all(
        EVERYTHING in held or asked <= held
        for asked, held in ((wanted.labels, granted.labels), (wanted.collections, granted.collections))
    )

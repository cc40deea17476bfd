"""What a way of drafting is: something that is given a question with its evidence, and yields text, piece by piece.

A drafter is not trusted. Its text is cut into claims, each is held against the evidence that it cites, and what no
evidence supports is struck out, whoever wrote it. What a drafter may add is evidence of its own making: the record of
a computation over figures of the passages.

The pipeline asks its drafters in order. The first that `suits` and that yields anything writes the draft; one that
yields nothing leaves the question to the next. The last one always writes (`prose`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import ClassVar, Protocol

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage

from domains.contract import Question
from retrieval.types import Evidence

__all__ = ["Drafter", "Piece", "Short", "Task"]


@dataclass(frozen=True, slots=True)
class Short:
    """The bare answer beside the draft's sentences: a figure, a name, the choice. Shown only with a supported claim."""

    text: str


Piece = str | Evidence | Short
"""A piece of the draft's text, evidence that the drafter made (before the text that cites it), or the bare answer."""


@dataclass(frozen=True, slots=True)
class Task:
    """One question, as a drafter sees it.

    Attributes:
        question: What was asked, with its language, its style and its choices.
        asked: The wording that stands alone, which the model sees.
        evidence: What the model may see, in the order of the prompt; ids are "1", "2", …
        messages: The whole prompt of `prose`: rules, examples, passages, question.
        chat: The model.
        domain: Name of the domain that prepared the question.
        budget: Most tokens of a prompt.
    """

    question: Question
    asked: str
    evidence: tuple[Evidence, ...]
    messages: tuple[BaseMessage, ...]
    chat: BaseChatModel
    domain: str
    budget: int

    @property
    def next_id(self) -> str:
        """The id that evidence made by a drafter gets; counts on for more."""
        return str(len(self.evidence) + 1)


class Drafter(Protocol):
    """A way of drafting. One instance serves all questions; it keeps nothing of them."""

    name: ClassVar[str]
    """Recorded with each answer."""

    def suits(self, task: Task) -> bool:
        """Say whether this way is to be tried; cheap, and without the model."""
        ...

    def draft(self, task: Task) -> AsyncGenerator[Piece, None]:
        """Yield the draft.

        Raises:
            ModelError: from the model; the question fails with it.
        """
        ...

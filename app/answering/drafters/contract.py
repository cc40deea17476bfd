"""What a way of drafting is: something that is given a question with its evidence, and yields text, piece by piece.

A drafter is not trusted. Its text is cut into claims, each is held against the evidence that it cites, and what no
evidence supports is struck out, whoever wrote it. What a drafter may add is evidence of its own making: the record of
a computation over figures of the passages.

The pipeline asks its drafters in order. The first that `suits` and that yields anything writes the draft; one that
yields nothing leaves the question to the next. The last one always writes (`prose`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage

from domains.contract import Question
from retrieval.types import Evidence

__all__ = ["Coverage", "Drafter", "Piece", "Short", "Task"]


@dataclass(frozen=True, slots=True)
class Short:
    """The bare answer beside the draft's sentences: a figure, a name, the choice. Shown only with a supported claim."""

    text: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many sections of a long text were read, of how many; told with the answer when it is not all of them."""

    read: int
    of: int


Piece = str | Evidence | Short | Coverage
"""A piece of the draft's text; evidence that the drafter made, or that had been left out (before the text that cites
it); the bare answer; how much of a long text was read."""


def _no_prompt(_evidence: Sequence[Evidence]) -> tuple[BaseMessage, ...]:
    raise RuntimeError("this task cannot make prompts over other evidence")


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
        left_out: What was found as well and had no room in the prompt. A drafter that reads some of it yields it with
            ids from `next_id` on, its text unchanged.
        over: Makes the prompt of `prose` over other evidence: parts of this task's, and what was left out.
        sampling: What goes with each request for text; empty but for an answer that is made again.
    """

    question: Question
    asked: str
    evidence: tuple[Evidence, ...]
    messages: tuple[BaseMessage, ...]
    chat: BaseChatModel
    domain: str
    budget: int
    left_out: tuple[Evidence, ...] = ()
    over: Callable[[Sequence[Evidence]], tuple[BaseMessage, ...]] = _no_prompt
    sampling: Mapping[str, Any] = field(default_factory=dict)

    @property
    def next_id(self) -> str:
        """The id that evidence made by a drafter gets; counts on for more."""
        return str(max((int(item.id) for item in self.evidence), default=0) + 1)


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

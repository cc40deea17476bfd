"""Who answers in an evaluation: the pipeline that answers everybody, over the passages that an item comes with.

Only the search is left out, where a set brings its own passages; `search` puts it back. Beside it stands the naive
way, the one of the tutorials: the passages, the question, "if you don't know the answer, just say that you don't know".
Whatever Vouch reaches is read beside what that reaches with the same model on the same items.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage

from app.answering.checking.verify import Verifier
from app.answering.evaluation.unrecorded import Unrecorded
from app.answering.gate import Gate
from app.answering.pipeline import Pipeline
from app.answering.types import Answer
from app.identity.principal import OPERATOR
from domains.contract import Question, Searcher, Style, Turn
from domains.registry import Registry
from model.client import stream_text
from retrieval.language import Language, language_of
from retrieval.types import Evidence, Locator, Scope

__all__ = ["AT_ONCE", "NAIVE", "Assistant", "each", "evidence_of"]

AT_ONCE: Final = 8
"""Questions answered at the same time: what the model's server decodes together."""

NAIVE: Final = (
    "Use the following pieces of retrieved context to answer the question. If you don't know the answer, just say that "
    "you don't know. Use three sentences maximum and keep the answer concise.\n\nContext:\n{context}\n\n"
    "Question: {question}\nAnswer:"
)

Item = TypeVar("Item")
Result = TypeVar("Result")


def evidence_of(texts: Sequence[str], *, names: Sequence[str] = ()) -> list[Evidence]:
    """Make evidence of an item's passages, each a document of its own."""
    return [
        Evidence.of(
            str(number),
            text,
            Locator(
                document_id=f"item-{number}",
                document=names[number - 1] if names else f"passage {number}",
                page=1,
                start=0,
                end=len(text),
            ),
            passage_id=number,
            score=1.0 / number,
        )
        for number, text in enumerate(texts, 1)
    ]


@dataclass(frozen=True, slots=True)
class _Given:
    """A searcher that finds what it was given."""

    evidence: tuple[Evidence, ...]

    def search(self, _queries: Sequence[str], _scope: Scope, *, k: int) -> list[Evidence]:
        return list(self.evidence)


@dataclass(frozen=True, slots=True)
class Assistant:
    """Answers the items of a suite.

    Attributes:
        chat: The model, at temperature 0.
        prompt_tokens: Most tokens of a prompt.
        registry: The domains.
        verifier: Checks the claims.
        gate: Judges what the checks left; None shows all that is supported.
    """

    chat: BaseChatModel
    prompt_tokens: int
    registry: Registry
    verifier: Verifier
    gate: Gate | None = field(default_factory=Gate)

    async def answer(
        self,
        text: str,
        passages: Sequence[Evidence] | Searcher,
        *,
        language: Language | None = None,
        history: Sequence[tuple[str, str]] = (),
        style: Style = Style.FULL,
        choices: Sequence[str] = (),
        domain: str = "general",
    ) -> Answer:
        """Answer one question from the given passages, or from what a searcher finds.

        Raises:
            ModelError: the model fails.
        """
        searcher = _Given(tuple(passages)) if isinstance(passages, Sequence) else passages
        nothing = Unrecorded()
        pipeline = Pipeline(
            registry=self.registry,
            searcher=searcher,
            chat_factory=lambda: self.chat,
            ledger=nothing,
            content=nothing,
            versions=dict,
            prompt_tokens=lambda: self.prompt_tokens,
            max_question_chars=1_000_000,
            verifier=self.verifier,
            gate=self.gate,
            secret=b"evaluation",  # the same prompts in every run, so that figures can be compared
        )
        question = Question(
            text=text,
            language=language or language_of(text),
            scope=OPERATOR.scope(),
            history=tuple(Turn(*turn) for turn in history),
            style=style,
            choices=tuple(choices),
        )
        return await pipeline.answer(question, principal=OPERATOR, domain=domain)

    async def naive(self, text: str, passages: Sequence[str]) -> str:
        """Answer one question as a tutorial would."""
        prompt = NAIVE.format(context="\n\n".join(passages), question=text)
        return "".join([piece async for piece in stream_text(self.chat, [HumanMessage(prompt)])])


def each(
    items: Sequence[Item],
    ask: Callable[[Item], Awaitable[Result]],
    *,
    report: Callable[[str], object] = print,
    at_once: int = AT_ONCE,
) -> list[Result]:
    """Ask about all items, a few at a time, and return what came of them in their order."""
    return asyncio.run(_each(items, ask, report, at_once))


async def _each(
    items: Sequence[Item],
    ask: Callable[[Item], Awaitable[Result]],
    report: Callable[[str], object],
    at_once: int,
) -> list[Result]:
    room = asyncio.Semaphore(at_once)
    done = 0

    async def one(item: Item) -> Result:
        nonlocal done
        async with room:
            result = await ask(item)
        done += 1
        if done % 10 == 0 or done == len(items):
            report(f"{done} of {len(items)} answered")
        return result

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(item)) for item in items]
    return [task.result() for task in tasks]

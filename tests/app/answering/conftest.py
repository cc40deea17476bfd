"""A pipeline over a real ledger, a real registry and a model that speaks from a script."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.answering.pipeline import Pipeline
from app.answering.types import Answer, Event, Finished, Receipt
from app.errors import LedgerUnavailable
from app.identity.principal import OPERATOR, Principal
from app.ledger.vault import Vault
from app.storage.engine import connect
from app.storage.tables import metadata
from domains.contract import Question, Turn
from domains.registry import Registry, load
from retrieval.language import language_of
from retrieval.types import Evidence, Locator, Scope
from tests.scripted_chat import ScriptedChat


@dataclass
class Entry:
    action: str
    actor: Principal
    body: Mapping[str, Any]
    outcome: str
    closes: int | None


@dataclass
class MemorySink:
    """An audit sink that keeps its entries in memory, can be full, and remembers what had happened before each."""

    full_from: int | None = None
    entries: list[Entry] = field(default_factory=list)
    before_each: Callable[[str], None] = lambda action: None

    def append(
        self,
        action: str,
        *,
        actor: Principal,
        body: Mapping[str, Any],
        outcome: str = "ok",
        closes: int | None = None,
    ) -> Receipt:
        self.before_each(action)
        if self.full_from is not None and len(self.entries) >= self.full_from:
            raise LedgerUnavailable("The ledger is full.", remedy="Free some space.")
        self.entries.append(Entry(action, actor, body, outcome, closes))
        number = len(self.entries)
        return Receipt(entry=number - 1, leaf="00", size=number, root="00", time="2026-01-01T00:00:00Z")


@dataclass
class Shelf:
    """A searcher over a fixed list of passages that notes what it was asked."""

    passages: Sequence[str]
    asked: list[tuple[tuple[str, ...], Scope, int]] = field(default_factory=list)
    names: Sequence[str] = ()

    def search(self, queries: Sequence[str], scope: Scope, *, k: int) -> list[Evidence]:
        self.asked.append((tuple(queries), scope, k))
        return [
            passage(text, number=number, name=self.names[number - 1] if self.names else f"report-{number}.pdf")
            for number, text in enumerate(self.passages[:k], 1)
        ]


def passage(text: str, *, number: int = 1, name: str = "report.pdf", headings: tuple[str, ...] = ()) -> Evidence:
    locator = Locator(document_id=f"d{number}", document=name, page=number, start=0, end=len(text), headings=headings)
    return Evidence.of(str(number), text, locator, passage_id=number, score=1.0 / number)


def question(text: str, *, history: Sequence[tuple[str, str]] = (), scope: Scope | None = None) -> Question:
    return Question(
        text=text,
        language=language_of(text),
        scope=scope or OPERATOR.scope(),
        history=tuple(Turn(*turn) for turn in history),
    )


@dataclass
class Desk:
    """Everything that one test needs of a pipeline."""

    pipeline: Pipeline
    sink: Any
    shelf: Shelf
    chat: ScriptedChat

    def events(self, text: str, **options: Any) -> list[Event]:
        async def run() -> list[Event]:
            asked = question(text, history=options.pop("history", ()))
            async with aclosing(self.pipeline.stream(asked, principal=OPERATOR, **options)) as stream:
                return [event async for event in stream]

        return asyncio.run(run())

    def answer(self, text: str, **options: Any) -> Answer:
        last = self.events(text, **options)[-1]
        assert isinstance(last, Finished)
        return last.answer


@pytest.fixture
def registry() -> Registry:
    return load(only=[])


@pytest.fixture
def vault(tmp_path):
    """A real vault on a file of its own."""
    engine = connect(f"sqlite:///{tmp_path / 'vault.db'}", durable=True)
    metadata.create_all(engine)
    yield Vault(engine, b"s" * 32)
    engine.dispose()


@pytest.fixture
def desk(registry, vault):
    """Return a function that builds a pipeline over passages and replies."""

    def build(
        texts: Sequence[str], /, *replies: Any, sink: Any = None, plugins: Registry | None = None, **options: Any
    ) -> Desk:
        chat = options.pop("chat", None) or ScriptedChat(replies=list(replies) or ["NOT_FOUND"])
        shelf = Shelf(texts, names=options.pop("names", ()))
        sink = sink if sink is not None else MemorySink()
        pipeline = Pipeline(
            registry=plugins or registry,
            searcher=shelf,
            chat_factory=options.pop("chat_factory", lambda: chat),
            ledger=sink,
            content=options.pop("content", vault),
            versions=lambda: {"model": "scripted", "index": "1"},
            **options,
        )
        return Desk(pipeline, sink, shelf, chat)

    return build

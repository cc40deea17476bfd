"""What a domain plugin is: the one road by which finance, medicine, law, SQL, or a stranger's own field joins Vouch.

A plugin never talks to the model about facts and never writes the answer. It *prepares*: it says how a question
should be searched and which of its tools must run. The pipeline then searches under the caller's scope, runs the
tools, asks the model, checks every claim, and writes the ledger: for every domain in the same way.

    class Weather(DomainPlugin):
        name = "weather"
        titles = {"en": "Weather", "zh": "天气"}

        async def prepare(self, question: Question, desk: Desk) -> Preparation:
            return Preparation(queries=(question.text,))

A distribution offers it under the entry-point group ``vouch.domains``:

    [project.entry-points."vouch.domains"]
    weather = "my_package.weather:Weather"

Everything but `name`, `titles` and `prepare` has a default.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol

from fastapi import APIRouter
from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool
from sqlalchemy import Engine

from retrieval.language import Language
from retrieval.types import Evidence, Scope

__all__ = [
    "Answerer",
    "Desk",
    "DomainError",
    "DomainPlugin",
    "Facilities",
    "Preparation",
    "Question",
    "Recorder",
    "Searcher",
    "Style",
    "ToolCall",
    "Turn",
]


class DomainError(Exception):
    """A request that a domain cannot serve. Shown to the user: `message` says what is wrong, `remedy` what to do."""

    code: ClassVar[str] = "domain"

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier exchange of the conversation: what was asked and what was shown."""

    question: str
    answer: str


class Style(StrEnum):
    """How much is to be said: sentences, or the bare answer (a figure, a name, a list), checked all the same."""

    FULL = "full"
    SHORT = "short"


@dataclass(frozen=True, slots=True)
class Question:
    """What the user asked, in whose name, and how much of the world may be used to answer it.

    `choices` are the only answers that are wanted, when there are any ("yes", "no", "maybe"). `replaces` is the id of
    the answer that this one is to take the place of, asked again or in other words; `history` then ends before it.
    """

    text: str
    language: Language
    scope: Scope
    history: tuple[Turn, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    style: Style = Style.FULL
    choices: tuple[str, ...] = ()
    replaces: str | None = None


class Searcher(Protocol):
    """The search that a plugin may use while preparing. The scope is required."""

    def search(self, queries: Sequence[str], scope: Scope, *, k: int) -> list[Evidence]:
        """Return the `k` best pieces of evidence that the scope may see, best first."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """What the application lends a plugin for one question."""

    searcher: Searcher
    chat: BaseChatModel


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of one of the plugin's tools, made by the pipeline and recorded in the ledger."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a question is to be answered.

    `queries` are searched together and fused. `calls` run after the search; a tool returns its evidence as the
    artifact of LangChain's ``response_format="content_and_artifact"``, a list of `Evidence`. `question` replaces the
    wording that the model sees when it is set. `instructions` are added to the stable part of the prompt.
    """

    queries: tuple[str, ...]
    calls: tuple[ToolCall, ...] = ()
    question: str | None = None
    instructions: str = ""


class Answerer(Protocol):
    """The application's one pipeline, as a plugin's own routes see it."""

    async def answer(self, question: Question, *, domain: str, principal: Any) -> Any:
        """Answer through the pipeline: searched, checked and recorded like any other question."""
        ...


class Recorder(Protocol):
    """The ledger, as a plugin sees it: it may add events of its own domain, and nothing else."""

    def record(self, action: str, *, actor: Any, body: Mapping[str, Any], outcome: str = "ok") -> int:
        """Make an event durable and return its entry in the ledger.

        Args:
            action: Dotted lower-case name below the plugin's own: ``model.fitted`` becomes ``<name>.model.fitted``.
            actor: The caller, as ``request.state.principal`` holds it; None for the plugin itself.
            body: Digests, ids, versions and counts as plain JSON; never content.
            outcome: What came of it, as a lower-case code.
        """
        ...


@dataclass(frozen=True, slots=True)
class Facilities:
    """What the application lends a plugin for as long as it runs.

    `database` is the service's own; a plugin makes its tables there itself, each named ``<name>_...``. `folder` is the
    plugin's, exists, and is kept between starts. `recorder` writes to the ledger, `searcher` searches.
    """

    database: Engine
    folder: Path
    recorder: Recorder
    searcher: Searcher


class DomainPlugin(ABC):
    """A field of work. Subclasses are built once at start; what they keep about users they keep in the database."""

    name: ClassVar[str]
    """Lower-case identifier; the plugin's routes live under ``/v1/<name>/``."""

    titles: ClassVar[Mapping[Language, str]]
    """What people see, by language."""

    notice: ClassVar[Mapping[Language, str]] = {}
    """Shown under each answer of this domain, such as "assists and does not decide"."""

    retention_days: ClassVar[int] = 183
    """How long ledger entries of this domain must be kept; six months is the least that EU AI Act Art. 26(6) asks."""

    uploads: ClassVar[tuple[str, ...]] = ()
    """Beginnings of the plugin's own addresses whose bodies may be as large as a document; others may have 1 MiB."""

    restricted: ClassVar[Mapping[tuple[str, str], str]] = {}
    """Routes of the plugin's own, as (method, path below ``/v1/<name>``), that ask for more than the permission to ask:
    ``write``, ``audit`` or ``admin``."""

    repeatable: ClassVar[bool] = False
    """Whether `prepare` follows from the question and the documents alone, so that an answer may be given again while
    neither has changed (`VOUCH_ANSWER_CACHE`). Not with tables of its own, nor where it matters who asks."""

    @abstractmethod
    async def prepare(self, question: Question, desk: Desk) -> Preparation:
        """Decide what to search for and which tools to run.

        Raises:
            DomainError: the question cannot be served by this domain as it is.
        """

    def open(self, facilities: Facilities) -> None:  # noqa: B027 -- a plugin that needs nothing takes nothing
        """Take what the application lends; called once, before `router`, `tools` and the first question.

        Raises:
            DomainError: the plugin cannot work here; the service starts without its routes and says why.
        """

    def close(self) -> None:  # noqa: B027 -- as above
        """Let go of what `open` took; called once, when the service stops."""

    def tools(self) -> Sequence[BaseTool]:
        """Return the tools that `Preparation.calls` may name."""
        return ()

    def router(self, answerer: Answerer) -> APIRouter | None:
        """Return the plugin's own typed routes, mounted under ``/v1/<name>``, or None.

        Who is calling stands in ``request.state.principal``; what they may see is its ``scope()``.
        """
        return None

    def panel(self) -> Callable[[], None] | None:
        """Return a function that builds the plugin's own tab inside a Gradio Blocks context, or None."""
        return None

    def evaluations(self) -> Mapping[str, Callable[..., Mapping[str, Any]]]:
        """Return evaluation suites by name, for ``./vouch eval``."""
        return {}

    def matches(self, question: Question) -> float:
        """Say how surely, from 0 to 1, a question belongs here; used when no domain was asked for."""
        return 0.0

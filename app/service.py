"""The composition root: the only place that wires the parts of Vouch together, and the facade that every door uses.

REST, the OpenAI protocol, the page, the command line and the evaluations all call this one object; none of them has
logic that another lacks. Nothing is opened before `start` except the database and the ledger, which must hold before
anything else may begin; the model and the indexes come up in the background and say how far they are.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Sequence
from importlib import metadata
from types import MappingProxyType
from typing import Any, BinaryIO

import structlog
from langchain_core.language_models import BaseChatModel

from app.answering.cache import AnswerCache
from app.answering.checking.verify import Verifier
from app.answering.drafters.ways import ways
from app.answering.gate import Gate
from app.answering.pipeline import Pipeline
from app.answering.types import Answer, Checked, Event, Finished
from app.embedders import common_words, similarity_of
from app.engines import engine_for
from app.errors import Forbidden, LedgerError
from app.identity.keys import KeyStore
from app.identity.permissions import Restricted
from app.identity.principal import OPERATOR, Permission, Principal
from app.identity.secret import installation_secret
from app.ledger.access import socket_path
from app.ledger.copying import LedgerCopy
from app.ledger.domain_recorder import DomainRecorder
from app.ledger.examination import Examination
from app.ledger.following import Follower
from app.ledger.log import Ledger
from app.ledger.publication import open_publisher
from app.ledger.relay import RelayServer
from app.ledger.vault import Vault
from app.library import Library
from app.metrics import Metrics
from app.retrieval_care import reconcile
from app.settings import Settings
from app.storage.engine import connect
from app.storage.migrate import upgrade
from domains.contract import DomainError, DomainPlugin, Facilities, Question
from domains.registry import Problem, Registry, load
from model.engine_state import ServedModel
from model.errors import ModelNotReady
from retrieval.embedding import TextEmbedder
from retrieval.errors import RetrievalError
from retrieval.types import EVERYTHING, Document, DocumentState, Scope

__all__ = ["Service", "engine_for"]

log = structlog.get_logger()

_EVERYONE = Scope(subject="service", labels=frozenset({EVERYTHING}), collections=frozenset({EVERYTHING}))
"""The service's own view, for counting; never handed to a caller."""


class Service:
    """Vouch, assembled.

    Args:
        settings: What it was told.
        engine: Serves the model; by default the one that the settings ask for.
        embedders: Embed texts; by default those that the settings name, fetched when they are missing.
        chat: Builds the chat model for one question; by default a client of `engine`.

    Raises:
        StartFailed: the data folder, the database or the ledger cannot be used, or another Vouch uses them.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        engine: ServedModel | None = None,
        embedders: Sequence[TextEmbedder] | None = None,
        chat: Callable[[], BaseChatModel] | None = None,
    ) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self._secret = installation_secret(settings.data_dir, settings.secret)
        self._database = connect(settings.database)
        upgrade(self._database)
        self._open_record(settings)
        self.keys = KeyStore(self._database, self._secret)
        self.library = Library(settings, self._database, secret=self._secret, embedders=embedders)
        self.catalog, self.index, self.ingestor = self.library.catalog, self.library.index, self.library.ingestor
        self.registry: Registry = self._opened(load())
        self.engine: ServedModel = engine or engine_for(settings)
        self._stopping = threading.Event()
        self._worker: threading.Thread | None = None
        self.pipeline = Pipeline(
            registry=self.registry,
            searcher=self.library,
            expand=self.library.expand,
            whole=self.library.whole,
            chat_factory=chat or self._chat,
            ledger=self.ledger,
            content=self.vault,
            certify=self.publisher.certify,
            versions=self.versions,
            passages=settings.passages,
            prompt_tokens=lambda: self.engine.context_tokens - settings.answer_tokens,
            max_question_chars=settings.max_question_chars,
            max_concurrent=settings.max_concurrent_answers,
            drafters=ways(sections=settings.sections),
            cache=self._cache(settings),
            asked_before=self._asked_before,
            verifier=Verifier(common=common_words(self.index.embedders)),
            gate=Gate(similarity=similarity_of(self.index.embedders)),
            secret=self._secret,
        )

    def _open_record(self, settings: Settings) -> None:
        """Open the ledger and what belongs to it: sealed content, checkpoints, the searchable copy."""
        self.vault = Vault(connect(settings.database, durable=True), self._secret)
        ledger_store = connect(settings.ledger, durable=True)
        self.ledger = Ledger(ledger_store)
        self._relay = RelayServer(self.ledger, socket_path(settings))
        try:
            self.publisher = open_publisher(settings, self.ledger, ledger_store, actor=OPERATOR)
        except BaseException:
            self.ledger.close()
            raise
        self.copy = LedgerCopy(self._database, self.ledger)
        self.examination = Examination(self.ledger, self.copy, self.vault, self.ledger)
        self._follower = Follower(self.copy, lambda: self.ledger.size)

    def _opened(self, installed: Registry) -> Registry:
        """Lend each plugin what it needs. One that cannot work is left out; the service and the others go on."""
        working: dict[str, DomainPlugin] = {}
        problems = list(installed.problems)
        for name, plugin in installed.plugins.items():
            folder = self.settings.data_dir / "domains" / name
            folder.mkdir(parents=True, exist_ok=True)
            try:
                _check_restricted(plugin)
                plugin.open(Facilities(self._database, folder, DomainRecorder(name, self.ledger), self.library))
            except DomainError as error:
                log.error("domain.closed", domain=name, code=error.code, reason=error.message)
                problems.append(Problem(name, "this installation", f"{error.message} {error.remedy}"))
            else:
                working[name] = plugin
        return Registry(MappingProxyType(working), tuple(problems))

    # life

    def start(self) -> None:
        """Close what an earlier run left open, then bring up search and model in the background."""
        closed = self.ledger.close_dangling(OPERATOR)
        self.ledger.append("service.start", actor=OPERATOR, body={"versions": dict(self.versions()), "closed": closed})
        self._relay.start()  # only now: an intent of another process must not be closed as dangling
        log.info("service.start", closed=closed, domains=sorted(self.domain_names))
        self._follower.start()
        self.publisher.start()
        self._worker = threading.Thread(target=self.library.run, args=(self._stopping,), name="ingest", daemon=True)
        self._worker.start()
        self.engine.start()

    def stop(self) -> None:
        """Stop what `start` started; questions under way end with an error that the ledger keeps."""
        self._stopping.set()
        self.engine.stop()
        if self._worker is not None:
            self._worker.join(timeout=10)
        self.index.close()
        self.ingestor.close()
        for plugin in self.registry.plugins.values():
            plugin.close()
        self._relay.stop()
        try:
            self.ledger.append("service.stop", actor=OPERATOR, body={})
        except LedgerError as error:
            log.error("service.stop_unrecorded", code=error.code)
        self._follower.stop()
        self.publisher.stop()
        self.ledger.close()
        self.vault.engine.dispose()
        self._database.dispose()

    # what the doors use

    @property
    def restricted(self) -> dict[str, Restricted]:
        """What each domain asks of the callers of its own routes."""
        return {name: plugin.restricted for name, plugin in self.registry.plugins.items()}

    @property
    def domain_names(self) -> frozenset[str]:
        """Names of the loaded domain plugins."""
        return frozenset(self.registry.plugins)

    async def events(
        self, question: Question, *, principal: Principal, domain: str | None = None
    ) -> AsyncIterator[Event]:
        """Answer a question, telling each step as it happens."""
        outcome = "error"
        try:
            async for event in self.pipeline.stream(question, principal=principal, domain=domain):
                if isinstance(event, Checked):
                    self.metrics.claims.labels(verdict=event.claim.verdict.value).inc()
                elif isinstance(event, Finished):
                    outcome = "abstained" if event.answer.abstained else "answered"
                    for step, seconds in event.answer.seconds.items():
                        self.metrics.answer_seconds.labels(step=step).observe(seconds)
                yield event
        finally:
            self.metrics.answers.labels(domain=domain or "auto", outcome=outcome).inc()

    async def answer(self, question: Question, *, principal: Principal, domain: str | None = None) -> Answer:
        """Answer a question and return the whole at the end."""
        async for event in self.events(question, principal=principal, domain=domain):
            if isinstance(event, Finished):
                return event.answer
        raise RuntimeError("the pipeline ended without an answer or an error")

    def add(
        self,
        content: BinaryIO,
        name: str,
        caller: Principal,
        collection: str | None,
        label: str | None,
        source: str | None = None,
        *,
        bulk: bool = False,
    ) -> Document:
        """Take a document in, recorded before and after.

        Raises:
            Forbidden: the caller may not see what he wants to add, by its collection or label.
            RetrievalError: the file is refused.
        """
        collection = collection or self.settings.default_collection
        label = label or self.settings.default_label
        if not caller.scope().allows(label=label, collection=collection):
            raise Forbidden(
                "You may not add documents with that label to that collection.",
                remedy="Use a label and a collection that your key was granted.",
            )
        where = {"collection": collection, "label": label}
        intent = self.ledger.append("document.add.intent", actor=caller, body=where)
        try:
            document = self.ingestor.submit(
                content, name=name, collection=collection, label=label, source=source, bulk=bulk
            )
        except RetrievalError as error:
            body = where | {"code": error.code}
            self.ledger.append("document.add.outcome", actor=caller, body=body, outcome="refused", closes=intent.entry)
            raise
        added: dict[str, Any] = where | {"document": document.id, "sha256": document.sha256, "bytes": document.size}
        if document.replaces is not None:
            added["replaces"] = document.replaces
        self.ledger.append("document.add.outcome", actor=caller, body=added, closes=intent.entry)
        return document

    def reconcile(self, caller: Principal, *, deep: bool, mend: bool) -> dict[str, Any]:
        """Hold everything that documents became against the catalog, recorded; see `retrieval_care.reconcile`."""
        files = self.settings.data_dir / "files"
        return reconcile(self._database, self.index, files, self.ledger, caller=caller, deep=deep, mend=mend)

    # how it is

    def versions(self) -> dict[str, Any]:
        """Return what an auditor needs to know which program, model and index made an answer."""
        return {
            "vouch": metadata.version("vouch"),
            "model": dict(self.engine.identity),
            "embedder": self.library.embedder,
            "index_generation": self.catalog.generation(),
        }

    def readiness(self) -> dict[str, str]:
        """Return the state of each part; all are "ready" when a question would be answered."""
        return {
            "ledger": "ready",
            "search": self.library.state,
            "model": self.engine.state.stage,
        }

    def status(self, scope: Scope) -> dict[str, Any]:
        """Return the model's progress and the states of the documents that a scope may see, as the page shows them."""
        state = self.engine.state
        model = {"stage": state.stage, "detail": state.detail, "done": state.done, "total": state.total}
        if state.error is not None:
            model |= {"message": state.error.message, "remedy": state.error.remedy}
        return {
            "model": model | {"name": self.engine.model_name},
            "search": self.readiness()["search"],
            "documents": self._documents_by_state(scope),
            "version": metadata.version("vouch"),
        }

    def record_state(self) -> dict[str, Any]:
        """Return how far the ledger and its searchable copy are, and why the copy is not being filled, if so."""
        copied = self.examination.state() | {"copy_problem": self._follower.problem}
        return copied | {"checkpoints": self.publisher.state()}

    def exposition(self) -> bytes:
        """Return the metrics, with the gauges brought up to date."""
        for name, count in self._documents_by_state(_EVERYONE).items():
            self.metrics.documents.labels(state=name).set(count)
        self.metrics.passages.set(self.index.size)
        self.metrics.ledger_entries.set(self.ledger.size)
        self.metrics.ledger_unpublished.set(self.publisher.state()["lag"])
        self.metrics.ledger_copy_lag.set(max(0, self.ledger.size - self.copy.size))
        self.metrics.model_ready.set(self.engine.state.stage == "ready")
        return self.metrics.exposition()

    def _documents_by_state(self, scope: Scope) -> dict[str, int]:
        counts = self.catalog.counts(scope)
        return {state.value: counts.get(state, 0) for state in DocumentState}

    def _cache(self, settings: Settings) -> AnswerCache | None:
        """Make the cache of answers that the settings ask for."""
        if settings.answer_cache == "off":
            return None
        return AnswerCache(
            entries=settings.answer_cache_entries,
            embed=self.library.embedded if settings.answer_cache == "near" else None,
            holds=self.vault.holds,
        )

    def _asked_before(self, subject: str, answer_id: str) -> str | None:
        """Return the question of an earlier answer, if it is this person's and was kept."""
        question = self.vault.open(subject, answer_id).get("question")
        return None if question is None else question.text

    def _chat(self) -> BaseChatModel:
        state = self.engine.state
        if state.stage != "ready":
            if state.error is not None:
                raise state.error
            raise ModelNotReady(f"The model is not ready: {state.detail}.", remedy="Try again in a moment.")
        return self.engine.chat(max_tokens=self.settings.answer_tokens, timeout_s=self.settings.model_timeout_s)


def _check_restricted(plugin: DomainPlugin) -> None:
    unknown = sorted(set(plugin.restricted.values()) - {item.value for item in Permission})
    if unknown:
        raise DomainError(
            f"It asks for permissions that do not exist: {', '.join(unknown)}.",
            remedy=f"Use one of: {', '.join(item.value for item in Permission)}.",
        )

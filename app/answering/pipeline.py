"""From a question to a checked answer: the one way, for the API, the page, the command line and every domain.

The order is the promise. An intent is durable in the ledger before anything else happens; the outcome is durable before
the answer is given; whatever goes wrong in between closes the entry with its code. No record, no answer. The content
that an entry commits to is durable in the vault before the entry.

    Started, Retrieved, Draft*, Checked* (mixed with Draft), Finished

Drafts are the model's words as they come and are shown as unchecked; the answer holds supported claims alone.
"""

from __future__ import annotations

import asyncio
import secrets
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from langchain_core.language_models import BaseChatModel

from app.answering import abstain
from app.answering.admission import admit
from app.answering.checking.in_order import ChecksInOrder
from app.answering.checking.verify import CHECKS_VERSION, Verifier
from app.answering.claims import DraftClaim
from app.answering.drafters.contract import Drafter, Piece, Short, Task
from app.answering.drafters.ways import WAYS
from app.answering.gathering import numbered, run_tools
from app.answering.guarding import guarded
from app.answering.harmless import defang
from app.answering.instructions import Reading, read_as_data
from app.answering.prompt import PROMPT_VERSION, build, estimate_tokens
from app.answering.record import (
    INTENT,
    OUTCOME,
    ContentStore,
    intent_body,
    intent_texts,
    outcome_body,
    outcome_texts,
)
from app.answering.screening import DraftEnd, DraftLimits, DraftWatch, canary_of, screened
from app.answering.types import Answer, Checked, Claim, Draft, Event, Finished, Receipt, Retrieved, Started
from app.answering.wording import render
from app.errors import LedgerError, TooManyRequests, VaultUnavailable, describe
from app.identity.principal import Principal
from app.ledger.sink import AuditSink
from domains.contract import Desk, DomainPlugin, Question, Searcher, ToolCall
from domains.registry import Registry
from model.errors import ModelInterrupted
from retrieval.types import Evidence, Scope

__all__ = ["Pipeline"]

_log = structlog.get_logger()


@dataclass(slots=True)
class _Run:
    """One question on its way: what a closing entry says of it, however far it came."""

    question: Question
    principal: Principal
    asked: str | None
    answer_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    intent: Receipt | None = None
    plugin: DomainPlugin | None = None
    domain_reason: str | None = None
    calls: tuple[ToolCall, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    readings: dict[str, Reading | Evidence] = field(default_factory=dict)
    watch: DraftWatch | None = None
    drafter: str | None = None
    short: str | None = None
    claims: list[Claim] = field(default_factory=list)
    abstained: abstain.Reason | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    drafting_since: float = 0.0

    @property
    def ended(self) -> DraftEnd | None:
        """Why the draft was ended before the model ended it."""
        return None if self.watch is None else self.watch.end

    @property
    def as_data(self) -> tuple[Evidence, ...]:
        """The evidence as the model and the checks get it."""
        return tuple(item if isinstance(item, Evidence) else item.evidence for item in self.readings.values())

    @property
    def kept_out(self) -> dict[str, int]:
        """How many sentences of which evidence were kept from the model and the checks."""
        return {
            id_: len(item.kept_out)
            for id_, item in self.readings.items()
            if isinstance(item, Reading) and item.kept_out
        }

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add the wall time of a block to a step."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - begin


class Pipeline:
    """Answers questions. One instance serves all callers; it keeps nothing of them between questions."""

    def __init__(
        self,
        *,
        registry: Registry,
        searcher: Searcher,
        chat_factory: Callable[[], BaseChatModel],
        ledger: AuditSink,
        content: ContentStore,
        versions: Callable[[], Mapping[str, Any]],
        certify: Callable[[Receipt], Receipt] = lambda receipt: receipt,
        expand: Callable[[list[Evidence], Scope], list[Evidence]] = lambda found, _scope: found,
        passages: int = 5,
        prompt_tokens: Callable[[], int] = lambda: 6000,
        max_question_chars: int = 8000,
        max_concurrent: int = 8,
        count_tokens: Callable[[str], int] = estimate_tokens,
        verifier: Verifier | None = None,
        drafters: Sequence[Drafter] = WAYS,
        secret: bytes | None = None,
        limits: DraftLimits | None = None,
    ) -> None:
        """Wire a pipeline.

        Args:
            registry: The domains.
            searcher: Finds passages under a scope; called in a thread.
            chat_factory: Gives the chat model, at temperature 0; raises `ModelError` while there is none.
            ledger: Where intents and outcomes become durable; called in a thread.
            content: Where texts are kept, sealed, that the ledger commits to; called in a thread.
            versions: What the model and the index are at this moment, for the ledger.
            certify: Adds the proof and the signed checkpoint to the receipt of an answer; called in a thread.
            expand: Adds to what was found what stands around it, as evidence of its own; called in a thread.
            passages: Passages that are searched for.
            prompt_tokens: Gives the most tokens of a prompt, which the model's memory decides.
            max_question_chars: Longest question.
            max_concurrent: Questions answered at the same time.
            count_tokens: Counts the tokens of a text, not too low.
            verifier: Checks the claims.
            drafters: Ways of drafting, in the order in which they are tried.
            secret: What the canary in the prompt follows from; None makes one for as long as this pipeline lives.
            limits: How much a draft may be.
        """
        self._registry = registry
        self._searcher = searcher
        self._chat_factory = chat_factory
        self._ledger = ledger
        self._content = content
        self._versions = versions
        self._certify = certify
        self._expand = expand
        self._passages = passages
        self._prompt_tokens = prompt_tokens
        self._max_question_chars = max_question_chars
        self._max_concurrent = max_concurrent
        self._count_tokens = count_tokens
        self._verifier = verifier or Verifier()
        self._drafters = tuple(drafters)
        self._canary = canary_of(secret or secrets.token_bytes(32))
        self._limits = limits or DraftLimits()
        self._in_flight = 0

    async def answer(self, question: Question, *, principal: Principal, domain: str | None = None) -> Answer:
        """Answer a question and return the whole answer; see `stream` for what it raises."""
        async with aclosing(self.stream(question, principal=principal, domain=domain)) as events:
            async for event in events:
                if isinstance(event, Finished):
                    return event.answer
        raise RuntimeError("a run ended without an answer and without an error")

    async def stream(
        self, question: Question, *, principal: Principal, domain: str | None = None
    ) -> AsyncGenerator[Event, None]:
        """Answer a question step by step. Close the generator (`contextlib.aclosing`) to cancel.

        Raises:
            BadRequest: the question is empty.
            TooLarge: the question is longer than the limit, or than the model can take.
            Forbidden: the question's scope holds more than its principal was granted.
            TooManyRequests: as many questions as allowed are being answered.
            LedgerError: the intent or the outcome could not be recorded; no answer was given.
            DomainError, RetrievalError, ModelError: from the step of that name; the entry was closed.
        """
        admit(question, principal, longest=self._max_question_chars)
        if self._in_flight >= self._max_concurrent:
            raise TooManyRequests(
                "As many questions are being answered as this service takes at a time.",
                remedy="Ask again in a few seconds.",
            )
        run = _Run(question, principal, domain)
        self._in_flight += 1
        try:
            await self._open(run)
            async with aclosing(self._steps(run)) as events:
                async for event in events:
                    yield event
            answer = await self._finish(run)
        except BaseException as error:
            await self._close(run, error)
            raise
        finally:
            self._in_flight -= 1
        yield Finished(answer)

    async def _steps(self, run: _Run) -> AsyncGenerator[Event, None]:
        question = screened(run.question)
        run.plugin, run.domain_reason = self._registry.choose(question, run.asked)
        if run.intent is None:
            raise RuntimeError("work began before the intent was recorded")
        yield Started(run.answer_id, run.intent.entry, run.plugin.name, question.language)

        chat = self._chat_factory()
        with run.timed("prepare"):
            preparation = await run.plugin.prepare(question, Desk(self._searcher, chat))
            run.calls = preparation.calls
        with run.timed("search"):
            found = await asyncio.to_thread(
                self._searcher.search, preparation.queries, question.scope, k=self._passages
            )
            found = await asyncio.to_thread(self._expand, found, question.scope)
        with run.timed("tools"):
            made = await run_tools(run.plugin, preparation.calls)
        asked = preparation.question or question.text
        readings = await asyncio.to_thread(lambda: [read_as_data(item) for item in numbered(made, found)])
        as_data = [reading.evidence for reading in readings]
        prompt = build(
            asked,
            as_data,
            language=question.language,
            budget=self._prompt_tokens(),
            instructions=preparation.instructions,
            count=self._count_tokens,
            canary=self._canary,
        )
        by_id = {reading.found.id: reading for reading in readings}
        run.readings = {item.id: replace(by_id[item.id], evidence=item) for item in prompt.evidence}
        run.evidence = tuple(by_id[item.id].found for item in prompt.evidence)
        yield Retrieved(run.evidence)

        run.abstained = abstain.before(asked, prompt.evidence)
        if run.abstained is not None:
            return
        task = Task(
            question,
            asked,
            prompt.evidence,
            prompt.messages,
            chat,
            domain=run.plugin.name,
            budget=self._prompt_tokens(),
        )
        async with aclosing(self._drafted(run, task)) as events:
            async for event in events:
                yield event
        if run.ended is DraftEnd.LEAKED:
            run.abstained = abstain.Reason.PROMPT_LEAKED
        else:
            run.abstained = abstain.after(asked, run.claims, run.as_data)

    async def _drafted(self, run: _Run, task: Task) -> AsyncGenerator[Event, None]:
        """Let the first drafter that has something to say write, and check each claim as soon as it is whole."""
        known = {item.id: item for item in task.evidence}
        watch = run.watch = DraftWatch(self._canary, self._limits, known=known.keys())
        run.drafting_since = begin = time.perf_counter()
        async with ChecksInOrder() as checks, aclosing(self._pieces(run, task)) as pieces:
            async for piece in pieces:
                match piece:
                    case Evidence():
                        run.evidence = (*run.evidence, piece)
                        known[piece.id] = run.readings[piece.id] = piece
                        yield Retrieved(run.evidence)
                    case Short(text):
                        run.short = text
                    case str():
                        run.seconds.setdefault("first_token", time.perf_counter() - begin)
                        heard, drafts = watch.feed(piece)
                        if heard:
                            yield Draft(heard)
                        for draft in _claiming(drafts):
                            checks.start(self._check(run, task, draft, known))
                        for claim in await checks.ready():
                            yield _noted(run, claim)
                if watch.end is not None:
                    break
            run.seconds["model"] = time.perf_counter() - begin
            heard, drafts = watch.flush()
            if heard:
                yield Draft(heard)
            for draft in _claiming(drafts):
                checks.start(self._check(run, task, draft, known))
            for claim in await checks.rest():
                yield _noted(run, claim)

    async def _pieces(self, run: _Run, task: Task) -> AsyncGenerator[Piece, None]:
        for drafter in self._drafters:
            if not drafter.suits(task):
                continue
            async with aclosing(drafter.draft(task)) as pieces:
                async for piece in pieces:
                    run.drafter = drafter.name
                    yield piece
            if run.drafter is not None:
                return

    async def _check(self, run: _Run, task: Task, draft: DraftClaim, known: Mapping[str, Evidence]) -> Claim:
        with run.timed("check"):
            claim = self._verifier.check(draft, known, question=task.asked)
            return guarded(claim, evidence=run.readings, language=task.question.language)

    async def _open(self, run: _Run) -> None:
        def body(commitments: Mapping[str, str]) -> dict[str, Any]:
            return intent_body(run.question, answer_id=run.answer_id, domain=run.asked, commitments=commitments)

        with run.timed("intent"):
            run.intent, cancelled = await self._append(INTENT, run, texts=intent_texts(run.question), body=body)
        if cancelled:
            raise asyncio.CancelledError

    async def _finish(self, run: _Run) -> Answer:
        """Record the outcome, and only then make the answer."""
        if run.plugin is None or run.intent is None:
            raise RuntimeError("a run finished that never began")
        language = run.question.language
        if run.abstained is None:
            text = render(run.claims, language)
        else:
            text = abstain.words(language, nearest=bool(run.evidence))

        def body(commitments: Mapping[str, str]) -> dict[str, Any]:
            ended = {"abstained": run.abstained is not None, "reason": run.abstained, "drafter": run.drafter}
            screening = {"ended": run.ended, "repeats": run.watch.repeats if run.watch else 0, "kept_out": run.kept_out}
            return self._outcome(run, commitments) | ended | {"screening": screening}

        begin = time.perf_counter()
        texts = outcome_texts(run.claims, text)
        receipt, cancelled = await self._append(OUTCOME, run, texts=texts, body=body, closes=run.intent.entry)
        run.seconds["outcome"] = time.perf_counter() - begin
        run.intent = None  # closed: nothing that happens from here on may close it again
        if cancelled:
            raise asyncio.CancelledError
        with run.timed("certify"):
            receipt = await asyncio.to_thread(self._certify, receipt)
        _log.info(
            "answer.finished",
            answer=run.answer_id,
            domain=run.plugin.name,
            entry=receipt.entry,
            abstained=run.abstained,
        )
        return Answer(
            id=run.answer_id,
            question=run.question.text,
            language=language,
            domain=run.plugin.name,
            text=text,
            short=defang(run.short) if run.short is not None and run.abstained is None else None,
            claims=tuple(run.claims),
            evidence=run.evidence,
            abstained=run.abstained is not None,
            reason=run.abstained,
            ended=run.ended,
            kept_out=run.kept_out,
            notice=run.plugin.notice.get(language),
            receipt=receipt,
            seconds={step: round(value, 4) for step, value in run.seconds.items()},
        )

    async def _close(self, run: _Run, error: BaseException) -> None:
        """Close the entry of a run that failed. The failure stays what it was, even when this cannot be recorded."""
        if run.intent is None:
            return
        if isinstance(error, asyncio.CancelledError | GeneratorExit):
            outcome, code = "cancelled", "cancelled"
        else:
            outcome, code = ("unknown" if isinstance(error, ModelInterrupted) else "error"), describe(error).code
        try:
            await self._append(
                OUTCOME,
                run,
                texts={} if isinstance(error, LedgerError) else outcome_texts(run.claims, None),
                body=lambda commitments: self._outcome(run, commitments) | {"error": code},
                outcome=outcome,
                closes=run.intent.entry,
            )
        except LedgerError as unrecorded:  # the ledger closes what it finds open when it is opened again
            _log.error("answer.not_closed", answer=run.answer_id, entry=run.intent.entry, code=unrecorded.code)
        _log.warning("answer.failed", answer=run.answer_id, outcome=outcome, code=code)

    def _outcome(self, run: _Run, commitments: Mapping[str, str]) -> dict[str, Any]:
        plugin = run.plugin
        body = outcome_body(
            answer_id=run.answer_id,
            domain=plugin.name if plugin else None,
            domain_reason=run.domain_reason,
            calls=run.calls,
            evidence=run.evidence,
            claims=run.claims,
            versions={**self._versions(), "prompt": PROMPT_VERSION, "checks": CHECKS_VERSION},
            seconds=run.seconds,
            commitments=commitments,
        )
        return body | ({"retention_days": plugin.retention_days} if plugin else {})

    async def _append(
        self,
        action: str,
        run: _Run,
        *,
        texts: Mapping[str, str],
        body: Callable[[Mapping[str, str]], Mapping[str, Any]],
        outcome: str = "ok",
        closes: int | None = None,
    ) -> tuple[Receipt, bool]:
        """Keep the content, then append to the ledger, and wait for both even when cancelled; say whether that was."""

        def record() -> Receipt:
            try:
                commitments = self._content.seal(run.principal.subject, run.answer_id, texts)
            except VaultUnavailable:
                if outcome == "ok":
                    raise
                commitments = {}  # a failure is recorded even where the words that it came to cannot be kept
            return self._ledger.append(
                action, actor=run.principal, body=body(commitments), outcome=outcome, closes=closes
            )

        task = asyncio.ensure_future(asyncio.to_thread(record))
        cancelled = False
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError:
                cancelled = True
        return task.result(), cancelled


def _claiming(drafts: list[DraftClaim]) -> list[DraftClaim]:
    """Leave out sentences that say that nothing was found: they claim nothing."""
    return [draft for draft in drafts if not abstain.is_refusal(draft.text)]


def _noted(run: _Run, claim: Claim) -> Checked:
    run.seconds.setdefault("first_claim", time.perf_counter() - run.drafting_since)
    run.claims.append(claim)
    return Checked(claim)

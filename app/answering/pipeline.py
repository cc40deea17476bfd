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
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import structlog
from langchain_core.language_models import BaseChatModel

from app.answering import abstain
from app.answering.admission import admit
from app.answering.cache import AnswerCache
from app.answering.checking.in_order import ChecksInOrder
from app.answering.checking.verify import CHECKS_VERSION, Verifier
from app.answering.claims import DraftClaim
from app.answering.clarify import open_word, question_back
from app.answering.conversation import reworded
from app.answering.drafters.contract import Coverage, Drafter, Piece, Short, Task
from app.answering.drafters.ways import WAYS
from app.answering.earlier import Earlier
from app.answering.gate import Gate
from app.answering.gathering import Finder, numbered, run_tools
from app.answering.guarding import guarded
from app.answering.harmless import defang
from app.answering.instructions import read_as_data
from app.answering.prompt import PROMPT_VERSION, Prompt, build, estimate_tokens
from app.answering.reckoning.record import redone
from app.answering.record import (
    INTENT,
    OUTCOME,
    ContentStore,
    intent_body,
    intent_texts,
    outcome_body,
    outcome_texts,
    replay_texts,
)
from app.answering.run import Run
from app.answering.screening import DraftEnd, DraftLimits, DraftWatch, canary_of, screened
from app.answering.types import (
    Answer,
    Checked,
    Claim,
    Draft,
    Event,
    Finished,
    Receipt,
    Retrieved,
    SectionsRead,
    Started,
)
from app.answering.wording import differing, left_out, render, told_in_part
from app.errors import LedgerError, TooManyRequests, VaultUnavailable, describe
from app.identity.principal import Principal
from app.ledger.sink import AuditSink
from domains.contract import Desk, Question, Searcher
from domains.registry import Registry
from model.errors import ModelInterrupted
from retrieval.types import Evidence, Scope

__all__ = ["Pipeline"]

_log = structlog.get_logger()


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
        whole: Callable[[str, Scope], list[Evidence]] = lambda _document, _scope: [],
        passages: int = 5,
        prompt_tokens: Callable[[], int] = lambda: 6000,
        max_question_chars: int = 8000,
        max_concurrent: int = 8,
        count_tokens: Callable[[str], int] = estimate_tokens,
        verifier: Verifier | None = None,
        drafters: Sequence[Drafter] = WAYS,
        gate: Gate | None = None,
        secret: bytes | None = None,
        limits: DraftLimits | None = None,
        cache: AnswerCache | None = None,
        asked_before: Callable[[str, str], str | None] = lambda _subject, _answer_id: None,
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
            whole: Gives a document's passages in its order, as far as a scope may see it; called in a thread.
            passages: Passages that are searched for.
            prompt_tokens: Gives the most tokens of a prompt, which the model's memory decides.
            max_question_chars: Longest question.
            max_concurrent: Questions answered at the same time.
            count_tokens: Counts the tokens of a text, not too low.
            verifier: Checks the claims.
            drafters: Ways of drafting, in the order in which they are tried.
            gate: Judges drafts whose claims are checked; None shows all that is supported.
            secret: What the canary in the prompt follows from; None makes one for as long as this pipeline lives.
            limits: How much a draft may be.
            cache: Answers that may be given again; None answers every question anew.
            asked_before: Gives the question of an earlier answer of a subject; called in a thread.
        """
        self._registry = registry
        self._searcher = searcher
        self._finder = Finder(searcher, expand, whole, passages)
        self._chat_factory = chat_factory
        self._ledger = ledger
        self._content = content
        self._versions = versions
        self._certify = certify
        self._prompt_tokens = prompt_tokens
        self._max_question_chars = max_question_chars
        self._max_concurrent = max_concurrent
        self._count_tokens = count_tokens
        self._verifier = verifier or Verifier()
        self._drafters = tuple(drafters)
        self._gate = gate
        self._canary = canary_of(secret or secrets.token_bytes(32))
        self._limits = limits or DraftLimits()
        self._earlier = Earlier(cache, asked_before, self._made_by)
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
        run = Run(question, principal, domain)
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

    async def _steps(self, run: Run) -> AsyncGenerator[Event, None]:
        question = screened(run.question)
        run.plugin, run.domain_reason = self._registry.choose(question, run.asked)
        if run.intent is None:
            raise RuntimeError("work began before the intent was recorded")
        yield Started(run.answer_id, run.intent.entry, run.plugin.name, question.language)

        if await self._earlier.found(run):
            yield Retrieved(run.evidence)
            for claim in run.claims:
                yield Checked(claim)
            return
        chat = self._chat_factory()
        with run.timed("prepare"):
            question = await reworded(question, chat, count=self._count_tokens)
            preparation = await run.plugin.prepare(question, Desk(self._searcher, chat))
            run.calls = preparation.calls
        asked = run.wording = preparation.question or question.text
        run.instructions = preparation.instructions
        with run.timed("search"):
            found = await self._finder.found_for(asked, preparation.queries, question.scope)
        with run.timed("tools"):
            made = await run_tools(run.plugin, preparation.calls)
        readings = await asyncio.to_thread(lambda: [read_as_data(item) for item in numbered(made, found)])
        as_data = [reading.evidence for reading in readings]
        prompt = self._prompt(run, as_data)
        run.messages = prompt.messages
        by_id = {reading.found.id: reading for reading in readings}
        run.readings = {item.id: replace(by_id[item.id], evidence=item) for item in prompt.evidence}
        run.evidence = tuple(by_id[item.id].found for item in prompt.evidence)
        yield Retrieved(run.evidence)

        run.unclear = open_word(question, run.evidence)
        run.abstained = abstain.Reason.UNDERSPECIFIED if run.unclear else abstain.before(asked, as_data)
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
            left_out=tuple(item for item in as_data if item.id not in run.readings),
            over=lambda evidence: self._prompt(run, evidence).messages,
            sampling=await self._earlier.sampling(run),
        )
        run.later = {reading.evidence.digest: reading for reading in readings}
        async with aclosing(self._drafted(run, task)) as events:
            async for event in events:
                yield event
        await self._decide(run, task)

    async def _drafted(self, run: Run, task: Task) -> AsyncGenerator[Event, None]:
        """Let the first drafter that has something to say write, and check each claim as soon as it is whole."""
        known = {item.id: item for item in task.evidence}
        watch = run.watch = DraftWatch(self._canary, self._limits, known=known.keys())
        run.drafting_since = begin = time.perf_counter()
        async with ChecksInOrder() as checks, aclosing(self._pieces(run, task)) as pieces:
            async for piece in pieces:
                match piece:
                    case Evidence():
                        known[piece.id] = piece
                        run.add(piece)
                        yield Retrieved(run.evidence)
                    case Short() | Coverage():
                        run.note(piece)
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

    async def _decide(self, run: Run, task: Task) -> None:
        """Say whether anything of the checked draft is shown."""
        if run.ended is DraftEnd.LEAKED:
            run.abstained = abstain.Reason.PROMPT_LEAKED
        else:
            run.abstained = abstain.after(task.asked, run.claims, run.as_data)
        if run.abstained is None and self._gate is not None:
            with run.timed("gate"):
                run.judgement = await self._gate.judge(task, run.claims, run.as_data, drafter=run.drafter)
            run.abstained = run.judgement.reason

    def _prompt(self, run: Run, evidence: Sequence[Evidence]) -> Prompt:
        return build(
            run.wording,
            evidence,
            language=run.question.language,
            budget=self._prompt_tokens(),
            instructions=run.instructions,
            count=self._count_tokens,
            canary=self._canary,
        )

    def _made_by(self) -> dict[str, Any]:
        return {**self._versions(), "prompt": PROMPT_VERSION, "checks": CHECKS_VERSION}

    async def _pieces(self, run: Run, task: Task) -> AsyncGenerator[Piece, None]:
        for drafter in self._drafters:
            if not drafter.suits(task):
                continue
            async with aclosing(drafter.draft(task)) as pieces:
                async for piece in pieces:
                    run.drafter = drafter.name
                    yield piece
            if run.drafter is not None:
                return

    async def _check(self, run: Run, task: Task, draft: DraftClaim, known: dict[str, Evidence]) -> Claim:
        with run.timed("check"):
            claim = self._verifier.check(draft, known, question=task.asked)
            if made := redone(draft, claim, known, language=task.question.language):
                draft, computation = made
                known[computation.id] = computation
                run.add(computation)
                claim = self._verifier.check(draft, known, question=task.asked)
            return guarded(claim, evidence=run.readings, language=task.question.language)

    async def _open(self, run: Run) -> None:
        def body(commitments: Mapping[str, str]) -> dict[str, Any]:
            return intent_body(run.question, answer_id=run.answer_id, domain=run.asked, commitments=commitments)

        with run.timed("intent"):
            run.intent, cancelled = await self._append(INTENT, run, texts=intent_texts(run.question), body=body)
        if cancelled:
            raise asyncio.CancelledError

    async def _finish(self, run: Run) -> Answer:
        """Record the outcome, and only then make the answer."""
        if run.plugin is None or run.intent is None:
            raise RuntimeError("a run finished that never began")
        language = run.question.language
        text = _told(run)
        if run.sections is not None:
            text += told_in_part(run.sections, language)

        def body(commitments: Mapping[str, str]) -> dict[str, Any]:
            ended = {"abstained": run.abstained is not None, "reason": run.abstained, "drafter": run.drafter}
            screening = {"ended": run.ended, "repeats": run.watch.repeats if run.watch else 0, "kept_out": run.kept_out}
            return self._outcome(run, commitments) | ended | {"screening": screening} | run.how

        begin = time.perf_counter()
        texts = outcome_texts(run.claims, text) | self._replayed(run)
        receipt, cancelled = await self._append(OUTCOME, run, texts=texts, body=body, closes=run.intent.entry)
        run.seconds["outcome"] = time.perf_counter() - begin
        run.intent = None  # closed: nothing that happens from here on may close it again
        if cancelled:
            raise asyncio.CancelledError
        await self._earlier.remember(run, receipt.entry)
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
            confidence=run.judgement.confidence,
            assurance=run.judgement.assurance,
            missing=run.judgement.missing if run.abstained is None else (),
            conflicts=run.judgement.conflicts if run.abstained is None else (),
            ended=run.ended,
            kept_out=run.kept_out,
            sections=SectionsRead(read=run.sections.read, of=run.sections.of) if run.sections else None,
            repeats=run.again.answer_id if run.again else None,
            notice=run.plugin.notice.get(language),
            receipt=receipt,
            seconds={step: round(value, 4) for step, value in run.seconds.items()},
        )

    async def _close(self, run: Run, error: BaseException) -> None:
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

    def _outcome(self, run: Run, commitments: Mapping[str, str]) -> dict[str, Any]:
        plugin = run.plugin
        body = outcome_body(
            answer_id=run.answer_id,
            domain=plugin.name if plugin else None,
            domain_reason=run.domain_reason,
            calls=run.calls,
            evidence=run.evidence,
            claims=run.claims,
            versions=self._made_by(),
            seconds=run.seconds,
            commitments=commitments,
        )
        return body | ({"retention_days": plugin.retention_days} if plugin else {})

    def _replayed(self, run: Run) -> dict[str, str]:
        return replay_texts(
            run.question,
            asked=run.wording,
            instructions=run.instructions,
            messages=run.messages,
            short=run.short,
            evidence=run.evidence,
        )

    async def _append(
        self,
        action: str,
        run: Run,
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


def _told(run: Run) -> str:
    """Return what the reader is told: the supported claims and what belongs to them, or why there are none."""
    language = run.question.language
    if run.unclear is not None:
        return question_back(run.unclear, run.evidence, language)
    if run.abstained is not None:
        return abstain.words(language, nearest=bool(run.evidence))
    judged = run.judgement
    return render(run.claims, language) + left_out(judged.missing, language) + differing(judged.conflicts, language)


def _noted(run: Run, claim: Claim) -> Checked:
    run.seconds.setdefault("first_claim", time.perf_counter() - run.drafting_since)
    run.claims.append(claim)
    return Checked(claim)

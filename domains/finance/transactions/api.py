"""The routes of transaction risk, under ``/v1/finance/transactions``.

    POST score     one transaction
    POST batch     up to 1,000
    POST stream    NDJSON in, NDJSON out, in blocks of 256; a line that is wrong gets an error and the others go on
    GET  {id}      what a transaction was given
    GET  drift     population stability, champion against challenger
    GET  rules     the rules in force;  PUT rules: new ones, checked first, for administrators
    GET  model     the model's card

Errors have the one shape of the service; inside batch and stream each transaction has its own.

Not covered: who may see which transaction; every caller who may ask may ask for each.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Final, Protocol

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from domains.finance.transactions.errors import TooManyTransactions, TransactionError, TransactionRefused
from domains.finance.transactions.event import Transaction, parse_json
from domains.finance.transactions.results import Result
from domains.finance.transactions.rules import RuleSet
from domains.finance.transactions.schemas import (
    Batch,
    BatchResult,
    Compared,
    Drift,
    DriftRow,
    ErrorText,
    FittedModel,
    Item,
    NewRules,
    RuleRow,
    Rules,
)
from domains.finance.transactions.scoring import Scoring

__all__ = ["MOST_LINES", "router"]

MOST_LINES: Final = 10_000
_BLOCK: Final = 256
_LONGEST_LINE: Final = 16_384
_NDJSON: Final = "application/x-ndjson"
_EXAMPLE: Final = (
    '{"id": "T-1", "time": "2026-11-24T08:15:00Z", "amount": "9.90", "currency": "EUR", "account": "A-1",'
    ' "channel": "pos", "type": "card"}\n'
)


class Served(Protocol):
    """What the routes need of `service.Risk`."""

    @property
    def scoring(self) -> Scoring:
        """The scoring itself."""
        ...

    def score(self, transactions: Sequence[Transaction], *, actor: Any) -> list[Result | TransactionError]:
        """Score and record."""
        ...

    def change_rules(self, text: str, *, actor: Any) -> RuleSet:
        """Record and put in force."""
        ...


def router(risk: Served) -> APIRouter:
    """Build the routes around one `service.Risk`."""
    routes = APIRouter(prefix="/transactions", tags=["finance"])

    @routes.post("/score", summary="Score one transaction")
    def score(body: Transaction, request: Request) -> Result:
        """Score a transaction: probability, decision, exact reasons. The same id gives the same answer again."""
        given = risk.score([body], actor=_caller(request))[0]
        if isinstance(given, TransactionError):
            raise given
        return given

    @routes.post("/batch", summary="Score transactions")
    def batch(body: Batch, request: Request) -> BatchResult:
        """Score transactions in the order given; each has a result or an error of its own."""
        given = risk.score(body.transactions, actor=_caller(request))
        return BatchResult(items=[_item(one.id, got) for one, got in zip(body.transactions, given, strict=True)])

    @routes.post(
        "/stream",
        summary="Score a stream of transactions",
        response_class=StreamingResponse,
        openapi_extra={
            "requestBody": {"required": True, "content": {_NDJSON: {"schema": {"type": "string"}, "example": _EXAMPLE}}}
        },
    )
    async def stream(request: Request) -> StreamingResponse:
        """Score transactions, one JSON object a line; one line comes back for each, in the same order."""
        lines = (await request.body()).split(b"\n")
        lines = lines[:-1] if lines and not lines[-1].strip() else lines
        if len(lines) > MOST_LINES:
            raise TooManyTransactions(
                f"There are more than {MOST_LINES} lines.", remedy="Send them in several requests."
            )
        return StreamingResponse(_scored(risk, lines, _caller(request)), media_type=_NDJSON)

    _add_reports(routes, risk)
    return routes


def _add_reports(routes: APIRouter, risk: Served) -> None:
    scoring = risk.scoring

    @routes.get("/drift", summary="Report drift")
    def drift() -> Drift:
        """Compare the transactions scored last with those of the training, and champion with challenger."""
        score_psi, reading, rows = scoring.recent.drift(scoring.model.baseline)
        compared = scoring.recent.compare(review_from=scoring.rules.current.review_from)
        return Drift(
            transactions=len(scoring.recent),
            score_psi=score_psi,
            reading=reading,
            features=[DriftRow(feature=name, psi=index, reading=said) for name, index, said in rows],
            champion_and_challenger=Compared(
                both=compared.both,
                champion_only=compared.champion_only,
                challenger_only=compared.challenger_only,
                neither=compared.neither,
                correlation=compared.correlation,
            ),
        )

    @routes.get("/rules", summary="Show the rules in force")
    def rules() -> Rules:
        """Show the rules in force, and what is wrong with the file if it is not in force."""
        return _rules(scoring.rules.current, scoring.rules.problem)

    @routes.put("/rules", summary="Change the rules")
    def change(body: NewRules, request: Request) -> Rules:
        """Put new rules in force; wrong ones change nothing and the error names the line."""
        return _rules(risk.change_rules(body.toml, actor=_caller(request)), None)

    @routes.get("/model", summary="Show the model's card")
    def model() -> FittedModel:
        """Show what the model in force was fitted on, how well it does, and what it is not for."""
        return FittedModel(digest=scoring.model.digest, card=scoring.model.saved.card)

    @routes.get("/{transaction_id}", summary="Show what a transaction was given")
    def one(transaction_id: str) -> Result:
        """Show the score, decision and reasons that a transaction was given."""
        return scoring.result(transaction_id)


async def _scored(risk: Served, lines: Sequence[bytes], caller: Any) -> AsyncIterator[str]:
    for start in range(0, len(lines), _BLOCK):
        items = await asyncio.to_thread(_block, risk, lines[start : start + _BLOCK], caller)
        yield "".join(
            json.dumps({"line": number} | item.model_dump(mode="json", exclude_none=True), ensure_ascii=False) + "\n"
            for number, item in enumerate(items, start + 1)
        )


def _block(risk: Served, lines: Sequence[bytes], caller: Any) -> Iterator[Item]:
    read = [_read(line) for line in lines]
    good = [item for item in read if isinstance(item, Transaction)]
    try:
        given = iter(risk.score(good, actor=caller) if good else [])
    except TransactionError as error:  # the status is out: what failed can only be told inside the stream
        given = iter([error] * len(good))
    return iter(
        [
            _item(item.id, next(given)) if isinstance(item, Transaction) else Item(id="", error=ErrorText.of(item))
            for item in read
        ]
    )


def _read(line: bytes) -> Transaction | TransactionError:
    if len(line) > _LONGEST_LINE:
        return TransactionRefused(
            f"The line has more than {_LONGEST_LINE} bytes.", remedy="Send one transaction a line."
        )
    try:
        return parse_json(line)
    except TransactionRefused as error:
        return error


def _item(identity: str, given: Result | TransactionError) -> Item:
    if isinstance(given, TransactionError):
        return Item(id=identity, error=ErrorText.of(given))
    return Item(id=identity, result=given)


def _rules(current: RuleSet, problem: TransactionError | None) -> Rules:
    return Rules(
        digest=current.digest,
        review_from=current.review_from,
        block_from=current.block_from,
        review_points=current.review_points,
        rules=[
            RuleRow(
                name=rule.name,
                when=rule.when.text,
                action=rule.action,
                weight=rule.weight,
                en=rule.en,
                zh=rule.zh,
                line=rule.line,
            )
            for rule in current.rules
        ],
        problem=None if problem is None else ErrorText.of(problem),
        toml=current.text,
    )


def _caller(request: Request) -> Any:
    return getattr(request.state, "principal", None)

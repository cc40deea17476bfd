"""`POST /v1/ask`: a question in, a checked answer out, as server-sent events or as one JSON object.

The events, in order: `started` (the intent is in the ledger), `evidence`, any number of `draft` (the model's words as
they come, unchecked) and `claim` (a sentence with its verdict), and `answer`; or `error` in the one error shape.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from app.answering.choosing.deciding import MOST_CHOICES
from app.answering.choosing.limits import LONGEST_CHOICE, fitting
from app.answering.conversation import language_in
from app.answering.types import Answer, Checked, Draft, Event, Finished, Retrieved, Started
from app.api.failures import error_body
from app.api.guard import Caller, TheService
from app.errors import describe
from app.identity.principal import Principal
from domains.contract import Question, Style, Turn

__all__ = ["AskRequest", "begin", "question_of", "router"]

router = APIRouter(tags=["answers"])


class AskTurn(BaseModel):
    """One earlier exchange of the conversation."""

    model_config = ConfigDict(extra="forbid")
    question: str
    answer: str


class AskRequest(BaseModel):
    """What `POST /v1/ask` takes."""

    model_config = ConfigDict(extra="forbid")
    question: str = Field(description="In English or Chinese; answered in the same language.")
    domain: str | None = Field(default=None, description="Name of a domain; chosen by the question when it is missing.")
    collection: str | None = Field(default=None, description="Search in this collection only.")
    history: list[AskTurn] = Field(default_factory=list, max_length=50, description="Earlier turns, oldest first.")
    style: Style = Field(
        default=Style.FULL, description="`full`: sentences. `short`: the bare answer as well, in the answer's `short`."
    )
    choices: list[str] = Field(
        default_factory=list,
        description=f"The only answers that are wanted: 2 to {MOST_CHOICES}, each of at most {LONGEST_CHOICE}"
        " characters, all different. The one chosen stands in the answer's `short`.",
    )
    replaces: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{32}$",
        description="Id of the answer that this one takes the place of: the question asked again (it is answered anew,"
        " with other sampling), or changed. `history` then ends before that answer's turn.",
    )
    stream: bool = Field(default=True, description="Server-sent events, or one JSON object at the end.")


@router.post("/v1/ask", response_model=Answer, summary="Ask a question")
async def ask(body: AskRequest, request: Request, caller: Caller, service: TheService) -> Response:
    """Answer a question from the caller's documents: every sentence checked, the whole recorded."""
    history = tuple(Turn(turn.question, turn.answer) for turn in body.history)
    question = question_of(
        body.question,
        caller,
        collection=body.collection,
        history=history,
        style=body.style,
        choices=body.choices,
        replaces=body.replaces,
    )
    if not body.stream:
        answer = await service.answer(question, principal=caller, domain=body.domain)
        return JSONResponse(answer.model_dump(mode="json"))
    events = service.events(question, principal=caller, domain=body.domain)
    first = await begin(events)
    request_id = str(request.scope.get("vouch.request_id", ""))
    return StreamingResponse(
        _sse(first, events, request_id), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


def question_of(
    text: str,
    caller: Principal,
    *,
    collection: str | None = None,
    history: tuple[Turn, ...] = (),
    style: Style = Style.FULL,
    choices: Sequence[str] = (),
    replaces: str | None = None,
) -> Question:
    """Make a caller's question: in the language of its words, over what the caller may see, or one collection of it.

    Raises:
        BadRequest: the choices are none that a question may come with.
    """
    scope = caller.scope() if collection is None else caller.scope().within(collection)
    return Question(
        text=text,
        language=language_in(text, history),
        scope=scope,
        history=history,
        style=style,
        choices=fitting(choices),
        replaces=replaces,
    )


async def begin(events: AsyncIterator[Event]) -> Event:
    """Wait for the first event, so that a question refused at the door gets its HTTP status and not a broken stream."""
    return await anext(events)


async def _sse(first: Event, events: AsyncIterator[Event], request_id: str) -> AsyncIterator[str]:
    yield _frame(first)
    try:
        async for event in events:
            yield _frame(event)
    except Exception as error:  # noqa: BLE001 - the headers are out: the failure can only be told inside the stream
        yield f"event: error\ndata: {json.dumps(error_body(describe(error), request_id), ensure_ascii=False)}\n\n"


def _frame(event: Event) -> str:
    name, data = _named(event)
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def _named(event: Event) -> tuple[str, dict[str, Any]]:
    match event:
        case Started():
            return "started", asdict(event)
        case Retrieved(evidence):
            return "evidence", {"evidence": [item.model_dump(mode="json") for item in evidence]}
        case Draft(text):
            return "draft", {"text": text}
        case Checked(claim):
            return "claim", claim.model_dump(mode="json")
        case Finished(answer):
            return "answer", answer.model_dump(mode="json")

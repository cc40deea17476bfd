"""`POST /v1/chat/completions` and `GET /v1/models`: Vouch for programs that speak OpenAI's protocol.

Only what was checked goes through this door: a client of that protocol cannot mark words as unchecked, so a stream
carries claims as they pass, not the draft. Citations are `url_citation` annotations of the message (start and end are
characters of the content), and `vouch` beside `choices` holds the whole Answer. The last user message is the
question, earlier ones are the conversation; system messages and sampling parameters have no effect, since answers are
bound to evidence.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any, Final, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from app.answering.harmless import defang
from app.answering.types import Answer, Checked, Claim, Event, Finished, Started
from app.answering.wording import render
from app.api.ask import begin, question_of
from app.api.failures import error_body
from app.api.guard import Caller, TheService
from app.errors import BadRequest, describe
from domains.contract import Turn

__all__ = ["citations", "router"]

router = APIRouter(tags=["openai"])

_MARK: Final = re.compile(r"\[(\d+)\]")


class TextPart(BaseModel):
    """A part of a message; only text is understood."""

    type: Literal["text"]
    text: str


class Message(BaseModel):
    """A message of the conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    def text(self) -> str:
        """Return the message as one text."""
        return self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content)


class ChatRequest(BaseModel):
    """The part of OpenAI's request that has an effect, with two fields of our own; others are accepted and ignored."""

    model_config = ConfigDict(extra="ignore")
    messages: list[Message] = Field(min_length=1, max_length=200)
    model: str = "vouch"
    stream: bool = False
    n: int = Field(default=1, ge=1, le=1, description="Vouch gives one answer.")
    domain: str | None = Field(default=None, description="Vouch's own: the domain to answer in.")
    collection: str | None = Field(default=None, description="Vouch's own: search in this collection only.")


@router.get("/v1/models", summary="Models, as OpenAI's protocol lists them")
async def models(_caller: Caller, service: TheService) -> dict[str, Any]:
    """List one model a domain: `vouch` chooses the domain, `vouch-NAME` fixes it."""
    names = ["vouch", *(f"vouch-{name}" for name in sorted(service.domain_names))]
    return {"object": "list", "data": [{"id": name, "object": "model", "owned_by": "vouch"} for name in names]}


@router.post("/v1/chat/completions", summary="Ask in OpenAI's protocol")
async def chat(body: ChatRequest, request: Request, caller: Caller, service: TheService) -> Response:
    """Answer the last user message, checked and cited."""
    text, history = _conversation(body.messages)
    domain = body.domain or (body.model.removeprefix("vouch-") if body.model.startswith("vouch-") else None)
    question = question_of(text, caller, collection=body.collection, history=history)
    base = str(request.base_url).rstrip("/")
    if not body.stream:
        answer = await service.answer(question, principal=caller, domain=domain)
        return JSONResponse(_completion(answer, body.model, base))
    events = service.events(question, principal=caller, domain=domain)
    first = await begin(events)
    if not isinstance(first, Started):
        raise TypeError("the pipeline did not begin with its first event")
    request_id = str(request.scope.get("vouch.request_id", ""))
    return StreamingResponse(
        _chunks(first, events, body.model, base, request_id),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store"},
    )


def citations(answer: Answer, base: str) -> list[dict[str, Any]]:
    """Return an OpenAI `url_citation` for each citation mark in the answer's text."""
    by_id = {item.id: item for item in answer.evidence}
    found = []
    for mark in _MARK.finditer(answer.text):
        item = by_id.get(mark.group(1))
        if item is None:
            continue
        where = item.locator
        page = f", p. {where.page}" if where.page else ""
        url = f"{base}/view/{where.document_id}/{where.page or 1}"
        found.append(
            {
                "type": "url_citation",
                "url_citation": {
                    "start_index": mark.start(),
                    "end_index": mark.end(),
                    "title": defang(f"{where.document}{page}"),
                    "url": url if item.passage_id is None else f"{url}?passage={item.passage_id}",
                },
            }
        )
    return found


def _conversation(messages: list[Message]) -> tuple[str, tuple[Turn, ...]]:
    spoken = [message for message in messages if message.role in ("user", "assistant")]
    if not spoken or spoken[-1].role != "user":
        raise BadRequest("The last message is not a user's.", remedy="End the messages with the question to answer.")
    turns = [
        Turn(asked.text(), told.text())
        for asked, told in pairwise(spoken)
        if asked.role == "user" and told.role == "assistant"
    ]
    return spoken[-1].text(), tuple(turns)


def _completion(answer: Answer, model: str, base: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": answer.text, "annotations": citations(answer, base)}
    return {
        "id": f"chatcmpl-{answer.id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "vouch": answer.model_dump(mode="json"),
    }


async def _chunks(
    first: Started, events: AsyncIterator[Event], model: str, base: str, request_id: str
) -> AsyncIterator[str]:
    def frame(delta: dict[str, Any], **more: Any) -> str:
        finish = "stop" if more else None
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        data = {
            "id": f"chatcmpl-{first.answer_id}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
            "choices": [choice],
            **more,
        }
        return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"

    yield frame({"role": "assistant", "content": ""})
    claims: list[Claim] = []
    sent = ""
    try:
        async for event in events:
            if isinstance(event, Checked):
                claims.append(event.claim)
                shown = render(claims, first.language)
                if shown != sent:
                    yield frame({"content": shown.removeprefix(sent)})
                    sent = shown
            elif isinstance(event, Finished):
                answer = event.answer
                if answer.text != sent:
                    rest = answer.text.removeprefix(sent) if answer.text.startswith(sent) else f"\n{answer.text}"
                    yield frame({"content": rest})
                yield frame({"annotations": citations(answer, base)}, vouch=answer.model_dump(mode="json"))
    except Exception as error:  # noqa: BLE001 - the headers are out: the failure can only be told inside the stream
        yield f"data: {json.dumps(error_body(describe(error), request_id), ensure_ascii=False)}\n\n"
    yield "data: [DONE]\n\n"

"""`/v1/ask` and the OpenAI protocol, over a real server: events, citations, records, failures."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from app.ledger.verifier import check_receipt
from app.service import Service
from model.engine_state import EngineState
from model.errors import ServingFailed
from tests.app.conftest import REPORT, StillEngine, add, serving
from tests.scripted_chat import ScriptedChat

Make = Callable[..., Service]
QUESTION = "What was the revenue of Halden Marine in 2025?"
REPLY = "Revenue of Halden Marine was 412 million euro in 2025 [1]."


def events_of(reply: httpx.Response) -> list[tuple[str, dict[str, Any]]]:
    frames = [frame for frame in reply.text.split("\n\n") if frame]
    found = []
    for frame in frames:
        name, data = frame.split("\n", 1)
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_a_question_is_answered_with_a_page_and_a_record(make_service: Make) -> None:
    service = make_service(REPLY)
    with serving(service) as client:
        document = add(client, "report.md", REPORT)
        answer = client.post("/v1/ask", json={"question": QUESTION, "stream": False}).json()
        entries = client.get("/v1/audit/entries", params={"limit": 1000}).json()["entries"]
    assert not answer["abstained"]
    assert "412 million" in answer["text"]
    assert "[1]" in answer["text"]
    [claim] = answer["claims"]
    assert claim["verdict"] == "supported"
    cited = next(item for item in answer["evidence"] if item["id"] == claim["cites"][0])
    assert cited["locator"]["document_id"] == document["id"]
    assert cited["locator"]["page"] == 1
    record = entries[answer["receipt"]["entry"]]
    assert record["action"] == "answer.outcome"
    assert record["leaf"] == answer["receipt"]["leaf"]
    keys = [str(key) for key in service.publisher.keys]
    assert check_receipt(json.dumps(answer["receipt"]).encode(), keys).signed == answer["receipt"]["size"]
    assert "412 million" not in json.dumps(entries)
    assert "Halden" not in json.dumps(entries)


def test_the_stream_tells_each_step_in_order(make_service: Make) -> None:
    with serving(make_service(REPLY)) as client:
        add(client, "report.md", REPORT)
        reply = client.post("/v1/ask", json={"question": QUESTION})
        told = events_of(reply)
    names = [name for name, _ in told]
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert names[:2] == ["started", "evidence"]
    assert names[-1] == "answer"
    assert names.count("claim") == 1
    draft = "".join(data["text"] for name, data in told if name == "draft")
    assert draft == REPLY


def test_an_invention_is_struck_out_and_the_answer_abstains(make_service: Make) -> None:
    with serving(make_service("Revenue of Halden Marine was 999 million euro in 2025 [1].")) as client:
        add(client, "report.md", REPORT)
        answer = client.post("/v1/ask", json={"question": QUESTION, "stream": False}).json()
    assert answer["abstained"]
    assert "999" not in answer["text"]
    assert [claim["verdict"] for claim in answer["claims"]] != ["supported"]
    assert answer["evidence"]


def test_a_chinese_question_is_answered_in_chinese(make_service: Make) -> None:
    with serving(make_service("单笔贷款金额不得超过500万元[1]。")) as client:
        add(client, "办法.md", "# 信贷管理办法\n\n第一条 单笔贷款金额不得超过500万元。\n")
        answer = client.post("/v1/ask", json={"question": "单笔贷款金额上限是多少？", "stream": False}).json()
        nothing = client.post("/v1/ask", json={"question": "董事长的生日是哪天？", "stream": False}).json()
    assert answer["language"] == "zh"
    assert "500万元" in answer["text"]
    assert nothing["abstained"]
    assert nothing["language"] == "zh"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"question": "  "}, 400, "bad_request"),
        ({"question": "x" * 200_000}, 413, "too_large"),
        ({"question": "y" * (2 << 20)}, 413, "too_large"),
        ({}, 422, "invalid_request"),
        ({"question": 7}, 422, "invalid_request"),
        ({"question": "a", "colour": "red"}, 422, "invalid_request"),
        ({"question": "What?", "domain": "astrology"}, 422, "unknown_domain"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_a_bad_question_gets_its_status_and_a_remedy(
    make_service: Make, body: dict[str, Any], status: int, code: str, stream: bool
) -> None:
    with serving(make_service(REPLY)) as client:
        reply = client.post("/v1/ask", json={**body, "stream": stream})
        assert reply.status_code == status, reply.text
        assert reply.json()["error"]["code"] == code
        assert reply.json()["error"]["remedy"]
        assert reply.json()["error"]["request_id"] == reply.headers["x-request-id"]
        assert client.get("/healthz").status_code == 200


def test_a_model_that_dies_in_mid_answer_is_told_and_recorded(make_service: Make) -> None:
    service = make_service(chat=ScriptedChat(replies=[REPLY], dies_after=4))
    with serving(service) as client:
        add(client, "report.md", REPORT)
        told = events_of(client.post("/v1/ask", json={"question": QUESTION}))
        whole = client.post("/v1/ask", json={"question": QUESTION, "stream": False})
        outcomes = [entry.event.outcome for entry in service.ledger.find(action="answer.outcome")]
    assert told[-1][0] == "error"
    assert told[-1][1]["error"]["code"] == "model_interrupted"
    assert whole.status_code == 502
    assert outcomes == ["unknown", "unknown"]


def test_a_model_that_is_not_there_says_how_far_it_is(make_service: Make) -> None:
    engine = StillEngine(state=EngineState("building", "quantizing layer 3 of 28", 3, 28, None))
    service = make_service(engine=engine)
    service.pipeline._chat_factory = service._chat  # the scripted model is always there; this asks the engine
    with serving(service) as client:
        status = client.get("/v1/status").json()["model"]
        ready = client.get("/readyz")
    assert (status["stage"], status["done"], status["total"]) == ("building", 3, 28)
    assert ready.status_code == 503
    assert ready.json()["parts"]["model"] == "building"


def test_a_model_that_failed_says_why(make_service: Make) -> None:
    failure = ServingFailed("vLLM ended.", remedy="Give it more memory.")
    service = make_service(engine=StillEngine(state=EngineState("failed", "failed", 0, 0, failure)))
    with serving(service) as client:
        status = client.get("/v1/status").json()["model"]
    assert (status["message"], status["remedy"]) == ("vLLM ended.", "Give it more memory.")


def test_a_client_that_leaves_is_recorded_as_cancelled(make_service: Make) -> None:
    gate = threading.Event()
    chat = ScriptedChat(replies=[REPLY], waits_after=4, gate=gate)
    service = make_service(chat=chat)
    with serving(service) as client:
        add(client, "report.md", REPORT)
        with client.stream("POST", "/v1/ask", json={"question": QUESTION}) as reply:
            for line in reply.iter_lines():
                if line == "event: draft":
                    break
        assert chat.closed.wait(10)
        gate.set()
        for _ in range(100):
            outcomes = [entry.event.outcome for entry in service.ledger.find(action="answer.outcome")]
            if outcomes:
                break
            threading.Event().wait(0.05)
    assert outcomes == ["cancelled"]


def test_openai_clients_get_text_and_citations(make_service: Make) -> None:
    with serving(make_service(REPLY)) as client:
        document = add(client, "report.md", REPORT)
        body = {"model": "vouch", "messages": [{"role": "user", "content": QUESTION}]}
        reply = client.post("/v1/chat/completions", json=body).json()
        message = reply["choices"][0]["message"]
        citation = message["annotations"][0]["url_citation"]
        page = client.get(f"/v1/documents/{document['id']}/pages/1")
    assert "412 million" in message["content"]
    assert message["content"][citation["start_index"] : citation["end_index"]] == "[1]"
    assert f"/view/{document['id']}/1?passage=" in citation["url"]
    assert citation["title"] == "report.md, p. 1"
    assert reply["vouch"]["receipt"]["entry"] > 0
    assert page.status_code == 200


def test_openai_streams_carry_only_what_was_checked(make_service: Make) -> None:
    wrong = "Its revenue of Halden Marine was 999 million euro in 2025 [1]."
    with serving(make_service(f"{REPLY} {wrong}")) as client:
        add(client, "report.md", REPORT)
        body = {"messages": [{"role": "user", "content": QUESTION}], "stream": True}
        reply = client.post("/v1/chat/completions", json=body)
    frames = [line.removeprefix("data: ") for line in reply.text.splitlines() if line]
    assert frames[-1] == "[DONE]"
    chunks = [json.loads(frame) for frame in frames[:-1]]
    content = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert content == chunks[-1]["vouch"]["text"]
    assert "412 million" in content
    assert "999" not in content
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["choices"][0]["delta"]["annotations"]


def test_openai_conversations_end_with_a_user(make_service: Make) -> None:
    with serving(make_service(REPLY)) as client:
        last = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
        assert client.post("/v1/chat/completions", json=last).json()["error"]["code"] == "bad_request"
        image = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}
        assert client.post("/v1/chat/completions", json=image).status_code == 422
        names = [item["id"] for item in client.get("/v1/models").json()["data"]]
    assert names[0] == "vouch"
    assert "vouch-general" in names

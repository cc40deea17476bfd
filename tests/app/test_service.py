"""The service as a whole: no record, no answer; what a crash leaves is closed; logs and metrics tell no content."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from app.errors import StartFailed
from app.identity.principal import OPERATOR
from app.logs import configure
from app.service import Service
from domains.contract import Question
from model.engine_state import EngineState
from model.errors import ModelNotReady
from tests.app.conftest import REPORT, StillEngine, add, serving
from tests.app.storage.disks import SmallDisk, mounted
from tests.scripted_chat import ScriptedChat

Make = Callable[..., Service]
QUESTION = "What was the revenue of Halden Marine in 2025?"
REPLY = "Revenue of Halden Marine was 412 million euro in 2025 [1]."


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with mounted(tmp_path / "ledger-disk") as found:
        yield found


def on(disk: SmallDisk) -> dict[str, str]:
    return {"VOUCH_LEDGER_URL": f"sqlite:///{disk.folder / 'ledger.db'}"}


def test_no_record_no_answer(make_service: Make, disk: SmallDisk) -> None:
    service = make_service(REPLY, environ=on(disk))
    with serving(service) as client:
        add(client, "report.md", REPORT)
        ask = {"question": QUESTION, "stream": False}
        assert not client.post("/v1/ask", json=ask).json()["abstained"]
        disk.fill()
        size = service.ledger.size
        refused = [
            client.post("/v1/ask", json=ask),
            client.post("/v1/ask", json={"question": QUESTION}),
            client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": QUESTION}]}),
            client.post("/v1/documents", files={"files": ("b.md", REPORT.encode())}),
            client.get("/v1/documents"),
        ]
        assert client.get("/healthz").status_code == 200
        assert service.ledger.size == size
        disk.free()
        after = client.post("/v1/ask", json=ask).json()
        intact = client.post("/v1/audit/verify").json()["intact"]
    for reply in refused:
        assert reply.status_code == 503
        assert reply.json()["error"]["code"] == "ledger_unavailable"
        assert reply.json()["error"]["remedy"]
        assert "412 million" not in reply.text
    assert not after["abstained"]
    assert intact


def test_a_ledger_that_fills_up_in_mid_answer_gives_no_answer(make_service: Make, disk: SmallDisk) -> None:
    gate = threading.Event()
    chat = ScriptedChat(replies=[REPLY], waits_after=4, gate=gate)
    service = make_service(chat=chat, environ=on(disk))
    with serving(service) as client, ThreadPoolExecutor() as pool:
        add(client, "report.md", REPORT)
        asked = pool.submit(client.post, "/v1/ask", json={"question": QUESTION, "stream": False})
        assert chat.reached.wait(30)
        disk.fill()
        gate.set()
        reply = asked.result(60)
        disk.free()
    assert reply.status_code == 503
    assert reply.json()["error"]["code"] == "ledger_unavailable"
    again = make_service(REPLY, environ=on(disk))
    again.start()
    try:
        assert again.ledger.find(action="answer.outcome")[-1].event.outcome == "unknown"
    finally:
        again.stop()


def test_what_a_crash_left_open_is_closed_as_unknown_at_the_next_start(make_service: Make) -> None:
    first = make_service(REPLY)
    intent = first.ledger.append("answer.intent", actor=OPERATOR, body={"question": "commitment"})
    first.ledger.close()
    second = make_service(REPLY)
    second.start()
    try:
        [closing] = second.ledger.find(action="answer.outcome")
        assert closing.event.outcome == "unknown"
        assert closing.event.closes == intent.entry
        assert second.ledger.verify().size == second.ledger.size
    finally:
        second.stop()


def test_a_second_service_on_the_same_folder_is_refused(make_service: Make) -> None:
    make_service()
    with pytest.raises(StartFailed) as caught:
        make_service()
    assert caught.value.remedy


def test_until_the_model_is_there_questions_say_so_and_are_recorded(make_service: Make) -> None:
    engine = StillEngine(state=EngineState("starting", "loading weights", 0, 0, None))
    service = make_service(engine=engine)
    with pytest.raises(ModelNotReady, match="loading weights"):
        service._chat()


def test_without_an_index_the_search_says_that_it_is_not_ready(make_service: Make) -> None:
    service = make_service(REPLY)
    question = Question(text=QUESTION, language="en", scope=OPERATOR.scope())
    with pytest.raises(ModelNotReady, match="search"):
        asyncio.run(service.answer(question, principal=OPERATOR))
    [closing] = service.ledger.find(action="answer.outcome")
    assert closing.event.outcome == "error"


def test_documents_survive_a_restart_and_the_index_with_them(make_service: Make) -> None:
    first = make_service(REPLY)
    with serving(first) as client:
        add(client, "report.md", REPORT)
    second = make_service(REPLY)
    with serving(second) as client:
        for _ in range(200):
            if client.get("/readyz").is_success:
                break
        answer = client.post("/v1/ask", json={"question": QUESTION, "stream": False}).json()
    assert "412 million" in answer["text"]
    assert second.ledger.size > 3


def test_logs_metrics_and_ledger_hold_no_content(make_service: Make, tmp_path: Path) -> None:
    log = tmp_path / "vouch.log"
    configure("debug", path=log)
    try:
        service = make_service("Canary CANARY-4711 lives in the north tower [1].")
        with serving(service) as client:
            add(client, "canary-4712.md", "# Birds\n\nCanary CANARY-4711 lives in the north tower.\n")
            asked = "Where does canary CANARY-4711 live, secretly CANARY-4713?"
            client.post("/v1/ask", json={"question": asked, "stream": False})
            client.post("/v1/ask", json={"question": f"CANARY-4714 {'x' * 9000}"})
            metrics = client.get("/metrics").text
            entries = json.dumps(client.get("/v1/audit/entries", params={"limit": 1000}).json())
    finally:
        configure("info")
    written = log.read_text(encoding="utf-8")
    assert '"event": "request"' in written
    assert all(json.loads(line) for line in written.splitlines())
    for text_of in (written, metrics, entries):
        assert "CANARY" not in text_of
        assert "canary-4712" not in text_of


def test_metrics_count_what_happened(make_service: Make) -> None:
    with serving(make_service(REPLY)) as client:
        add(client, "report.md", REPORT)
        client.post("/v1/ask", json={"question": QUESTION, "stream": False})
        client.post("/v1/ask", json={"question": "", "stream": False})
        text_of = client.get("/metrics").text
    assert 'vouch_answers_total{domain="auto",outcome="answered"} 1.0' in text_of
    assert 'vouch_answers_total{domain="auto",outcome="error"} 1.0' in text_of
    assert 'vouch_claims_total{verdict="supported"} 1.0' in text_of
    assert 'vouch_documents{state="ready"} 1.0' in text_of
    assert "vouch_model_ready 1.0" in text_of
    assert 'route="/v1/ask"' in text_of


def test_a_damaged_ledger_is_found_by_the_audit_route(make_service: Make) -> None:
    service = make_service(REPLY)
    with serving(service) as client:
        add(client, "report.md", REPORT)
        assert client.post("/v1/audit/verify").json()["intact"]
        with service.ledger._engine.begin() as connection:
            for (trigger,) in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
                connection.execute(text(f'DROP TRIGGER "{trigger}"'))
            connection.execute(text("UPDATE ledger_entries SET body = replace(body, 'ok', 'no') WHERE seq = 1"))
        found = client.post("/v1/audit/verify")
    assert found.status_code == 503
    assert found.json()["error"]["code"] == "ledger_corrupt"
    assert "1" in found.json()["error"]["message"]

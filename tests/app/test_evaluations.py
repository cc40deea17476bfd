"""The suites of `./vouch eval`: how they are found, and what each is lent."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app import evaluations
from app.errors import BadRequest
from app.settings import Settings
from benchmarks.sql_llamacpp import server
from model.errors import ModelError
from retrieval.rivals import Rivals

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    (folder / "databases").mkdir(parents=True)
    with closing(sqlite3.connect(folder / "databases" / "shop.sqlite")) as connection:
        connection.executescript("CREATE TABLE customer (name TEXT); INSERT INTO customer VALUES ('Ada')")
    rows = [
        {"id": "a", "db_id": "shop", "question": "How many?", "gold_sql": "SELECT count(*) FROM customer"},
        {"id": "b", "db_id": "shop", "question": "Who?", "gold_sql": "SELECT name FROM customer"},
    ]
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return folder


class Recorded:
    """Answers every question with one reply, in pieces, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, int]] = []
        self.context = 4096

    def __call__(self, messages: Any, tokens: int) -> Iterator[dict[str, Any]]:
        self.asked.append((messages, tokens))
        if tokens > self.context:
            raise ValueError(f"Requested tokens ({tokens}) exceed context window of {self.context}")
        for piece, finish in (("```sql\n", None), ("SELECT count(*)", None), (" FROM customer;\n```", "stop")):
            choice = {"index": 0, "delta": {"content": piece}, "finish_reason": finish}
            yield {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


@pytest.fixture
def answers() -> Recorded:
    return Recorded()


@pytest.fixture
def url(answers: Recorded) -> Iterator[str]:
    """The server that stands before llama.cpp when it is measured; here without llama.cpp."""
    serving = server(answers, name="m", port=0)
    thread = threading.Thread(target=serving.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{serving.server_port}/v1"
    serving.shutdown()
    serving.server_close()
    thread.join()


def settings(tmp_path: Path, **more: Any) -> Settings:
    return Settings(data_dir=tmp_path / "var", **more)


def measure(name: str, data: Path | None, kept: Settings, report: Callable[[str], None] = print) -> dict[str, Any]:
    return evaluations.measure(name, data, limit=None, seed=0, rivals=Rivals.NONE, settings=kept, report=report)


def test_suites_of_search_of_databases_and_of_domains_are_found() -> None:
    assert {"scifact", "sql", "sql-zh", "credit"} <= evaluations.suites().keys()


@pytest.mark.parametrize(("name", "folder", "said"), [("none", ".", "no suite"), ("sql", "/no/such", "not a folder")])
def test_what_is_not_there_is_refused(tmp_path: Path, name: str, folder: str, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        measure(name, Path(folder), settings(tmp_path))
    with pytest.raises(BadRequest, match="not a folder"):
        measure("sql", None, settings(tmp_path))


def test_a_suite_that_names_chat_gets_the_model_and_its_result_says_which(
    tmp_path: Path, data: Path, answers: Recorded, url: str
) -> None:
    result = measure("sql", data, settings(tmp_path, model_url=url))
    assert result["metrics"]["execution_accuracy"] == 0.5
    assert result["outcomes"] == {"correct": 1, "other_rows": 1}
    assert result["settings"]["model"]["model"] == "m"
    assert result["settings"]["answer_tokens"] == 320
    assert len(answers.asked) == 2
    for messages, tokens in answers.asked:
        assert [message["role"] for message in messages] == ["system", "user"]
        assert tokens == 320


def test_a_prompt_beyond_the_context_is_a_wrong_answer(tmp_path: Path, data: Path, answers: Recorded, url: str) -> None:
    answers.context = 10
    assert measure("sql", data, settings(tmp_path, model_url=url))["outcomes"] == {"no_reply": 2}


def test_a_model_that_cannot_be_served_makes_no_figure(tmp_path: Path, data: Path, url: str) -> None:
    with pytest.raises(ModelError):
        measure("sql", data, settings(tmp_path, model_url=url, remote_model="another"))


def test_a_suite_without_chat_starts_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def plain(data: Path, *, limit: int | None, seed: int, report: Callable[[str], None]) -> Mapping[str, Any]:
        report("counting")
        return {"n": limit, "seed": seed}

    monkeypatch.setattr(evaluations, "SQL", {"plain": plain})
    said: list[str] = []
    assert measure("plain", tmp_path, settings(tmp_path, model_url="http://127.0.0.1:9/v1"), said.append) == {
        "n": None,
        "seed": 0,
    }
    assert said == ["counting"]


def test_the_command_writes_every_question_to_the_file_and_prints_the_figures(
    tmp_path: Path, data: Path, url: str
) -> None:
    out = tmp_path / "out.json"
    done = subprocess.run(
        [sys.executable, "-m", "app", "eval", "sql", "--data", str(data), "--json", str(out)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "VOUCH_DATA_DIR": str(tmp_path / "var"), "VOUCH_MODEL_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed, kept = json.loads(done.stdout), json.loads(out.read_text(encoding="utf-8"))
    items = kept.pop("items")
    assert printed == kept
    assert [(row["id"], row["outcome"]) for row in items] == [("a", "correct"), ("b", "other_rows")]

"""Two results of one suite, compared question by question."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sql_compare import compared
from domains.sql.evaluation import SUITES
from tests.domains.sql.conftest import build
from tests.scripted_chat import ScriptedChat

RIGHT = "SELECT count(*) FROM customer"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "databases").mkdir()
    build(tmp_path / "databases" / "shop.sqlite")
    rows = [{"id": f"q{n}", "db_id": "shop", "question": f"Question {n}?", "gold_sql": RIGHT} for n in range(4)]
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return tmp_path


def result(data: Path, *right: int) -> dict[str, Any]:
    """What the suite writes when the questions of these numbers are answered rightly."""

    def reply(messages: list[Any]) -> str:
        return RIGHT if any(str(messages[-1].content).endswith(f"Question {n}?") for n in right) else "SELECT 99"

    return SUITES["sql"](data, chat=ScriptedChat(replies=[reply]), report=lambda _: None)


def test_the_difference_is_taken_question_by_question(data: Path) -> None:
    found = compared(data, result(data, 0, 1, 2), result(data, 0, 3))
    assert (found["n"], found["ours"], found["theirs"]) == (4, 0.75, 0.5)
    assert found["difference"]["mean"] == 0.25
    assert found["only_ours_correct"] == ["q1", "q2"]
    assert found["only_theirs_correct"] == ["q3"]
    assert found["same_reply"] == 0.25


def test_equal_replies_leave_no_doubt(data: Path) -> None:
    found = compared(data, result(data, 0, 2), result(data, 0, 2))
    assert found["difference"] == {"mean": 0.0, "interval": [0.0, 0.0]}
    assert found["same_reply"] == 1.0


def test_only_questions_that_both_were_asked_count(data: Path) -> None:
    ours, theirs = result(data, 0), result(data, 0)
    theirs["items"] = theirs["items"][:2]
    assert compared(data, ours, theirs)["n"] == 2


def test_the_replies_count_and_not_the_verdicts_of_the_day(data: Path) -> None:
    ours, theirs = result(data, 0), result(data, 0)
    ours["items"][0]["outcome"] = "other_rows"
    assert compared(data, ours, theirs)["difference"]["mean"] == 0.0

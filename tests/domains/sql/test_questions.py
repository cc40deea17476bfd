"""Reading a set of questions."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from domains.sql.errors import QuestionsRefused
from domains.sql.questions import read_questions

ROW = {"id": "q1", "db_id": "shop", "question": "How many?", "question_zh": "多少？", "gold_sql": "SELECT 1"}


def folder(tmp_path: Path, *rows: Any) -> Path:
    (tmp_path / "databases").mkdir()
    (tmp_path / "databases" / "shop.sqlite").touch()
    text = "\n".join(row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows)
    (tmp_path / "questions.jsonl").write_text(text + "\n", encoding="utf-8")
    return tmp_path


def test_a_line_becomes_a_question(tmp_path: Path) -> None:
    (item,) = read_questions(folder(tmp_path, ROW | {"hardness": "easy", "unambiguous": False}), "en")
    assert (item.id, item.text, item.accepted, item.kind) == ("q1", "How many?", ("SELECT 1",), "easy")
    assert item.database == tmp_path / "databases" / "shop.sqlite"
    assert not item.unambiguous
    assert item.now is None


def test_the_other_form_has_several_accepted_queries_notes_and_a_time(tmp_path: Path) -> None:
    more = {"gold_sql": ["SELECT 1", "SELECT 2"], "instructions": "A = B", "reference_now": "2026-11-22 12:00:00"}
    (item,) = read_questions(folder(tmp_path, ROW | more | {"category": "ratio"}), "en")
    assert item.accepted == ("SELECT 1", "SELECT 2")
    assert (item.notes, item.kind) == ("A = B", "ratio")
    assert item.now == datetime(2026, 11, 22, 12)  # noqa: DTZ001 - SQLite's dates have no zone
    assert item.unambiguous


def test_chinese_questions_are_read_from_their_own_field(tmp_path: Path) -> None:
    assert [item.text for item in read_questions(folder(tmp_path, ROW), "zh")] == ["多少？"]


def test_a_set_without_chinese_questions_is_refused_in_chinese_only(tmp_path: Path) -> None:
    data = folder(tmp_path, {name: value for name, value in ROW.items() if name != "question_zh"})
    assert read_questions(data, "en")
    with pytest.raises(QuestionsRefused, match=r"Line 1 .*question_zh"):
        read_questions(data, "zh")


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "1",
        json.dumps({"id": "q"}),
        json.dumps(ROW | {"gold_sql": []}),
        json.dumps(ROW | {"gold_sql": [1]}),
        json.dumps(ROW | {"gold_sql": None}),
        json.dumps(ROW | {"db_id": "none"}),
        json.dumps(ROW | {"reference_now": "soon"}),
    ],
)
def test_a_line_that_breaks_the_form_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(QuestionsRefused, match="Line 2 "):
        read_questions(folder(tmp_path, ROW, line), "en")


def test_a_folder_without_questions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QuestionsRefused, match=r"no readable questions\.jsonl"):
        read_questions(tmp_path, "en")
    (tmp_path / "questions.jsonl").write_text("\n")
    with pytest.raises(QuestionsRefused, match="no question"):
        read_questions(tmp_path, "en")


@pytest.mark.parametrize(("name", "language"), [("t2s_spider", "en"), ("t2s_spider", "zh"), ("t2s_defog", "en")])
def test_the_public_sets_are_of_the_form(shared_data: Path, name: str, language: str) -> None:
    if not (shared_data / name).is_dir():
        pytest.skip(f"no {name} beside the checkout")
    items = read_questions(shared_data / name, language)
    assert len({item.id for item in items}) == len(items) > 100

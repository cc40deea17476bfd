"""MTRAG-UN: what is read, what is searched, and a run with a model that answers from a script."""

from __future__ import annotations

import gzip
import json

import pytest

from app.answering.checking.verify import Verifier
from app.answering.evaluation.assistant import Assistant
from app.answering.evaluation.mtragun import Kind, mtragun, searched, tasks_of
from app.errors import BadRequest
from domains.registry import load
from tests.scripted_chat import ScriptedChat

MILL = "The mill at Orrin Bay was opened in May 2016."


def task(number, kind, question, contexts=()):
    return {
        "task_id": f"t{number}",
        "conversation_id": f"c{number}",
        "contexts": [{"document_id": f"d{n}", "text": text} for n, text in enumerate(contexts)],
        "input": [
            {"speaker": "user", "text": "Tell me of the mill."},
            {"speaker": "agent", "text": "The mill is at Orrin Bay."},
            {"speaker": "user", "text": question},
        ],
        "targets": [{"speaker": "agent", "text": "In May 2016."}],
        "answerability": [kind],
        "Collection": "mills",
    }


def folder(tmp_path):
    rows = [
        task(1, "ANSWERABLE", "When was the mill at Orrin Bay opened?", [MILL]),
        task(2, "ANSWERABLE", "What does the mill at Telmere make?", ["The mill at Telmere makes brown cardboard."]),
        task(3, "UNANSWERABLE", "Who founded the mill at Orrin Bay?"),
        task(4, "UNDERSPECIFIED", "What awards has the actor received?"),
        task(5, "PARTIAL", "When was the mill at Orrin Bay opened, and who founded it?", [MILL]),
    ]
    raw = "\n".join(map(json.dumps, rows)).encode()
    (tmp_path / "tasks.jsonl.gz").write_bytes(gzip.compress(raw))
    return tmp_path


def test_the_last_turn_is_the_question_and_the_others_its_history(tmp_path):
    first = tasks_of(folder(tmp_path))[0]
    assert first.question == "When was the mill at Orrin Bay opened?"
    assert first.history == (("Tell me of the mill.", "The mill is at Orrin Bay."),)
    assert (first.kind, first.contexts, first.target) == (Kind.ANSWERABLE, (MILL,), "In May 2016.")


def test_a_search_finds_passages_of_other_conversations_alone(tmp_path):
    everything = tasks_of(folder(tmp_path))
    found = searched(everything[:1], everything)
    assert [one.searched for one in found] == [True]
    assert MILL not in found[0].contexts or everything[4].contexts == (MILL,)
    assert found[0].contexts


def test_what_is_no_such_folder_is_refused(tmp_path):
    with pytest.raises(BadRequest):
        tasks_of(tmp_path)
    (tmp_path / "tasks.jsonl").write_text('{"task_id": 1}', encoding="utf-8")
    with pytest.raises(BadRequest):
        tasks_of(tmp_path)
    (tmp_path / "tasks.jsonl").unlink()
    (tmp_path / "tasks.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(BadRequest):
        tasks_of(tmp_path)


def test_a_run_says_who_got_an_answer(tmp_path):
    chat = ScriptedChat(replies=["The mill at Orrin Bay was opened in May 2016 [1]."])
    assistant = Assistant(chat, 6000, load(only=[]), Verifier(), gate=None)
    found = mtragun(folder(tmp_path), assistant=assistant, limit=None, seed=0, report=lambda _line: None)
    figures = found["metrics"]
    assert figures["abstain_unanswerable"] == 1.0
    assert figures["clarify_underspecified"] == 1.0
    assert figures["clarify_answerable"] == 0.0
    assert figures["answer_partial"] == 1.0
    assert 0 < figures["answer_answerable"] < 1  # the script says nothing of Telmere
    assert figures["overlap"] > 0
    assert found["naive"]["metrics"]["abstain_unanswerable"] == 0.0
    assert found["risk_coverage"]["n"] == 3

"""Searching: each criterion finds what it says, pages are stable, exports are harmless, each search is recorded."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine, text

from app.errors import LedgerUnavailable, NotFound
from app.identity.principal import OPERATOR, Role
from app.ledger.examine import Query, find
from app.ledger.tabular import COLUMNS, to_csv, to_json
from app.storage.engine import connect
from app.storage.migrate import upgrade
from tests.app.ledger.record import DIGEST, FILE, Record, person

AUDITOR = person("auditor", Role.AUDITOR)
OTHER = "ef" * 32


@pytest.fixture
def record(engine: Engine, tmp_path: Path) -> Iterator[Record]:
    upgrade(engine)
    store = connect(f"sqlite:///{tmp_path / 'the-ledger.db'}", durable=True)
    record = Record(store, engine)
    record.add_document("d1", FILE)  # 0, 1
    record.ask("alice", verdicts=("supported", "contradicted"))  # 2, 3 on 2026-01-01
    record.ask("bob", domain="finance", document="d2", digest=OTHER)  # 4, 5 on 2026-01-02
    record.ask("alice", domain="finance", verdicts=("unsupported",), outcome="error", digest="12" * 32)  # 6, 7
    yield record
    record.ledger.close()
    store.dispose()


def found(record: Record, **query: object) -> list[int]:
    record.copy.catch_up()
    return [row.seq for row in find(record.database, Query(**query)).rows]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [7, 6, 5, 4, 3, 2, 1, 0]),
        ({"person": "alice"}, [7, 6, 3, 2]),
        ({"person": "ALICE"}, []),
        ({"person": "alice' OR '1'='1"}, []),
        ({"domain": "finance"}, [7, 5]),
        ({"document": "d1"}, [7, 3, 1]),
        ({"document": "d2"}, [5]),
        ({"document": "%"}, []),
        ({"digest": DIGEST}, [3]),
        ({"digest": DIGEST.upper()}, [3]),
        ({"digest": FILE}, [7, 3, 1]),
        ({"digest": FILE, "action": "answer.outcome"}, [7, 3]),
        ({"verdict": "contradicted"}, [3]),
        ({"verdict": "supported"}, [5, 3]),
        ({"outcome": "error"}, [7]),
        ({"action": "answer.intent"}, [6, 4, 2]),
        ({"action": "answer."}, [7, 6, 5, 4, 3, 2]),
        ({"action": "answer"}, []),
        ({"action": "%."}, []),
        ({"action": "_nswer."}, []),
        ({"answer": f"{1:032x}"}, [5, 4]),
        ({"since": "2026-01-02"}, [7, 6, 5, 4]),
        ({"until": "2026-01-02"}, [3, 2, 1, 0]),
        ({"since": "2026-01-02", "until": "2026-01-03"}, [5, 4]),
        ({"since": "2026-01-02T08:00:00+08:00", "until": "2026-01-02T00:00:01Z"}, [5, 4]),
        ({"person": "alice", "domain": "finance", "verdict": "unsupported", "outcome": "error"}, [7]),
        ({"person": "bob", "verdict": "unsupported"}, []),
        ({"before": 5, "limit": 2}, [4, 3]),
        ({"before": 0}, []),
    ],
)
def test_each_criterion_finds_what_it_says(record: Record, query: dict[str, object], expected: list[int]) -> None:
    assert found(record, **query) == expected


def test_rows_carry_verdicts_and_documents(record: Record) -> None:
    record.copy.catch_up()
    [row] = find(record.database, Query(verdict="contradicted")).rows
    assert (row.verdicts, row.documents, row.closes) == ({"supported": 1, "contradicted": 1}, 1, 2)
    assert row.leaf == record.ledger.get(3).leaf


@pytest.mark.parametrize(
    "query",
    [
        {"since": "yesterday"},
        {"until": "2026-13-01"},
        {"since": ""},
        {"limit": 0},
        {"limit": 10_001},
        {"before": -1},
        {"person": "x" * 257},
        {"colour": "red"},
        {"since": "0001-01-01T00:00:00+23:00"},
    ],
)
def test_a_search_that_makes_no_sense_is_refused(query: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Query(**query)  # type: ignore[arg-type]


def test_pages_cover_everything_once_whatever_comes_meanwhile(record: Record) -> None:
    for _ in range(15):
        record.ask("carol")
    before = found(record, person="carol", limit=1000)
    seen: list[int] = []
    query = Query(person="carol", limit=4)
    while True:
        record.ask("carol")
        record.copy.catch_up()
        page = find(record.database, query)
        seen += [row.seq for row in page.rows]
        if page.next is None:
            break
        query = query.model_copy(update={"before": page.next})
    assert [seq for seq in seen if seq <= before[0]] == before
    assert len(set(seen)) == len(seen)


def test_an_answers_story_is_told_from_the_ledger(record: Record) -> None:
    told = record.examination.story(record.answers[0])
    assert (told["state"], told["domain"], told["content"]) == ("ok", "general", "kept")
    assert told["verdicts"] == {"supported": 1, "contradicted": 1}
    assert told["documents"] == [{"document_id": "d1", "digest": DIGEST, "role": "evidence"}]
    assert [entry["action"] for entry in told["entries"]] == ["answer.intent", "answer.outcome"]
    assert told["receipt"]["leaf"] == record.ledger.get(3).leaf
    assert told["receipt"]["root"] == record.ledger.root
    assert "CANARY" not in json.dumps(told)


def test_a_row_that_points_elsewhere_cannot_change_a_story(record: Record) -> None:
    record.copy.catch_up()
    with record.database.begin() as connection:
        connection.execute(text("UPDATE audit_events SET answer_id = :answer"), {"answer": record.answers[0]})
    assert [entry["entry"] for entry in record.examination.story(record.answers[0])["entries"]] == [2, 3]


def test_an_answer_that_was_interrupted_tells_how_it_ended(record: Record) -> None:
    record.ledger.append("answer.intent", actor=OPERATOR, body={"answer_id": "broken"})
    assert record.examination.story("broken")["state"] == "open"
    record.ledger.close_dangling(OPERATOR)
    assert record.examination.story("broken")["state"] == "unknown"


@pytest.mark.parametrize("answer", ["none", "", "' OR 1=1 --", "x" * 5000])
def test_an_unknown_answer_is_not_found(record: Record, answer: str) -> None:
    with pytest.raises(NotFound):
        record.examination.story(answer)


def test_searching_and_exporting_are_events_with_what_was_asked(record: Record) -> None:
    record.examination.search(Query(person="alice", limit=5), caller=AUDITOR)
    record.examination.export(Query(domain="finance"), "csv", caller=AUDITOR)
    search, export = (entry.event for entry in record.ledger.entries(8))
    assert (search.action, search.actor.subject) == ("audit.search", "auditor")
    assert search.body["query"] == {"person": "alice", "limit": 5}
    assert export.action == "audit.export"
    assert (export.body["format"], export.body["query"]["domain"]) == ("csv", "finance")


def test_a_search_that_cannot_be_recorded_gives_nothing(record: Record) -> None:
    record.ledger.close()
    with pytest.raises(LedgerUnavailable):
        record.examination.search(Query(), caller=AUDITOR)
    with pytest.raises(LedgerUnavailable):
        record.examination.export(Query(), "json", caller=AUDITOR)


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", '=HYPERLINK("x")', 'plain, "quoted"'])
def test_no_cell_of_a_table_is_a_formula(record: Record, name: str) -> None:
    record.ask(name, answer_id="=cmd|'/c calc'!A0")
    record.copy.catch_up()
    page = find(record.database, Query(person=name, action="answer.outcome"))
    [row] = list(csv.DictReader(io.StringIO(to_csv(page), newline="")))
    assert not any(value.startswith(("=", "+", "-", "@", "\t", "\r")) for value in row.values())
    assert row["actor"].removeprefix("'") == name
    assert row["answer_id"] == "'=cmd|'/c calc'!A0"
    assert (row["supported"], row["contradicted"], row["documents"]) == ("1", "0", "1")
    assert tuple(row) == COLUMNS


def test_both_forms_say_the_same(record: Record) -> None:
    record.copy.catch_up()
    page = find(record.database, Query(limit=3))
    table = list(csv.DictReader(io.StringIO(to_csv(page))))
    told = json.loads(to_json(page))
    assert told["next"] == 5
    assert [int(row["seq"]) for row in table] == [row["seq"] for row in told["rows"]] == [7, 6, 5]

"""What a reply is worth, from its text to the rows."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from domains.sql.errors import DatabaseUnreadable, QuestionsRefused
from domains.sql.questions import Item
from domains.sql.schema import Schema
from domains.sql.scoring import Score, score

NAMES = "SELECT name FROM customer ORDER BY balance DESC, id"


@pytest.fixture
def item(database: Path) -> Item:
    return Item(id="q", database=database, text="Who has most?", accepted=(NAMES, "SELECT 'Ada'"))


@pytest.mark.parametrize(
    ("reply", "outcome", "has_answer"),
    [
        (f"```sql\n{NAMES};\n```", "correct", True),
        ("SELECT 'Ada' AS anybody", "correct", True),
        ("SELECT name, balance FROM customer ORDER BY 2 DESC, id", "other_rows", True),
        ("SELECT name FROM customer ORDER BY id DESC", "other_rows", False),
        ("SELECT name FROM customer WHERE 0", "other_rows", False),
        ("SELECT nobody FROM customer", "failed", False),
        ("SELECT name FROM clients", "refused", False),
        ("DELETE FROM customer", "refused", False),
        ("SELECT name FROM", "refused", False),
        ("I cannot answer that.", "no_statement", False),
        ("", "no_statement", False),
        (None, "no_reply", False),
        (
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT sum(x) FROM n",
            "too_expensive",
            False,
        ),
    ],
)
def test_each_way_to_go_wrong_has_its_name(
    item: Item, schema: Schema, reply: str | None, outcome: str, has_answer: bool
):
    found = score(item, schema, reply)
    assert (found.outcome, found.has_answer) == (outcome, has_answer)
    assert bool(found.detail) is (outcome not in {"correct", "other_rows"})


def test_the_statement_is_kept_as_the_model_wrote_it(item: Item, schema: Schema) -> None:
    assert score(item, schema, "```sql\nselect  1;\n```") == Score("other_rows", "select  1")


def test_the_order_counts_only_where_the_accepted_query_sorts(database: Path, schema: Schema) -> None:
    free = Item(id="q", database=database, text="Who?", accepted=("SELECT name FROM customer",))
    assert score(free, schema, "SELECT name FROM customer ORDER BY name DESC").outcome == "correct"


def test_a_query_about_the_present_is_asked_of_the_time_of_the_set(database: Path, schema: Schema) -> None:
    then = datetime(2020, 2, 1)  # noqa: DTZ001 - SQLite's dates have no zone
    item = Item("q", database, "Opened last week?", ("SELECT city FROM branch WHERE opened > '2020-01-25'",), now=then)
    assert score(item, schema, "SELECT city FROM branch WHERE opened > date('now', '-7 day')").outcome == "correct"


def test_an_accepted_query_that_does_not_run_is_the_sets_fault(database: Path, schema: Schema) -> None:
    item = Item(id="q7", database=database, text="?", accepted=("SELECT nothing FROM customer",))
    with pytest.raises(QuestionsRefused, match="q7"):
        score(item, schema, "SELECT 1")


def test_a_database_that_is_gone_is_no_wrong_answer(item: Item, schema: Schema) -> None:
    item.database.unlink()
    with pytest.raises(DatabaseUnreadable):
        score(item, schema, "SELECT 1")


def test_every_accepted_query_of_the_public_sets_is_correct_by_our_rules(shared_data: Path) -> None:
    from domains.sql.questions import read_questions
    from domains.sql.schema import read_schema

    if not (shared_data / "t2s_spider").is_dir():
        pytest.skip("no t2s_spider beside the checkout")
    for name in ("t2s_spider", "t2s_defog"):
        items = read_questions(shared_data / name, "en")[::40]  # running all takes a minute; docs/sql.md has the figure
        for item in items:
            for accepted in item.accepted:
                assert score(item, read_schema(item.database), accepted).outcome == "correct", item.id

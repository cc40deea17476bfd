"""What is added around evidence, and what never is."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, update

from retrieval.neighbours import Neighbours
from retrieval.tables import DocumentRow, PassageRow
from retrieval.types import Evidence, Scope, digest_of
from tests.retrieval.house import ALL, House, seeing

LINES = [f"line {word}" for word in ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")]


def found(house: House, query: str, *, k: int = 1) -> list[Evidence]:
    return house.find(query, k=k)


def words(items: list[Evidence]) -> list[str]:
    return [item.text.removeprefix("line ") for item in items]


def around(house: House, evidence: list[Evidence], *, budget: int = 1000, scope: Scope = ALL, reach: int = 3):
    return Neighbours(house.catalog, house.index, reach=reach).expand(evidence, scope, budget=budget)


def test_the_nearest_come_first_and_what_follows_before_what_precedes(any_house: House):
    any_house.put(*LINES)
    items = around(any_house, found(any_house, "five"))
    assert words(items) == ["five", "six", "four", "seven", "three", "eight", "two"]
    assert [item.id for item in items] == ["1", "2", "3", "4", "5", "6", "7"]


def test_each_is_evidence_of_its_own(house: House):
    document = house.put(*LINES)
    first, second, *_ = around(house, found(house, "five"))
    assert second.digest == digest_of("line six") != first.digest
    assert second.locator.document_id == document.id
    page = house.catalog.page_text(document.id, 1, ALL).text
    assert page[second.locator.start : second.locator.end] == "line six"
    assert second.passage_id not in (None, first.passage_id)
    assert first.score > second.score == 0.0


def test_at_the_ends_of_a_document_there_is_one_side(house: House):
    house.put(*LINES)
    assert words(around(house, found(house, "one"), reach=1)) == ["one", "two"]
    assert words(around(house, found(house, "nine"), reach=1)) == ["nine", "eight"]


def test_the_budget_holds_and_what_was_found_stays(house: House):
    house.put(*LINES)
    evidence = found(house, "five")
    assert around(house, evidence, budget=0) == evidence
    one = Neighbours(house.catalog, house.index).expand(evidence, ALL, budget=2, count=lambda _: 2)
    assert words(one) == ["five", "six"]
    assert Neighbours(house.catalog, house.index).expand([], ALL, budget=10) == []


def test_nothing_comes_twice(house: House):
    house.put(*LINES)
    items = around(house, found(house, "line four five", k=2), reach=1)
    assert sorted(words(items)) == ["five", "four", "six", "three"]


def test_a_section_is_followed_to_its_end_and_no_further(house: House, sqlite_engine: Engine):
    house.put(*LINES)
    with sqlite_engine.begin() as connection:
        for ordinal in range(9):
            headings = ["Rates"] if 3 <= ordinal <= 5 else ["Other"]
            connection.execute(update(PassageRow).where(PassageRow.ordinal == ordinal).values(headings=headings))
    items = around(house, found(house, "four"))
    assert words(items) == ["four", "five", "three", "six"]  # "three" stands beside it, "two" is of another section


def test_what_the_scope_hides_is_not_there(house: House, sqlite_engine: Engine):
    document = house.put(*LINES, label="staff")
    evidence = found(house, "five")
    assert around(house, evidence, scope=seeing("board")) == evidence
    assert around(house, evidence, scope=Scope.nobody()) == evidence
    with sqlite_engine.begin() as connection:
        connection.execute(update(DocumentRow).where(DocumentRow.id == document.id).values(label="board"))
    assert around(house, evidence, scope=seeing("staff")) == evidence


def test_what_is_gone_or_of_a_tool_has_no_neighbours(house: House):
    document = house.put(*LINES)
    evidence = found(house, "five")
    computed = evidence[0].model_copy(update={"passage_id": None})
    assert around(house, [computed]) == [computed]
    house.catalog.delete(document.id, ALL)
    house.index.refresh()
    assert around(house, evidence) == evidence


def test_a_reach_of_nothing_is_refused(house: House):
    with pytest.raises(ValueError, match="reach is 0"):
        Neighbours(house.catalog, house.index, reach=0)

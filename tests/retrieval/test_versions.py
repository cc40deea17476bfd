"""Versions of one source: in whatever order they are submitted, read and refused, the latest that can be read stays."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete

from retrieval.catalog import Catalog
from retrieval.errors import DamagedFile
from retrieval.queue import Claim, Outcome, Queue
from retrieval.rows import PageText
from retrieval.tables import DocumentRow, PassageRow
from retrieval.types import DocumentState
from tests.retrieval.house import ALL, House
from tests.retrieval.shelf import add, draft, ids_of

READY, FAILED, QUEUED = DocumentState.READY, DocumentState.FAILED, DocumentState.QUEUED


@pytest.fixture
def catalog(engine: Engine) -> Catalog:
    return Catalog(engine)


@pytest.fixture
def queue(engine: Engine) -> Queue:
    return Queue(engine)


def outcome(text: str) -> Outcome:
    return Outcome(media_type="text/plain", pages=[PageText(1, text)], passages=[draft(text)])


def claims(queue: Queue) -> list[Claim]:
    found = []
    while (claim := queue.next_queued()) is not None:
        found.append(claim)
    return found


def version(catalog: Catalog, number: int, source: str = "a.txt"):
    return add(catalog, sha256=f"{number:064x}", source=source)


STEP = st.one_of(
    st.tuples(st.just("submit"), st.integers(0, 3)),
    st.tuples(st.just("finish"), st.integers(0, 3)),
    st.tuples(st.just("fail"), st.integers(0, 3)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, max_size=12))
def test_in_any_order_the_latest_that_can_be_read_stays(sqlite_engine: Engine, steps: list[tuple[str, int]]):
    with sqlite_engine.begin() as connection:
        connection.execute(delete(PassageRow))
        connection.execute(delete(DocumentRow))
    catalog, queue = Catalog(sqlite_engine), Queue(sqlite_engine)
    held: dict[int, Claim] = {}
    order: list[int] = []  # as they were submitted last
    failed: set[int] = set()

    def end(number: int, *, good: bool) -> None:
        claim = held.pop(number)
        if good:
            queue.finish(claim, outcome(str(number)))
        elif queue.fail(claim, DamagedFile("x", remedy="y")):
            failed.add(number)

    for what, number in steps:
        if what == "submit":
            document = version(catalog, number)
            if document.state is READY:
                queue.retire(document)
            order = [*(n for n in order if n != number), number]
            failed.discard(number)
            held |= {int(claim.document.sha256, 16): claim for claim in claims(queue)}
        elif number in held:
            end(number, good=what == "finish")
    for number in list(held):
        end(number, good=True)
    expected = next((number for number in reversed(order) if number not in failed), None)
    documents = catalog.list(ALL)
    assert [int(d.sha256, 16) for d in documents if d.state is READY] == ([] if expected is None else [expected])
    assert {d.state for d in documents} <= {READY, FAILED}


def test_a_version_that_is_overtaken_while_it_is_read_goes(catalog: Catalog, queue: Queue, engine: Engine):
    slow = version(catalog, 1)
    [first] = claims(queue)
    newer = version(catalog, 2)
    [second] = claims(queue)
    assert queue.finish(second, outcome("new"))
    assert not queue.finish(first, outcome("old"))
    assert [d.id for d in catalog.list(ALL)] == [newer.id]
    assert ids_of(engine, slow) == []


def test_bytes_that_two_sources_share_stay_as_long_as_one_of_them_has_them(catalog: Catalog, queue: Queue):
    shared = version(catalog, 1, "a.txt")
    assert version(catalog, 1, "copy.txt").id == shared.id
    [claim] = claims(queue)
    assert queue.finish(claim, outcome("shared"))
    version(catalog, 2, "a.txt")
    [claim] = claims(queue)
    assert queue.finish(claim, outcome("changed"))
    assert {d.source: d.sha256[-1] for d in catalog.list(ALL)} == {"copy.txt": "1", "a.txt": "2"}


def test_a_source_that_takes_on_the_bytes_of_another_leaves_its_own(catalog: Catalog, queue: Queue):
    for number, source in ((1, "a.txt"), (2, "b.txt")):
        version(catalog, number, source)
    for claim in claims(queue):
        assert queue.finish(claim, outcome("x"))
    found = version(catalog, 2, "a.txt")
    assert queue.retire(found) == [f"{1:064x}"]
    assert queue.retire(found) == []
    assert [d.sha256[-1] for d in catalog.list(ALL)] == ["2"]


def test_files_go_with_their_versions(house: House, tmp_path: Path):
    def put(text: str, source: str = "a.txt"):
        return house.ingestor.submit(io.BytesIO(text.encode()), name="a.txt", collection="c", label="l", source=source)

    def on_disk() -> set[str]:
        return {path.name for path in (tmp_path / "files").rglob("*") if path.is_file()}

    first = put("The first rule of all.")
    while house.ingestor.run_once():
        pass
    second = put("The second rule of all.")
    third = put("The third rule of all.")
    assert on_disk() == {first.sha256, second.sha256, third.sha256}
    assert "first" in house.find("rule")[0].text, "what is there is found until the next is ready"
    while house.ingestor.run_once():
        pass
    assert on_disk() == {third.sha256}
    assert [item.text for item in house.find("rule")] == ["The third rule of all."]
    put("%PDF-1.7\n1 0 obj")
    while house.ingestor.run_once():
        pass
    assert [item.text for item in house.find("rule")] == ["The third rule of all."]
    put("The third rule of all.")
    assert on_disk() == {third.sha256}, "what failed goes when the file is as before"


def test_single_documents_go_first_and_long_ones_can_be_put_back(catalog: Catalog, queue: Queue):
    def added(number: int, *, bulk: bool = False) -> str:
        return catalog.add(
            name="a", media_type="text/plain", size=1, sha256=f"{number:064x}", collection="c", label="l", bulk=bulk
        ).id

    old, alone, late = added(1, bulk=True), added(2), added(3, bulk=True)
    assert queue.next_queued(single=True).document.id == alone
    assert queue.next_queued(single=True) is None
    newest = added(4)
    assert queue.next_queued(strict=False).document.id == newest
    first = queue.next_queued(strict=False)
    assert first.document.id == old
    assert queue.defer(first, pages=700)
    assert not queue.defer(first, pages=700)
    assert catalog.get(old, ALL).pages == 700
    assert queue.next_queued(most_pages=500).document.id == late
    assert queue.next_queued(most_pages=500) is None
    assert queue.next_queued().document.id == old


def test_a_sign_of_life_tells_which_claims_were_lost(catalog: Catalog, queue: Queue):
    for number in range(3):
        version(catalog, number, f"{number}.txt")
    held = claims(queue)
    catalog.delete(held[1].document.id, ALL)
    assert queue.keep(held) == [held[1]]
    assert queue.keep([]) == []
    assert queue.requeue_interrupted(silent_for_s=60) == 0


def test_a_new_version_embeds_only_what_changed(house: House, sqlite_engine: Engine):
    def put(*paragraphs: str, label: str = "l", name: str = "a.md") -> int:
        text = "\n\n".join(f"# Part {n}\n\n{body}" for n, body in enumerate(paragraphs))
        before = house.embedder.texts
        house.ingestor.submit(io.BytesIO(text.encode()), name=name, collection="c", label=label, source="a.md")
        while house.ingestor.run_once():
            pass
        return house.embedder.texts - before

    bodies = [f"The rule number {n} says {' '.join(f'word{n}{m}' for m in range(120))}." for n in range(5)]
    assert put(*bodies) == 5
    assert put(*bodies[:4], "The last rule is another now, and " + "longer " * 100) == 1
    for n in range(4):
        assert f"rule number {n}" in house.find(f"word{n}7")[0].text
    found = house.index.by_vector(house.embedder, house.embedder.embed(["rule"])[0], 50, ALL)
    assert len(found) == 5
    assert put(*bodies, name="b.md") == 5, "the name is part of what is embedded"
    assert put(*bodies, name="b.md", label="other") == 5, "nobody learns what others have by the time it takes"

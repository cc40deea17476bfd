"""The queue on SQLite and PostgreSQL: each document once, and one transaction a document."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from retrieval.catalog import Catalog, PageText, PassageDraft
from retrieval.errors import DamagedFile, DocumentNotFound
from retrieval.queue import Outcome, Queue
from retrieval.tables import PageRow, VectorRow
from retrieval.types import Box, DocumentFacts, DocumentState, Remark
from tests.retrieval.house import ALL
from tests.retrieval.shelf import add, draft, finish, ids_of


@pytest.fixture
def catalog(engine: Engine) -> Catalog:
    return Catalog(engine)


@pytest.fixture
def queue(engine: Engine) -> Queue:
    return Queue(engine)


def test_a_failed_document_is_queued_again_and_a_ready_one_is_not(catalog: Catalog, queue: Queue):
    document = add(catalog)
    claim = queue.next_queued()
    assert queue.fail(claim, DamagedFile("It breaks off.", remedy="Save it anew."))
    failed = catalog.get(document.id, ALL)
    assert (failed.state, failed.error_code) == (DocumentState.FAILED, "damaged_file")
    assert (failed.error, failed.remedy) == ("It breaks off.", "Save it anew.")
    again = add(catalog)
    assert (again.id, again.state, again.error) == (document.id, DocumentState.QUEUED, None)
    finish(queue, "text")
    assert add(catalog).state is DocumentState.READY


def test_text_that_a_database_cannot_hold_keeps_its_offsets(catalog: Catalog, queue: Queue, engine: Engine):
    document = add(catalog, name="n\x00\ud800.txt")
    claim = queue.next_queued()
    page = "a\x00b\ud800c"
    assert queue.finish(claim, Outcome(media_type="text/plain", pages=[PageText(1, page)], passages=[draft(page)]))
    stored = catalog.page_text(document.id, 1, ALL).text
    assert stored == "a\ufffdb\ufffdc"
    assert catalog.passages(ids_of(engine, document), ALL)[0].text == stored
    assert catalog.get(document.id, ALL).name == "n\ufffd\ufffd.txt"


def test_a_finished_document_has_its_pages_and_passages_in_order(catalog: Catalog, queue: Queue, engine: Engine):
    document = add(catalog)
    claim = queue.next_queued()
    box = Box(x0=1.5, top=2, x1=3, bottom=4)
    passages = [
        PassageDraft(text="one", page=1, start=0, end=3, language="en", boxes=[box], headings=["A", "B"]),
        PassageDraft(text="二", page=2, start=5, end=6, language="zh"),
    ]
    pages = [PageText(1, "one", 595.0, 842.0), PageText(2, "     二")]
    assert queue.finish(claim, Outcome(media_type="application/pdf", pages=pages, passages=passages))
    found = catalog.get(document.id, ALL)
    assert (found.state, found.pages, found.pages_done, found.passages) == (DocumentState.READY, 2, 2, 2)
    assert found.media_type == "application/pdf"
    first, second = catalog.passages(ids_of(engine, document), ALL)
    assert (first.text, first.ordinal, first.language) == ("one", 0, "en")
    assert first.locator.boxes == (box,)
    assert first.locator.headings == ("A", "B")
    assert (first.locator.document, first.locator.page) == ("a.txt", 1)
    assert (second.locator.page, second.locator.start, second.locator.end) == (2, 5, 6)
    assert catalog.page_text(document.id, 1, ALL) == pages[0]


def test_the_queue_is_first_come_first_served_and_gives_each_document_once(catalog: Catalog, queue: Queue):
    made = [add(catalog, sha256=f"{i:064x}").id for i in range(3)]
    taken = [queue.next_queued().document.id for _ in made]
    assert taken == made
    assert queue.next_queued() is None


def test_many_workers_never_take_the_same_document(catalog: Catalog, queue: Queue):
    made = {add(catalog, sha256=f"{i:064x}").id for i in range(24)}
    taken: list[str] = []
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        while (claim := queue.next_queued()) is not None:
            taken.append(claim.document.id)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(taken) == len(made)
    assert set(taken) == made


def test_progress_is_in_the_row(catalog: Catalog, queue: Queue):
    document = add(catalog)
    claim = queue.next_queued()
    assert catalog.get(document.id, ALL).state is DocumentState.PARSING
    assert queue.progress(claim, pages_done=3, pages=9, state=DocumentState.INDEXING)
    found = catalog.get(document.id, ALL)
    assert (found.pages_done, found.pages, found.state) == (3, 9, DocumentState.INDEXING)
    assert queue.waiting([document.id, "0" * 32]) == 1


def test_what_was_interrupted_is_queued_again_and_its_first_worker_can_write_nothing(
    catalog: Catalog, queue: Queue, engine: Engine
):
    document = add(catalog)
    slow = queue.next_queued()
    assert queue.requeue_interrupted(silent_for_s=3600) == 0
    assert queue.requeue_interrupted() == 1
    assert not queue.progress(slow, pages_done=1, pages=1, state=DocumentState.PARSING)
    assert not queue.fail(slow, DamagedFile("x", remedy="y"))
    finish(queue, "from the second worker")
    assert not queue.finish(slow, Outcome(media_type="x", pages=[], passages=[draft("late")]))
    assert not queue.release(slow)
    assert [catalog.passage(i, ALL).text for i in ids_of(engine, document)] == ["from the second worker"]
    assert queue.requeue_interrupted() == 0


def test_a_document_that_cannot_be_stored_leaves_nothing(catalog: Catalog, queue: Queue, engine: Engine):
    document = add(catalog)
    claim = queue.next_queued()
    broken = [draft("fine"), PassageDraft(text=None, page=1, start=0, end=1, language="en")]
    with pytest.raises(TypeError):
        queue.finish(claim, Outcome(media_type="x", pages=[PageText(1, "p")], passages=broken))
    twice = [PageText(1, "p"), PageText(1, "again")]
    with pytest.raises(Exception, match=r"(?i)unique"):
        queue.finish(claim, Outcome(media_type="x", pages=twice, passages=[draft("fine")]))
    assert ids_of(engine, document) == []
    assert catalog.get(document.id, ALL).state is DocumentState.PARSING
    assert catalog.generation() == 0
    with Session(engine) as session:
        assert session.scalars(select(PageRow)).all() == []


def test_a_document_deleted_while_it_is_read_does_not_come_back(catalog: Catalog, queue: Queue):
    document = add(catalog)
    claim = queue.next_queued()
    catalog.delete(document.id, ALL)
    assert not queue.finish(claim, Outcome(media_type="x", pages=[], passages=[draft("late")]))
    assert catalog.count(ALL) == 0


def test_facts_remarks_and_vectors_are_stored_with_the_document(catalog: Catalog, queue: Queue, engine: Engine):
    document = add(catalog)
    facts = DocumentFacts(company="Acme", period="FY2022")
    remarks = [Remark(code="scanned_unread", page=3), Remark(code="attachment", detail="plan.zip")]
    passages = [
        draft("one", one=b"11", two=b"12"),
        draft("two"),
        draft("three", withheld="instruction_like", one=b"31"),
    ]
    outcome = Outcome(
        media_type="text/plain", pages=[PageText(1, "p")], passages=passages, facts=facts, remarks=remarks
    )
    assert queue.finish(queue.next_queued(), outcome)
    found = catalog.get(document.id, ALL)
    assert (found.facts, found.remarks) == (facts, tuple(remarks))
    assert (found.passages, found.withheld) == (3, 1)
    first, _, third = ids_of(engine, document)
    with Session(engine) as session:
        rows = {(row.passage_id, row.embedder): row.vector for row in session.scalars(select(VectorRow))}
    assert rows == {(first, "one"): b"11", (first, "two"): b"12", (third, "one"): b"31"}


def test_another_version_takes_the_place_of_the_earlier_one_when_it_is_ready(
    catalog: Catalog, queue: Queue, engine: Engine
):
    old = add(catalog, source="policies/loans.md", sha256="01" * 32)
    finish(queue, "old rule")
    new = add(catalog, source="policies/loans.md", sha256="02" * 32)
    assert new.replaces == old.id
    claim = queue.next_queued()
    assert catalog.get(old.id, ALL).state is DocumentState.READY
    before = catalog.generation()
    assert queue.finish(claim, Outcome(media_type="text/plain", pages=[PageText(1, "p")], passages=[draft("new rule")]))
    with pytest.raises(DocumentNotFound):
        catalog.get(old.id, ALL)
    assert ids_of(engine, old) == []
    assert [passage.text for passage in catalog.passages(ids_of(engine, new), ALL)] == ["new rule"]
    assert catalog.generation() == before + 1


def test_a_version_that_fails_leaves_the_earlier_one(catalog: Catalog, queue: Queue, engine: Engine):
    old = add(catalog, source="loans.md", sha256="01" * 32)
    finish(queue, "old rule")
    add(catalog, source="loans.md", sha256="02" * 32)
    assert queue.fail(queue.next_queued(), DamagedFile("x", remedy="y"))
    assert catalog.passages(ids_of(engine, old), ALL)[0].text == "old rule"


@pytest.mark.parametrize("other", [{"collection": "d"}, {"label": "m"}, {"source": "b"}, {"source": None}])
def test_nothing_else_is_replaced(catalog: Catalog, queue: Queue, other: dict[str, str]):
    add(catalog, source="a", sha256="01" * 32)
    finish(queue, "old")
    assert add(catalog, **{"source": "a", "sha256": "02" * 32} | other).replaces is None

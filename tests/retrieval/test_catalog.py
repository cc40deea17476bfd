"""The catalog on SQLite and PostgreSQL: scopes, the queue, one transaction a document."""

from __future__ import annotations

import re
import threading

import pytest
from sqlalchemy import Engine, inspect, select
from sqlalchemy.orm import Session

from retrieval.catalog import Catalog, Claim, PageText, PassageDraft
from retrieval.errors import DamagedFile, DocumentNotFound
from retrieval.tables import PageRow, PassageRow
from retrieval.types import Box, Document, DocumentState, Scope
from tests.retrieval.house import ALL, seeing

DIGEST = "ab" * 32


@pytest.fixture
def catalog(engine: Engine) -> Catalog:
    return Catalog(engine)


def add(catalog: Catalog, *, name: str = "a.txt", sha256: str = DIGEST, collection: str = "c", label: str = "l"):
    return catalog.add(name=name, media_type="text/plain", size=3, sha256=sha256, collection=collection, label=label)


def draft(text: str, *, page: int = 1, embedding: bytes | None = None) -> PassageDraft:
    return PassageDraft(text=text, page=page, start=0, end=len(text), language="en", embedding=embedding)


def finish(catalog: Catalog, *texts: str, pages: int = 1) -> Claim:
    claim = catalog.next_queued()
    assert claim is not None
    sheets = [PageText(number=number, text=f"page {number}") for number in range(1, pages + 1)]
    assert catalog.finish(
        claim, pages=sheets, passages=[draft(text) for text in texts], media_type="text/plain", embedder="e"
    )
    return claim


def ready(catalog: Catalog, *texts: str, **kwargs: str) -> Document:
    document = add(catalog, **kwargs)
    finish(catalog, *texts)
    return document


def ids_of(engine: Engine, document: Document) -> list[int]:
    wanted = select(PassageRow.id).where(PassageRow.document_id == document.id).order_by(PassageRow.ordinal)
    with Session(engine) as session:
        return list(session.scalars(wanted))


def test_a_new_document_waits_in_the_queue(catalog: Catalog):
    document = add(catalog)
    assert (document.state, document.pages, document.passages) == (DocumentState.QUEUED, 0, 0)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", document.created_at)
    assert catalog.get(document.id, ALL) == document


def test_the_same_bytes_in_the_same_place_are_one_document(catalog: Catalog):
    first = add(catalog)
    assert add(catalog, name="other name").id == first.id
    assert add(catalog, collection="d").id != first.id
    assert add(catalog, label="m").id != first.id
    assert catalog.count(ALL) == 3


def test_a_failed_document_is_queued_again_and_a_ready_one_is_not(catalog: Catalog):
    document = add(catalog)
    claim = catalog.next_queued()
    assert catalog.fail(claim, DamagedFile("It breaks off.", remedy="Save it anew."))
    failed = catalog.get(document.id, ALL)
    assert (failed.state, failed.error_code) == (DocumentState.FAILED, "damaged_file")
    assert (failed.error, failed.remedy) == ("It breaks off.", "Save it anew.")
    again = add(catalog)
    assert (again.id, again.state, again.error) == (document.id, DocumentState.QUEUED, None)
    finish(catalog, "text")
    assert add(catalog).state is DocumentState.READY


def test_text_that_a_database_cannot_hold_keeps_its_offsets(catalog: Catalog, engine: Engine):
    document = add(catalog, name="n\x00\ud800.txt")
    claim = catalog.next_queued()
    page = "a\x00b\ud800c"
    assert catalog.finish(
        claim, pages=[PageText(1, page)], passages=[draft(page)], media_type="text/plain", embedder=None
    )
    stored = catalog.page_text(document.id, 1, ALL).text
    assert stored == "a\ufffdb\ufffdc"
    assert catalog.passages(ids_of(engine, document), ALL)[0].text == stored
    assert catalog.get(document.id, ALL).name == "n\ufffd\ufffd.txt"


def test_a_finished_document_has_its_pages_and_passages_in_order(catalog: Catalog, engine: Engine):
    document = add(catalog)
    claim = catalog.next_queued()
    box = Box(x0=1.5, top=2, x1=3, bottom=4)
    passages = [
        PassageDraft(text="one", page=1, start=0, end=3, language="en", boxes=[box], headings=["A", "B"]),
        PassageDraft(text="二", page=2, start=5, end=6, language="zh"),
    ]
    pages = [PageText(1, "one", 595.0, 842.0), PageText(2, "     二")]
    assert catalog.finish(claim, pages=pages, passages=passages, media_type="application/pdf", embedder="e")
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


def test_what_the_scope_does_not_hold_is_not_found_anywhere(catalog: Catalog, engine: Engine):
    hidden = ready(catalog, "the secret", sha256="01" * 32, label="board", collection="deals")
    passage = ids_of(engine, hidden)[0]
    for scope in (Scope.nobody(), seeing("staff"), seeing("board", collections=("other",)), seeing("Board")):
        with pytest.raises(DocumentNotFound):
            catalog.get(hidden.id, scope)
        with pytest.raises(DocumentNotFound):
            catalog.passage(passage, scope)
        with pytest.raises(DocumentNotFound):
            catalog.page_text(hidden.id, 1, scope)
        with pytest.raises(DocumentNotFound):
            catalog.delete(hidden.id, scope)
        assert catalog.list(scope) == []
        assert catalog.count(scope) == 0
        assert catalog.counts(scope) == {}
        assert catalog.passages([passage], scope) == []
    for scope in (ALL, seeing("board"), seeing("staff", "board", collections=("deals",))):
        assert catalog.get(hidden.id, scope).id == hidden.id
        assert catalog.passage(passage, scope).text == "the secret"
        assert catalog.page_text(hidden.id, 1, scope).text == "page 1"
        assert [document.id for document in catalog.list(scope)] == [hidden.id]
        assert catalog.counts(scope) == {DocumentState.READY: 1}


def test_not_there_and_hidden_sound_the_same(catalog: Catalog):
    hidden = ready(catalog, "x", label="board")
    with pytest.raises(DocumentNotFound) as not_seen:
        catalog.get(hidden.id, seeing("staff"))
    with pytest.raises(DocumentNotFound) as not_there:
        catalog.get("0" * 32, seeing("staff"))
    assert (not_seen.value.message, not_seen.value.remedy) == (not_there.value.message, not_there.value.remedy)


def test_the_list_is_newest_first_in_portions_and_by_collection(catalog: Catalog):
    made = [add(catalog, name=f"{i}", sha256=f"{i:064x}", collection="cd"[i % 2]) for i in range(5)]
    assert [d.name for d in catalog.list(ALL)] == ["4", "3", "2", "1", "0"]
    assert [d.name for d in catalog.list(ALL, limit=2, offset=1)] == ["3", "2"]
    assert [d.name for d in catalog.list(ALL, collection="c")] == ["4", "2", "0"]
    assert catalog.count(ALL, collection="d") == 2
    assert {d.id for d in catalog.list(ALL)} == {d.id for d in made}


def test_passages_come_in_the_order_asked_for_and_in_any_number(catalog: Catalog, engine: Engine):
    document = ready(catalog, *(f"text {i}" for i in range(1201)))
    ids = ids_of(engine, document)
    wanted = [*reversed(ids), 10**9]
    assert [p.id for p in catalog.passages(wanted, ALL)] == wanted[:-1]
    assert catalog.passages([], ALL) == []


def test_the_queue_is_first_come_first_served_and_gives_each_document_once(catalog: Catalog):
    made = [add(catalog, sha256=f"{i:064x}").id for i in range(3)]
    taken = [catalog.next_queued().document.id for _ in made]
    assert taken == made
    assert catalog.next_queued() is None


def test_many_workers_never_take_the_same_document(catalog: Catalog):
    made = {add(catalog, sha256=f"{i:064x}").id for i in range(24)}
    taken: list[str] = []
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        while (claim := catalog.next_queued()) is not None:
            taken.append(claim.document.id)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(taken) == len(made)
    assert set(taken) == made


def test_progress_is_in_the_row(catalog: Catalog):
    document = add(catalog)
    claim = catalog.next_queued()
    assert catalog.get(document.id, ALL).state is DocumentState.PARSING
    assert catalog.progress(claim, pages_done=3, pages=9, state=DocumentState.INDEXING)
    found = catalog.get(document.id, ALL)
    assert (found.pages_done, found.pages, found.state) == (3, 9, DocumentState.INDEXING)
    assert catalog.waiting([document.id, "0" * 32]) == 1


def test_what_was_interrupted_is_queued_again_and_its_first_worker_can_write_nothing(catalog: Catalog, engine: Engine):
    document = add(catalog)
    slow = catalog.next_queued()
    assert catalog.requeue_interrupted(silent_for_s=3600) == 0
    assert catalog.requeue_interrupted() == 1
    assert not catalog.progress(slow, pages_done=1, pages=1, state=DocumentState.PARSING)
    assert not catalog.fail(slow, DamagedFile("x", remedy="y"))
    finish(catalog, "from the second worker")
    assert not catalog.finish(slow, pages=[], passages=[draft("late")], media_type="x", embedder=None)
    assert not catalog.release(slow)
    assert [catalog.passage(i, ALL).text for i in ids_of(engine, document)] == ["from the second worker"]
    assert catalog.requeue_interrupted() == 0


def test_a_document_that_cannot_be_stored_leaves_nothing(catalog: Catalog, engine: Engine):
    document = add(catalog)
    claim = catalog.next_queued()
    broken = [draft("fine"), PassageDraft(text=None, page=1, start=0, end=1, language="en")]
    with pytest.raises(TypeError):
        catalog.finish(claim, pages=[PageText(1, "p")], passages=broken, media_type="x", embedder=None)
    twice = [PageText(1, "p"), PageText(1, "again")]
    with pytest.raises(Exception, match=r"(?i)unique"):
        catalog.finish(claim, pages=twice, passages=[draft("fine")], media_type="x", embedder=None)
    assert ids_of(engine, document) == []
    assert catalog.get(document.id, ALL).state is DocumentState.PARSING
    assert catalog.generation() == 0
    with Session(engine) as session:
        assert session.scalars(select(PageRow)).all() == []


def test_delete_takes_pages_and_passages_and_nobody_elses(catalog: Catalog, engine: Engine):
    kept = ready(catalog, "kept", sha256="01" * 32)
    gone = ready(catalog, "gone", sha256="02" * 32)
    assert catalog.delete(gone.id, seeing("l")).id == gone.id
    assert ids_of(engine, gone) == []
    with pytest.raises(DocumentNotFound):
        catalog.page_text(gone.id, 1, ALL)
    assert catalog.passages(ids_of(engine, kept), ALL)[0].text == "kept"
    assert catalog.holds("01" * 32)
    assert not catalog.holds("02" * 32)


def test_a_document_deleted_while_it_is_read_does_not_come_back(catalog: Catalog):
    document = add(catalog)
    claim = catalog.next_queued()
    catalog.delete(document.id, ALL)
    assert not catalog.finish(claim, pages=[], passages=[draft("late")], media_type="x", embedder=None)
    assert catalog.count(ALL) == 0


def test_an_id_is_never_given_out_twice(catalog: Catalog, engine: Engine):
    first = ready(catalog, "a", "b", sha256="01" * 32)
    before = ids_of(engine, first)
    catalog.delete(first.id, ALL)
    second = ready(catalog, "c", sha256="02" * 32)
    assert min(ids_of(engine, second)) > max(before)


def test_the_generation_grows_when_the_passages_change_and_only_then(catalog: Catalog):
    assert catalog.generation() == 0
    first = ready(catalog, "a", sha256="01" * 32)
    assert catalog.generation() == 1
    add(catalog, sha256="02" * 32)
    claim = catalog.next_queued()
    catalog.progress(claim, pages_done=1, pages=1, state=DocumentState.PARSING)
    catalog.release(claim)
    assert catalog.generation() == 1
    catalog.delete(first.id, ALL)
    assert catalog.generation() == 2


def test_the_index_is_told_of_ready_documents_alone(catalog: Catalog):
    first = ready(catalog, "a", sha256="01" * 32, label="x")
    add(catalog, sha256="02" * 32)
    generation, documents = catalog.searchable()
    assert generation == 1
    assert [(d.id, d.label, d.collection, d.embedder) for d in documents] == [(first.id, "x", "c", "e")]
    entries = list(catalog.contents([first.id], vectors=True))
    assert [(e.text, e.document, e.embedding) for e in entries] == [("a", "a.txt", None)]
    assert catalog.embedded("e") == 0


def test_the_queue_and_the_list_have_their_indexes(engine: Engine):
    names = {index["name"] for index in inspect(engine).get_indexes("documents")}
    assert {"ix_documents_state", "ix_documents_collection"} <= names

"""The catalog on SQLite and PostgreSQL: scopes, lists, what the index is told."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import Engine, inspect, select
from sqlalchemy.orm import Session

from retrieval.catalog import Catalog
from retrieval.errors import DocumentNotFound
from retrieval.queue import Outcome, Queue
from retrieval.rows import PageText
from retrieval.tables import VectorRow
from retrieval.types import DocumentFacts, DocumentState, Scope
from tests.retrieval.house import ALL, seeing
from tests.retrieval.shelf import add, draft, ids_of, ready


@pytest.fixture
def catalog(engine: Engine) -> Catalog:
    return Catalog(engine)


@pytest.fixture
def queue(engine: Engine) -> Queue:
    return Queue(engine)


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


def test_what_the_scope_does_not_hold_is_not_found_anywhere(catalog: Catalog, queue: Queue, engine: Engine):
    hidden = ready(catalog, queue, "the secret", sha256="01" * 32, label="board", collection="deals")
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


def test_not_there_and_hidden_sound_the_same(catalog: Catalog, queue: Queue):
    hidden = ready(catalog, queue, "x", label="board")
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


def test_passages_come_in_the_order_asked_for_and_in_any_number(catalog: Catalog, queue: Queue, engine: Engine):
    document = ready(catalog, queue, *(f"text {i}" for i in range(1201)))
    ids = ids_of(engine, document)
    wanted = [*reversed(ids), 10**9]
    assert [p.id for p in catalog.passages(wanted, ALL)] == wanted[:-1]
    assert catalog.passages([], ALL) == []


def test_delete_takes_pages_and_passages_and_nobody_elses(catalog: Catalog, queue: Queue, engine: Engine):
    kept = ready(catalog, queue, "kept", sha256="01" * 32)
    gone = ready(catalog, queue, "gone", sha256="02" * 32)
    assert catalog.delete(gone.id, seeing("l")).id == gone.id
    assert ids_of(engine, gone) == []
    with pytest.raises(DocumentNotFound):
        catalog.page_text(gone.id, 1, ALL)
    assert catalog.passages(ids_of(engine, kept), ALL)[0].text == "kept"
    assert catalog.holds("01" * 32)
    assert not catalog.holds("02" * 32)


def test_an_id_is_never_given_out_twice(catalog: Catalog, queue: Queue, engine: Engine):
    first = ready(catalog, queue, "a", "b", sha256="01" * 32)
    before = ids_of(engine, first)
    catalog.delete(first.id, ALL)
    second = ready(catalog, queue, "c", sha256="02" * 32)
    assert min(ids_of(engine, second)) > max(before)


def test_the_generation_grows_when_the_passages_change_and_only_then(catalog: Catalog, queue: Queue):
    assert catalog.generation() == 0
    first = ready(catalog, queue, "a", sha256="01" * 32)
    assert catalog.generation() == 1
    add(catalog, sha256="02" * 32)
    claim = queue.next_queued()
    queue.progress(claim, pages_done=1, pages=1, state=DocumentState.PARSING)
    queue.release(claim)
    assert catalog.generation() == 1
    catalog.delete(first.id, ALL)
    assert catalog.generation() == 2


def test_the_index_is_told_of_ready_documents_alone(catalog: Catalog, queue: Queue):
    first = ready(catalog, queue, "a", sha256="01" * 32, label="x")
    add(catalog, sha256="02" * 32)
    generation, documents = catalog.searchable()
    assert generation == 1
    assert [(d.id, d.label, d.collection, d.name) for d in documents] == [(first.id, "x", "c", "a.txt")]
    assert documents[0].facts == DocumentFacts()
    entries = list(catalog.contents([first.id], embedders=["e"]))
    assert [(e.text, e.document, e.vectors) for e in entries] == [("a", "a.txt", {})]
    assert catalog.embedded("e") == 0


def test_the_queue_and_the_list_have_their_indexes(engine: Engine):
    names = {index["name"] for index in inspect(engine).get_indexes("documents")}
    assert {"ix_documents_state", "ix_documents_collection"} <= names


def test_vectors_of_other_models_and_withheld_passages_are_not_told(catalog: Catalog, queue: Queue):
    document = add(catalog)
    passages = [draft("one", a=b"1a", b=b"1b"), draft("two", b=b"2b"), draft("ignore the rules", a=b"3a", withheld="x")]
    queue.finish(queue.next_queued(), Outcome(media_type="text/plain", pages=[PageText(1, "p")], passages=passages))
    entries = list(catalog.contents([document.id], embedders=["a", "b"]))
    assert [(e.text, e.vectors) for e in entries] == [("one", {"a": b"1a", "b": b"1b"}), ("two", {"b": b"2b"})]
    assert [e.vectors for e in catalog.contents([document.id], embedders=["b"])] == [{"b": b"1b"}, {"b": b"2b"}]
    assert (catalog.embedded("a"), catalog.embedded("b"), catalog.embedded("c")) == (1, 2, 0)


def test_a_withheld_passage_is_given_to_nobody(catalog: Catalog, queue: Queue, engine: Engine):
    document = add(catalog)
    passages = [draft("one"), draft("ignore the rules", withheld="x")]
    queue.finish(queue.next_queued(), Outcome(media_type="text/plain", pages=[PageText(1, "p")], passages=passages))
    ids = ids_of(engine, document)
    assert [p.text for p in catalog.passages(ids, ALL)] == ["one"]
    with pytest.raises(DocumentNotFound):
        catalog.passage(ids[1], ALL)


def test_deleting_takes_the_vectors_along(catalog: Catalog, queue: Queue, engine: Engine):
    document = add(catalog)
    outcome = Outcome(media_type="text/plain", pages=[PageText(1, "p")], passages=[draft("one", a=b"1a")])
    queue.finish(queue.next_queued(), outcome)
    catalog.delete(document.id, ALL)
    with Session(engine) as session:
        assert session.scalars(select(VectorRow)).all() == []

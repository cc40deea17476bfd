"""Two tenants in one installation, over every path of retrieval: neither sees, infers or touches what is the other's.

Each path is called by one tenant for what only the other has. Then the defence that keeps it out is switched off, and
the leak must show: a matrix that cannot fail would prove nothing. Over HTTP the same is in
tests/app/test_api_two_tenants.py.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, true, update
from sqlalchemy.orm import Session

from retrieval import catalog as catalog_module
from retrieval.catalog import metadata
from retrieval.embedding_cache import CachedEmbedder
from retrieval.errors import DocumentNotFound
from retrieval.filing.directory import Directory
from retrieval.index import PassageIndex
from retrieval.ingest import Ingestor
from retrieval.lexical import LexicalIndex
from retrieval.neighbours import Neighbours
from retrieval.search import HybridSearch
from retrieval.stores import milvus_store
from retrieval.tables import DocumentRow, GenerationRow
from retrieval.types import Document, Evidence, Scope
from retrieval.visibility import Visibility
from tests.retrieval.house import ALL, LIMITS, House, seeing, sqlite
from tests.retrieval.word_embedder import WordEmbedder

SECRET = "zephyrine"
QUERY = "what is the codename of the merger"
THEIRS = f"the codename of the merger is {SECRET}"
COMPANY = "Falcon Holdings"
OURS = ("the codename of the canteen is fish", "the merger of cells takes a day")


@dataclass(frozen=True)
class Tenancy:
    """How two tenants are kept apart: what each one's documents carry, and what each may see."""

    ours: dict[str, str]
    theirs: dict[str, str]
    our_scope: Scope
    their_scope: Scope


TENANCIES = {
    "label": Tenancy(
        {"label": "ours", "collection": "shared"},
        {"label": "theirs", "collection": "shared"},
        seeing("ours", collections=("shared",)),
        seeing("theirs", collections=("shared",)),
    ),
    "collection": Tenancy(
        {"label": "internal", "collection": "ours"},
        {"label": "internal", "collection": "theirs"},
        seeing("internal", collections=("ours",)),
        seeing("internal", collections=("theirs",)),
    ),
    "crossed": Tenancy(  # each has the other's label in its own collection
        {"label": "red", "collection": "blue"},
        {"label": "blue", "collection": "red"},
        seeing("red", collections=("blue",)),
        seeing("blue", collections=("red",)),
    ),
}


@dataclass
class World:
    """An installation with a document of each."""

    house: House
    tenancy: Tenancy
    ours: Document
    theirs: Document

    @property
    def their_passages(self) -> list[int]:
        """Ids of the other's passages; ids are few here, so all are tried."""
        return [p.id for p in self.house.catalog.passages(range(1, 100), ALL) if p.document_id == self.theirs.id]

    def leaks(self, seen: Any) -> bool:
        """Say whether something of the other tenant is in what was seen."""
        numbers = {item for pair in seen for item in pair} if isinstance(seen, list) and _pairs(seen) else set()
        return SECRET in repr(seen) or self.theirs.id in repr(seen) or bool(numbers & set(self.their_passages))


def _pairs(seen: list[Any]) -> bool:
    return all(isinstance(item, tuple) for item in seen)


def on_milvus(house: House, folder: Path) -> House:
    """The same house with its vectors in Milvus."""
    pytest.importorskip("milvus_lite", reason="Milvus Lite is not installed; it comes with the extra `dev`")
    index = PassageIndex(
        house.catalog,
        [house.embedder],
        folder=folder / "index",
        store_for=lambda embedder, _folder: milvus_store.MilvusStore(
            str(folder / "milvus.db"), name="passages", index="FLAT", embedder=embedder, passages=house.catalog
        ),
    )
    ingestor = Ingestor(house.catalog, house.queue, files_dir=folder / "files", index=index, limits=LIMITS)
    return replace(house, index=index, search=HybridSearch(house.catalog, index), ingestor=ingestor)


def furnish(house: House, tenancy: Tenancy) -> World:
    ours = house.put(*OURS, name="canteen.txt", **tenancy.ours)
    theirs = house.put(THEIRS, f"{SECRET} is for the board alone", name=f"{SECRET}.txt", **tenancy.theirs)
    with Session(house.catalog._engine) as session, session.begin():  # as a cover says it
        named = update(DocumentRow).where(DocumentRow.id == theirs.id)
        session.execute(named.values(facts={"company": COMPANY, "kind": "10-K", "period": "FY2022"}))
    house.index.refresh()
    return World(house, tenancy, ours, theirs)


@pytest.fixture(scope="module", params=[*TENANCIES, "milvus"])
def still_world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world that no test changes."""
    folder = tmp_path_factory.mktemp("tenants")
    engine = sqlite(folder / "vouch.db")
    metadata.create_all(engine)
    house = House.at(folder, engine)
    if request.param == "milvus":
        yield furnish(on_milvus(house, folder), TENANCIES["crossed"])
    else:
        yield furnish(house, TENANCIES[request.param])
    engine.dispose()


@pytest.fixture(params=[*TENANCIES, "milvus"])
def world(request: pytest.FixtureRequest, house: House, tmp_path: Path) -> World:
    """A world of the test's own."""
    if request.param == "milvus":
        return furnish(on_milvus(house, tmp_path), TENANCIES["crossed"])
    return furnish(house, TENANCIES[request.param])


def by_words(world: World, scope: Scope, documents: list[str] | None = None) -> Any:
    return world.house.index.by_words(QUERY, 10, scope, documents=documents)


def by_vector(world: World, scope: Scope, documents: list[str] | None = None) -> Any:
    embedder = world.house.embedder
    vector = embedder.embed([f"{SECRET} {THEIRS}"])[0]
    return world.house.index.by_vector(embedder, vector, 10, scope, documents=documents)


def nearest(world: World, scope: Scope) -> Any:
    cosine = world.house.search.nearest(f"{SECRET} {THEIRS}", scope)
    return f"{SECRET} is there" if cosine is not None and cosine > 0.95 else cosine


def neighbours(world: World, scope: Scope) -> Any:
    """Expand evidence that somebody has of the other's passage: from an earlier answer, or made up."""
    catalog, index = world.house.catalog, world.house.index
    passage = catalog.passages(world.their_passages, ALL)[0]
    held = Evidence.of("1", passage.text, passage.locator, passage_id=passage.id)
    return Neighbours(catalog, index).expand([held], scope, budget=1000)[1:]


def narrowing(world: World, scope: Scope) -> Any:
    return Directory(world.house.index.documents).narrow(f"What was the revenue of {COMPANY} in 2022?", scope)


def or_not_there(read: Callable[[World, Scope], Any]) -> Callable[[World, Scope], Any]:
    def attempt(world: World, scope: Scope) -> Any:
        try:
            return read(world, scope)
        except DocumentNotFound as error:
            return error.code, error.message, error.remedy

    return attempt


PATHS: dict[str, tuple[Callable[[World, Scope], Any], frozenset[str]]] = {
    # what is called, and the defences that must all fail before it leaks
    "words": (by_words, frozenset({"mask"})),
    "words of a document": (lambda w, s: by_words(w, s, [w.theirs.id]), frozenset({"mask"})),
    "vector": (by_vector, frozenset({"mask"})),
    "vector of a document": (lambda w, s: by_vector(w, s, [w.theirs.id]), frozenset({"mask"})),
    "nearest": (nearest, frozenset({"mask"})),
    "neighbours": (neighbours, frozenset({"sql"})),
    "narrowing": (narrowing, frozenset({"facts"})),
    "fused": (lambda w, s: w.house.search.search([QUERY], s, k=10), frozenset({"mask", "sql"})),
    "passages": (lambda w, s: w.house.catalog.passages(w.their_passages, s), frozenset({"sql"})),
    "passage": (or_not_there(lambda w, s: w.house.catalog.passage(w.their_passages[0], s)), frozenset({"sql"})),
    "page": (or_not_there(lambda w, s: w.house.catalog.page_text(w.theirs.id, 1, s)), frozenset({"sql"})),
    "document": (or_not_there(lambda w, s: w.house.catalog.get(w.theirs.id, s)), frozenset({"sql"})),
    "list": (lambda w, s: w.house.catalog.list(s), frozenset({"sql"})),
    "list of a collection": (
        lambda w, s: w.house.catalog.list(s, collection=w.theirs.collection),
        frozenset({"sql"}),
    ),
}


def switch_off(defence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take one defence away: the mask in the searches, the scope in the SQL, or the one in the choice of documents."""
    if defence == "mask":
        monkeypatch.setattr(Visibility, "granted", lambda self, _scope: np.ones(len(self.groups) + 1, dtype=np.bool_))
        monkeypatch.setattr(milvus_store, "expression", lambda _scope: "id > 0")
    elif defence == "facts":
        monkeypatch.setattr(Scope, "allows", lambda self, **_where: True)
    else:
        monkeypatch.setattr(catalog_module, "_visible", lambda _scope: true())


def forget(world: World) -> None:
    """Drop what the index remembers of a scope, which nothing but a patched mask can make untrue."""
    world.house.index._last_seen = None


@pytest.mark.parametrize("path", PATHS)
def test_a_path_shows_its_own_and_nothing_of_the_other(still_world: World, path: str):
    call, world = PATHS[path][0], still_world
    assert world.leaks(call(world, world.tenancy.their_scope)), "the path must show the owner what it keeps from others"
    for scope in (world.tenancy.our_scope, Scope.nobody(), world.tenancy.our_scope.within(world.theirs.collection)):
        assert not world.leaks(call(world, scope))


@pytest.mark.parametrize("path", PATHS)
def test_the_leak_shows_when_the_defence_is_off_and_not_before(
    world: World, path: str, monkeypatch: pytest.MonkeyPatch
):
    call, needed = PATHS[path]
    for spared in needed if len(needed) > 1 else ():
        with monkeypatch.context() as partly:
            for defence in needed - {spared}:
                switch_off(defence, partly)
            forget(world)
            assert not world.leaks(call(world, world.tenancy.our_scope)), f"{spared} alone must hold"
    for defence in needed:
        switch_off(defence, monkeypatch)
    forget(world)
    assert world.leaks(call(world, world.tenancy.our_scope))


def test_counting_counts_what_may_be_seen(still_world: World, monkeypatch: pytest.MonkeyPatch):
    catalog, scope = still_world.house.catalog, still_world.tenancy.our_scope
    assert (catalog.count(scope), sum(catalog.counts(scope).values())) == (1, 1)
    assert catalog.count(scope, collection="nowhere") == 0
    switch_off("sql", monkeypatch)
    assert (catalog.count(scope), sum(catalog.counts(scope).values())) == (2, 2)


NOT_THERE: dict[str, Callable[[World, Scope], Any]] = {
    "passage": lambda w, s: w.house.catalog.passage(10**9, s),
    "page": lambda w, s: w.house.catalog.page_text("0" * 32, 1, s),
    "document": lambda w, s: w.house.catalog.get("0" * 32, s),
}


@pytest.mark.parametrize("path", NOT_THERE)
def test_not_yours_reads_like_not_there(still_world: World, path: str):
    scope = still_world.tenancy.our_scope
    assert PATHS[path][0](still_world, scope) == or_not_there(NOT_THERE[path])(still_world, scope)


def test_what_the_other_has_changes_nothing_that_the_vectors_find(house: House, monkeypatch: pytest.MonkeyPatch):
    house.put(*OURS, name="canteen.txt", label="ours")
    vector = house.embedder.embed([QUERY])[0]

    def seen() -> Any:
        house.index.refresh()
        found = house.index.by_vector(house.embedder, vector, 1, seeing("ours"))
        cosine = house.search.nearest(QUERY, seeing("ours"))
        assert cosine is not None
        return [i for i, _ in found], round(found[0][1], 5), round(cosine, 5)

    before = seen()
    for number in range(20):
        house.put(f"{QUERY} {number}", name=f"{number}.txt", label="theirs")
    assert seen() == before
    switch_off("mask", monkeypatch)
    assert seen() != before


def test_what_the_other_has_changes_nothing_that_the_words_find(house: House, monkeypatch: pytest.MonkeyPatch):
    """Else a tenant could learn how often a word stands in the other's documents, by which of his own comes first."""
    house.put("alpha report of the year", "a longer alpha remark on beta and on many other things", label="ours")
    house.put("beta report of the year", *(f"other thing {number}" for number in range(5)), label="ours")

    def seen() -> list[tuple[int, float]]:
        house.index.refresh()
        return [(i, round(s, 4)) for i, s in house.index.by_words("alpha beta report", 9, seeing("ours"))]

    def fused() -> list[tuple[str, float]]:
        found = house.find("alpha beta report", seeing("ours"), k=9)
        return [(item.text, round(item.score, 4)) for item in found]

    before, fused_before = seen(), fused()
    for number in range(8):
        house.put(*(f"alpha alpha {number} {part}" for part in range(9)), name=f"{number}.txt", label="theirs")
    house.put("a very long passage " * 40, label="theirs")
    assert seen() == before
    assert fused() == fused_before
    with monkeypatch.context() as partly:
        partly.setattr(LexicalIndex, "rarity", lambda self, terms, _counted=None: [float(len(term)) for term in terms])
        assert fused() != fused_before, "the second look counts as well"
    monkeypatch.setattr("retrieval.lexical.scoped_scores", unscoped)
    leaking = seen()
    assert [i for i, _ in leaking] != [i for i, _ in before], "the order alone tells it"


def unscoped(scores: Any, terms: Any, allowed: Any, _counted: Any, _lengths: Any, **_parameters: float) -> Any:
    """What the library gives: weighed by all passages, the hidden ones zero."""
    total = np.zeros(len(allowed), dtype=np.float32)
    for term in terms:
        start, stop = scores["indptr"][term : term + 2]
        total[scores["indices"][start:stop]] += scores["data"][start:stop]
    return total * allowed


def test_a_company_that_only_the_other_has_is_a_company_that_nobody_has(still_world: World):
    """A question that names it is answered as one that names a company of no document."""
    ours, house = still_world.tenancy.our_scope, still_world.house
    assert [i.text for i in house.find(f"the canteen of {COMPANY}", ours)] == [
        i.text for i in house.find("the canteen of Merlin Holdings", ours)
    ]


def test_the_others_crowd_takes_no_place_among_the_results(house: House, monkeypatch: pytest.MonkeyPatch):
    house.put("a long remark on many things that names the merger once", name="remark.txt", label="ours")
    for number in range(30):
        house.put(*(f"merger codename {number} {part}" for part in range(10)), name=f"{number}.txt", label="theirs")
    assert len(house.find("merger codename", seeing("ours"), k=5)) == 1
    switch_off("mask", monkeypatch)
    unremembered = seeing("ours", "another")  # what a scope sees is remembered while nothing changes
    assert house.find("merger codename", unremembered, k=5) == []


def relabel(engine: Engine, document: Document, label: str) -> None:
    """Give a document another label, as whoever does it must: with the generation, so that indexes hear of it."""
    with engine.begin() as connection:
        connection.execute(update(GenerationRow).values(value=GenerationRow.value + 1))
        connection.execute(update(DocumentRow).where(DocumentRow.id == document.id).values(label=label))


def meanwhile(house: House, event: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let something happen while a search has the words' results and waits for the embedding model."""
    embed = house.embedder.embed

    def embed_slowly(texts: Any) -> Any:
        event()
        return embed(texts)

    monkeypatch.setattr(house.embedder, "embed", embed_slowly)


@pytest.mark.parametrize("change", ["relabelled", "deleted"])
def test_what_is_taken_away_while_a_search_runs_is_not_in_its_result(
    house: House, sqlite_engine: Engine, change: str, monkeypatch: pytest.MonkeyPatch
):
    document = house.put(THEIRS, name="merger.txt", label="ours")
    assert house.find(QUERY, seeing("ours"))

    def take_away() -> None:
        if change == "deleted":
            house.catalog.delete(document.id, ALL)
        else:
            relabel(sqlite_engine, document, "theirs")

    meanwhile(house, take_away, monkeypatch)
    assert house.find(QUERY, seeing("ours")) == []


def test_a_search_under_way_would_show_it_without_the_scope_in_the_sql(
    house: House, sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    document = house.put(THEIRS, name="merger.txt", label="ours")
    assert house.find(QUERY, seeing("ours"))
    meanwhile(house, lambda: relabel(sqlite_engine, document, "theirs"), monkeypatch)
    switch_off("sql", monkeypatch)
    assert SECRET in house.find(QUERY, seeing("ours"))[0].text


def test_a_revoked_label_is_gone_at_the_next_call_whatever_it_is(world: World, sqlite_engine: Engine):
    scope = world.tenancy.their_scope
    relabel(sqlite_engine, world.theirs, "revoked")
    world.house.index.refresh()
    assert [path for path, (call, _) in PATHS.items() if world.leaks(call(world, scope))] == []


_BY_PASSAGE = ("passages", "passage", "neighbours")  # they ask for passages that are no longer there to be asked for


def test_a_deleted_document_is_gone_at_the_next_call_for_its_owner_too(world: World):
    scope, passages = world.tenancy.their_scope, world.their_passages
    world.house.ingestor.delete(world.theirs.id, scope)
    seen = {path: call(world, scope) for path, (call, _) in PATHS.items() if path not in _BY_PASSAGE}
    assert [path for path, found in seen.items() if world.leaks(found) or SECRET in repr(found)] == []
    assert world.house.catalog.passages(passages, ALL) == []
    assert not set(passages) & {i for i, _ in by_vector(world, ALL) + world.house.index.by_words(QUERY, 10, ALL)}


def test_one_cannot_delete_what_is_the_others(world: World, monkeypatch: pytest.MonkeyPatch):
    ingestor, scope = world.house.ingestor, world.tenancy.our_scope
    with pytest.raises(DocumentNotFound) as not_yours:
        ingestor.delete(world.theirs.id, scope)
    with pytest.raises(DocumentNotFound) as not_there:
        ingestor.delete("0" * 32, scope)
    assert str(not_yours.value) == str(not_there.value)
    assert world.house.find(QUERY, world.tenancy.their_scope)
    switch_off("sql", monkeypatch)
    ingestor.delete(world.theirs.id, scope)
    assert world.house.catalog.list(ALL) == [world.ours]


def test_the_same_file_of_both_is_two_documents_and_each_deletes_its_own(world: World):
    house, tenancy = world.house, world.tenancy
    content = b"the boiler is serviced every spring"

    def submit(name: str, where: dict[str, str]) -> Document:
        return house.ingestor.submit(io.BytesIO(content), name=name, **where)

    theirs = submit(f"{SECRET}.txt", tenancy.theirs)
    ours = submit("boiler.txt", tenancy.ours)
    while house.ingestor.run_once():
        pass
    assert ours.id != theirs.id
    assert not world.leaks(house.catalog.get(ours.id, tenancy.our_scope))
    found = house.find("when is the boiler serviced", tenancy.our_scope, k=1)
    assert found[0].locator.document == "boiler.txt"
    file = house.ingestor.path_of(ours)
    house.ingestor.delete(ours.id, tenancy.our_scope)
    assert file.read_bytes() == content
    assert house.find("when is the boiler serviced", tenancy.their_scope, k=1)[0].locator.document_id == theirs.id
    house.ingestor.delete(theirs.id, tenancy.their_scope)
    assert not file.exists()


@pytest.mark.parametrize("tenancy", ["label", "collection"])
def test_a_new_version_takes_the_place_of_ones_own_alone(house: House, tenancy: str):
    """Both name the same source; what the one adds from there leaves the other's document as it is."""
    kept_apart = TENANCIES[tenancy]

    def submit(content: str, where: dict[str, str]) -> Document:
        file = io.BytesIO(content.encode())
        document = house.ingestor.submit(file, name="rules.txt", source="https://intranet/rules", **where)
        while house.ingestor.run_once():
            pass
        return document

    theirs = submit(f"the rules of {SECRET}", kept_apart.theirs)
    ours = submit("the rules of the canteen", kept_apart.ours)
    newer = submit("the newer rules of the canteen", kept_apart.ours)
    assert [d.id for d in house.catalog.list(kept_apart.their_scope)] == [theirs.id]
    assert [d.id for d in house.catalog.list(kept_apart.our_scope)] == [newer.id]
    assert newer.replaces == ours.id
    assert ours.replaces is None, "an id of the other's document must not be told"
    assert house.ingestor.path_of(theirs).exists()


def test_remembered_embeddings_hold_no_words(tmp_path: Path):
    """A cache that all share knows a text by its digest: whoever reads the file, or asks it, learns of no text."""
    cache = CachedEmbedder(WordEmbedder(), tmp_path / "vectors.db")
    assert (cache.embed([THEIRS]) == cache.embed([THEIRS])).all()
    cache.close()
    assert SECRET.encode() not in (tmp_path / "vectors.db").read_bytes()


@pytest.mark.parametrize("store", ["faiss", "milvus"])
def test_one_scope_after_the_other_is_answered_for_itself(house: House, tmp_path: Path, store: str):
    """What is remembered of one scope must not answer another that looks like it: same subject, same words swapped."""
    house = on_milvus(house, tmp_path) if store == "milvus" else house
    places = [(label, collection) for label in ("a", "b", "a,b") for collection in ("a", "b", "a,b")]
    held = {place: house.put(f"{QUERY} {place}", label=place[0], collection=place[1]) for place in places}
    scopes = [
        Scope(subject="someone", labels=frozenset(labels), collections=frozenset(collections))
        for labels in (["a"], ["b"], ["a", "b"], ["a,b"], [])
        for collections in (["a"], ["b"], ["a", "b"], ["a,b"], [])
    ]
    vector = house.embedder.embed([QUERY])[0]
    for scope in (*scopes, *reversed(scopes)):
        visible = {d.id for (label, group), d in held.items() if scope.allows(label=label, collection=group)}
        assert {item.locator.document_id for item in house.find(QUERY, scope, k=20)} == visible
        assert len(house.index.by_words(QUERY, 20, scope)) == len(visible)
        assert len(house.index.by_vector(house.embedder, vector, 20, scope)) == len(visible)
    gone = held.pop(("a", "b"))
    house.ingestor.delete(gone.id, ALL)
    for scope in scopes:
        visible = {d.id for (label, group), d in held.items() if scope.allows(label=label, collection=group)}
        assert {item.locator.document_id for item in house.find(QUERY, scope, k=20)} == visible

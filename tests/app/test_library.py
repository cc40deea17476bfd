"""How the library comes up: what it says before it is ready, and what keeps it from getting there."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine

from app.library import Library
from app.settings import load
from app.storage.engine import connect
from app.storage.migrate import upgrade
from model.errors import ModelNotReady
from retrieval.embedding import TextEmbedder, Vectors
from retrieval.errors import StoreUnavailable
from retrieval.queue import Queue
from retrieval.types import Scope
from tests.retrieval.house import ALL, store
from tests.retrieval.word_embedder import WordEmbedder


@pytest.fixture
def database(tmp_path: Path) -> Engine:
    engine = connect(f"sqlite:///{tmp_path / 'vouch.db'}")
    upgrade(engine)
    yield engine
    engine.dispose()


def library(tmp_path: Path, database: Engine, *embedders: TextEmbedder) -> Library:
    settings = load(
        {"VOUCH_DATA_DIR": str(tmp_path / "data"), "VOUCH_MODEL_DIR": str(tmp_path / "models"), "VOUCH_OFFLINE": "1"}
    )
    return Library(settings, database, secret=b"s" * 32, embedders=embedders or None)


def run(made: Library, stop: threading.Event) -> threading.Thread:
    thread = threading.Thread(target=made.run, args=(stop,), daemon=True)
    thread.start()
    return thread


def until(condition) -> None:
    waiting = threading.Event()
    for _ in range(400):
        if condition():
            return
        waiting.wait(0.05)
    raise AssertionError("it did not come to pass")


def test_before_it_is_ready_a_search_says_how_far_it_is(tmp_path: Path, database: Engine) -> None:
    made = library(tmp_path, database, WordEmbedder())
    assert (made.state, made.embedder) == ("waiting", "")
    with pytest.raises(ModelNotReady, match="waiting"):
        made.search(["loan"], ALL, k=5)


def test_it_is_ready_when_every_model_answers_and_names_them_all(tmp_path: Path, database: Engine) -> None:
    made, stop = library(tmp_path, database, WordEmbedder("a@1"), WordEmbedder("b@1")), threading.Event()
    thread = run(made, stop)
    until(lambda: made.state == "ready")
    assert made.search(["loan"], ALL, k=5) == []
    assert made.embedder == "a@1 b@1"
    stop.set()
    thread.join(timeout=20)
    assert not thread.is_alive()


def test_weights_that_cannot_be_had_are_said_and_nothing_is_searched(tmp_path: Path, database: Engine) -> None:
    made = library(tmp_path, database)
    made.run(threading.Event())
    assert made.state != "ready"
    with pytest.raises(ModelNotReady):
        made.search(["loan"], ALL, k=5)


def test_a_store_that_is_away_is_waited_for(tmp_path: Path, database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.library._STORE_PAUSE_S", 0.01)
    made, stop, tries = library(tmp_path, database, WordEmbedder()), threading.Event(), []
    load_index = made.index.load

    def away() -> None:
        tries.append(made.state)
        if len(tries) < 3:
            raise StoreUnavailable("The vector store does not answer.", remedy="Start it.")
        load_index()

    monkeypatch.setattr(made.index, "load", away)
    thread = run(made, stop)
    until(lambda: made.state == "ready")
    assert tries[1:] == ["The vector store does not answer."] * 2
    stop.set()
    thread.join(timeout=20)


def test_stopping_ends_the_wait_for_a_store(tmp_path: Path, database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    made, stop = library(tmp_path, database, WordEmbedder()), threading.Event()

    def away() -> None:
        stop.set()
        raise StoreUnavailable("The vector store does not answer.", remedy="Start it.")

    monkeypatch.setattr(made.index, "load", away)
    made.run(stop)
    assert made.state == "The vector store does not answer."


def test_a_model_that_breaks_is_not_found_out_by_the_first_question(tmp_path: Path, database: Engine) -> None:
    class Broken(WordEmbedder):
        def embed(self, texts) -> Vectors:
            raise StoreUnavailable("The weights are damaged.", remedy="Fetch them again.")

    made = library(tmp_path, database, Broken())
    made.run(threading.Event())
    assert made.state == "The weights are damaged."


def test_what_stands_around_is_added_as_far_as_the_setting_allows(tmp_path: Path, database: Engine) -> None:
    embedder = WordEmbedder()
    made, stop = library(tmp_path, database, embedder), threading.Event()
    texts = ("The loan rate is five.", "It rises to six after a default.", "The canteen serves fish.")
    store(made.catalog, Queue(database), embedder, *texts, name="a.txt", label="internal", collection="default")
    thread = run(made, stop)
    until(lambda: made.state == "ready")
    found = made.search(["loan rate"], ALL, k=1)
    assert [item.text for item in made.expand(found, ALL)] == [texts[0]]
    made._settings = made._settings.model_copy(update={"neighbour_tokens": 12})
    assert [item.text for item in made.expand(found, ALL)] == list(texts[:2])
    assert [item.text for item in made.expand(found, Scope.nobody())] == [texts[0]]
    stop.set()
    thread.join(timeout=20)


def test_a_whole_document_comes_in_its_order_and_only_to_who_may_see_it(tmp_path: Path, database: Engine) -> None:
    embedder = WordEmbedder()
    made, stop = library(tmp_path, database, embedder), threading.Event()
    texts = ("The rent is 900.", "The notice is 45 days.", "The end.")
    where = {"label": "internal", "collection": "default"}
    lease = store(made.catalog, Queue(database), embedder, *texts, name="lease.txt", **where)
    other = store(made.catalog, Queue(database), embedder, "The rent is 700.", name="other.txt", **where)
    thread = run(made, stop)
    until(lambda: made.state == "ready")
    assert [(item.id, item.text) for item in made.whole(lease.id, ALL)] == list(zip("123", texts, strict=True))
    assert [item.text for item in made.whole(other.id, ALL)] == ["The rent is 700."]
    assert made.whole(lease.id, Scope.nobody()) == []
    assert made.whole("nothing", ALL) == []
    stop.set()
    thread.join(timeout=20)

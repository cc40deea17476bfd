"""Search and index over a real catalog: both languages, permissions from both sides, and staying in step."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, update
from structlog.testing import capture_logs

from retrieval.index import PassageIndex
from retrieval.packing import pack, unpack
from retrieval.search import HybridSearch
from retrieval.tables import DocumentRow
from retrieval.types import Scope, digest_of
from tests.retrieval.house import ALL, House, seeing, store
from tests.retrieval.word_embedder import WordEmbedder


def texts(found) -> list[str]:
    return [item.text for item in found]


def test_evidence_is_numbered_in_order_and_says_where_it_stands(any_house: House):
    document = any_house.put("the loan rate is five percent", "the weather is fine", name="terms.txt")
    found = any_house.find("loan rate")
    assert [item.id for item in found] == ["1", "2"]
    assert found[0].text == "the loan rate is five percent"
    assert (found[0].locator.document_id, found[0].locator.document) == (document.id, "terms.txt")
    assert (found[0].locator.page, found[0].locator.start, found[0].locator.end) == (1, 0, 29)
    assert found[0].digest == digest_of(found[0].text)
    assert found[0].score > found[1].score > 0
    page = any_house.catalog.page_text(document.id, 1, ALL).text
    assert page[found[0].locator.start : found[0].locator.end] == found[0].text


def test_what_agrees_by_words_and_by_meaning_comes_first(house: House):
    house.put("interest rate of the loan", "rate", "loan agreement with a bank")
    found = house.find("interest rate of the loan")
    assert texts(found)[0] == "interest rate of the loan"
    # every word is there once, the meaning is the same but for the document's name, and all words stand side by side
    assert 0.8 < found[0].score < 1.12
    assert found[0].score > 1.5 * found[1].score


@pytest.mark.parametrize("k", [0, 1, 2, 3, 50])
def test_no_more_than_asked_for(house: House, k: int):
    house.put("loan one", "loan two", "loan three")
    assert len(house.find("loan", k=k)) == min(k, 3)


def test_nothing_is_found_in_nothing(house: House):
    assert house.find("loan") == []
    assert house.search.search([], ALL, k=5) == []
    assert house.search.nearest("loan", ALL) is None


def test_a_hidden_document_is_found_by_nobody_and_by_its_label(any_house: House):
    house = any_house
    house.put("the merger is called falcon", label="board", name="falcon.txt")
    house.put("the canteen serves fish", label="staff")
    for scope in (Scope.nobody(), seeing("staff"), seeing("board", collections=("other",))):
        assert "the merger is called falcon" not in texts(house.find("merger falcon", scope))
        hidden = house.index.by_words("merger falcon", 10, scope)
        vector = house.embedder.embed(["falcon the merger is called falcon"])[0]
        near = [i for i, _ in house.index.by_vector(house.embedder, vector, 10, scope)]
        board = [item.passage_id for item in house.find("merger falcon", seeing("board"))]
        assert not {i for i, _ in hidden} & set(board)
        assert not set(near) & set(board)
    assert texts(house.find("merger falcon", seeing("board"))) == ["the merger is called falcon"]
    assert texts(house.find("merger falcon", ALL))[0] == "the merger is called falcon"


def test_many_hidden_passages_do_not_crowd_out_the_one_that_may_be_seen(house: House):
    for number in range(30):
        house.put(*(f"loan rate {number} {part}" for part in range(10)), label="board", name=f"b{number}")
    house.put("a long remark in which the loan is named once among many other things", label="staff")
    assert len(house.find("loan rate", seeing("staff"), k=5)) == 1
    assert len(house.find("loan rate", seeing("board"), k=5)) == 5


def test_a_collection_can_be_searched_alone(house: House):
    house.put("loan rate five", collection="a")
    house.put("loan rate six", collection="b")
    assert texts(house.find("loan rate", ALL.within("b"))) == ["loan rate six"]
    assert house.find("loan rate", seeing("internal", collections=("a",)).within("b")) == []


def test_a_label_that_changes_takes_effect_at_once(house: House, sqlite_engine: Engine):
    document = house.put("loan rate", label="staff")
    assert len(house.find("loan", seeing("staff"))) == 1
    with sqlite_engine.begin() as connection:
        connection.execute(update(DocumentRow).where(DocumentRow.id == document.id).values(label="board"))
    assert house.find("loan", seeing("staff")) == []


def test_chinese_is_found_by_words_alone(house: House):
    house.put("员工每年有二十五天带薪年假", "差旅费用须经部门经理批准", language="zh", name="制度.txt")
    house.put("employees have twenty five days of leave")
    asked = house.embedder.texts
    assert texts(house.find("带薪年假有几天"))[0] == "员工每年有二十五天带薪年假"
    assert texts(house.find("谁批准差旅费用"))[0] == "差旅费用须经部门经理批准"
    assert house.embedder.texts == asked
    assert house.search.nearest("带薪年假有几天", ALL) is None
    assert texts(house.find("days of leave"))[0] == "employees have twenty five days of leave"


def test_the_name_of_the_document_helps_to_find_its_passages(house: House):
    house.put("total revenue was 4,796", name="ADOBE_2015_10K.pdf")
    house.put("total revenue was 9,021", name="OTHER_2018_10K.pdf")
    assert texts(house.find("Adobe total revenue FY2015"))[0] == "total revenue was 4,796"
    assert texts(house.find("Other total revenue FY2018"))[0] == "total revenue was 9,021"


def test_the_same_words_count_once(house: House):
    house.put("the loan rate is five", name="a.txt")
    house.put("the  loan rate\nis five", name="b.txt")
    house.put("the loan book", name="c.txt")
    assert len(house.find("loan rate is five")) == 2


def test_several_queries_are_fused(house: House):
    house.put("apples are red", "the sky is blue", "coal is black")
    found = texts(house.search.search(["apples", "coal"], ALL, k=2))
    assert sorted(found) == ["apples are red", "coal is black"]


def test_nearest_is_the_cosine_under_the_scope(house: House):
    house.put("the loan rate", label="staff", name="")
    house.put("weather", label="board", name="")
    assert house.search.nearest("the loan rate", seeing("staff")) == pytest.approx(1.0, abs=1e-3)
    assert house.search.nearest("the loan rate", seeing("board")) < 0.9
    assert house.search.nearest("the loan rate", Scope.nobody()) is None


def test_deleted_is_gone_from_words_and_vectors(any_house: House):
    gone = any_house.put("loan rate five")
    kept = any_house.put("loan rate six")
    assert len(any_house.find("loan rate")) == 2
    any_house.catalog.delete(gone.id, ALL)
    assert [item.locator.document_id for item in any_house.find("loan rate")] == [kept.id]
    assert any_house.index.size == 1
    vector = any_house.embedder.embed(["loan rate five"])[0]
    assert len(any_house.index.by_vector(any_house.embedder, vector, 10, ALL)) == 1


def test_another_process_index_follows_the_catalog(house: House):
    other = PassageIndex(house.catalog, [house.embedder], folder=house.folder / "other")
    search = HybridSearch(house.catalog, other)
    assert search.search(["loan"], ALL, k=5) == []
    document = house.put("loan rate")
    assert len(search.search(["loan"], ALL, k=5)) == 1
    house.catalog.delete(document.id, ALL)
    assert search.search(["loan"], ALL, k=5) == []


def restart(house: House, embedder: WordEmbedder | None = None) -> tuple[PassageIndex, HybridSearch, list[dict]]:
    embedder = embedder or WordEmbedder()
    index = PassageIndex(house.catalog, [embedder], folder=house.folder / "index")
    with capture_logs() as logs:
        index.load()
    return index, HybridSearch(house.catalog, index), logs


def events(logs: list[dict]) -> list[str]:
    return [line["event"] for line in logs]


def test_a_restart_reads_the_snapshot(house: House):
    house.put("loan rate", "weather")
    expected = house.find("loan rate")
    house.index.save()
    index, search, logs = restart(house)
    assert events(logs) == ["index.ready"]
    assert logs[0]["from_snapshot"] is True
    assert index.size == 2
    assert search.search(["loan rate"], ALL, k=5) == expected


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x40
    path.write_bytes(data)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: flip(next(folder.glob("*.rows"))),
        lambda folder: next(folder.glob("*.rows")).unlink(),
        lambda folder: (folder / "manifest").write_text("{}"),
        lambda folder: next(folder.glob("*.ids")).write_bytes(b""),
    ],
    ids=["flipped", "missing", "manifest", "empty"],
)
def test_a_spoiled_snapshot_is_rebuilt_from_the_catalog_and_said_so(house: House, spoil):
    house.put("loan rate", "weather")
    expected = house.find("loan rate")
    house.index.save()
    spoil(house.folder / "index" / "0")
    index, search, logs = restart(house)
    assert events(logs) == ["index.rebuilding", "index.ready"]
    assert search.search(["loan rate"], ALL, k=5) == expected
    index.save()
    assert events(restart(house)[2]) == ["index.ready"]


def test_a_stale_snapshot_is_rebuilt(house: House):
    gone = house.put("loan rate")
    house.find("loan")
    house.index.save()
    house.catalog.delete(gone.id, ALL)
    house.put("loan book")
    index, search, logs = restart(house)
    assert events(logs) == ["index.rebuilding", "index.ready"]
    assert texts(search.search(["loan"], ALL, k=5)) == ["loan book"]
    assert index.size == 1


def test_of_a_stale_snapshot_only_the_difference_is_made_anew(house: House, monkeypatch: pytest.MonkeyPatch):
    gone = house.put("loan rate", "loan terms")
    house.put("loan book")
    house.find("loan")
    house.index.save()
    house.catalog.delete(gone.id, ALL)
    house.put("loan account")
    index = PassageIndex(house.catalog, [WordEmbedder()], folder=house.folder / "index")
    store, added = index._stores[0], []
    add = store.add
    monkeypatch.setattr(store, "add", lambda ids, rows: (added.extend(ids), add(ids, rows)))
    index.load()
    assert len(added) == 1
    assert sorted(store.ids()) == sorted(index.held().words) == [3, 4]
    assert len(HybridSearch(house.catalog, index).search(["loan"], ALL, k=5)) == 2


def test_vectors_of_another_model_are_not_mixed_in(house: House):
    house.put("loan rate")
    house.find("loan")
    house.index.save()
    _, search, logs = restart(house, WordEmbedder("words@2"))
    assert "index.rebuilding" in events(logs)
    assert search.nearest("loan rate", ALL) is None
    assert texts(search.search(["loan"], ALL, k=5)) == ["loan rate"]


def test_a_snapshot_is_written_only_when_something_changed(house: House):
    house.put("loan rate")
    house.find("loan")
    house.index.save()
    before = (house.folder / "index" / "0" / "manifest").stat().st_mtime_ns
    house.index.save()
    assert (house.folder / "index" / "0" / "manifest").stat().st_mtime_ns == before
    house.put("loan book")
    house.find("loan")
    house.index.save()
    assert (house.folder / "index" / "0" / "manifest").stat().st_mtime_ns != before


def test_searches_beside_changes_see_whole_documents_or_none(house: House):
    stop, wrong = threading.Event(), []

    def ask() -> None:
        while not stop.is_set():
            found = house.find("twin loan", k=50)
            by_document: dict[str, int] = {}
            for item in found:
                by_document[item.locator.document_id] = by_document.get(item.locator.document_id, 0) + 1
            wrong.extend(count for count in by_document.values() if count != 2)

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    for number in range(12):
        house.put(f"twin loan {number} left", f"twin loan {number} right", name=f"{number}.txt")
    stop.set()
    for asker in askers:
        asker.join()
    assert wrong == []
    assert len(house.find("twin loan", k=50)) == 24


def test_packed_vectors_come_back_as_unit_vectors():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((5, 32)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    back = unpack([pack(row) for row in rows], dimension=32)
    assert back.dtype == np.float32
    assert np.linalg.norm(back, axis=1) == pytest.approx(np.ones(5), abs=1e-6)
    assert (back * rows).sum(axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    assert unpack([], dimension=32).shape == (0, 32)


def test_a_search_can_be_held_to_some_documents_and_the_scope_still_hides(house: House):
    loans = house.put("the loan rate is five", name="loans.txt")
    cards = house.put("the loan rate is nine", name="cards.txt")
    secret = house.put("the loan rate is two", name="secret.txt", label="board")
    house.find("loan")
    vector = house.embedder.embed(["loan rate"])[0]
    for documents, scope, wanted in (
        ([cards.id], ALL, {cards.id}),
        ([loans.id, cards.id, loans.id], ALL, {loans.id, cards.id}),
        ([secret.id, loans.id], seeing("internal"), {loans.id}),
        (["unknown"], ALL, set()),
        ([], ALL, set()),
    ):
        for hits in (
            house.index.by_words("loan rate", 10, scope, documents=documents),
            house.index.by_vector(house.embedder, vector, 10, scope, documents=documents),
        ):
            found = house.catalog.passages([i for i, _ in hits], ALL)
            assert {passage.document_id for passage in found} == wanted


def test_each_model_has_vectors_of_its_own_and_both_come_back_from_their_snapshots(house: House):
    other = WordEmbedder("words@2")
    index = PassageIndex(house.catalog, [house.embedder, other], folder=house.folder / "index")
    first, second = house.embedder.embed(["loan rate"])[0], other.embed(["loan rate"])[0]
    house.put("the loan rate")
    store(house.catalog, house.queue, other, "the loan book", name="b.txt", label="internal", collection="default")
    index.refresh()
    index.save()
    again = PassageIndex(house.catalog, [house.embedder, other], folder=house.folder / "index")
    again.load()
    for made in (index, again):
        assert len(made.by_words("loan", 10, ALL)) == 2
        assert len(made.by_vector(house.embedder, first, 10, ALL)) == 1
        assert len(made.by_vector(other, second, 10, ALL)) == 1

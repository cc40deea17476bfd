"""Each way in which catalog, files and indexes can come apart is found by name, and mended where it can be."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, text

from retrieval.errors import RetrievalError
from retrieval.index import PassageIndex
from retrieval.reconciliation.check import check
from retrieval.reconciliation.disk import file_findings
from retrieval.reconciliation.repair import repair
from retrieval.reconciliation.types import MENDABLE, Finding, Kind, Report
from retrieval.types import Document
from retrieval.visibility import Group
from tests.retrieval.house import ALL, House, sqlite
from tests.retrieval.word_embedder import WordEmbedder

BOILER = "the boiler is serviced every spring"
QUERY = "when is the boiler serviced"


class Scene:
    """A house with two documents that were read from files, and one way to damage each part."""

    def __init__(self, house: House, engine: Engine) -> None:
        self.house, self.engine, self.files = house, engine, house.folder / "files"
        self.boiler = self._put(BOILER, "boiler.txt")
        self.lift = self._put("the lift is inspected every autumn", "lift.txt")
        house.index.refresh()
        house.index.save()

    def _put(self, content: str, name: str) -> Document:
        """Keep the file as the ingestion does, and store the passages without a parser."""
        submitted = self.house.ingestor.submit(
            io.BytesIO(content.encode()), name=name, collection="default", label="internal"
        )
        self.sql("UPDATE documents SET state = 'failed' WHERE id = :id", id=submitted.id)  # out of the queue
        stored = self.house.put(content, name=name)
        self.sql("DELETE FROM documents WHERE id = :id", id=submitted.id)
        self.sql(
            "UPDATE documents SET sha256 = :sha, size = :size WHERE id = :id",
            sha=submitted.sha256,
            size=submitted.size,
            id=stored.id,
        )
        return self.house.catalog.get(stored.id, ALL)

    def sql(self, statement: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(text("PRAGMA foreign_keys=OFF"))
            connection.execute(text(statement), values)

    def unchecked(self, *statements: str, **values: Any) -> None:
        """Change rows behind the back of every constraint, as a restored or edited database can be."""
        connection = self.engine.raw_connection()
        try:
            connection.execute("PRAGMA foreign_keys=OFF")  # only holds outside of a transaction
            for statement in statements:
                connection.execute(statement, values)
            connection.commit()
            connection.execute("PRAGMA foreign_keys=ON")
        finally:
            connection.close()

    def check(self, **options: bool) -> Report:
        return check(self.engine, self.house.index, self.files, **options)

    def mended(self, **options: bool) -> Report:
        repair(self.check(**options), self.engine, self.house.index, self.files)
        return self.check(**options)

    def passages(self, document: Document) -> list[int]:
        return [p.id for p in self.house.catalog.passages(range(1, 50), ALL) if p.document_id == document.id]

    @property
    def store(self) -> Any:
        return self.house.index._stores[0]

    def path(self, document: Document) -> Path:
        return self.house.ingestor.path_of(document)


@pytest.fixture
def scene(house: House, sqlite_engine: Engine) -> Scene:
    return Scene(house, sqlite_engine)


def test_what_agrees_is_said_to_agree(scene: Scene):
    report = scene.check(deep=True)
    assert report.agrees, report.findings
    assert report.generation == scene.house.catalog.generation()
    assert report.counts == {"documents": 2, "files": 2, "passages": 2, "vectors of words@1": 2}
    assert report.body()["kinds"] == {}


def lose_file(scene: Scene) -> None:
    scene.path(scene.boiler).unlink()


def cut_file(scene: Scene) -> None:
    scene.path(scene.boiler).write_bytes(b"the boiler")


def orphan_file(scene: Scene) -> None:
    path = scene.files / "ab" / ("ab" + "0" * 62)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"left behind")
    os.utime(path, (time.time() - 7200, time.time() - 7200))


def strange_file(scene: Scene) -> None:
    (scene.files / "notes.txt").write_text("?")
    (scene.files / "ab").mkdir(exist_ok=True)
    (scene.files / "ab" / ("cd" + "0" * 62)).write_text("?")


def lose_passage(scene: Scene) -> None:
    scene.unchecked(f"DELETE FROM passages WHERE document_id = '{scene.boiler.id}'")


def lose_page(scene: Scene) -> None:
    scene.unchecked(f"DELETE FROM pages WHERE document_id = '{scene.boiler.id}'")


def lose_document(scene: Scene) -> None:
    scene.unchecked(
        f"DELETE FROM documents WHERE id = '{scene.boiler.id}'", "UPDATE catalog_generation SET value = value + 1"
    )
    scene.path(scene.boiler).unlink()


def lose_vector(scene: Scene) -> None:
    scene.unchecked(f"DELETE FROM passage_vectors WHERE passage_id = {scene.passages(scene.boiler)[0]}")


def cut_vector(scene: Scene) -> None:
    scene.unchecked(f"UPDATE passage_vectors SET vector = x'0011' WHERE passage_id = {scene.passages(scene.boiler)[0]}")


def lose_words(scene: Scene) -> None:
    scene.house.index._lexical.remove(scene.passages(scene.boiler))


def add_words(scene: Scene) -> None:
    scene.house.index._lexical.add([900], ["a ghost"])


def lose_from_store(scene: Scene) -> None:
    scene.store.remove(scene.passages(scene.boiler))


def add_to_store(scene: Scene) -> None:
    scene.store.add([900], scene.house.embedder.embed(["a ghost"]))


def relabel_behind(scene: Scene) -> None:
    scene.unchecked(f"UPDATE documents SET label = 'board' WHERE id = '{scene.boiler.id}'")


def spoil_snapshot(scene: Scene) -> None:
    (scene.house.folder / "index" / "0" / "manifest").write_bytes(b"?")


# what is done, what is found, and what mending leaves
DAMAGES: list[tuple[Callable[[Scene], None], set[Kind], set[Kind]]] = [
    (lose_file, {Kind.FILE_MISSING}, {Kind.FILE_MISSING}),
    (cut_file, {Kind.FILE_SIZE}, {Kind.FILE_SIZE}),
    (orphan_file, {Kind.FILE_ORPHAN}, set()),
    (strange_file, {Kind.FILE_STRANGE}, {Kind.FILE_STRANGE}),
    (lose_document, {Kind.ROW_ORPHAN, Kind.SNAPSHOT_STALE}, set()),
    (lose_vector, {Kind.VECTOR_MISSING, Kind.INDEX_EXTRA}, set()),
    (cut_vector, {Kind.VECTOR_DAMAGED}, set()),
    (lose_words, {Kind.WORDS_MISSING}, set()),
    (add_words, {Kind.WORDS_EXTRA}, set()),
    (lose_from_store, {Kind.INDEX_MISSING}, set()),
    (add_to_store, {Kind.INDEX_EXTRA}, set()),
    (relabel_behind, {Kind.PERMISSION_STALE}, set()),
    (spoil_snapshot, {Kind.SNAPSHOT_DAMAGED}, set()),
]


@pytest.mark.parametrize(("damage", "found", "left"), DAMAGES, ids=[damage.__name__ for damage, _, _ in DAMAGES])
def test_each_damage_is_found_by_its_name_and_mended(
    scene: Scene, damage: Callable[[Scene], None], found: set[Kind], left: set[Kind]
):
    damage(scene)
    report = scene.check()
    assert {finding.kind for finding in report.findings} == found
    assert not report.agrees
    after = scene.mended()
    assert {finding.kind for finding in after.findings} == left
    assert left.isdisjoint(MENDABLE)
    if damage is not lose_document:
        assert scene.house.find(QUERY, k=1)[0].text == BOILER
        assert (
            len(scene.house.index.by_vector(scene.house.embedder, scene.house.embedder.embed([BOILER])[0], 5, ALL)) == 2
        )


def test_other_bytes_of_the_same_length_are_found_by_a_deep_check(scene: Scene):
    path = scene.path(scene.boiler)
    path.write_bytes(path.read_bytes().replace(b"spring", b"winter"))
    assert scene.check().agrees
    found = scene.check(deep=True).findings
    assert [(f.kind, f.subject) for f in found] == [(Kind.FILE_DIGEST, scene.boiler.id)]
    assert [f.kind for f in scene.mended(deep=True).findings] == [Kind.FILE_DIGEST]
    assert b"winter" in path.read_bytes(), "what may be the only copy is left alone"


@pytest.mark.parametrize(("damage", "kind"), [(lose_passage, Kind.PASSAGES_LOST), (lose_page, Kind.PAGES_LOST)])
def test_a_document_that_lost_rows_is_read_again(scene: Scene, damage: Callable[[Scene], None], kind: Kind):
    damage(scene)
    assert kind in {finding.kind for finding in scene.check().findings}
    after = scene.mended()
    assert {f.kind for f in after.findings} <= {Kind.ROW_ORPHAN}
    while scene.house.ingestor.run_once():
        pass
    scene.house.index.refresh()
    scene.house.index.save()
    assert scene.mended().agrees
    assert scene.house.find(QUERY, k=1)[0].text == BOILER


def test_a_document_whose_file_is_gone_too_keeps_what_it_has(scene: Scene):
    lose_page(scene)
    lose_file(scene)
    after = scene.mended()
    assert {f.kind for f in after.findings} == {Kind.FILE_MISSING, Kind.PAGES_LOST}
    assert scene.house.find(QUERY, k=1)[0].text == BOILER


def test_a_young_orphan_may_be_on_its_way_in(scene: Scene):
    orphan_file(scene)
    assert list(file_findings(scene.files, [], deep=False, now=time.time() - 7000)) == []
    scene.files.joinpath("incoming").mkdir(exist_ok=True)
    (scene.files / "incoming" / "upload").write_text("half")
    assert {f.kind for f in scene.check().findings} == {Kind.FILE_ORPHAN}


def test_an_orphan_that_a_document_got_meanwhile_is_not_removed(scene: Scene):
    report = replace(scene.check(), findings=[Finding(Kind.FILE_ORPHAN, scene.boiler.sha256)])
    repair(report, scene.engine, scene.house.index, scene.files)
    assert scene.path(scene.boiler).exists()


def test_a_snapshot_of_an_older_catalog_is_found_and_written_anew(scene: Scene):
    scene.house.put("a new document", name="new.txt")
    kinds = {f.kind for f in scene.check().findings}
    assert kinds == {Kind.SNAPSHOT_STALE, Kind.FILE_MISSING}  # `put` keeps no file
    assert {f.kind for f in scene.mended().findings} == {Kind.FILE_MISSING}


def test_a_second_model_is_filled_in_without_reading_the_files_again(scene: Scene):
    other = WordEmbedder("words@2")
    index = PassageIndex(scene.house.catalog, [scene.house.embedder, other], folder=scene.house.folder / "index")
    report = check(scene.engine, index, scene.files)
    assert Finding(Kind.VECTOR_MISSING, "words@2", 2) in report.findings
    repair(report, scene.engine, index, scene.files)
    assert check(scene.engine, index, scene.files).agrees
    assert len(index.by_vector(other, other.embed([BOILER])[0], 5, ALL)) == 2


def test_revoking_behind_the_index_is_mended_for_searches_too(scene: Scene):
    relabel_behind(scene)
    held = scene.house.index.held()
    assert held.documents[scene.boiler.id].label == "internal"
    scene.mended()
    assert scene.house.index.held().documents[scene.boiler.id].label == "board"


def test_a_catalog_that_never_stands_still_is_told(scene: Scene, monkeypatch: pytest.MonkeyPatch):
    moments = iter(range(100, 200))
    monkeypatch.setattr("retrieval.catalog.Catalog.generation", lambda _self: next(moments))
    with pytest.raises(RetrievalError, match="fast") as told:
        scene.check()
    assert told.value.code == "retrieval_busy"


def test_findings_name_no_path_and_no_text(scene: Scene):
    for damage in (lose_file, orphan_file, strange_file, lose_words, add_to_store):
        damage(scene)
    said = repr(scene.check().body())
    assert str(scene.house.folder) not in said
    assert "boiler" not in said.replace(scene.boiler.id, "")
    assert "notes" not in said


def test_a_report_lists_a_thousand_and_counts_all():
    many = [Finding(Kind.FILE_MISSING, str(number)) for number in range(1500)]
    body = Report(generation=1, deep=False, counts={}, findings=many).body()
    assert len(body["findings"]) == 1000
    assert body["kinds"] == {"file_missing": 1500}


def test_milvus_is_held_against_the_catalog_as_well(tmp_path: Path):
    pytest.importorskip("milvus_lite", reason="Milvus Lite is not installed; it comes with the extra `dev`")
    from retrieval.catalog import metadata
    from tests.retrieval.test_two_tenants import on_milvus

    engine = sqlite(tmp_path / "vouch.db")
    metadata.create_all(engine)
    scene = Scene(on_milvus(House.at(tmp_path, engine), tmp_path), engine)
    assert scene.check().agrees
    gone = np.array(scene.passages(scene.boiler))
    scene.store._rows.remove(gone)  # behind the back of the store
    assert {f.kind for f in scene.check().findings} == {Kind.SNAPSHOT_DAMAGED}
    scene.store.add([900], scene.house.embedder.embed(["a ghost"]))
    scene.store.visibility = scene.store.visibility.changed([Group(label="x", collection="y", ids=[900])])
    assert Kind.INDEX_EXTRA in {f.kind for f in scene.check().findings}
    engine.dispose()

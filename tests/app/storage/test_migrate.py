"""Migrations: they make exactly the tables that the code expects, as a whole or not at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, MetaData, inspect, text

from app.errors import StartFailed
from app.storage import tables
from app.storage.engine import connect
from app.storage.migrate import current, downgrade, upgrade
from retrieval.catalog import metadata as documents
from tests.app.storage.postgres import fresh_schema

METADATA = (documents, tables.metadata)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = connect(url)
    yield engine
    engine.dispose()


def differences(engine: Engine) -> list[object]:
    options = {"compare_type": True, "compare_server_default": True}
    with engine.connect() as connection:
        return compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)


def form(engine: Engine) -> dict[str, object]:
    """What a database tells about its tables, with what the comparison of Alembic leaves out."""
    seen = inspect(engine)
    return {
        name: {
            "columns": [{**column, "type": repr(column["type"])} for column in seen.get_columns(name)],
            "key": seen.get_pk_constraint(name)["constrained_columns"],
            "foreign": sorted(
                (key["constrained_columns"], key["referred_table"], sorted(key["options"].items()))
                for key in seen.get_foreign_keys(name)
            ),
            "unique": sorted(unique["column_names"] for unique in seen.get_unique_constraints(name)),
            "indexes": sorted((index["name"], index["column_names"]) for index in seen.get_indexes(name)),
            "checks": sorted(check["sqltext"] for check in seen.get_check_constraints(name)),
        }
        for name in seen.get_table_names()
        if name != "alembic_version"
    }


def test_an_empty_database_comes_to_the_form_that_the_code_expects(engine: Engine) -> None:
    assert current(engine) is None
    upgrade(engine)
    assert current(engine) is not None
    assert differences(engine) == []


def test_the_comparison_sees_a_difference(engine: Engine) -> None:
    upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE api_keys DROP COLUMN last_used_at"))
    assert differences(engine) != []


def test_migrated_and_created_tables_are_the_same_in_every_detail(engine: Engine) -> None:
    upgrade(engine)
    migrated = form(engine)
    downgrade(engine, "base")
    for metadata in METADATA:
        metadata.create_all(engine)
    assert form(engine) == migrated


def test_sqlite_never_gives_a_passage_id_twice(tmp_path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'vouch.db'}")
    upgrade(engine)
    with engine.connect() as connection:
        assert (
            "AUTOINCREMENT"
            in connection.execute(text("SELECT sql FROM sqlite_master WHERE name = 'passages'")).scalar_one()
        )
    engine.dispose()


def test_vectors_move_to_their_table_and_back(engine: Engine) -> None:
    upgrade(engine)
    downgrade(engine, "0002")
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO documents (id, name, media_type, size, sha256, collection, label, state, pages,"
                " pages_done, passages, embedder, created_at, updated_at)"
                " VALUES ('d', 'a.txt', 'text/plain', 1, 'x', 'c', 'l', 'ready', 1, 1, 2, 'minilm@1', 't', 't')"
            )
        )
        for place, vector in enumerate((b"\x01\x02", None)):
            connection.execute(
                text(
                    'INSERT INTO passages (document_id, ordinal, page, start, "end", text, boxes, headings, language,'
                    " embedding) VALUES ('d', :place, 1, 0, 1, 'a', '[]', '[]', 'en', :vector)"
                ),
                {"place": place, "vector": vector},
            )
    upgrade(engine)
    with engine.connect() as connection:
        moved = connection.execute(text("SELECT embedder, vector FROM passage_vectors")).all()
        kept = connection.execute(text("SELECT withheld, facts, remarks FROM documents")).all()
    assert [(name, bytes(vector)) for name, vector in moved] == [("minilm@1", b"\x01\x02")]
    assert len(kept) == 1
    downgrade(engine, "0002")
    with engine.connect() as connection:
        back = connection.execute(text("SELECT embedding FROM passages ORDER BY ordinal")).scalars().all()
        assert connection.execute(text("SELECT embedder FROM documents")).scalar_one() == "minilm@1"
    assert [vector and bytes(vector) for vector in back] == [b"\x01\x02", None]


def test_a_second_upgrade_changes_nothing(engine: Engine) -> None:
    upgrade(engine)
    before = current(engine), form(engine)
    upgrade(engine)
    assert (current(engine), form(engine)) == before


def test_downgrade_takes_every_table_back(engine: Engine) -> None:
    upgrade(engine)
    downgrade(engine, "base")
    assert current(engine) is None
    assert set(inspect(engine).get_table_names()) == {"alembic_version"}


def test_a_database_of_a_newer_version_is_refused_untouched(engine: Engine) -> None:
    upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StartFailed, match="does not know"):
        upgrade(engine)
    assert current(engine) == "9999"
    assert differences(engine) == []


def test_an_unknown_revision_is_refused(engine: Engine) -> None:
    upgrade(engine)
    with pytest.raises(StartFailed):
        downgrade(engine, "nowhere")
    assert differences(engine) == []


def test_an_upgrade_that_fails_leaves_nothing_behind(engine: Engine) -> None:
    with engine.begin() as connection:  # the last table of the first revision is in the way
        connection.execute(text("CREATE TABLE api_keys (id INTEGER)"))
    with pytest.raises(StartFailed, match="could not be brought"):
        upgrade(engine)
    assert current(engine) is None
    assert set(inspect(engine).get_table_names()) == {"api_keys"}
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE api_keys"))
    upgrade(engine)
    assert differences(engine) == []


def test_processes_that_start_together_migrate_once(url: str) -> None:
    engines = [connect(url) for _ in range(4)]
    failed: list[BaseException] = []

    def start(engine: Engine) -> None:
        try:
            upgrade(engine)
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failed.append(error)

    threads = [threading.Thread(target=start, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert differences(engines[0]) == []
    for engine in engines:
        engine.dispose()


def test_tables_of_others_in_the_same_database_do_no_harm() -> None:
    with fresh_schema() as url:
        engine = connect(url)
        stranger = MetaData()
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE somebody_elses (id INTEGER PRIMARY KEY)"))
        upgrade(engine)
        downgrade(engine, "base")
        stranger.reflect(engine)
        assert "somebody_elses" in stranger.tables
        engine.dispose()

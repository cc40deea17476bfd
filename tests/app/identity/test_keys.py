"""API keys: what is stored of them, who is let in with one, and that the same is said to all others."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, text

from app.errors import BadRequest, NotFound, Unauthenticated
from app.identity.keys import KeyStore, key_id
from app.identity.principal import Permission, Role
from app.storage.engine import connect
from app.storage.migrate import upgrade
from tests.app.storage.postgres import fresh_schema

SECRET = b"s" * 32
START = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        engine = connect(f"sqlite:///{tmp_path / 'vouch.db'}")
        upgrade(engine)
        yield engine
        engine.dispose()
    else:
        with fresh_schema() as url:
            engine = connect(url)
            upgrade(engine)
            yield engine
            engine.dispose()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(engine: Engine, clock: Clock) -> KeyStore:
    return KeyStore(engine, SECRET, clock=clock)


def make(keys: KeyStore, *, subject: str = "ann", **changes: Any) -> str:
    given: dict[str, Any] = {"role": Role.READER, "labels": ["internal"], "collections": ["default"]}
    return keys.create(subject, **(given | changes))


def dump(engine: Engine) -> bytes:
    with engine.connect() as connection:
        return repr(connection.execute(text("SELECT * FROM api_keys")).all()).encode()


def test_a_key_lets_in_whom_it_was_made_for(keys: KeyStore) -> None:
    key = make(keys, role=Role.CONTRIBUTOR, labels=["b", "a", "a"], collections=["法规"])
    principal = keys.authenticate(key)
    assert (principal.subject, principal.role, principal.method) == ("ann", Role.CONTRIBUTOR, "key")
    assert principal.labels == {"a", "b"}
    assert principal.collections == {"法规"}
    assert principal.may(Permission.WRITE)
    assert not principal.may(Permission.ADMIN)


def test_a_key_without_grants_sees_nothing(keys: KeyStore) -> None:
    scope = keys.authenticate(make(keys, labels=[], collections=[])).scope()
    assert not scope.allows(label="internal", collection="default")


def test_a_key_is_long_random_and_says_what_it_is(keys: KeyStore) -> None:
    made = {make(keys) for _ in range(20)}
    assert len(made) == 20
    for key in made:
        assert re.fullmatch(r"vch_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", key)  # 43 characters of base64: 256 bit
    assert len({key_id(key) for key in made}) == 20


def test_neither_the_key_nor_a_plain_hash_of_it_is_stored(keys: KeyStore, engine: Engine) -> None:
    key = make(keys)
    stored = dump(engine)
    assert key_id(key).encode() in stored
    assert key.rpartition(key_id(key))[2].encode() not in stored
    with engine.connect() as connection:
        digest = bytes(connection.execute(text("SELECT digest FROM api_keys")).scalar_one())
    assert len(digest) == 32
    assert digest != hashlib.sha256(key.encode()).digest()


def test_a_key_holds_only_under_the_secret_it_was_made_under(keys: KeyStore, engine: Engine, clock: Clock) -> None:
    key = make(keys)
    with pytest.raises(Unauthenticated):
        KeyStore(engine, b"t" * 32, clock=clock).authenticate(key)
    assert KeyStore(engine, SECRET, clock=clock).authenticate(key).subject == "ann"


def flip(key: str, place: int) -> str:
    return key[:place] + ("A" if key[place] != "A" else "B") + key[place + 1 :]


def test_unknown_expired_and_revoked_are_told_in_the_same_words(keys: KeyStore, clock: Clock) -> None:
    expired = make(keys, expires_at=clock.now + timedelta(hours=1))
    revoked = make(keys)
    good = make(keys)
    keys.revoke(key_id(revoked))
    clock.advance(hours=1)
    unknown = f"vch_{'0' * 12}_{'A' * 43}"
    wrong = [expired, revoked, unknown, flip(good, 20), flip(good, len(good) - 3), good + "A", good[:-1], "", "vch_"]
    said = set()
    for key in wrong:
        with pytest.raises(Unauthenticated) as refusal:
            keys.authenticate(key)
        said.add((refusal.value.message, refusal.value.remedy))
    assert len(said) == 1
    assert keys.authenticate(good).subject == "ann"


def test_a_key_holds_until_its_end_and_no_longer(keys: KeyStore, clock: Clock) -> None:
    key = make(keys, expires_at=clock.now + timedelta(seconds=10))
    clock.advance(seconds=9.999999)
    assert keys.authenticate(key).subject == "ann"
    clock.advance(seconds=0.000001)
    with pytest.raises(Unauthenticated):
        keys.authenticate(key)


@pytest.mark.parametrize("zone", ["+14:00", "-12:00"])
def test_an_end_in_another_zone_is_the_same_moment(keys: KeyStore, clock: Clock, zone: str) -> None:
    hours = int(zone[:3])
    local = (START + timedelta(minutes=5, hours=hours)).strftime("%Y-%m-%dT%H:%M:%S") + zone
    key = make(keys, expires_at=datetime.fromisoformat(local))
    clock.advance(minutes=4)
    assert keys.authenticate(key).subject == "ann"
    clock.advance(minutes=1)
    with pytest.raises(Unauthenticated):
        keys.authenticate(key)


def test_a_revoked_key_is_refused_at_once_and_the_others_are_not(keys: KeyStore) -> None:
    key, other = make(keys), make(keys)
    assert keys.authenticate(key).subject == "ann"
    keys.revoke(key_id(key))
    with pytest.raises(Unauthenticated):
        keys.authenticate(key)
    assert keys.authenticate(other).subject == "ann"


def test_revoking_again_keeps_the_first_time(keys: KeyStore, clock: Clock) -> None:
    key = make(keys)
    keys.revoke(key_id(key))
    first = keys.list()[0].revoked_at
    clock.advance(hours=1)
    keys.revoke(key_id(key))
    assert keys.list()[0].revoked_at == first == "2026-05-01T12:00:00.000000Z"


@pytest.mark.parametrize("unknown", ["", "0" * 12, "' OR '1'='1", "%"])
def test_what_is_no_key_cannot_be_revoked(keys: KeyStore, unknown: str) -> None:
    key = make(keys)
    with pytest.raises(NotFound):
        keys.revoke(unknown)
    assert keys.authenticate(key).subject == "ann"


def test_the_list_shows_everything_but_the_key(keys: KeyStore, clock: Clock) -> None:
    first = make(keys, labels=["*"], expires_at=clock.now + timedelta(days=1))
    clock.advance(seconds=1)
    second = make(keys, subject="李雷", role=Role.AUDITOR)
    keys.revoke(key_id(second))
    one, other = keys.list()
    assert (one.id, one.subject, one.role, one.labels) == (key_id(first), "ann", Role.READER, {"*"})
    assert (one.expires_at, one.revoked_at, one.last_used_at) == ("2026-05-02T12:00:00.000000Z", None, None)
    assert (other.id, other.subject, other.role) == (key_id(second), "李雷", Role.AUDITOR)
    assert other.revoked_at is not None
    shown = repr(keys.list())
    assert first not in shown
    assert first[17:] not in shown


def test_the_last_use_is_noted_at_most_once_a_minute(keys: KeyStore, clock: Clock, engine: Engine) -> None:
    key = make(keys)
    written: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("UPDATE"):
            written.append(statement)

    keys.authenticate(key)
    assert keys.list()[0].last_used_at == "2026-05-01T12:00:00.000000Z"
    for _ in range(5):
        clock.advance(seconds=11)
        keys.authenticate(key)
    assert len(written) == 1
    clock.advance(seconds=5)
    keys.authenticate(key)
    assert len(written) == 2
    assert keys.list()[0].last_used_at == "2026-05-01T12:01:00.000000Z"


def test_a_refused_key_leaves_no_trace_of_use(keys: KeyStore) -> None:
    key = make(keys)
    with pytest.raises(Unauthenticated):
        keys.authenticate(flip(key, 30))
    assert keys.list()[0].last_used_at is None


def test_a_database_that_cannot_be_written_still_lets_people_in(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'vouch.db'}")
    upgrade(engine)
    key = make(KeyStore(engine, SECRET))
    engine.dispose()

    @event.listens_for(engine, "connect")
    def read_only(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA query_only=ON").close()

    assert KeyStore(engine, SECRET).authenticate(key).subject == "ann"
    assert KeyStore(engine, SECRET).list()[0].last_used_at is None
    engine.dispose()


@pytest.mark.parametrize("place", ["subject", "labels", "collections"])
@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x00b", " a", "x" * 129, "a\u202eb"])
def test_names_that_cannot_be_shown_are_refused(keys: KeyStore, place: str, name: str) -> None:
    with pytest.raises(BadRequest):
        make(keys, **{place: name if place == "subject" else [name]})
    assert keys.list() == ()


@pytest.mark.parametrize("end", [START, START - timedelta(days=1), datetime(2030, 1, 1)])  # noqa: DTZ001 - is refused
def test_an_end_that_is_past_or_without_a_zone_is_refused(keys: KeyStore, end: datetime) -> None:
    with pytest.raises(BadRequest, match="future"):
        make(keys, expires_at=end)


def test_a_short_secret_is_refused(engine: Engine) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        KeyStore(engine, b"short")


HOSTILE = [
    "' OR 1=1 --",
    "vch_' OR '1'='1_" + "A" * 43,
    "vch_000000000000_" + "A" * 42 + "'",
    "vch_00000000000%_" + "A" * 43,
    "vch_000000000000_" + "A" * 43 + "\n",
    "vch_٠٠٠٠٠٠٠٠٠٠٠٠_" + "A" * 43,
    "vch_\x00",
    "\ud800",
    "x" * 1_000_000,
]


@pytest.mark.parametrize("key", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_key_is_refused_before_it_reaches_the_database(keys: KeyStore, engine: Engine, key: str) -> None:
    make(keys)
    asked: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    with pytest.raises(Unauthenticated):
        keys.authenticate(key)
    assert asked == []
    with pytest.raises(Unauthenticated):
        key_id(key)


@given(st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_that_is_no_key_raises_only_unauthenticated(keys: KeyStore, key: str) -> None:
    with pytest.raises(Unauthenticated):
        keys.authenticate(key)


def test_many_threads_use_one_key_at_once(keys: KeyStore) -> None:
    key = make(keys)
    subjects: list[str] = []
    failed: list[BaseException] = []

    def use() -> None:
        try:
            subjects.extend(keys.authenticate(key).subject for _ in range(10))
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failed.append(error)

    threads = [threading.Thread(target=use) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert subjects == ["ann"] * 160

"""Appending through the writer's socket: the same promise as the ledger's own, and nothing that a stranger or a broken
peer sends stops it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from app.answering.types import Receipt
from app.errors import LedgerCorrupt, LedgerError, LedgerUnavailable, StartFailed
from app.identity.principal import OPERATOR
from app.ledger.access import open_sink, socket_path
from app.ledger.event import Draft
from app.ledger.framing import FrameRefused, drafts_of, outcomes_of, request
from app.ledger.log import Ledger
from app.ledger.reading import LedgerReader
from app.ledger.relay import RelayServer
from app.ledger.relay_client import RelayClient, is_listening
from app.settings import Settings
from tests.contracts.audit_sink import AuditSinkContract, Stored

LENGTH = struct.Struct(">I")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sock"


@pytest.fixture
def server(ledger: Ledger, path: Path) -> Iterator[RelayServer]:
    server = RelayServer(ledger, path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(server: RelayServer, path: Path) -> Iterator[RelayClient]:
    with RelayClient(path) as client:
        yield client


class TestRelayAsAuditSink(AuditSinkContract):
    @pytest.fixture
    def sink(self, client: RelayClient) -> RelayClient:
        return client

    @pytest.fixture
    def stored(self, url: str, open_engine: Callable[[str], Engine]) -> Stored:
        def read() -> list[bytes]:
            return [body for _, body in LedgerReader(open_engine(url)).raw() if body is not None]

        return read


only_sqlite = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


def raw(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(20)
    connection.connect(str(path))
    return connection


def answer(connection: socket.socket) -> Any:
    """Read one frame, or None at the end."""
    with connection.makefile("rb") as file:
        head = file.read(4)
        return orjson.loads(file.read(LENGTH.unpack(head)[0])) if head else None


@only_sqlite
def test_the_socket_is_for_this_account_alone(server: RelayServer, path: Path) -> None:
    found = path.stat()
    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o600
    assert [item.name for item in path.parent.iterdir() if ".sock" in item.name] == ["ledger.sock"]


@only_sqlite
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
def test_another_account_is_sent_away_even_where_the_mode_would_let_it_in(
    server: RelayServer, path: Path, ledger: Ledger
) -> None:
    path.chmod(0o666)
    path.parent.chmod(0o711)
    code = (
        "import os, socket, sys\n"
        "os.chdir(sys.argv[1]); os.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect('ledger.sock')\n"
        "try:\n    s.sendall(b'\\0\\0\\0\\2{}'); print(s.recv(1))\n"
        "except OSError:\n    print(b'')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path.parent)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("b''\n", "")
    assert ledger.size == 0


@only_sqlite
@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\x00",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xff\xff\xff",
        LENGTH.pack(10) + b"short",
        LENGTH.pack(0),
        LENGTH.pack(1) + b"\xff",
        LENGTH.pack(2) + b"{}",
        LENGTH.pack(4) + b"null",
        LENGTH.pack(13) + b'{"append":[]}',
        LENGTH.pack(15) + b'{"append":[{}]}',
        LENGTH.pack(14) + b'{"append":[1]}',
        LENGTH.pack(100_000) + b"[" * 100_000,
    ],
)
def test_a_broken_frame_ends_its_own_connection_and_nothing_else(
    server: RelayServer, path: Path, client: RelayClient, ledger: Ledger, sent: bytes
) -> None:
    assert client.append("a.b", actor=OPERATOR, body={}).entry == 0
    with raw(path) as broken:
        broken.sendall(sent)
        with contextlib.suppress(ConnectionResetError):  # closed with bytes that it had not read
            broken.shutdown(socket.SHUT_WR)
            reply = answer(broken)
            assert reply is None or set(reply) == {"refused"}
            assert broken.recv(1) == b""
    assert client.append("a.b", actor=OPERATOR, body={}).entry == 1
    assert ledger.verify().size == 2


@only_sqlite
def test_a_client_that_is_lost_in_mid_frame_leaves_nothing(server: RelayServer, path: Path, ledger: Ledger) -> None:
    payload = request([Draft.of("a.b", subject="ann", method="key", body={})])
    with raw(path) as broken:
        broken.sendall(LENGTH.pack(len(payload)) + payload[:-1])
    with RelayClient(path) as client:
        assert client.append("a.c", actor=OPERATOR, body={}).entry == 0
    assert [entry.event.action for entry in ledger.entries()] == ["a.c"]


@only_sqlite
def test_more_clients_than_there_is_room_for_are_sent_away_and_the_next_is_served(
    server: RelayServer, path: Path, ledger: Ledger
) -> None:
    held = [raw(path) for _ in range(64)]
    for connection in held:  # each is served for certain once it has an answer
        payload = request([Draft.of("a.b", subject="ann", method="key", body={})])
        connection.sendall(LENGTH.pack(len(payload)) + payload)
        assert "done" in answer(connection)
    with RelayClient(path) as client:
        with pytest.raises(LedgerUnavailable):
            client.append("a.b", actor=OPERATOR, body={})
        held.pop().close()
        while True:  # until the server has noticed that one left
            try:
                client.append("a.b", actor=OPERATOR, body={})
                break
            except LedgerUnavailable:
                continue
    for connection in held:
        connection.close()
    assert ledger.verify().size == ledger.size >= 65


@only_sqlite
def test_a_socket_that_was_left_behind_does_not_block(ledger: Ledger, path: Path) -> None:
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    left.bind(str(path))
    left.close()
    assert path.exists()
    assert not is_listening(path)
    server = RelayServer(ledger, path)
    server.start()
    try:
        with RelayClient(path) as client:
            assert client.append("a.b", actor=OPERATOR, body={}).entry == 0
    finally:
        server.stop()
    assert not path.exists()


@only_sqlite
def test_a_folder_whose_name_is_longer_than_a_sockets_may_be_works(ledger: Ledger, tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d" * 60] * 4)
    deep.mkdir(parents=True)
    server = RelayServer(ledger, deep / "ledger.sock")
    server.start()
    try:
        with RelayClient(deep / "ledger.sock") as client:
            assert client.append("a.b", actor=OPERATOR, body={}).entry == 0
    finally:
        server.stop()


@only_sqlite
def test_a_folder_that_is_not_there_stops_the_start(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="cannot be made") as refusal:
        RelayServer(ledger, tmp_path / "gone" / "ledger.sock").start()
    assert "VOUCH_DATA_DIR" in refusal.value.remedy


def test_a_writer_that_is_gone_refuses_and_one_that_is_back_serves_the_same_client(ledger: Ledger, path: Path) -> None:
    client = RelayClient(path)
    with pytest.raises(LedgerUnavailable, match="cannot be reached"):
        client.append("a.b", actor=OPERATOR, body={})
    for entry in range(3):
        server = RelayServer(ledger, path)
        server.start()
        assert client.append("a.b", actor=OPERATOR, body={}).entry == entry
        server.stop()
        with pytest.raises(LedgerUnavailable, match="cannot be reached"):
            client.append("a.b", actor=OPERATOR, body={})
    client.close()
    assert ledger.verify().size == 3


def test_a_writer_that_dies_with_an_append_under_way_says_that_it_may_be_there(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()

        def die() -> None:
            connection, _ = listener.accept()
            connection.recv(4)
            connection.close()

        dying = threading.Thread(target=die)
        dying.start()
        with RelayClient(path) as client, pytest.raises(LedgerUnavailable, match="may not have been recorded"):
            client.append("a.b", actor=OPERATOR, body={"text": "x" * 500})
        dying.join()


@pytest.mark.parametrize(
    "reply", [b"", b"{}", b"[]", b'{"done":[]}', b'{"done":[{}]}', b'{"done":[{"receipt":{}}]}', b'{"refused":7}']
)
def test_a_reply_that_is_none_is_an_error_for_every_thread_that_waits(path: Path, reply: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()

        def lie() -> None:
            connection, _ = listener.accept()
            with connection:
                (length,) = LENGTH.unpack(connection.recv(4))
                while length:
                    length -= len(connection.recv(length))
                connection.sendall(LENGTH.pack(len(reply)) + reply)

        lying = threading.Thread(target=lie)
        lying.start()
        with RelayClient(path) as client, pytest.raises(LedgerUnavailable):
            client.append("a.b", actor=OPERATOR, body={})
        lying.join()


@only_sqlite
def test_the_ledgers_own_refusal_comes_through_as_it_is(client: RelayClient, ledger: Ledger) -> None:
    ledger.close()
    with pytest.raises(LedgerUnavailable, match="closed") as refusal:
        client.append("a.b", actor=OPERATOR, body={})
    assert "stopping" in refusal.value.remedy


@given(
    st.binary(max_size=300)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["append", "event", "outcome", "closes", "body", "actor", "action"]), inner
            )
        ),
    ).map(lambda value: orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS) if not _wide(value) else b"{}")
)
def test_foreign_bytes_raise_only_our_error(data: bytes) -> None:
    for read in (drafts_of, lambda payload: outcomes_of(payload, count=1)):
        try:
            read(data)
        except LedgerError:
            continue


def _wide(value: Any) -> bool:
    """Whether it holds an integer that orjson does not write."""
    if isinstance(value, dict):
        return any(map(_wide, value.values()))
    if isinstance(value, list):
        return any(map(_wide, value))
    return isinstance(value, int) and not -(2**63) <= value < 2**63


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=9), st.floats(-1e9, 1e9) | st.booleans()))
def test_a_draft_comes_through_as_it_was(body: dict[str, Any]) -> None:
    draft = Draft.of("a.b", subject="安", method="key", body=body, outcome="denied", closes=3)
    assert drafts_of(request([draft, draft])) == [draft, draft]


def test_errors_keep_their_kind_and_unknown_ones_are_unavailable() -> None:
    def told(code: str) -> Receipt | LedgerError:
        fields = {"error": {"code": code, "message": "m", "remedy": "r"}}
        return outcomes_of(orjson.dumps({"done": [fields]}), count=1)[0]

    kinds = [type(told(code)) for code in ("ledger", "ledger_unavailable", "ledger_corrupt", "new", "")]
    assert kinds == [LedgerError, LedgerUnavailable, LedgerCorrupt, LedgerUnavailable, LedgerUnavailable]


@pytest.mark.parametrize("count", [0, 65])
def test_a_request_of_no_events_or_too_many_is_refused(count: int) -> None:
    draft = Draft.of("a.b", subject="ann", method="key", body={})
    with pytest.raises(FrameRefused):
        drafts_of(request([draft] * count))


def test_a_command_writes_itself_where_nobody_does_and_through_the_relay_where_somebody_does(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with open_sink(settings) as sink:
        assert isinstance(sink, Ledger)
        assert sink.append("a.b", actor=OPERATOR, body={}).entry == 0
        with pytest.raises(StartFailed, match="Another process"), open_sink(settings):
            pass
        server = RelayServer(sink, socket_path(settings))
        server.start()
        with open_sink(settings) as other:
            assert isinstance(other, RelayClient)
            assert other.append("a.b", actor=OPERATOR, body={}).entry == 1
        server.stop()
    with open_sink(settings) as sink:
        assert isinstance(sink, Ledger)
        assert sink.append("a.b", actor=OPERATOR, body={}).entry == 2

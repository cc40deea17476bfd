"""Thirty-two writers in two processes, one of them through the relay, while readers verify all the while."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from sqlalchemy import Engine

from app.answering.types import Receipt
from app.errors import StartFailed
from app.identity.principal import OPERATOR
from app.ledger.log import Ledger
from app.ledger.merkle import inclusion_proof, verify_inclusion
from app.ledger.reading import LedgerReader
from app.ledger.relay import RelayServer
from app.ledger.relay_client import RelayClient
from app.ledger.sink import AuditSink

WRITERS = 16
"""Threads in each of the two processes."""
EACH = 25

_children = multiprocessing.get_context("forkserver")


def hammer(sink: AuditSink, name: str) -> list[Receipt]:
    """Append from many threads at once; every other event is an intent, which the next one closes."""
    receipts: list[Receipt] = []
    failed: list[BaseException] = []

    def run(number: int) -> None:
        try:
            for n in range(EACH):
                body = {"process": name, "thread": number, "n": n}
                intent = sink.append("hammer.intent", actor=OPERATOR, body=body)
                receipts.extend([intent, sink.append("hammer.end", actor=OPERATOR, body=body, closes=intent.entry)])
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    return receipts


def hammer_through_the_relay(path: str, out: Connection) -> None:
    """Run in the other process."""
    with RelayClient(Path(path)) as client:
        out.send_bytes("\n".join(item.model_dump_json() for item in hammer(client, "other")).encode())


def test_two_processes_of_writers_and_readers_that_verify(
    url: str, tmp_path: Path, open_engine: Callable[[str], Engine]
) -> None:
    path = tmp_path / "ledger.sock"
    with Ledger(open_engine(url)) as ledger:
        server = RelayServer(ledger, path)
        server.start()
        ours, theirs = multiprocessing.Pipe(duplex=False)
        other = _children.Process(target=hammer_through_the_relay, args=(str(path), theirs))
        other.start()
        theirs.close()
        ending = threading.Event()
        sizes: list[list[int]] = [[], []]

        def verify_all_the_while(seen: list[int]) -> None:
            reader = LedgerReader(open_engine(url))
            while not ending.is_set():
                seen.append(reader.verify().size)

        readers = [threading.Thread(target=verify_all_the_while, args=(seen,)) for seen in sizes]
        for reader in readers:
            reader.start()
        with pytest.raises(StartFailed, match="Another process"):
            Ledger(open_engine(url))
        receipts = hammer(ledger, "own")
        told = ours.recv_bytes().decode().splitlines()
        other.join()
        ending.set()
        for reader in readers:
            reader.join()
        server.stop()
        assert other.exitcode == 0
        other.close()
        ours.close()
        receipts += [Receipt.model_validate_json(line) for line in told]
        report = ledger.verify(known=receipts)
    count = 2 * WRITERS * EACH * 2
    assert report.size == count
    assert sorted(receipt.entry for receipt in receipts) == list(range(count))
    for seen in sizes:
        assert seen == sorted(seen)  # a reader never sees the ledger shrink
        assert len(seen) > 1
    check_every_tenth(LedgerReader(open_engine(url)), receipts)


def check_every_tenth(reader: LedgerReader, receipts: list[Receipt]) -> None:
    """Prove receipts from what is stored: each is in the tree that it names."""
    entries = reader.entries(0, len(receipts))
    leaves = [bytes.fromhex(entry.leaf) for entry in entries]
    for receipt in receipts[::10]:
        proof = inclusion_proof(leaves, receipt.entry, receipt.size)
        leaf, root = bytes.fromhex(receipt.leaf), bytes.fromhex(receipt.root)
        assert verify_inclusion(proof, index=receipt.entry, size=receipt.size, leaf=leaf, root=root)
    said = [(entry.event.body["process"], entry.event.body["thread"], entry.event.body["n"]) for entry in entries]
    for process in ("own", "other"):
        for thread in range(WRITERS):  # what one thread said stays in its order
            mine = [n for who, number, n in said if (who, number) == (process, thread)]
            assert mine == [n for n in range(EACH) for _ in range(2)]

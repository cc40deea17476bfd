"""What every `AuditSink` keeps. A test module subclasses this and gives `sink` and `stored`."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

import pytest

from app.answering.types import Receipt
from app.errors import LedgerError
from app.identity.principal import OPERATOR, Principal, Role
from app.ledger.event import LedgerEvent
from app.ledger.merkle import leaf_hash, root_of
from app.ledger.sink import AuditSink

Stored = Callable[[], list[bytes]]
"""Gives the canonical bytes of every durable event, in order, read anew from where the sink keeps them."""


class AuditSinkContract:
    """Subclass it, and give the fixtures `sink` (empty) and `stored`."""

    def test_a_receipt_says_where_the_event_stands(self, sink: AuditSink) -> None:
        first = sink.append("service.start", actor=OPERATOR, body={})
        second = sink.append("service.stop", actor=OPERATOR, body={})
        assert (first.entry, first.size, second.entry, second.size) == (0, 1, 1, 2)
        for receipt in (first, second):
            assert re.fullmatch(r"[0-9a-f]{64}", receipt.leaf)
            assert re.fullmatch(r"[0-9a-f]{64}", receipt.root)
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", receipt.time)
        assert first.root == first.leaf
        assert second.root != first.root

    def test_what_was_acknowledged_is_stored_as_it_was_said(self, sink: AuditSink, stored: Stored) -> None:
        ann = Principal(subject="ann", role=Role.READER, method="key")
        receipt = sink.append("answer.refused", actor=ann, body={"labels": ["a", "文"], "n": 3}, outcome="denied")
        (body,) = stored()
        event = LedgerEvent.parse(body)
        assert (event.seq, event.action, event.outcome, event.time) == (0, "answer.refused", "denied", receipt.time)
        assert (event.actor.subject, event.actor.method) == ("ann", "key")
        assert event.body == {"labels": ["a", "文"], "n": 3}
        assert leaf_hash(body).hex() == receipt.leaf

    def test_every_root_can_be_derived_from_what_is_stored(self, sink: AuditSink, stored: Stored) -> None:
        receipts = [sink.append("a.b", actor=OPERATOR, body={"n": n}) for n in range(20)]
        leaves = [leaf_hash(body) for body in stored()]
        assert [root_of(leaves[: receipt.size]).hex() for receipt in receipts] == [item.root for item in receipts]

    def test_an_intent_is_closed_once(self, sink: AuditSink) -> None:
        intent = sink.append("answer.intent", actor=OPERATOR, body={})
        sink.append("answer.outcome", actor=OPERATOR, body={}, closes=intent.entry)
        with pytest.raises(LedgerError, match="no open intent"):
            sink.append("answer.outcome", actor=OPERATOR, body={}, closes=intent.entry)

    @pytest.mark.parametrize("closes", [0, 1, 7, -1], ids=["no intent", "itself", "not there", "negative"])
    def test_only_an_open_intent_can_be_closed(self, sink: AuditSink, stored: Stored, closes: int) -> None:
        sink.append("service.start", actor=OPERATOR, body={})
        with pytest.raises(LedgerError, match="no open intent"):
            sink.append("answer.outcome", actor=OPERATOR, body={}, closes=closes)
        assert len(stored()) == 1

    @pytest.mark.parametrize(
        ("action", "body", "outcome"),
        [
            ("", {}, "ok"),
            ("start", {}, "ok"),
            ("Answer.Intent", {}, "ok"),
            ("answer.intent\n", {}, "ok"),
            ("answer.intent", {}, "Fine, thanks"),
            ("answer.intent", {"text": "x" * 513}, "ok"),
            ("answer.intent", {"x" * 513: 1}, "ok"),
            ("answer.intent", {1: 1}, "ok"),
            ("answer.intent", {"n": float("nan")}, "ok"),
            ("answer.intent", {"n": 2**53}, "ok"),
            ("answer.intent", {"n": 1e300}, "ok"),
            ("answer.intent", {"b": b"bytes"}, "ok"),
            ("answer.intent", {"half": "\ud800"}, "ok"),
            ("answer.intent", {"many": ["x" * 500] * 200}, "ok"),
            ("answer.intent", None, "ok"),
        ],
    )
    def test_an_event_that_breaks_a_rule_is_refused_alone(
        self, sink: AuditSink, stored: Stored, action: str, body: dict[str, object], outcome: str
    ) -> None:
        with pytest.raises(LedgerError, match="cannot be recorded"):
            sink.append(action, actor=OPERATOR, body=body, outcome=outcome)
        assert stored() == []
        assert sink.append("answer.intent", actor=OPERATOR, body={"n": 1}).entry == 0

    def test_a_body_is_copied_before_it_is_hashed(self, sink: AuditSink, stored: Stored) -> None:
        body: dict[str, object] = {"ids": [1, 2]}
        sink.append("a.b", actor=OPERATOR, body=body)
        body["ids"] = []
        assert LedgerEvent.parse(stored()[0]).body == {"ids": [1, 2]}

    def test_many_threads_get_one_line_of_entries_without_gaps(self, sink: AuditSink, stored: Stored) -> None:
        receipts: list[Receipt] = []
        failed: list[BaseException] = []
        together = threading.Barrier(32)

        def run(thread: int) -> None:
            try:
                together.wait()
                for n in range(20):
                    receipts.append(sink.append("a.b", actor=OPERATOR, body={"thread": thread, "n": n}))
            except BaseException as error:  # noqa: BLE001 - shown by the assertion below
                failed.append(error)

        threads = [threading.Thread(target=run, args=(thread,)) for thread in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed
        receipts.sort(key=lambda receipt: receipt.entry)
        assert [receipt.entry for receipt in receipts] == list(range(640))
        bodies = stored()
        leaves = [leaf_hash(body) for body in bodies]
        assert [receipt.leaf for receipt in receipts] == [leaf.hex() for leaf in leaves]
        roots = {size: root_of(leaves[:size]).hex() for size in {receipt.size for receipt in receipts}}
        for receipt in receipts:  # the tree that a receipt names may hold entries that became durable with its own
            assert receipt.entry < receipt.size <= 640
            assert receipt.root == roots[receipt.size]
        said = [(event.body["thread"], event.body["n"]) for event in map(LedgerEvent.parse, bodies)]
        assert sorted(said) == [(thread, n) for thread in range(32) for n in range(20)]
        for thread in range(32):  # what one thread said stays in its order
            assert [n for who, n in said if who == thread] == list(range(20))

    def test_one_bad_event_among_many_threads_harms_no_other(self, sink: AuditSink, stored: Stored) -> None:
        refused: list[LedgerError] = []
        receipts: list[Receipt] = []

        def run(thread: int) -> None:
            for _ in range(10):
                try:
                    body = {"n": float("inf") if thread == 0 else thread}
                    receipts.append(sink.append("a.b", actor=OPERATOR, body=body))
                except LedgerError as error:
                    refused.append(error)

        threads = [threading.Thread(target=run, args=(thread,)) for thread in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(refused) == 10
        assert sorted(receipt.entry for receipt in receipts) == list(range(70))
        assert len(stored()) == 70

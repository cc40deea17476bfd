"""What an auditor does with the ledger, recorded before its result is given; the API and the commands share it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Literal

from app.answering.types import Receipt
from app.errors import LedgerError
from app.identity.principal import Principal
from app.ledger.comparing import compare, require_equal
from app.ledger.copying import LedgerCopy
from app.ledger.examine import Page, Query, find
from app.ledger.opening import open_entry
from app.ledger.reading import LedgerReader
from app.ledger.sink import AuditSink
from app.ledger.story import story
from app.ledger.tabular import to_csv, to_json
from app.ledger.vault import Vault

__all__ = ["Examination", "Form", "verify_all"]

Form = Literal["csv", "json"]


class Examination:
    """A ledger, its copy and its vault, as an auditor meets them."""

    def __init__(self, reader: LedgerReader, copy: LedgerCopy, vault: Vault, sink: AuditSink) -> None:
        """Examine through a reader, and record through a sink."""
        self._reader = reader
        self._copy = copy
        self._vault = vault
        self._sink = sink

    def search(self, query: Query, *, caller: Principal) -> Page:
        """Search, over all entries that there were when it began.

        Raises:
            CopyDiffers: the searchable copy is not of this ledger.
            LedgerUnavailable: it cannot be recorded or read.
        """
        self._sink.append("audit.search", actor=caller, body={"query": query.asked()})
        self._copy.catch_up()
        return find(self._copy.engine, query)

    def export(self, query: Query, form: Form, *, caller: Principal) -> tuple[str, int | None]:
        """Return a page of a search as text, and where the next page begins; raises as `search` does."""
        self._sink.append("audit.export", actor=caller, body={"query": query.asked(), "format": form})
        self._copy.catch_up()
        page = find(self._copy.engine, query)
        return (to_csv(page) if form == "csv" else to_json(page)), page.next

    def story(self, answer_id: str) -> dict[str, Any]:
        """Return one answer's story; see `app.ledger.story`. Its caller records that it was read."""
        self._copy.catch_up()
        return story(self._reader, self._copy.engine, self._vault, answer_id=answer_id)

    def open(self, seq: int, *, caller: Principal) -> dict[str, Any]:
        """Open what an entry commits to; see `app.ledger.opening`."""
        return open_entry(self._reader, self._vault, self._sink, seq=seq, caller=caller)

    def verify(self, *, known: Iterable[Receipt] = ()) -> dict[str, Any]:
        """Verify ledger and copy; see `verify_all`."""
        return verify_all(self._reader, self._copy, known=known)

    def state(self) -> dict[str, Any]:
        """Return how far ledger and copy are, after the copy has taken what is new, where it can."""
        with suppress(LedgerError):  # why it cannot is what the caller wants to see
            self._copy.catch_up()
        size = self._reader.size
        return {
            "size": size,
            "root": self._reader.root_at(size),
            "minimum": self._reader.minimum,
            "copied": self._copy.size,
        }


def verify_all(reader: LedgerReader, copy: LedgerCopy, *, known: Iterable[Receipt] = ()) -> dict[str, Any]:
    """Hash the ledger anew, then hold each row of the searchable copy against it.

    Raises:
        LedgerCorrupt: names the first entry that is wrong.
        CopyDiffers: names the first row of the copy that is wrong; the ledger itself is intact.
        LedgerUnavailable: one of them cannot be read.
    """
    report = reader.verify(known=known)
    copy.catch_up()
    compared = compare(reader, copy)
    require_equal(compared)
    return {
        "size": report.size,
        "root": report.root,
        "minimum": report.minimum,
        "copy_rows": compared.rows,
        "copy_behind": compared.behind,
        "intact": True,
    }

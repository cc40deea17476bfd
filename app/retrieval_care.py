"""Reconciliation as an administrator asks for it: checked, mended where that was asked, and recorded before it is told.

The service does it with the indexes that answer; a command does it with those that the next start would take, when no
service runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from app.errors import describe
from app.identity.principal import Principal
from app.ledger.sink import AuditSink
from retrieval.index import PassageIndex
from retrieval.reconciliation.check import check
from retrieval.reconciliation.repair import repair
from retrieval.reconciliation.types import Report

__all__ = ["reconcile"]


def reconcile(
    engine: Engine,
    index: PassageIndex,
    files: Path,
    sink: AuditSink,
    *,
    caller: Principal,
    deep: bool = False,
    mend: bool = False,
) -> dict[str, Any]:
    """Hold everything against the catalog, and return the report; with `mend`, that of the second look.

    Args:
        engine: the catalog's database.
        index: what is searched.
        files: folder of the documents' files.
        sink: where it is recorded.
        caller: who asks.
        deep: hash every file.
        mend: make anew what can be made anew.

    Returns:
        `Report.body`, and `mended`: what is no longer found, by kind.

    Raises:
        RetrievalError: the comparison or a repair could not be made.
        LedgerError: it could not be recorded; nothing was mended.
    """
    report = check(engine, index, files, deep=deep)
    if not mend or report.agrees:
        sink.append("retrieval.check", actor=caller, body=_recorded(report))
        return report.body() | {"mended": {}}
    intent = sink.append("retrieval.repair.intent", actor=caller, body=_recorded(report))
    try:
        repair(report, engine, index, files)
        after = check(engine, index, files, deep=deep)
    except BaseException as error:
        failed = {"error": describe(error).code}
        sink.append("retrieval.repair.outcome", actor=caller, body=failed, outcome="error", closes=intent.entry)
        raise
    sink.append("retrieval.repair.outcome", actor=caller, body=_recorded(after), closes=intent.entry)
    left = after.kinds
    gone = {kind: number - left.get(kind, 0) for kind, number in report.kinds.items() if number > left.get(kind, 0)}
    return after.body() | {"mended": gone}


def _recorded(report: Report) -> dict[str, Any]:
    return {
        "agrees": report.agrees,
        "deep": report.deep,
        "generation": report.generation,
        "documents": report.counts["documents"],
        "kinds": report.kinds,
    }

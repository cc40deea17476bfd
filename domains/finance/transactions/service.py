"""Transaction risk as the finance domain holds it: opened once with what the application lends, closed once.

    risk = open_risk(facilities)
    router.include_router(risk.router())         domains.finance.plugin
    tools = [*risk.tools()]

The model is the folder's own (`transactions/model`) or, where there is none, the shipped one; which it is stands in
the ledger (``finance.model.loaded``). The rules are the folder's own file, made from the shipped one at the first
start.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter
from langchain_core.tools import BaseTool

from domains.contract import Facilities, Recorder
from domains.finance.models import MANIFEST, record_loaded
from domains.finance.transactions.api import router
from domains.finance.transactions.errors import TransactionError
from domains.finance.transactions.event import Transaction
from domains.finance.transactions.model import SHIPPED, Model
from domains.finance.transactions.results import Result
from domains.finance.transactions.rules import RuleSet, RulesFile, read
from domains.finance.transactions.scoring import Scoring
from domains.finance.transactions.store import Store
from domains.finance.transactions.tool import why_flagged

__all__ = ["Risk", "open_risk"]

_FOLDER: Final = "transactions"


@dataclass(frozen=True, slots=True)
class Risk:
    """Scoring with its record in the ledger."""

    scoring: Scoring
    recorder: Recorder
    changing: threading.Lock

    def score(self, transactions: Sequence[Transaction], *, actor: Any) -> list[Result | TransactionError]:
        """Score transactions and record that it was done, before anybody hears of it.

        Raises:
            StateUnavailable: none was accepted.
        """
        given = self.scoring.score(transactions)
        results = [item for item in given if isinstance(item, Result)]
        told = hashlib.sha256("\n".join(item.model_dump_json() for item in results).encode("utf-8")).hexdigest()
        body = {
            "accepted": sum(not item.repeated for item in results),
            "repeated": sum(item.repeated for item in results),
            "refused": len(given) - len(results),
            "stopped": sum(item.decision == "block" for item in results),
            "results": told,
            "model": self.scoring.model.digest,
            "rules": self.scoring.rules.current.digest,
        }
        self.recorder.record("transactions.scored", actor=actor, body=body)
        return given

    def change_rules(self, text: str, *, actor: Any) -> RuleSet:
        """Put new rules in force, recorded before they are.

        Raises:
            RulesRefused: they are wrong; nothing was changed.
        """
        with self.changing:
            new = read(text)
            old = self.scoring.rules.current
            body = {"before": old.digest, "after": new.digest, "rules": len(new.rules)}
            self.recorder.record("rules.changed", actor=actor, body=body)
            return self.scoring.rules.replace(text)

    def router(self) -> APIRouter:
        """Return the routes, to be mounted under ``/v1/finance``."""
        return router(self)

    def tools(self) -> Sequence[BaseTool]:
        """Return the tools for questions."""
        return (why_flagged(self.scoring),)

    def close(self) -> None:
        """Write what is not written yet."""
        self.scoring.close()


def open_risk(facilities: Facilities, *, clock: Callable[[], float] = time.time) -> Risk:
    """Open transaction risk.

    Raises:
        DomainError: the model, the rules or the tables cannot be used.
    """
    folder = facilities.folder / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    own = folder / "model"
    model = Model(own if (own / MANIFEST).exists() else SHIPPED)
    record_loaded(facilities.recorder, model.saved)
    scoring = Scoring(Store(facilities.database), model=model, rules=RulesFile(folder / "rules.toml"), clock=clock)
    return Risk(scoring, facilities.recorder, threading.Lock())

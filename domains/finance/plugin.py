"""The plugin: what finance adds to a question, its routes and its evaluations."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from fastapi import APIRouter
from langchain_core.tools import BaseTool

from domains.contract import Answerer, Desk, DomainPlugin, Facilities, Preparation, Question
from domains.finance.credit.routes import credit_router
from domains.finance.credit.serving import CreditDesk
from domains.finance.modelroutes import model_router
from domains.finance.notice import NOTICE, RETENTION_DAYS
from domains.finance.statements.api import router_of as statements_router
from domains.finance.statements.catalog_api import router_of as catalog_router
from domains.finance.statements.rules import in_force
from domains.finance.statements.store import Companies
from domains.finance.tools import tools_of
from domains.finance.transactions.service import Risk, open_risk
from domains.finance.transactions.tool import call_for
from domains.finance.understanding import Asked, calls_of, understand
from domains.followups import queries, stand_alone
from retrieval.language import Language

__all__ = ["Finance"]

_SURE: Final = 0.9
"""How surely a question that names what only this domain holds belongs here."""

_COMPUTED: Final[Mapping[Language, str]] = {
    "en": "- Passages called 'Computed' or 'Risk points' hold computed figures. Copy whole sentences of them.",
    "zh": "- 名为“计算表”或“风险点”的段落是计算结果，优先采用，并照抄其中的完整句子。",
}


class Finance(DomainPlugin):
    """Finance risk. It computes; the model only explains what was computed."""

    name: ClassVar[str] = "finance"
    titles: ClassVar[Mapping[Language, str]] = {"en": "Finance risk", "zh": "金融风险"}

    notice: ClassVar[Mapping[Language, str]] = NOTICE
    retention_days: ClassVar[int] = RETENTION_DAYS
    uploads: ClassVar[tuple[str, ...]] = ("/statements/assess",)
    restricted: ClassVar[Mapping[tuple[str, str], str]] = {("PUT", "/transactions/rules"): "admin"}

    async def prepare(self, question: Question, desk: Desk) -> Preparation:
        """Search for the question, a follow-up made to stand alone, and compute what it asks of stored companies."""
        asked = await asyncio.to_thread(self._asked, question)
        calls = calls_of(asked, question) if asked.subject and asked.companies else ()
        flagged = call_for(question.text, language=question.language)
        calls = calls if flagged is None else (*calls, flagged)
        return Preparation(
            queries=queries(question),
            calls=calls,
            question=stand_alone(question),
            instructions=_COMPUTED[question.language] if calls else "",
        )

    def matches(self, question: Question) -> float:
        """Take questions about the risk of companies that are stored here and that the asker may see."""
        return _SURE if self._asked(question).belongs else 0.0

    def _asked(self, question: Question) -> Asked:
        return understand(question, self._companies.names(question.scope))

    def tools(self) -> Sequence[BaseTool]:
        """Return the tools over stored companies."""
        return (*tools_of(self._companies, rules=self._rules), *self._risk.tools())

    def open(self, facilities: Facilities) -> None:
        """Take the database, the folder of tables and models, the search and the ledger."""
        self._facilities = facilities
        self._companies = Companies(facilities.database)
        self._rules = in_force(facilities.folder)
        self._models = facilities.folder / "models"
        self._credit = CreditDesk(facilities.folder, facilities.recorder)
        self._risk: Risk = open_risk(facilities)

    def close(self) -> None:
        """Write what the state of transactions still lacks in the database."""
        self._risk.close()

    def router(self, answerer: Answerer) -> APIRouter:
        """Return the routes of each part."""
        router = APIRouter()
        router.include_router(statements_router(self._facilities, self._companies, rules=self._rules))
        router.include_router(catalog_router(self._facilities, self._companies))
        router.include_router(credit_router(self._credit))
        router.include_router(model_router(self._models))
        router.include_router(self._risk.router())
        return router

    def evaluations(self) -> Mapping[str, Callable[..., Mapping[str, Any]]]:
        """Return the suites; what they need is imported when they run."""
        return {"credit": _credit}


def _credit(
    data: Path, *, limit: int | None = None, seed: int = 0, report: Callable[[str], object] = lambda _: None
) -> Mapping[str, Any]:
    from domains.finance.credit.evaluate import evaluate  # heavy, and needed here alone

    return evaluate(data, limit=limit, seed=seed, report=report)

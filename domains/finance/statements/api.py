"""The routes of statements, under ``/v1/finance``: assess, verify a text, factors, items, stored companies.

Routes are plain functions, run in threads: reading a workbook and computing a thousand factors is work for a processor.
Each records what it did before it answers: digests, versions and counts, never a name or a figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile

from domains.contract import Facilities
from domains.finance.notice import NOTICE
from domains.finance.statements.assess import Assessment, assess
from domains.finance.statements.body import gather_request, refuse_doubled_keys
from domains.finance.statements.disclosure import Disclosures, find_disclosures
from domains.finance.statements.industries import read_industry
from domains.finance.statements.intake.amounts import Unit, factor_of, read_currency
from domains.finance.statements.intake.assembly import Gathered, gather
from domains.finance.statements.intake.figures import LIMITS, Brought
from domains.finance.statements.intake.grid import Defaults
from domains.finance.statements.intake.periods import read_date
from domains.finance.statements.intake.reading import read_file
from domains.finance.statements.measures import library_version
from domains.finance.statements.present import present
from domains.finance.statements.refusals import LimitExceeded
from domains.finance.statements.rules import Rules
from domains.finance.statements.schema import (
    AssessRequest,
    AssessResponse,
    TextVerdict,
    VerifyRequest,
    VerifyResponse,
)
from domains.finance.statements.store import Companies
from domains.finance.statements.text import judge
from domains.finance.statements.types import Statements

__all__ = ["router_of", "single_keys"]

_MOST_FILES: Final = 8


async def single_keys(request: Request) -> None:
    """Refuse a body that says two things under one name, before it is read into a model that keeps the last one."""
    refuse_doubled_keys(await request.body())


@dataclass(frozen=True, slots=True)
class _Form:
    """What a form says beside its files."""

    company: str | None
    currency: str | None
    unit: str
    industry: str | None
    months: int | None
    year_end: str | None
    peers_stored: bool
    search: bool
    accept_scale_break: bool
    all_factors: bool

    def defaults(self) -> Defaults:
        """Return what holds where a table says nothing."""
        end = read_date(f"2000-{self.year_end}") if self.year_end else None
        currency = read_currency(self.currency) if self.currency else None
        unit = Unit(factor_of(self.unit), currency)
        return Defaults(unit, (end.month, end.day) if end else (12, 31))


def _form(
    company: Annotated[str | None, Form(max_length=200)] = None,
    currency: Annotated[str | None, Form(max_length=40)] = None,
    unit: Annotated[str, Form(max_length=40, description="Where a table does not say it.")] = "one",
    industry: Annotated[str | None, Form(max_length=40)] = None,
    months: Annotated[int | None, Form(ge=1, le=12)] = None,
    year_end: Annotated[str | None, Form(pattern=r"^\d{2}-\d{2}$", description="MM-DD, for bare years.")] = None,
    peers_stored: Annotated[bool, Form()] = False,
    search: Annotated[bool, Form()] = True,
    accept_scale_break: Annotated[bool, Form()] = False,
    all_factors: Annotated[bool, Form()] = False,
) -> _Form:
    return _Form(
        company, currency, unit, industry, months, year_end, peers_stored, search, accept_scale_break, all_factors
    )


def router_of(facilities: Facilities, companies: Companies, *, rules: Rules) -> APIRouter:
    """Return the routes that assess."""
    router = APIRouter()
    desk = _Desk(facilities, companies, rules)

    @router.post("/statements/assess", summary="Assess statements", dependencies=[Depends(single_keys)])
    def assess_statements(request: Request, body: AssessRequest) -> AssessResponse:
        """Check the figures of one company, compute the factors, rate them and point out risks with their working."""
        caller = request.state.principal
        given = tuple(gather_request(peer).statements for peer in body.peers)
        industry = read_industry(body.industry)
        peers = given + desk.stored_peers(industry, caller, but=body.company, wanted=body.peers_stored)
        gathered = gather_request(body, peers=peers or None)
        return desk.answer(
            gathered,
            caller,
            search=body.search,
            accept_scale_break=body.accept_scale_break,
            all_factors=body.all_factors,
        )

    @router.post("/statements/assess-file", summary="Assess statements in files")
    def assess_files(
        request: Request,
        form: Annotated[_Form, Depends(_form)],
        files: Annotated[
            list[UploadFile], File(description="XLSX, CSV, companyfacts JSON or inline XBRL of one company.")
        ],
    ) -> AssessResponse:
        """Read the statements of one company from its files and assess them."""
        caller = request.state.principal
        industry = read_industry(form.industry)
        brought = [one for file in files for one in _read(file, len(files), form.defaults())]
        currency = read_currency(form.currency) if form.currency else None
        name = form.company or next((one.company for one in brought if one.company), "")
        peers = desk.stored_peers(industry, caller, but=name, wanted=form.peers_stored)
        gathered = gather(
            brought, company=name or None, currency=currency, industry=industry, months=form.months, peers=peers or None
        )
        return desk.answer(
            gathered,
            caller,
            search=form.search,
            accept_scale_break=form.accept_scale_break,
            all_factors=form.all_factors,
        )

    @router.post("/statements/verify", summary="Hold a text against figures", dependencies=[Depends(single_keys)])
    def verify_text(request: Request, body: VerifyRequest) -> VerifyResponse:
        """Strike out each sentence that states a figure which the company's figures do not give."""
        statements = gather_request(body).statements
        judged = judge(body.text, statements, rules, factors=body.factors)
        struck = sum(item.reason is not None for item in judged)
        entry = facilities.recorder.record(
            "text.verified",
            actor=request.state.principal,
            body={"sentences": len(judged), "struck": struck, "library": library_version(), "rules": rules.version},
        )
        return VerifyResponse(
            text=" ".join(item.text for item in judged if item.reason is None),
            sentences=[TextVerdict(text=item.text, holds=item.reason is None, reason=item.reason) for item in judged],
            entry=entry,
        )

    return router


def _read(file: UploadFile, count: int, defaults: Defaults) -> list[Brought]:
    if count > _MOST_FILES:
        raise LimitExceeded(f"More than {_MOST_FILES} files at once.", remedy="Send the statements of one company.")
    data = file.file.read(LIMITS.file_bytes + 1)
    return read_file(data, name=file.filename or "file", defaults=defaults)


class _Desk:
    """What the routes that assess share."""

    def __init__(self, facilities: Facilities, companies: Companies, rules: Rules) -> None:
        self._facilities = facilities
        self._companies = companies
        self._rules = rules

    def stored_peers(self, industry: str | None, caller: Any, *, but: str, wanted: bool) -> tuple[Statements, ...]:
        """Return the stored companies of an industry that the caller may see."""
        if not wanted or industry is None:
            return ()
        return self._companies.peers(industry, caller.scope(), but=but, limit=LIMITS.peers)

    def answer(
        self, gathered: Gathered, caller: Any, *, search: bool, accept_scale_break: bool, all_factors: bool
    ) -> AssessResponse:
        """Assess, search for disclosures, record, and only then answer."""
        found = assess(gathered, rules=self._rules, accept_scale_break=accept_scale_break)
        disclosures = Disclosures({}, searched=False)
        if search:
            company = gathered.statements.company
            disclosures = find_disclosures(found.risks, company, self._facilities.searcher, caller.scope())
        entry = self._record(found, disclosures, caller)
        return present(
            found, rules=self._rules, disclosures=disclosures, notice=NOTICE, entry=entry, all_factors=all_factors
        )

    def _record(self, found: Assessment, disclosures: Disclosures, caller: Any) -> int:
        passages = [item.digest for items in disclosures.passages.values() for item in items]
        body = {
            "input": found.digest,
            "periods": [str(period) for period in found.gathered.statements.periods],
            "cells": len(found.gathered.statements.cells),
            "unmapped": len(found.gathered.unmapped),
            "restated": len(found.gathered.restated),
            "findings": [f"{item.gravity}:{item.code}" for item in found.findings][:50],
            "risks": [f"{point.severity}:{point.rule.id}" for point in found.risks],
            "struck": len(found.struck),
            "overall": found.rating.overall,
            "passages": passages,
            "library": library_version(),
            "rules": self._rules.version,
        }
        return self._facilities.recorder.record("statements.assessed", actor=caller, body=body)

"""The routes of what is known and kept: factors, line items, industries, and stored companies."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from domains.contract import Facilities
from domains.finance.statements.api import single_keys
from domains.finance.statements.body import gather_request
from domains.finance.statements.checks import refuse_scale_break
from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.factors import FACTORS
from domains.finance.statements.industries import INDUSTRIES
from domains.finance.statements.intake.aliases import ALIASES, PARTS
from domains.finance.statements.measures import library_version
from domains.finance.statements.present import factor_out
from domains.finance.statements.refusals import CompanyForbidden, FactorNotFound, shown
from domains.finance.statements.schema import CompanyIn, CompanyOut, CompanyPage, FactorOut, FactorPage, ItemOut
from domains.finance.statements.store import Companies, Stored
from retrieval.language import Language
from retrieval.types import EVERYTHING

__all__ = ["router_of"]


def router_of(facilities: Facilities, companies: Companies) -> APIRouter:
    """Return the routes of factors, items and companies."""
    router = APIRouter()

    @router.get("/factors", summary="List or search factors")
    def list_factors(
        query: Annotated[str, Query(max_length=100, description="Words of the id or the titles.")] = "",
        group: Annotated[str | None, Query(max_length=40)] = None,
        limit: Annotated[int, Query(ge=1, le=2_000)] = 100,
        offset: Annotated[int, Query(ge=0)] = 0,
    ) -> FactorPage:
        """Return factors whose id or title holds every word of the query."""
        words = query.lower().split()
        found = [
            factor
            for factor in FACTORS.values()
            if group in (None, factor.group)
            and all(word in f"{factor.id} {' '.join(factor.titles.values())}".lower() for word in words)
        ]
        return FactorPage(
            factors=[factor_out(factor) for factor in found[offset : offset + limit]],
            total=len(found),
            groups=dict(Counter(factor.group for factor in FACTORS.values())),
            version=library_version(),
        )

    @router.get("/factors/{factor_id}", summary="One factor")
    def show_factor(factor_id: str) -> FactorOut:
        """Return the definition of a factor: formula, unit, direction, source, what it applies to."""
        if factor_id not in FACTORS:
            raise FactorNotFound(
                f"There is no factor {shown(factor_id)!r}.", remedy="Search with GET /v1/finance/factors?query=…"
            )
        return factor_out(FACTORS[factor_id])

    @router.get("/items", summary="Line items and their names")
    def list_items() -> list[ItemOut]:
        """Return the line items that figures can be given for, with every name under which they are known."""
        names: dict[str, list[str]] = {}
        for name, concept in (*ALIASES.items(), *PARTS.items()):
            names.setdefault(concept, []).append(name)
        return [
            ItemOut(
                id=concept.id,
                title=dict(concept.titles),
                statement=concept.statement,
                nature=concept.nature,
                sign=concept.sign,
                unit=concept.unit,
                in_parts=concept.by_member,
                names=names.get(concept.id, []),
            )
            for concept in CONCEPTS.values()
        ]

    @router.get("/industries", summary="Industries")
    def list_industries() -> dict[str, dict[Language, str]]:
        """Return the industries that rules and factors tell apart."""
        return {name: dict(titles) for name, titles in INDUSTRIES.items()}

    _add_companies(router, facilities, companies)
    return router


def _add_companies(router: APIRouter, facilities: Facilities, companies: Companies) -> None:
    @router.post("/companies", status_code=201, summary="Keep a company", dependencies=[Depends(single_keys)])
    def keep(request: Request, body: CompanyIn) -> CompanyOut:
        """Keep a company's statements under a label, in place of earlier ones of the same name and label."""
        caller = request.state.principal
        _may_write(caller)
        labels = caller.scope().labels
        if EVERYTHING not in labels and body.label not in labels:
            raise CompanyForbidden("You may not use that label.", remedy="Use a label that your key was granted.")
        statements = gather_request(body).statements
        refuse_scale_break(statements)
        stored = companies.put(statements, label=body.label, owner=str(caller.subject))
        facilities.recorder.record(
            "company.kept", actor=caller, body={"company": stored.id, "input": stored.digest, "label": stored.label}
        )
        return _out(stored)

    @router.get("/companies", summary="List kept companies")
    def page(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        offset: Annotated[int, Query(ge=0)] = 0,
    ) -> CompanyPage:
        """Return the companies that the caller may see, by name."""
        found, total = companies.page(request.state.principal.scope(), limit=limit, offset=offset)
        return CompanyPage(companies=[_out(stored) for stored in found], total=total)

    @router.get("/companies/{company_id}", summary="One kept company")
    def show(request: Request, company_id: str) -> CompanyOut:
        """Return what is kept of a company."""
        return _out(companies.get(company_id, request.state.principal.scope()))

    @router.delete("/companies/{company_id}", status_code=204, summary="Forget a company")
    def forget(request: Request, company_id: str) -> None:
        """Delete a company's statements."""
        caller = request.state.principal
        _may_write(caller)
        companies.remove(company_id, caller.scope())
        facilities.recorder.record("company.forgotten", actor=caller, body={"company": company_id})


def _may_write(caller: Any) -> None:
    if not caller.may("write"):
        raise CompanyForbidden(
            "Your role does not include changing companies.", remedy="Ask an administrator for the role contributor."
        )


def _out(stored: Stored) -> CompanyOut:
    statements = stored.statements
    return CompanyOut(
        id=stored.id,
        company=statements.company,
        label=stored.label,
        industry=statements.industry,
        currency=statements.currency,
        periods=[str(period) for period in statements.periods],
        cells=len(statements.cells),
        digest=stored.digest,
        updated_at=stored.updated_at,
    )

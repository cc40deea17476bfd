"""An assessment as it goes out: amounts as decimal text, both languages beside each other, sources with each figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from domains.finance.statements.assess import Assessment
from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.definitions import parsed
from domains.finance.statements.disclosure import Disclosures
from domains.finance.statements.intake.assembly import Gathered
from domains.finance.statements.measures import library_version
from domains.finance.statements.narrative.spoken import Spoken
from domains.finance.statements.rating import Rated, Rating
from domains.finance.statements.risk_points import RiskPoint, Working, title_of
from domains.finance.statements.rules import Rules
from domains.finance.statements.schema import (
    AssessResponse,
    CellOut,
    FactorOut,
    FactorResult,
    FindingOut,
    GroupOut,
    IntakeOut,
    PassageOut,
    PeerOut,
    RatedOut,
    RatingOut,
    RestatedOut,
    RiskOut,
    SideOut,
    SourceOut,
    StruckOut,
    UnmappedOut,
    VersionsOut,
    WorkingOut,
)
from domains.finance.statements.types import Cell, Computed, Factor, Reason
from retrieval.language import Language

__all__ = ["factor_out", "number", "present"]

_DIGITS: Final = 10
"""Significant digits of a computed value; figures of statements have fewer."""


def number(value: Decimal) -> str:
    """Return a computed value as plain decimal text, never in powers of ten."""
    if not value:
        return "0"
    places = max(0, _DIGITS - 1 - value.adjusted())
    text = f"{round(value, places) if places < 60 else value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def present(
    found: Assessment,
    *,
    rules: Rules,
    disclosures: Disclosures,
    notice: Mapping[Language, str],
    entry: int,
    all_factors: bool,
) -> AssessResponse:
    """Return the response of an assessment."""
    statements = found.gathered.statements
    risks = [_risk(point, disclosures) for point in found.risks]
    results = [
        _result(computed)
        for computeds in found.factors.values()
        for computed in (computeds if all_factors else computeds[-1:])
        if all_factors or computed.value is not None
    ]
    newest = [computeds[-1] for computeds in found.factors.values()]
    reasons = Counter(item.reason.code for item in newest if item.reason is not None)
    return AssessResponse(
        company=statements.company,
        currency=statements.currency,
        industry=statements.industry,
        periods=[str(period) for period in statements.periods],
        intake=_intake(found.gathered),
        findings=[
            FindingOut(
                code=item.code,
                gravity=item.gravity,
                period=None if item.period is None else str(item.period),
                text=_text(item.sentences),
                items=list(item.concepts),
            )
            for item in found.findings
        ],
        rating=_rating(found.rating, rules, statements.industry),
        risks=risks,
        narrative={language: _narrative(found, language) for language in ("en", "zh")},
        struck=[StruckOut(rule=item.rule, language=item.language, reason=item.reason) for item in found.struck],
        factors=results,
        factor_count={"computed": len(newest) - sum(reasons.values()), **dict(sorted(reasons.items()))},
        disclosures_searched=disclosures.searched,
        notice=dict(notice),
        versions=VersionsOut(library=library_version(), rules=rules.version),
        digest=found.digest,
        entry=entry,
    )


def _narrative(found: Assessment, language: Language) -> str:
    """Return the proved sentences of all risk points, one point a line, the gravest first."""
    joint = "" if language == "zh" else " "
    lines = (
        joint.join(sentence.text for sentence in point.sentences if sentence.language == language)
        for point in found.risks
    )
    return "\n".join(line for line in lines if line)


def _text(sentences: Sequence[Spoken]) -> dict[Language, str]:
    found: dict[Language, str] = {}
    for sentence in sentences:
        joint = "" if sentence.language == "zh" else " "
        before = found.get(sentence.language)
        found[sentence.language] = sentence.text if before is None else f"{before}{joint}{sentence.text}"
    return found


def _cell(cell: Cell) -> CellOut:
    return CellOut(
        item=cell.concept,
        title=" / ".join(CONCEPTS[cell.concept].titles[language] for language in ("en", "zh")),
        period=str(cell.period),
        value=f"{cell.value:f}",
        unit=cell.unit,
        source=SourceOut(document=cell.source.document, place=cell.source.place, tag=cell.source.tag),
        part=cell.member,
    )


def _intake(gathered: Gathered) -> IntakeOut:
    return IntakeOut(
        cells=len(gathered.statements.cells),
        unmapped=[
            UnmappedOut(label=item.label, place=item.place, figures=item.figures, nearest=list(item.nearest))
            for item in gathered.unmapped
        ],
        restated=[
            RestatedOut(
                item=item.used.concept,
                period=str(item.used.period),
                used=f"{item.used.value:f}",
                filed=item.filed.isoformat(),
                earlier=f"{item.earlier.value:f}",
                filed_before=item.filed_before.isoformat(),
            )
            for item in gathered.restated
        ],
        turned=list(gathered.turned),
        impossible=[_cell(cell) for cell in gathered.impossible],
        ambiguous=[_cell(cell) for cell in gathered.ambiguous],
        summed=list(gathered.summed),
        empty=gathered.empty,
        aside=gathered.aside,
    )


def _reason(reason: Reason | None) -> dict[Language, str] | None:
    return None if reason is None else {"en": reason.text("en"), "zh": reason.text("zh")}


def _result(computed: Computed) -> FactorResult:
    return FactorResult(
        id=computed.factor.id,
        title=dict(computed.factor.titles),
        group=computed.factor.group,
        unit=computed.factor.unit,
        period=str(computed.period),
        value=None if computed.value is None else number(computed.value),
        reason=_reason(computed.reason),
        assumed=list(computed.assumed),
    )


def _rating(rating: Rating, rules: Rules, industry: str | None) -> RatingOut:
    return RatingOut(
        period=str(rating.period),
        overall=rating.overall,
        computed=rating.computed,
        asked=rating.asked,
        groups=[
            GroupOut(
                id=group.group,
                title=dict(rules.groups[group.group]),
                level=group.level,
                figures=[_rated(item, industry) for item in group.figures],
            )
            for group in rating.groups
        ],
    )


def _rated(item: Rated, industry: str | None) -> RatedOut:
    place = item.peers
    return RatedOut(
        id=item.rule.id,
        factor=item.computed.factor.id,
        formula=item.rule.formula,
        value=None if item.computed.value is None else number(item.computed.value),
        level=item.level,
        reason=_reason(item.computed.reason),
        borders=[f"{border}" for border in item.rule.borders(industry)],
        source=item.rule.source,
        peers=None if place is None else PeerOut(peers=place.peers, middle=number(place.middle), quarter=place.quarter),
    )


def _risk(point: RiskPoint, disclosures: Disclosures) -> RiskOut:
    rule = point.rule
    return RiskOut(
        id=rule.id,
        severity=point.severity,
        red_flag=rule.flag and point.severity != "watch",
        group=rule.group,
        factor=point.factor,
        formula=rule.formula,
        test=rule.test,
        tested=number(point.tested),
        border=f"{point.border}",
        period=str(point.period),
        period_before=None if point.before is None else str(point.before),
        text=_text(point.sentences),
        workings=[_working(work) for work in point.workings],
        cells=[_cell(cell) for cell in point.cells],
        source=rule.source,
        passages=[
            PassageOut(
                document_id=item.locator.document_id,
                document=item.locator.document,
                page=item.locator.page,
                text=item.text,
                digest=item.digest,
            )
            for item in disclosures.passages.get(rule.id, ())
        ],
    )


def _working(work: Working) -> WorkingOut:
    return WorkingOut(
        period=str(work.period),
        value=number(work.value),
        numerator=_side(work.upper),
        denominator=_side(work.lower),
    )


def _side(side: tuple[str, Decimal] | None) -> SideOut | None:
    if side is None:
        return None
    formula, value = side
    node = parsed(formula)
    return SideOut(formula=formula, title={"en": title_of(node, "en"), "zh": title_of(node, "zh")}, value=number(value))


def factor_out(factor: Factor) -> FactorOut:
    """Return a factor of the library as it goes out."""
    needs = factor.applicability
    return FactorOut(
        id=factor.id,
        title=dict(factor.titles),
        group=factor.group,
        formula=factor.formula,
        unit=factor.unit,
        direction=factor.direction,
        source=factor.source,
        periods=needs.periods,
        excluded=list(needs.excluded),
        peers=needs.peers,
    )

"""The chat's tools: figures of stored companies, compared, described, and their risk points, as computed evidence.

The pipeline runs them after `prepare` named them, and shows what they return to the model as numbered evidence. Each
line of a text is a sentence that stands alone, with figures as they may be quoted, since every claim of the answer is
checked against these words. Who may see a company is decided anew in each tool, by the scope that it is handed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from langchain_core.tools import BaseTool, StructuredTool

from domains.finance.statements.factors import FACTORS
from domains.finance.statements.measures import Measures
from domains.finance.statements.narrative.spoken import Kind, label, show_figure
from domains.finance.statements.rating import Rating, rate
from domains.finance.statements.risk_points import find_risks
from domains.finance.statements.rules import Rules
from domains.finance.statements.store import Companies, Stored
from domains.finance.statements.types import Reason
from retrieval.language import Language
from retrieval.types import Evidence, EvidenceKind, Locator, Scope

__all__ = ["COMPARE", "FIGURES", "RISKS", "tools_of"]

COMPARE: Final = "finance_compare"
FIGURES: Final = "finance_figures"
RISKS: Final = "finance_risks"

_TABLE: Final[Mapping[Language, str]] = {"en": "Computed comparison of companies", "zh": "公司指标对比计算表"}
_SHEET: Final[Mapping[Language, str]] = {"en": "Computed figures of {}", "zh": "{}指标计算表"}
_POINTS: Final[Mapping[Language, str]] = {"en": "Risk points of {}", "zh": "{}风险点"}
_LEVELS: Final[Mapping[str, Mapping[Language, str]]] = {
    "weak": {"en": "weak", "zh": "弱"},
    "fair": {"en": "fair", "zh": "一般"},
    "good": {"en": "good", "zh": "良好"},
    "strong": {"en": "strong", "zh": "强"},
}
_KINDS: Final[Mapping[str, Kind]] = {
    "percent": "percent",
    "points": "points",
    "days": "days",
    "currency": "money",
    "count": "count",
    "signal": "count",
}
_EXTREME: Final[Mapping[Language, str]] = {
    "en": "Of these companies, {weak} has the weakest {group} and {strong} has the strongest {group}.",
    "zh": "这些公司中，{weak}的{group}最弱，{strong}的{group}最强。",
}
_TIED: Final[Mapping[Language, str]] = {
    "en": "These companies tie in {group}: none is the weakest.",
    "zh": "这些公司的{group}并列，没有最弱的一家。",
}
_ORDERED: Final[Mapping[Language, str]] = {
    "en": "{group}, weakest first, by the sum of ranks over {figures}: {order}.",
    "zh": "{group}由弱到强（按{figures}的名次之和）：{order}。",
}
_ROW: Final[Mapping[Language, str]] = {
    "en": "{company}, {period}: {group} is {level}; {figures}.",
    "zh": "{company}，{period}：{group}{level}，{figures}。",
}
_NOT_RATED: Final[Mapping[Language, str]] = {"en": "not rated", "zh": "未评级"}
_NONE: Final[Mapping[Language, str]] = {
    "en": "{company}: the rules point out no risk in {period}.",
    "zh": "{company}：{period}规则未提示风险点。",
}


def tools_of(companies: Companies, *, rules: Rules) -> tuple[BaseTool, ...]:
    """Return the tools over stored companies."""

    def compare(
        company_ids: list[str], groups: list[str], scope: dict[str, Any], language: str
    ) -> tuple[str, list[Evidence]]:
        """Compare companies on groups of figures; the computed table is the evidence."""
        stored = _load(companies, company_ids, scope)
        spoken = _spoken(language)
        made = [_comparison(stored, group, spoken, rules) for group in groups]
        return _result(made)

    def figures(
        company_ids: list[str], groups: list[str], factors: list[str], scope: dict[str, Any], language: str
    ) -> tuple[str, list[Evidence]]:
        """Compute figures of companies for every period; each with how it is computed."""
        spoken = _spoken(language)
        stored = _load(companies, company_ids, scope)
        return _result([_sheet(one, groups, factors, spoken, rules) for one in stored])

    def risks(company_ids: list[str], scope: dict[str, Any], language: str) -> tuple[str, list[Evidence]]:
        """Point out the risks of companies, each with its working."""
        spoken = _spoken(language)
        return _result([_points(one, spoken, rules) for one in _load(companies, company_ids, scope)])

    return tuple(
        StructuredTool.from_function(function, name=name, response_format="content_and_artifact")
        for function, name in ((compare, COMPARE), (figures, FIGURES), (risks, RISKS))
    )


def _spoken(language: str) -> Language:
    return "zh" if language == "zh" else "en"


def _load(companies: Companies, ids: Sequence[str], scope: Mapping[str, Any]) -> list[Stored]:
    allowed = Scope.model_validate(scope)
    return [companies.get(id_, allowed) for id_ in dict.fromkeys(ids)]


def _result(made: Sequence[Evidence]) -> tuple[str, list[Evidence]]:
    return "\n\n".join(item.text for item in made), list(made)


def _evidence(text: str, document_id: str, name: str) -> Evidence:
    place = Locator(document_id=document_id, document=name)
    return Evidence.of("0", text, place, kind=EvidenceKind.COMPUTATION)


def _comparison(stored: Sequence[Stored], group: str, language: Language, rules: Rules) -> Evidence:
    ratings = [(one, rate(one.statements, rules, one.statements.periods[-1])) for one in stored]
    title = rules.groups[group][language]
    low = title if language == "zh" else title.lower()
    ranks = _ranks(ratings, group)
    lines: list[str] = []
    ordered = sorted(ranks, key=lambda row: (row[1], row[0]))
    joint = "、" if language == "zh" else ", "
    if len(ordered) > 1:
        if ordered[0][1] == ordered[-1][1]:
            lines.append(_TIED[language].format(group=low))
        elif ordered[0][1] < ordered[1][1] and ordered[-2][1] < ordered[-1][1]:
            lines.append(_EXTREME[language].format(weak=ordered[0][0], strong=ordered[-1][0], group=low))
        names = joint.join(_titles(group, language, rules))
        lines.append(_ORDERED[language].format(group=title, figures=names, order=joint.join(row[0] for row in ordered)))
    lines += [_row(one, rating, group, language, rules) for one, rating in ratings]
    ids = "+".join(sorted(one.id for one in stored))
    return _evidence("\n".join(lines), f"finance-comparison:{group}:{ids}"[:200], _TABLE[language])


def _titles(group: str, language: Language, rules: Rules) -> list[str]:
    return [_name(rule.formula, rule.id, language) for rule in rules.ratings if rule.group == group]


def _name(formula: str, rule: str, language: Language) -> str:
    factor = FACTORS.get(rule) or next((item for item in FACTORS.values() if item.formula == formula), None)
    title = rule.replace("_", " ") if factor is None else factor.titles[language]
    return title if language == "zh" else title[:1].lower() + title[1:]


def _ranks(ratings: Sequence[tuple[Stored, Rating]], group: str) -> list[tuple[str, Decimal]]:
    """Return the sum of ranks of each company over the figures that all of them have; 1 is the weakest."""
    columns: list[list[Decimal | None]] = [[] for _ in ratings]
    for number, (_, rating) in enumerate(ratings):
        for part in rating.groups:
            if part.group == group:
                columns[number] = [
                    None
                    if item.computed.value is None
                    else item.computed.value * (1 if item.rule.better == "higher" else -1)
                    for item in part.figures
                ]
    sums = [Decimal(0)] * len(ratings)
    compared = 0
    for values in zip(*columns, strict=True):
        if any(value is None for value in values):
            continue
        compared += 1
        for number, value in enumerate(values):
            below = sum(other < value for other in values)
            same = sum(other == value for other in values)
            sums[number] += below + Decimal(same + 1) / 2
    if not compared:
        return []
    return [(one.statements.company, total) for (one, _), total in zip(ratings, sums, strict=True)]


def _row(one: Stored, rating: Rating, group: str, language: Language, rules: Rules) -> str:
    found = next((part for part in rating.groups if part.group == group), None)
    figures = [] if found is None else found.figures
    said = [
        f"{_name(item.rule.formula, item.rule.id, language)} "
        + _shown(item.computed.value, item.computed.reason, item.rule.kind, language, one.statements.currency)
        for item in figures
    ]
    level = _NOT_RATED[language] if found is None or found.level is None else _LEVELS[found.level][language]
    title = rules.groups[group][language]
    return _ROW[language].format(
        company=one.statements.company,
        period=label(rating.period, language),
        group=title if language == "zh" else title.lower(),
        level=level,
        figures=("，" if language == "zh" else ", ").join(said),
    )


def _shown(value: Decimal | None, reason: Reason | None, kind: Kind, language: Language, currency: str) -> str:
    if value is not None:
        return show_figure(value, kind, language, currency=currency)
    why = "" if reason is None else reason.text(language)
    return f"不适用（{why}）" if language == "zh" else f"not applicable ({why})"


def _sheet(one: Stored, groups: Sequence[str], factors: Sequence[str], language: Language, rules: Rules) -> Evidence:
    statements = one.statements
    rows: list[tuple[str, str, Kind]] = [
        (_name(rule.formula, rule.id, language), rule.formula, rule.kind)
        for rule in rules.ratings
        if rule.group in groups
    ]
    for name in factors:
        factor = FACTORS[name]
        rows.append((factor.titles[language], factor.formula, _KINDS.get(factor.unit, "ratio")))
    measures = Measures(statements, [formula for _, formula, _ in rows])
    lines: list[str] = []
    for title, formula, kind in rows:
        for period in reversed(statements.periods):
            computed = measures.computed(formula, period)
            shown = _shown(computed.value, computed.reason, kind, language, statements.currency)
            when = label(period, language)
            lines.append(
                f"{statements.company}，{when}{title}为{shown}。"
                if language == "zh"
                else f"The {title[:1].lower() + title[1:]} of {statements.company} in {when} is {shown}."
            )
    name = _SHEET[language].format(statements.company)
    return _evidence("\n".join(dict.fromkeys(lines)), f"finance-figures:{one.id}", name)


def _points(one: Stored, language: Language, rules: Rules) -> Evidence:
    statements = one.statements
    period = statements.periods[-1]
    points, _ = find_risks(statements, rules, period)
    lines = [
        f"{statements.company}：{sentence.text}" if language == "zh" else f"{statements.company}: {sentence.text}"
        for point in points
        for sentence in point.sentences
        if sentence.language == language
    ]
    if not lines:
        lines = [_NONE[language].format(company=statements.company, period=label(period, language))]
    return _evidence("\n".join(lines), f"finance-risks:{one.id}", _POINTS[language].format(statements.company))

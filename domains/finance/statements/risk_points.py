"""Points out risks of the newest period, each bound to cells and formula, in words that have been proved.

A point says what is measured, in which periods, on which side of which border, and shows the working: numerator and
denominator of each period with the cells behind them. The sentences come from fixed patterns; code puts the figures in
and `narrative.proof` reads each back out of the text and computes it anew from the cells. A sentence that does not pass
is not shown and is reported as struck. Red flags come first, then the graver, then the order of the rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.definitions import DEFINITIONS, parsed
from domains.finance.statements.formula import Binary, Call, Item, Named, Negative, Node, Number, items, show
from domains.finance.statements.measures import Measures, factor_of
from domains.finance.statements.narrative.proof import prove
from domains.finance.statements.narrative.recompute import recompute
from domains.finance.statements.narrative.spoken import Kind, Quantity, Said, Spoken, say
from domains.finance.statements.rules import SEVERITIES, RiskRule, Rules, Severity
from domains.finance.statements.types import Cell, Period, Statements
from retrieval.language import Language

__all__ = ["RiskPoint", "Struck", "Working", "find_risks", "title_of"]

_LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")
_YEAR: Final = 12
_MOST_ITEMS: Final = 4
"""Items that a working lists; a score of a dozen items is shown by its cells alone."""

_STATEMENTS: Final[Mapping[str, Mapping[Language, str]]] = {
    "level": {
        "en": "{title} of {period} is {value}, {side} {border}: {claim}.",
        "zh": "{period}{title}为{value}，{side}{border}，{claim}。",
    },
    "change": {
        "en": "{title} is {change} on {before_period}, from {before} to {value} in {period}: {claim}.",
        "zh": "{title}{than}{change}（{before_period}为{before}，{period}为{value}），{claim}。",
    },
    "points": {
        "en": "{title} moved by {change} from {before} in {before_period} to {value} in {period}: {claim}.",
        "zh": "{title}由{before_period}的{before}变为{period}的{value}，变动{change}，{claim}。",
    },
}
_SIDES: Final[Mapping[str, Mapping[Language, str]]] = {
    "below": {"en": "below", "zh": "低于"},
    "above": {"en": "above", "zh": "高于"},
}
_QUOTIENT: Final[Mapping[Language, str]] = {
    "en": "In {period}: {upper_name} {upper} ÷ {lower_name} {lower} = {value}.",
    "zh": "{period}：{upper_name}{upper} ÷ {lower_name}{lower} = {value}。",
}
_ITEM: Final[Mapping[Language, str]] = {"en": "{name} of {period}: {amount}.", "zh": "{period}{name}：{amount}。"}


@dataclass(frozen=True, slots=True)
class Working:
    """How the value of one period came about."""

    period: Period
    value: Decimal
    upper: tuple[str, Decimal] | None
    """Formula and value of the numerator, where the formula is a quotient."""

    lower: tuple[str, Decimal] | None


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """One risk, with all that it rests on."""

    rule: RiskRule
    factor: str
    """Id of the library's factor, or the formula where the library has none."""

    severity: Severity
    period: Period
    before: Period | None
    tested: Decimal
    border: Decimal
    workings: tuple[Working, ...]
    cells: tuple[Cell, ...]
    sentences: tuple[Spoken, ...]


@dataclass(frozen=True, slots=True)
class Struck:
    """A sentence that was not shown, and why."""

    rule: str
    language: Language
    reason: str


def find_risks(statements: Statements, rules: Rules, period: Period) -> tuple[list[RiskPoint], list[Struck]]:
    """Return the risks of a period, red flags first, and the sentences that did not pass."""
    measures = Measures(statements, [formula for rule in rules.risks for formula in (rule.formula, rule.tested)])
    points: list[RiskPoint] = []
    struck: list[Struck] = []
    for rule in rules.risks:
        tested = measures.value(rule.tested, period)
        severity = None if tested is None else rule.severity(tested)
        if tested is None or severity is None:
            continue
        point = _point(rule, severity, tested, measures, period)
        kept, lost = proved(point.sentences, statements, rule.id)
        struck.extend(lost)
        if any(sentence.said for sentence in kept):
            points.append(_with(point, kept))
    order = {name: place for place, name in enumerate(reversed(SEVERITIES))}
    points.sort(key=lambda point: (not (point.rule.flag and point.severity != "watch"), order[point.severity]))
    return points, struck


def proved(sentences: tuple[Spoken, ...], statements: Statements, rule: str) -> tuple[tuple[Spoken, ...], list[Struck]]:
    """Return the sentences whose every figure holds, and the others with the reason."""
    kept: list[Spoken] = []
    lost: list[Struck] = []
    for sentence in sentences:
        reason = prove(sentence.text, sentence.said, statements, language=sentence.language)
        if reason is None:
            kept.append(sentence)
        else:
            lost.append(Struck(rule, sentence.language, reason))
    return tuple(kept), lost


def _with(point: RiskPoint, sentences: tuple[Spoken, ...]) -> RiskPoint:
    return RiskPoint(
        point.rule,
        point.factor,
        point.severity,
        point.period,
        point.before,
        point.tested,
        point.border,
        point.workings,
        point.cells,
        sentences,
    )


def _point(rule: RiskRule, severity: Severity, tested: Decimal, measures: Measures, period: Period) -> RiskPoint:
    statements = measures.statements
    before = statements.prior(period) if rule.test != "level" else None
    spans = [period] if before is None else [period, before]
    workings = tuple(work for span in spans if (work := _working(rule.formula, statements, span)) is not None)
    cells = {
        (cell.concept, cell.period, cell.member): cell
        for formula, span in [(rule.tested, period), *((rule.formula, span) for span in spans)]
        for cell in measures.computed(formula, span).inputs
    }
    return RiskPoint(
        rule,
        factor_of(rule.formula).id,
        severity,
        period,
        before,
        tested,
        rule.borders[severity],
        workings,
        tuple(cells.values()),
        tuple(_sentences(rule, severity, statements, period, before)),
    )


def _working(formula: str, statements: Statements, period: Period) -> Working | None:
    value = recompute(formula, statements, period)
    if value is None:
        return None
    upper, lower = _quotient(formula)
    over = None if upper is None else recompute(upper, statements, period)
    under = None if lower is None else recompute(lower, statements, period)
    if upper is None or lower is None or over is None or under is None:
        return Working(period, value, None, None)
    return Working(period, value, (upper, over), (lower, under))


def _quotient(formula: str) -> tuple[str | None, str | None]:
    """Return numerator and denominator of a formula that is one plain quotient."""
    node = parsed(formula)
    if isinstance(node, Binary) and node.operator == "/":
        return show(node.left), show(node.right)
    return None, None


def _sentences(
    rule: RiskRule, severity: Severity, statements: Statements, period: Period, before: Period | None
) -> Iterator[Spoken]:
    def value(quantity: Quantity) -> Decimal:
        found = recompute(quantity.formula, statements, quantity.period)
        if found is None:
            raise LookupError(quantity.formula)  # said only of what was computed
        return found

    for language in _LANGUAGES:
        named: dict[str, Said | str] = {
            "title": rule.titles[language],
            "claim": rule.claims[language],
            "period": period,
            "value": Quantity(rule.formula, period, rule.kind),
            "side": _SIDES[rule.side][language],
            "border": Quantity(_constant(rule.borders[severity]), period, rule.kind),
        }
        if before is not None:
            kind: Kind = "change" if rule.test == "change" else "points"
            named |= {
                "before_period": before,
                "before": Quantity(rule.formula, before, rule.kind),
                "change": Quantity(rule.tested, period, kind),
                "than": "同比" if period.months == _YEAR else "环比",
            }
        yield say(_STATEMENTS[rule.test][language], language, named, value, currency=statements.currency)
        for span in (period, *([before] if before is not None else [])):
            for template, words in _details(rule, language, span, statements):
                yield say(template, language, words, value, currency=statements.currency)


def _constant(border: Decimal) -> str:
    return f"{border}" if border >= 0 else f"-{-border}"


def _details(
    rule: RiskRule, language: Language, period: Period, statements: Statements
) -> Iterator[tuple[str, Mapping[str, Said | str]]]:
    """Yield the sentences of a working: the quotient, or the items of any other formula that is short."""
    upper, lower = _quotient(rule.formula)
    if upper is not None and lower is not None and not _plain_items(upper, lower):
        upper = None
    if upper is not None and lower is not None:
        yield (
            _QUOTIENT[language],
            {
                "period": period,
                "upper_name": _lead(title_of(parsed(upper), language), language),
                "upper": Quantity(upper, period, "money"),
                "lower_name": _lead(title_of(parsed(lower), language), language),
                "lower": Quantity(lower, period, "money"),
                "value": Quantity(rule.formula, period, rule.kind),
            },
        )
        return
    spans = [period]
    if "growth" in rule.formula and (before := statements.prior(period)) is not None:
        spans.append(before)
    names = [name for name in items(parsed(rule.formula)) if not CONCEPTS[name].by_member]
    if len(names) > _MOST_ITEMS or rule.formula in names:
        return
    for span in spans:
        for name in names:
            if statements.cell(name, span) is not None and CONCEPTS[name].unit == "currency":
                amount = Quantity(name, span, "money")
                yield _ITEM[language], {"period": span, "name": CONCEPTS[name].titles[language], "amount": amount}


def _plain_items(upper: str, lower: str) -> bool:
    """Say whether both sides are amounts of money: no constant, no growth, no score in them."""
    return not any(
        isinstance(node, Number) or (isinstance(node, Call) and node.function not in ("avg", "opt", "first", "min"))
        for side in (upper, lower)
        for node in _top(parsed(side))
    )


def _top(node: Node) -> Iterator[Node]:
    """Yield the nodes of a formula down to its definitions, whose insides are not told."""
    yield node
    match node:
        case Binary(_, left, right):
            yield from _top(left)
            yield from _top(right)
        case Negative(operand):
            yield from _top(operand)
        case Call(_, arguments, _):
            for argument in arguments:
                yield from _top(argument)
        case _:
            return


def _lead(name: str, language: Language) -> str:
    return name if language == "zh" else name[:1].lower() + name[1:]


def title_of(node: Node, language: Language) -> str:
    """Return a formula in words: titles of items and definitions, joined by their operators."""
    match node:
        case Item(concept):
            return CONCEPTS[concept].titles[language]
        case Named(name, _):
            return DEFINITIONS[name].titles[language]
        case Negative(operand):
            return f"-{title_of(operand, language)}"
        case Binary(operator, left, right):
            sign = {"*": "×", "/": "÷"}.get(operator, operator)
            return f"{title_of(left, language)} {sign} {title_of(right, language)}"
        case Call("avg", (argument,), _):
            words = {"en": "average {}", "zh": "平均{}"}[language]
            return words.format(_lead(title_of(argument, language), language))
        case Call("opt", (argument,), _):
            return title_of(argument, language)
        case Call("min", (first, second), _):
            words = {"en": "the smaller of {} and {}", "zh": "{}与{}孰低"}[language]
            return words.format(*(_lead(title_of(part, language), language) for part in (first, second)))
        case _:
            return show(node)

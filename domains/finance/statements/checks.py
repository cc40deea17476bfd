"""Whether the figures agree with each other before anything is concluded from them.

* **Identities** hold by accounting: assets are liabilities and equity, the three cash flows and the effect of exchange
  rates are the change of cash. A difference above rounding (0.05 % of the size of what is added) is a finding with both
  sides and the difference, each recomputed from the cells.
* **Parts above the whole**: cash, receivables and inventories cannot exceed current assets.
* **A break of scale**: when the middle item of a statement is 300 times that of the period before, one of them is in
  another unit. That is refused, unless the caller says that it is so.
* **What is missing** of the items that most factors need.

`error` means that figures contradict each other and what rests on them is doubtful, `warning` that an explanation is
due, `note` that something is to be known.

Not covered: whether figures are true; differences that round away; misstatements that keep all identities.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Final, Literal

from domains.finance.statements.concepts import CONCEPTS
from domains.finance.statements.narrative.recompute import median, recompute
from domains.finance.statements.narrative.spoken import Quantity, Said, Spoken, label, say
from domains.finance.statements.refusals import InputRefused
from domains.finance.statements.types import Period, Statements
from retrieval.language import Language

__all__ = ["Finding", "check", "refuse_scale_break"]

Gravity = Literal["error", "warning", "note"]

_TOLERANCE: Final = Decimal("0.0005")
_BREAK: Final = 300
"""Times that the middle item of a statement must have grown or shrunk. Units differ by at least 1,000, and no company's
middle item grows 300-fold in a period."""

_FEWEST: Final = 3
"""Items that two periods must share before their scales are compared."""

_NEEDED: Final = (
    "revenue",
    "net_income",
    "total_assets",
    "current_assets",
    "current_liabilities",
    "equity",
    "net_cash_operating",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: in words that can be proved, and by its code."""

    code: str
    gravity: Gravity
    period: Period | None
    sentences: tuple[Spoken, ...]
    concepts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Identity:
    code: str
    gravity: Gravity
    left: str
    right: str
    size: str
    english: str
    chinese: str


_FLOWS: Final = "max(abs(net_cash_operating), max(abs(net_cash_investing), abs(net_cash_financing)))"
_SUM: Final = "net_cash_operating + net_cash_investing + net_cash_financing + opt(exchange_effect)"

_IDENTITIES: Final = (
    _Identity(
        "balance",
        "error",
        "total_assets",
        "total_liabilities + equity",
        "total_assets",
        "Total assets against liabilities and equity",
        "资产总计与负债和所有者权益合计",
    ),
    _Identity(
        "assets_parts",
        "error",
        "total_assets",
        "current_assets + noncurrent_assets",
        "total_assets",
        "Total assets against current and non-current assets",
        "资产总计与流动资产、非流动资产之和",
    ),
    _Identity(
        "liabilities_parts",
        "error",
        "total_liabilities",
        "current_liabilities + noncurrent_liabilities",
        "total_liabilities",
        "Total liabilities against current and non-current liabilities",
        "负债合计与流动负债、非流动负债之和",
    ),
    _Identity(
        "equity_parts",
        "warning",
        "equity",
        "equity_parent + noncontrolling_interests",
        "abs(equity_parent)",
        "Total equity against the parent's and the non-controlling shares",
        "所有者权益合计与归属于母公司权益、少数股东权益之和",
    ),
    _Identity(
        "gross_profit",
        "warning",
        "gross_profit",
        "revenue - cost_of_sales",
        "revenue",
        "Gross profit against revenue less cost of sales",
        "毛利与营业收入减营业成本",
    ),
    _Identity(
        "net_income",
        "note",
        "first(income_continuing, net_income)",
        "pretax_income - income_tax",
        "abs(pretax_income)",
        "Net income against income before tax less tax",
        "净利润与利润总额减所得税",
    ),
    _Identity(
        "cash_flow",
        "error",
        "change_in_cash",
        _SUM,
        _FLOWS,
        "The change of cash against the sum of the three cash flows",
        "现金净增加额与三类现金流量净额之和",
    ),
    _Identity(
        "cash_roll",
        "error",
        "closing_cash - opening_cash",
        "change_in_cash",
        "max(abs(closing_cash), abs(opening_cash))",
        "Closing less opening cash against the change of cash",
        "期末与期初现金之差与现金净增加额",
    ),
    _Identity(
        "cash_opening",
        "warning",
        "opening_cash",
        "prior(closing_cash)",
        "abs(opening_cash)",
        "Opening cash against the closing cash of the period before",
        "期初现金与上期期末现金",
    ),
    _Identity(
        "cash_balance",
        "note",
        "change(cash)",
        "change_in_cash",
        "cash",
        "The change of cash in the balance sheet against that of the cash flow statement (perhaps restricted cash)",
        "资产负债表货币资金变动与现金流量表现金净增加额（可能由受限资金所致）",
    ),
    _Identity(
        "fixed_assets",
        "warning",
        "property_plant_equipment",
        "gross_property_plant_equipment - accumulated_depreciation",
        "gross_property_plant_equipment",
        "Fixed assets, net, against cost less depreciation",
        "固定资产净额与原值减累计折旧",
    ),
)
_BETWEEN: Final = Decimal("0.05")
"""Share of assets up to which what liabilities and equity lack may be equity that stands between the two."""

_TEMPORARY: Final[Mapping[Language, str]] = {
    "en": "Total assets against liabilities and equity (redeemable interests between the two are not read)",
    "zh": "资产总计与负债和所有者权益合计（介于两者之间的项目，如可赎回权益，未读取）",
}

_DIFFER: Final[Mapping[Language, str]] = {
    "en": "{what}, {period}: {left} and {right} differ by {difference}.",
    "zh": "{what}（{period}）：{left}与{right}相差{difference}。",
}
_PARTS: Final = "cash + opt(short_term_investments) + opt(trade_receivables) + opt(inventories)"
_EXCEED: Final[Mapping[Language, str]] = {
    "en": "Cash, investments, receivables and inventories, {period}: {right} exceed current assets of {left}.",
    "zh": "货币资金、短期投资、应收账款与存货之和（{period}）：{right}超过流动资产合计{left}。",
}
_MISSING: Final[Mapping[Language, str]] = {
    "en": "{period}: not given: {names}. What needs them is not applicable.",
    "zh": "{period}：未提供{names}，相关指标不适用。",
}
_GAP: Final[Mapping[Language, str]] = {
    "en": "Between {before} and {period} a period is missing; nothing is compared across the gap.",
    "zh": "{before}与{period}之间缺少期间，不作跨期比较。",
}


def check(statements: Statements) -> list[Finding]:
    """Return what does not agree, the gravest first, then in the order of the periods, the newest first."""
    found = [
        *(finding for period in statements.periods for finding in _identities(statements, period)),
        *_parts(statements),
        *_gaps(statements),
        *_missing(statements),
    ]
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(found, key=lambda f: (order[f.gravity], -(f.period.end.toordinal() if f.period else 0), f.code))


def refuse_scale_break(statements: Statements) -> None:
    """Refuse statements of which one period is in another unit than the one before.

    Raises:
        InputRefused: the middle item of a statement is 300 times that of the period before, or a 300th.
    """
    for earlier, later in pairwise(statements.periods):
        for kind in ("income", "balance", "cash_flow"):
            middle = _middle(statements, kind, earlier, later)
            if middle is not None and not 1 < middle * _BREAK < _BREAK * _BREAK:
                more = middle >= 1
                times = middle if more else 1 / middle
                raise InputRefused(
                    f"The {kind.replace('_', ' ')} figures of {label(later, 'en')} are about {times:,.0f} times "
                    f"{'larger' if more else 'smaller'} than those of {label(earlier, 'en')}.",
                    remedy='Give each period its own "unit", or send "accept_scale_break": true if it is so.',
                )


def _middle(statements: Statements, kind: str, earlier: Period, later: Period) -> Decimal | None:
    ratios = [
        abs(now.value / before.value)
        for concept in CONCEPTS.values()
        if concept.statement == kind
        and concept.unit == "currency"
        and (now := statements.cell(concept.id, later)) is not None
        and (before := statements.cell(concept.id, earlier)) is not None
        and now.value
        and before.value
    ]
    return median(ratios) if len(ratios) >= _FEWEST else None


def _identities(statements: Statements, period: Period) -> Iterator[Finding]:
    for rule in _IDENTITIES:
        left, right = (recompute(side, statements, period) for side in (rule.left, rule.right))
        size = recompute(rule.size, statements, period)
        if left is None or right is None or size is None:
            continue
        if abs(left - right) > _TOLERANCE * max(abs(size), abs(left), abs(right)):
            names: Mapping[Language, str] = {"en": rule.english, "zh": rule.chinese}
            gravity = rule.gravity
            if rule.code == "balance" and 0 < left - right <= _BETWEEN * left:
                names, gravity = _TEMPORARY, "warning"
            yield Finding(rule.code, gravity, period, tuple(_differ(rule, names, statements, period)))


def _differ(rule: _Identity, names: Mapping[Language, str], statements: Statements, period: Period) -> list[Spoken]:
    named: dict[str, Said] = {
        "period": period,
        "left": Quantity(rule.left, period, "money"),
        "right": Quantity(rule.right, period, "money"),
        "difference": Quantity(f"{rule.left} - ({rule.right})", period, "money"),
    }
    return _say(_DIFFER, named, {"what": names}, statements)


def _say(
    templates: Mapping[Language, str],
    named: Mapping[str, Said],
    words: Mapping[str, Mapping[Language, str]],
    statements: Statements,
) -> list[Spoken]:
    """Return a finding's sentence in both languages."""
    return [
        say(
            template,
            language,
            {**named, **{name: text[language] for name, text in words.items()}},
            lambda quantity: _known(statements, quantity),
            currency=statements.currency,
        )
        for language, template in templates.items()
    ]


def _known(statements: Statements, quantity: Quantity) -> Decimal:
    value = recompute(quantity.formula, statements, quantity.period)
    if value is None:
        raise LookupError(quantity.formula)  # said only of quantities that were computed a moment ago
    return value


def _parts(statements: Statements) -> Iterator[Finding]:
    for period in statements.periods:
        left, right = (recompute(formula, statements, period) for formula in ("current_assets", _PARTS))
        if left is not None and right is not None and right - left > _TOLERANCE * left:
            named: dict[str, Said] = {
                "period": period,
                "left": Quantity("current_assets", period, "money"),
                "right": Quantity(_PARTS, period, "money"),
            }
            said = tuple(_say(_EXCEED, named, {}, statements))
            yield Finding("parts_exceed_whole", "error", period, said)


def _gaps(statements: Statements) -> Iterator[Finding]:
    for earlier, later in pairwise(statements.periods):
        if not later.follows(earlier):
            said = _say(_GAP, {"before": earlier, "period": later}, {}, statements)
            yield Finding("gap", "note", later, tuple(said))


def _missing(statements: Statements) -> Iterator[Finding]:
    for period in statements.periods:
        lacking = tuple(name for name in _NEEDED if statements.cell(name, period) is None)
        if lacking:
            names: Mapping[Language, str] = {
                "en": ", ".join(CONCEPTS[name].titles["en"].lower() for name in lacking),
                "zh": "、".join(CONCEPTS[name].titles["zh"] for name in lacking),
            }
            said = _say(_MISSING, {"period": period}, {"names": names}, statements)
            yield Finding("missing", "note", period, tuple(said), lacking)

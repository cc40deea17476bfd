"""What a question wants to have computed, as far as its own words say it: the operation, the things, the periods.

    "What was the percentage change in board from 2021 to 2022?"   PERCENT_CHANGE of "board" over 2021, 2022
    "甲产品2022年营业收入同比增长率是多少？"                          PERCENT_CHANGE of "甲产品营业收入" over 2021, 2022

A question that asks for nothing to be computed has the operation LOOKUP. What a question leaves open stays open: code
that reads tables by these words has to find everything else in the table, or leave the question to the model.

Not covered: questions that ask for two things at once, conditions ("in which year was it above 5?"), quarters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.answering.checking.dates import dates

__all__ = ["Operation", "Wanted", "asks_for_a_rate", "gives_an_amount", "operation_of", "wanted"]


class Operation(StrEnum):
    """What is to be done with the figures."""

    LOOKUP = "lookup"
    CHANGE = "change"
    DIFFERENCE = "difference"
    PERCENT_CHANGE = "percent_change"
    AVERAGE = "average"
    SUM = "sum"
    SHARE = "share"
    RATIO = "ratio"
    FORMULA = "formula"
    MOST = "most"
    LEAST = "least"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a question asks for.

    Attributes:
        operation: What to do.
        things: The words that name each figure, one or two texts, without the words of the operation.
        years: Years named, in the order of the question.
        whole: The words of `things` as one text.
        spans: The years are the ends of a span that is asked for as a whole.
    """

    operation: Operation
    things: tuple[str, ...]
    years: tuple[int, ...]
    whole: str = ""
    spans: bool = False


_CHANGE_WORD: Final = (
    r"(?:change|increase|decrease|growth|decline|rise|drop|reduction|variance|movement|increased?|decreased?)"
)
_FORMS: Final[tuple[tuple[Operation, re.Pattern[str]], ...]] = tuple(
    (operation, re.compile(form, re.IGNORECASE))
    for operation, form in (
        (
            Operation.FORMULA,
            r"\b(?:is|are)\s+defined\s+as\b|\bdefine\s+\w|\bround\s+(?:your\s+|to\s+)?(?:the\s+)?(?:answer|one|two)\b|\bCAGR\b"
            r"|\bcalculated?\b|\bcompute\b|\bquick\s+ratio\b|\bworking\s+capital\b|复合增长率|计算公式",
        ),
        (
            Operation.PERCENT_CHANGE,
            rf"(?:percent(?:age)?|%|\bproportional|\brelative)\s+(?:of\s+)?(?:the\s+)?"
            rf"(?:year[- ]over[- ]year\s+|yearly\s+|annual\s+)?{_CHANGE_WORD}(?:\s*/\s*\(?{_CHANGE_WORD}\)?)?"
            rf"|\b(?:growth|change)\s+rate\b|\bby\s+(?:what|how\s+many)\s+per\s?cent(?:age)?\b|\b{_CHANGE_WORD}\s+(?:in\s+)?(?:percentage|percent)\b"
            r"|同比(?:增长|下降|变动|增减)?(?:率|幅度|百分比)?|环比(?:增长|下降|变动)?(?:率|幅度)?|增长率|增幅|降幅|变动率|变动幅度|增长了?(?:百分之几|多少百分比)",
        ),
        (
            Operation.AVERAGE,
            r"(?<!weighted )(?<!weighted-)\b(?:average|mean)\b(?!\s+(?:life|exercise|grant|remaining))|平均(?:值|数)?",
        ),
        (
            Operation.SHARE,
            r"\b(?:as\s+a\s+)?(?:percent(?:age)?|share|%)\s+(?:constitution\s+)?(?:of|that|did|does|was|is)\b|\b(?:expressed\s+)?as\s+a\s+percent(?:age)?\s+of\b|占.{1,20}的?(?:比例|比重|百分比)|所占比例",
        ),
        (Operation.RATIO, r"\bratio\s+of\b|\b(?:proportion|fraction)\s+of\b|\bhow\s+many\s+times\b|之比|比值|的比率"),
        (Operation.SUM, r"\b(?:sum|combined|total\s+(?:of|sum|amount\s+of))\b|合计|总和|之和|加起来"),
        (
            Operation.DIFFERENCE,
            r"\bdifferences?\b|\bhow\s+much\s+(?:more|less|higher|lower|greater)\b|\bexceed(?:ed)?\b|差额|相差|之差|差距|差值",
        ),
        (
            Operation.CHANGE,
            rf"\b{_CHANGE_WORD}\b(?:\s*/\s*\(?{_CHANGE_WORD}\)?)?|变动额|变化了?多少|增加(?:了|额)|减少(?:了|额)|增长额|(?:增加|减少|上升|下降)多少",
        ),
    )
)
_FILLERS: Final = re.compile(
    r"\b(?:what|which|how|much|many|was|were|is|are|be|been|did|does|do|the|a|an|of|in|on|at|by|for|from|to|between|and|as|with|its|their"
    r"|company['’]?s?|respective(?:ly)?|amount|value|fiscal|financial|years?|year-end|ended?|compared|versus|vs|during|over|it|that|this|there"
    r"|there|annual|both|each|across|calculate|compute|please|according|table|reported|answer|expressed|percent(?:age)?|two|three)\b"
    r"|[?？,，。、]|是多少|多少|为|的|了|与|和|从|到|至|相比|较|年度?|请问|计算|分别|上年|去年|本年|今年",
    re.IGNORECASE,
)
_PARTED: Final = re.compile(
    r"\s+(?:and|to|over|versus|vs\.?|from|against|compared\s+(?:to|with))\s+|(?:与|和|同|占|比)", re.IGNORECASE
)
_OF_WHOLE: Final = re.compile(
    r"\b(?:as\s+a\s+(?:percent(?:age)?|proportion|share)\s+of|over|among|out\s+of|against|in\s+(?:the\s+)?(?=total)|of\s+(?:the\s+)?(?=total))",
    re.IGNORECASE,
)
_YEAR: Final = re.compile(
    r"(?<!\d)(?:FY\s?|fiscal\s+(?:year\s+)?)?(?:19|20)\d\d(?:\s*年度?)?(?!\d)|\bFY\s?\d\d\b", re.IGNORECASE
)
_MONTHS: Final = re.compile(
    r"\b(?:january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.?\s*[-\s]?\s*(?:\d{1,2}(?:st|nd|rd|th)?)?,?",
    re.IGNORECASE,
)
_AMOUNT: Final = re.compile(
    r"[\d一二三四五六七八九十百千万两][\d.,一二三四五六七八九十百千万亿]*\s*(?:份|股|元|块|美元|美金|港元|克|盎司|枚|手|[万亿](?!\w*指数))"
)
_RATE: Final = re.compile(
    r"(?:收益率|利率|增长率|费率|百分比|比例)(?:是|为|有)?(?:多少|几)|\bpercent|\bin\s+%", re.IGNORECASE
)
_NO_FIGURE: Final = re.compile(
    r"\b(?:how\s+many\s+(?:years|quarters|periods|months)|why|reasons?|because|caused?|account(?:s|ed)?\s+for|due\s+to|driven|represent|consist|compris|mean|describe|explain"
    r"|(?:in\s+)?(?:which|what)\s+(?:fiscal\s+)?(?:years?|quarters?|periods?)|who|where|when|how\s+(?:is|are|did|does|was|were)(?!\s+much))\b|为什么|为何|原因|哪一?年|如何",
    re.IGNORECASE,
)
_EXTREME: Final = re.compile(
    r"\b(?:in\s+|for\s+)?(?:which|what)\s+(?:fiscal\s+)?(?:year|period)\b(?P<of>.{1,200}?)"
    r"\b(?:the\s+)?(?P<how>larger|largest|higher|highest|greater|greatest|biggest|lower|lowest|smaller|smallest|least)\b(?!\s+than)",
    re.IGNORECASE,
)
_LEAST: Final = re.compile(r"\b(?:lower|lowest|smaller|smallest|least)\b", re.IGNORECASE)
_OF_AVERAGES: Final = re.compile(
    r"\bdifference\b|\bchange\b|\bincrease\b|\bpercent(?:age)?\s+change|变动|差额", re.IGNORECASE
)
_EACH: Final = re.compile(r"\brespective(?:ly)?\b|分别", re.IGNORECASE)
_TOTAL: Final = re.compile(r"\btotal\b", re.IGNORECASE)
_SPAN: Final = re.compile(
    r"\d{4}\s*(?:[-–至到]|to)\s*\d{4}|\bfrom\b.{0,16}\d{4}.{0,16}\b(?:to|through)\b|\bbetween\b.{0,16}\d{4}.{0,16}\band\b|\b(?:three|3)[-\s]year",
    re.IGNORECASE,
)
_FIGURE: Final = re.compile(
    r"\bhow\s+(?:much|many)\b|\bwhat\s+(?:is|was|were|are)\s+(?:the\s+)?(?:\w+\s+){0,8}(?:amount|value|total|balance|price|rate|margin|ratio|number)"
    r"|多少|几(?:个|元|倍)|计算|算一下|收益|价值|利息|费用",
    re.IGNORECASE,
)


def wanted(question: str) -> Wanted:
    """Read what a question asks for."""
    extreme = _EXTREME.search(question)
    if extreme:
        whole = _bare(f"{question[: extreme.start()]} ; {extreme['of']} ; {question[extreme.end() :]}")
        least = bool(_LEAST.search(extreme["how"]))
        years = tuple(dict.fromkeys(date.year for _, _, date in dates(question) if date.year))
        return Wanted(Operation.LEAST if least else Operation.MOST, (whole,), years, whole)
    if _NO_FIGURE.search(question):
        return Wanted(Operation.OTHER, (), ())
    years = tuple(
        dict.fromkeys(date.year for _, _, date in sorted(dates(question), key=lambda found: found[0]) if date.year)
    )
    spans = len(years) == 2 and bool(_SPAN.search(question))
    if not _EACH.search(question):
        for operation, form in _FORMS:
            match = form.search(question)
            if match:
                if operation is Operation.AVERAGE and _OF_AVERAGES.search(question):
                    return Wanted(operation, (), years)
                rest = question[: match.start()] + " ; " + question[match.end() :]
                return Wanted(operation, _things(rest, operation), years, _bare(rest), spans)
    whole = _bare(question)
    total = len(years) > 1 and not _EACH.search(question) and bool(_TOTAL.search(question))
    return Wanted(Operation.SUM if total else Operation.LOOKUP, (whole,), years, whole, spans)


def operation_of(text: str) -> Operation:
    """Return the operation that a text's words name; LOOKUP where they name none."""
    return next((operation for operation, form in _FORMS if form.search(text)), Operation.LOOKUP)


def asks_for_a_rate(question: str) -> bool:
    """Say whether a question asks for a rate or a per cent."""
    return bool(_RATE.search(question))


def gives_an_amount(question: str) -> bool:
    """Say whether a question states an amount and asks for a figure: what is 50 shares worth, 存20万 … 多少."""
    return bool(_AMOUNT.search(question)) and bool(_FIGURE.search(question))


def _things(rest: str, operation: Operation) -> tuple[str, ...]:
    if operation is Operation.SHARE:
        before, _, after = rest.partition(";")
        parts = [before, after] if _bare(before) and _bare(after) else _OF_WHOLE.split(rest, maxsplit=1)
    elif operation in (Operation.RATIO, Operation.DIFFERENCE, Operation.SUM, Operation.AVERAGE):
        parts = _PARTED.split(_MONTHS.sub(" ", _YEAR.sub(" ", rest)))
    else:
        parts = [rest]
    return tuple(bare for part in parts if (bare := _bare(part)))


def _bare(text: str) -> str:
    """Return a text without years, months and words that name nothing."""
    plain = _FILLERS.sub(" ", _MONTHS.sub(" ", _YEAR.sub(" ", text)).replace(";", " "))
    return re.sub(r"[\s()/]+", " ", plain).strip(" -'’")

"""Says what was computed: the result with its unit, the evidence that lets a reader redo it, and the claim's sentence.

A result keeps the scale of its figures (thousands of a table stay thousands) and has at most two decimals, four below
0.01 of a unit. All of it is written by code from what was found; the model has no word in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Final

from app.answering.checking.units import is_currency
from app.answering.reckoning.expression import (
    Binary,
    Call,
    Constant,
    Name,
    Negative,
    Node,
    Quantity,
    compute,
)
from app.answering.reckoning.operands import QUESTION, Operand
from app.answering.reckoning.wanted import Operation
from retrieval.language import Language

__all__ = ["Computation", "carry_out", "scaled_text"]

_SCALES_EN: Final = {10**3: "thousand", 10**6: "million", 10**9: "billion", 10**12: "trillion"}
_SCALES_ZH: Final = {10**3: "千", 10**4: "万", 10**6: "百万", 10**7: "千万", 10**8: "亿", 10**9: "十亿", 10**12: "万亿"}
_SIGNS_EN: Final = {"USD": "$", "EUR": "€", "GBP": "£"}
_UNITS_ZH: Final = {"USD": "美元", "CNY": "元", "HKD": "港元", "EUR": "欧元", "GBP": "英镑", "JPY": "日元", "": "元"}
_UNITS_EN: Final = {"CNY": "yuan", "HKD": "HKD", "JPY": "yen"}
_TITLES: Final[dict[Language, dict[Operation, str]]] = {
    "en": {
        Operation.CHANGE: "Change",
        Operation.DIFFERENCE: "Difference",
        Operation.PERCENT_CHANGE: "Percentage change",
        Operation.AVERAGE: "Average",
        Operation.SUM: "Sum",
        Operation.SHARE: "Share",
        Operation.RATIO: "Ratio",
    },
    "zh": {
        Operation.CHANGE: "变动额",
        Operation.DIFFERENCE: "差额",
        Operation.PERCENT_CHANGE: "变动率",
        Operation.AVERAGE: "平均值",
        Operation.SUM: "合计",
        Operation.SHARE: "占比",
        Operation.RATIO: "比值",
    },
}
_RESULT: Final[dict[Language, str]] = {"en": "Result", "zh": "计算结果"}
_FROM_QUESTION: Final[dict[Language, str]] = {"en": "stated in the question", "zh": "问题中给出"}
_PASSAGE: Final[dict[Language, str]] = {"en": "passage {cite}", "zh": "段落{cite}"}
_CUT: Final = re.compile(r"[\[【].{0,8}?[\]】]|(?<=\w)\.(?=\s|$)|[\n\r;；。!?！？]")
_LABEL: Final = 80
_PERCENT_HINT: Final = re.compile(r"%|per\s?cent|百分", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Computation:
    """A finished computation.

    Attributes:
        value: In the unit and scale in which it is said.
        short: The result with its unit: "-12.38%", "$200 thousand", "5,000元".
        sentence: The claim, one sentence without marks.
        text: The evidence: sentence, formula, each figure with its name, place and the words around it.
        cites: Ids of the passages that the figures came from, in order.
        cells: Places of the figures in tables.
    """

    value: Decimal
    short: str
    sentence: str
    text: str
    cites: tuple[str, ...]
    cells: tuple[str, ...]


def carry_out(
    node: Node,
    operands: Mapping[str, Operand],
    *,
    operation: Operation,
    language: Language,
    percent: bool = False,
    hint: str = "",
    thing: str = "",
) -> Computation:
    """Compute a formula over figures of the evidence, and say it.

    Args:
        node: The formula.
        operands: Its figures by name.
        operation: What the question wants; a share or percentage change is said in per cent.
        language: Of the sentence.
        percent: The question asks for a rate, so a ratio is said in per cent.
        hint: What the model said of the unit; it can only turn a ratio into a per cent or name what is counted.
        thing: What the result is about.

    Raises:
        BadFormula: as `compute` says.
    """
    operands = _in_one_currency(operands)
    result = compute(node, {name: operand.quantity for name, operand in operands.items()})
    used = list(operands.values())
    value, scale, unit = _said(result, used, operation, hint, percent=percent)
    short = _with_unit(value, scale, unit, language, hint, result)
    formula = _written(node, operands)
    title = _TITLES[language].get(operation, _RESULT[language])
    named = f"{title} ({_label(thing)})" if thing else title
    figures = ", ".join(f"{_label(one.label)} = {one.text}" for one in used)
    sentence = (
        f"{named} = {short}: {formula}, {figures}."
        if language == "en"
        else f"{named} = {short}：{formula}，{figures}。"
    )
    lines = [sentence]
    for one in used:
        place = _FROM_QUESTION[language] if one.cite == QUESTION else _PASSAGE[language].format(cite=one.cite)
        lines.append(f"{one.text}: {one.label} ({place}) | {one.quote}")
    cites = tuple(dict.fromkeys(one.cite for one in used if one.cite != QUESTION))
    return Computation(value, short, sentence, "\n".join(lines), cites, tuple(one.where for one in used if one.where))


def scaled_text(text: str, scale: Decimal, language: Language) -> str:
    """Return a printed figure with the scale that its table declares."""
    word = (_SCALES_EN if language == "en" else _SCALES_ZH).get(int(scale))
    return text if word is None else f"{text} {word}" if language == "en" else f"{text}{word}"


def _in_one_currency(operands: Mapping[str, Operand]) -> dict[str, Operand]:
    """Give bare figures of tables, and 20万 beside 50元, the currency of the others: it is often written only once."""
    currencies = {one.unit for one in operands.values() if is_currency(one.unit)}
    if len(currencies) != 1:
        return dict(operands)
    unit = currencies.pop()
    return {
        name: replace(one, unit=unit) if one.unit is None and (one.where or one.scale > 1) else one
        for name, one in operands.items()
    }


def _said(
    result: Quantity, used: list[Operand], operation: Operation, hint: str, *, percent: bool
) -> tuple[Decimal, Decimal, str | None]:
    """Return value, scale and unit in which a result is said."""
    with localcontext(Context(prec=40)):
        if result.hundredths:
            return result.value, Decimal(1), "%"
        percent = (
            percent or operation in (Operation.SHARE, Operation.PERCENT_CHANGE) or bool(_PERCENT_HINT.search(hint))
        )
        if result.ratio:
            return (result.value * 100, Decimal(1), "%") if percent else (result.value, Decimal(1), None)
        scales = [
            one.scale
            for one in used
            if one.unit != "%" and (one.unit == result.unit or result.unit is None or one.where)
        ]
        scale = max(scales, default=Decimal(1))
        if abs(result.value) < scale and not any(one.where for one in used):
            scale = Decimal(1)
        return result.value / scale, scale, result.unit


def _with_unit(
    value: Decimal, scale: Decimal, unit: str | None, language: Language, hint: str, result: Quantity
) -> str:
    figure = _figure(value)
    if unit == "%":
        return f"{figure}%"
    if language == "zh":
        word = _SCALES_ZH.get(int(scale), "")
        counted = (
            hint.strip()
            if unit is None and not result.ratio and re.fullmatch(r"[份股元倍天年月枚克]", hint.strip())
            else ""
        )
        return f"{figure}{word}{_UNITS_ZH.get(unit, '') if unit is not None else counted}"
    word = _SCALES_EN.get(int(scale), "")
    sign = _SIGNS_EN.get(unit or "")
    if sign:
        figure = f"-{sign}{figure[1:]}" if figure.startswith("-") else f"{sign}{figure}"
    after = _UNITS_EN.get(unit or "", "" if sign or unit is None or is_currency(unit) else unit)
    return " ".join(part for part in (figure, word, after) if part)


def _figure(value: Decimal) -> str:
    places = Decimal("0.01") if abs(value) >= Decimal("0.01") or value == 0 else Decimal("0.0001")
    with localcontext(Context(prec=80)):
        rounded = value.quantize(places, rounding=ROUND_HALF_UP)
    text = f"{rounded:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _label(text: str) -> str:
    return " ".join(_CUT.sub(" ", text).split())[:_LABEL]


def _written(node: Node, operands: Mapping[str, Operand], level: int = 0) -> str:
    """Return a formula with the figures in the place of their names."""
    match node:
        case Constant(value):
            return f"{value.normalize():f}"
        case Name(name):
            text = operands[name].text.strip()
            return f"({text})" if text.startswith("-") else text
        case Negative(of):
            return f"-{_written(of, operands, 3)}"
        case Call(function, given):
            return f"{function}({', '.join(_written(one, operands) for one in given)})"
        case Binary(sign, left, right):
            strength = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 3}[sign]
            mark = {"*": "×", "/": "/", "-": "-", "+": "+", "^": "^"}[sign]
            inner = f"{_written(left, operands, strength)} {mark} {_written(right, operands, strength + 1)}"
            return f"({inner})" if strength < level else inner

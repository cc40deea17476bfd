"""Reads the model's figures and formula, and holds every figure against the evidence before anything is computed.

    a = 5,200  # Paper, 2022 [1]
    b = 5,000  # Paper, 2021 [1]
    answer = a - b  # thousand

Each figure must be a value of a passage (the cited one first) or of the question; its name, sign, unit and scale are
then those of the place where it was found, not those that the model wrote. In the formula itself stand only constants
of counting and of time (12, 100, 365, …); any other number there has to be found like a figure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.answering.checking.dates import dates
from app.answering.checking.support import coverage, informative
from app.answering.checking.values import Value, ValueKind, extract
from app.answering.reckoning.expression import BadFormula, Binary, Call, Constant, Name, Negative, Node, names, parse
from app.answering.reckoning.operands import QUESTION, Operand, of_cell
from app.answering.reckoning.tables import tables_of
from retrieval.sentences import split_sentences
from retrieval.types import Evidence

__all__ = ["CONSTANTS", "Program", "figures_of", "grounded"]

CONSTANTS: Final = frozenset(
    [*map(Decimal, range(13)), *map(Decimal, (24, 30, 36, 48, 52, 60, 90, 100, 120, 180, 240, 250, 360, 365, 366))]
    + [Decimal(10) ** power for power in (3, 4, 6, 8, 9)]
)
"""Numbers that a formula may hold without a source: periods, per cents, counts, and the factors between scales."""

_LINES: Final = 16
_LONGEST: Final = 2_000
_LINE: Final = re.compile(r"^\s*(?P<name>[A-Za-z_]\w{0,30})\s*=\s*(?P<what>[^#\n]{1,300}?)\s*(?:#\s*(?P<note>.*))?$")
_CITE: Final = re.compile(r"[\[【]\s*(\d{1,2})\s*[\]】]")
_LITERAL: Final = re.compile(r"[-+(]?\s*[^\d()*/+]{0,6}\d[\d,]*(?:\.\d+)?\s*[^\d()*/+]{0,12}\)?")
_DIGITS: Final = re.compile(r"\d[\d,]*(?:\.\d+)?")
_CLAUSE: Final = re.compile(r"[,，;；。、:：\n]|\.\s")
_AFTER_IDEOGRAPH: Final = re.compile(r"[^\W\d_a-zA-Z]|[:：为]")
"""What stands before a minus that `values` takes for a dash: 收益率为-1.18%."""

_BEFORE: Final = 80
_SHORT_NAME: Final = 4
_FIGURES_LONG: Final = 34


@dataclass(frozen=True, slots=True)
class Program:
    """Figures by name, the formula over them as written and as parsed, and what the model said of the result's unit."""

    operands: dict[str, Operand]
    formula: str
    node: Node
    hint: str


@dataclass(frozen=True, slots=True)
class _Found:
    """A figure of the evidence, and the digits by which it is looked up."""

    printed: Decimal
    amount: Decimal
    operand: Operand


def grounded(reply: str, evidence: Sequence[Evidence], question: str) -> Program:
    """Read a reply and find all of its figures.

    Args:
        reply: What the model wrote; a fence of Markdown around it is ignored.
        evidence: Where the figures must stand.
        question: It may state figures too.

    Raises:
        BadFormula: it cannot be read, or a figure stands nowhere. The message is meant for the model.
    """
    figures, formula, hint = _lines(reply)
    known = figures_of(evidence, question)
    operands = {name: _matched(text, note, known) for name, (text, note) in figures.items()}
    node = _constants_found(parse(formula), operands, known)
    used = names(node)
    unknown = [name for name in used if name not in operands]
    if unknown:
        raise BadFormula(f"{unknown[0]} is not given")
    if not used:
        raise BadFormula("the formula uses no figure of the passages")
    return Program({name: operands[name] for name in used}, formula, node, hint)


def figures_of(evidence: Sequence[Evidence], question: str) -> list[_Found]:
    """Return every figure of the evidence and of the question, with its name, unit and scale."""
    found: list[_Found] = []
    for item in evidence:
        lines = item.text.split("\n")
        for table in tables_of(item, evidence):
            rows = {cell.row: next((line for line in lines if cell.row in line), cell.row) for cell in table.cells}
            for cell in table.cells:
                printed = _printed(cell.text)
                if printed is not None:
                    operand = of_cell(cell, quote=rows[cell.row])
                    found.append(_Found(printed, abs(operand.quantity.value), operand))
        prose = "\n".join(line for line in lines if "|" not in line)
        for start, end in split_sentences(prose):
            found.extend(_in_sentence(prose[start:end], item.id))
    found.extend(_in_sentence(question, QUESTION))
    return found


def _in_sentence(sentence: str, cite: str) -> list[_Found]:
    found: list[_Found] = []
    for value in extract(sentence, words=True):
        if value.kind is ValueKind.NUMBER:
            printed = _printed(value.text)
            if printed is None:  # a word: 二十万
                printed = abs(value.amount)
            found.append(_Found(printed, abs(value.amount), _operand_of(value, printed, cite, sentence)))
    for start, end, date in dates(sentence):
        if date.year is not None:
            year = Decimal(date.year)
            found.append(
                _Found(year, year, Operand(sentence[start:end], str(date.year), year, None, Decimal(1), cite, sentence))
            )
    return found


def _operand_of(value: Value, printed: Decimal, cite: str, sentence: str) -> Operand:
    scale = abs(value.amount) / printed if value.scaled and printed else Decimal(1)
    at = sentence.find(value.text)
    minus = at > 0 and sentence[at - 1] in "-−" and bool(_AFTER_IDEOGRAPH.match(sentence[max(0, at - 2) : at - 1]))
    signed = -printed if value.amount < 0 or minus else printed
    text = f"-{value.text}" if minus else value.text
    return Operand(_named(sentence[:at]) or value.text, text, signed, value.unit, scale, cite, sentence)


def _named(before: str) -> str:
    """Return the words right before a figure that name it: its own clause, and the one before where that is short."""
    clauses = [clause.strip(" -−") for clause in _CLAUSE.split(before[-_BEFORE:]) if clause.strip(" -−")]
    own = clauses[-1:]
    return " ".join(clauses[-2:] if own and len(own[0]) < _SHORT_NAME else own)


def _printed(text: str) -> Decimal | None:
    match = _DIGITS.search(text)
    if match is None or len(match[0]) > _FIGURES_LONG:
        return None
    return Decimal(match[0].replace(",", ""))


def _lines(reply: str) -> tuple[dict[str, tuple[str, str]], str, str]:
    """Return the figures by name with their notes, the formula with what was derived written out, and its note."""
    figures: dict[str, tuple[str, str]] = {}
    derived: dict[str, str] = {}
    for line in reply[:_LONGEST].split("\n")[:_LINES]:
        match = _LINE.match(line)
        if match is None:
            continue
        name, what, note = match["name"], match["what"].strip(), match["note"] or ""
        if name == "answer":
            return figures, _written_out(what, derived), note
        if _LITERAL.fullmatch(what):
            figures[name] = (what, note)
        else:
            derived[name] = _written_out(what, derived)
    raise BadFormula("there is no line that begins with answer =")


def _written_out(formula: str, derived: dict[str, str]) -> str:
    return re.sub(r"[A-Za-z_]\w*", lambda match: f"({derived[match[0]]})" if match[0] in derived else match[0], formula)


def _matched(text: str, note: str, known: Sequence[_Found]) -> Operand:
    """Return the figure of the evidence that a written one is: of those with its digits the one that its note fits."""
    printed = _printed(text)
    values = [value for value in extract(text, words=True) if value.kind is ValueKind.NUMBER]
    if printed is None:
        raise BadFormula(f"{text[:40]} is no figure")
    amount = abs(values[0].amount) if values else printed
    scaled = bool(values and values[0].scaled)
    fitting = [one for one in known if (one.printed == printed and not scaled) or one.amount == amount]
    if not fitting:
        raise BadFormula(f"{text[:40]} stands in no passage")
    cites = _CITE.findall(note)
    terms = informative(_CITE.sub("", note))

    def fit(one: _Found) -> tuple[bool, float, bool, bool]:
        said = coverage(terms, [f"{one.operand.label} {one.operand.quote if one.operand.where is None else ''}"])
        here = one.operand.cite in cites or (one.operand.cite == QUESTION and not cites)
        # 20 is not 20万, but a figure of a table has the scale of its table
        meant = one.amount == amount or one.operand.where is not None
        return (meant, round(said, 2), here, one.operand.where is not None)

    return max(fitting, key=fit).operand


def _constants_found(node: Node, operands: dict[str, Operand], known: Sequence[_Found]) -> Node:
    """Return the formula with every number that is no allowed constant replaced by the figure that it is."""
    match node:
        case Constant(value):
            if value in CONSTANTS:
                return node
            name = f"n{len(operands)}"
            operands[name] = _matched(str(value), "", known)
            return Name(name)
        case Negative(of):
            return Negative(_constants_found(of, operands, known))
        case Binary(sign, left, right):
            return Binary(sign, _constants_found(left, operands, known), _constants_found(right, operands, known))
        case Call(function, given):
            return Call(function, tuple(_constants_found(one, operands, known) for one in given))
        case Name():
            return node

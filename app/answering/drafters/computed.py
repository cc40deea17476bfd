"""The way for questions whose answer is computed: figures from the evidence, arithmetic by code, a sentence by code.

First the question is read against the tables by its words (`reckoning.reading`); where that leaves nothing open, no
model is asked. Else the model copies figures and writes a formula, once more with the reason if it cannot be used. What
is computed becomes evidence of its own, which shows each figure with its place; the claim cites it and the passages.
Where neither way comes to a result, nothing is said here, and the question goes on to the next way.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import ClassVar, Final

from app.answering.drafters.contract import Piece, Short, Task
from app.answering.reckoning.asking import for_figures
from app.answering.reckoning.expression import BadFormula, Binary, Call, parse
from app.answering.reckoning.operands import of_cell
from app.answering.reckoning.program import grounded
from app.answering.reckoning.reading import read
from app.answering.reckoning.record import as_evidence
from app.answering.reckoning.statement import Computation, carry_out
from app.answering.reckoning.tables import tables_of
from app.answering.reckoning.wanted import Operation, asks_for_a_rate, gives_an_amount, wanted
from domains.contract import Style
from model.client import stream_text

__all__ = ["Computed"]

_TRIES: Final = 2
_HEADING: Final = 4
"""Lines of a table that can be its heading."""

_ENOUGH: Final = 1_500
"""Characters of a reply after which it is not listened to any more."""

_REFERS: Final = re.compile(r"\b(?:that|this|those|these|it|them|both)\b|这|该|它|上述", re.IGNORECASE)
"""What leans on an earlier question, whose computation it may go on with."""

_TURNS: Final = 6
"""Earlier questions that are shown with the question."""

_EARLIER: Final = {"en": "\nThen: ", "zh": "\n然后："}
_COMPLAINT: Final = {
    "en": "Your last reply cannot be used: {reason}. Copy the figures exactly from the passages.",
    "zh": "上次的回复不能使用：{reason}。请从段落或问题中照抄数字。",
}
_COMPUTING: Final = frozenset(Operation) - {Operation.LOOKUP, Operation.OTHER, Operation.MOST, Operation.LEAST}


class Computed:
    """Suits questions that ask for a change, a share, an average, a sum or another figure to be worked out."""

    name: ClassVar[str] = "computed"

    def suits(self, task: Task) -> bool:
        """Say whether the question's words ask for a computation, and there are figures to compute with."""
        if task.question.choices or not task.evidence:
            return False
        turns = [turn.question for turn in task.question.history] if _REFERS.search(task.asked) else []
        return gives_an_amount(task.asked) or any(wanted(one).operation in _COMPUTING for one in (task.asked, *turns))

    async def draft(self, task: Task) -> AsyncGenerator[Piece, None]:
        """Yield the computation, the bare result if asked for, and the sentence; or nothing."""
        done = _read(task) or await _asked(task)
        if done is None:
            return
        yield as_evidence(done, id_=task.next_id, known={item.id: item for item in task.evidence})
        if task.question.style is Style.SHORT:
            yield Short(done.short)
        yield f"{done.sentence} [{task.next_id}]" + "".join(f"[{cite}]" for cite in done.cites)


def _read(task: Task) -> Computation | None:
    """Return what the question's words and the tables leave no choice about."""
    want = wanted(task.asked)
    plan = read(want, [table for item in task.evidence for table in tables_of(item, task.evidence)])
    if plan is None or plan.operation not in _COMPUTING:
        return None
    texts = {item.id: item.text for item in task.evidence}
    operands = {
        chr(ord("a") + place): of_cell(cell, quote=_row_of(texts[cell.cite], cell.row, cell.column))
        for place, cell in enumerate(plan.cells)
    }
    try:
        return carry_out(
            parse(plan.formula), operands, operation=plan.operation, language=task.question.language, thing=plan.thing
        )
    except BadFormula:
        return None


async def _asked(task: Task) -> Computation | None:
    """Return what the model's figures and formula come to, or None after the second reply that cannot be used."""
    language, complaint = task.question.language, ""
    asked = _EARLIER[language].join([*(turn.question for turn in task.question.history[-_TURNS:]), task.asked])
    for _ in range(_TRIES):
        reply = ""
        async for delta in stream_text(task.chat, for_figures(asked, task.evidence, language, complaint)):
            reply += delta
            if len(reply) > _ENOUGH:
                break
        try:
            program = grounded(reply, task.evidence, asked)
            if not isinstance(program.node, Binary | Call):
                return None  # a figure as it stands is nothing that was computed: the next way says it
            operation = wanted(task.asked).operation
            return carry_out(
                program.node,
                program.operands,
                operation=operation,
                language=language,
                percent=asks_for_a_rate(task.asked),
                hint=program.hint,
            )
        except BadFormula as error:
            complaint = _COMPLAINT[language].format(reason=error)
    return None


def _row_of(text: str, row: str, column: str) -> str:
    """Return the line of a table that a cell stands in, after those of the table's heading."""
    lines = [line.strip() for line in text.split("\n") if "|" in line]
    found = next((place for place, line in enumerate(lines) if row and row in line), None)
    if found is None:
        return f"{row} {column}"
    return " / ".join([*lines[: min(_HEADING, found)], lines[found]])

"""A figure of the evidence that a formula uses: what it is, where it stands, what it says in base units."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from app.answering.reckoning.expression import Quantity
from app.answering.reckoning.tables import Cell, is_percent

__all__ = ["QUESTION", "Operand", "of_cell"]

QUESTION = "question"
"""What an operand cites that the question itself states."""


@dataclass(frozen=True, slots=True)
class Operand:
    """One figure.

    Attributes:
        label: What it is.
        text: As it is printed, with its sign and unit.
        value: Printed value with its sign, without scale.
        unit: Canonical name of `checking.units`; "%" for a per cent.
        scale: What one unit of the printed value counts: 1000 in a table "in thousands".
        cite: Id of its evidence, or `QUESTION`.
        quote: The row or sentence that it stands in.
        where: Row and column, for a cell.
    """

    label: str
    text: str
    value: Decimal
    unit: str | None
    scale: Decimal
    cite: str
    quote: str
    where: str | None = None

    @property
    def quantity(self) -> Quantity:
        """The figure in base units, as a formula takes it."""
        if self.unit == "%":
            return Quantity(self.value, None, 1)
        return Quantity(self.value * self.scale, "pp" if self.unit == "pp" else self.unit)


def of_cell(cell: Cell, *, quote: str) -> Operand:
    """Make an operand of a cell."""
    scale = cell.scale
    value = cell.value.amount
    if cell.value.scaled:  # "5.2 million" in the cell itself: the value has its scale already
        scale = Decimal(1)
    unit = "%" if is_percent(cell) else cell.value.unit
    return Operand(cell.name, cell.text, value, unit, scale, cell.cite, quote, cell.name)

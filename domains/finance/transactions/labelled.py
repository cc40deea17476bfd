"""A real labelled set, by path: one CSV file, UTF-8, a header, one transaction a line, in the order of their times.

    id,time,amount,currency,account,counterparty,merchant,device,channel,type,direction,outcome,country,home_country,label
    1,2026-03-01T09:12:00+01:00,129.90,EUR,DE-4471,,M-880,D-19,online,card,out,approved,FR,DE,0

Columns are those of `event.Transaction`, in any order, and `label`, 1 for fraud or laundering and 0 for what is known
to be honest. An empty cell means that the transaction names nobody there. Lines whose label is not known yet should
not be in the file.

Errors: `TransactionRefused` names the line and the field.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from domains.finance.transactions.errors import TransactionRefused
from domains.finance.transactions.event import Transaction, parse

__all__ = ["COLUMNS", "Labelled", "read_csv"]

COLUMNS: Final = (*Transaction.model_fields, "label")
_NEEDED: Final = frozenset(name for name, field in Transaction.model_fields.items() if field.is_required()) | {"label"}


@dataclass(frozen=True, slots=True)
class Labelled:
    """Transactions and their labels, (n,)."""

    transactions: Sequence[Transaction]
    labels: NDArray[np.int64]


def read_csv(path: Path) -> Labelled:
    """Read a labelled set.

    Raises:
        TransactionRefused: the file cannot be read, or a line does not fit; nothing is skipped.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TransactionRefused(
            f"The labelled set {path.name} cannot be read as CSV in UTF-8 ({type(error).__name__}).",
            remedy="Save it as UTF-8 with commas and a header.",
        ) from None


def _read(reader: csv.DictReader[str]) -> Labelled:
    header = reader.fieldnames or ()
    unknown, lacking = sorted(set(header) - set(COLUMNS)), sorted(_NEEDED - set(header))
    if unknown or lacking:
        raise TransactionRefused(
            f"The header has unknown columns {unknown[:3]} and lacks {lacking[:3]}.",
            remedy=f"Use: {', '.join(COLUMNS)}.",
        )
    transactions: list[Transaction] = []
    labels: list[int] = []
    for line in reader:
        transaction = _one(line, reader.line_num)
        if transactions and transaction.time < transactions[-1].time:
            raise TransactionRefused(
                f"Line {reader.line_num}: its time is before that of the line above.", remedy="Sort the file by time."
            )
        if line["label"] not in ("0", "1"):
            raise TransactionRefused(f"Line {reader.line_num}: the label is not 0 or 1.", remedy="Correct the label.")
        transactions.append(transaction)
        labels.append(int(line["label"]))
    if not transactions:
        raise TransactionRefused("The labelled set has no line.", remedy="Give a file with transactions.")
    return Labelled(transactions, np.array(labels, dtype=np.int64))


def _one(line: Mapping[str, str | None], number: int) -> Transaction:
    cells = {name: value for name, value in line.items() if name != "label" and value not in (None, "")}
    try:
        transaction = Transaction.model_validate(cells)
        parse(transaction)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise TransactionRefused(
            f"Line {number}, {where}: {first['msg']}.", remedy="Correct the cell; see the header's meaning in the docs."
        ) from None
    except TransactionRefused as error:
        raise TransactionRefused(f"Line {number}: {error.message}", remedy=error.remedy) from None
    return transaction

"""Companies whose statements are kept, for peers and for questions in the chat.

Tables ``finance_companies`` in the service's database. A company is seen by a caller whose scope holds its label, and
for everybody else does not exist. What is kept are the gathered cells with their sources; an assessment is made anew
each time, so that it follows the rules of the day.

A company is known by its name and label: storing it again replaces its figures. Names are compared without case and
blanks.

Not covered: a history of replaced figures (the ledger keeps each digest), shares between labels.
"""

from __future__ import annotations

import json
import unicodedata
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, Text, UniqueConstraint, delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.elements import ColumnElement

from domains.finance.statements.assess import digest_of
from domains.finance.statements.refusals import CompanyNotFound
from domains.finance.statements.types import Cell, Period, Source, Statements
from retrieval.types import EVERYTHING, Scope

__all__ = ["Companies", "Stored", "name_key"]

_METADATA: Final = MetaData()
_COMPANIES: Final = Table(
    "finance_companies",
    _METADATA,
    Column("id", String(32), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("name_key", String(200), nullable=False),
    Column("label", String(100), nullable=False, index=True),
    Column("owner", String(200), nullable=False),
    Column("industry", String(40)),
    Column("currency", String(3), nullable=False),
    Column("cells", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("updated_at", String(32), nullable=False),
    UniqueConstraint("name_key", "label", name="finance_companies_name_label"),
)


@dataclass(frozen=True, slots=True)
class Stored:
    """A company as it is kept."""

    id: str
    label: str
    updated_at: str
    digest: str
    statements: Statements


def name_key(name: str) -> str:
    """Return the form in which names are compared."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())[:200]


class Companies:
    """The stored companies. Each method takes the scope of whoever asks."""

    def __init__(self, database: Engine) -> None:
        """Make the table where it is missing."""
        self._database = database
        _METADATA.create_all(database)

    def put(self, statements: Statements, *, label: str, owner: str) -> Stored:
        """Store a company, in place of the one of its name and label."""
        for _ in range(2):  # two writers of one new name: the second one finds the row of the first
            try:
                return self._put(statements, label, owner)
            except IntegrityError:
                continue
        return self._put(statements, label, owner)

    def _put(self, statements: Statements, label: str, owner: str) -> Stored:
        key, now = name_key(statements.company), datetime.now(tz=UTC).isoformat(timespec="seconds")
        values = {
            "name": statements.company,
            "owner": owner[:200],
            "industry": statements.industry,
            "currency": statements.currency,
            "cells": len(statements.cells),
            "digest": digest_of(statements),
            "body": _written(statements),
            "updated_at": now,
        }
        same = (_COMPANIES.c.name_key == key) & (_COMPANIES.c.label == label)
        with self._database.begin() as connection:
            known = connection.execute(select(_COMPANIES.c.id).where(same)).scalar()
            if known is None:
                known = uuid.uuid4().hex
                connection.execute(_COMPANIES.insert().values(id=known, name_key=key, label=label, **values))
            else:
                connection.execute(_COMPANIES.update().where(same).values(**values))
        return Stored(str(known), label, now, str(values["digest"]), statements)

    def get(self, company_id: str, scope: Scope) -> Stored:
        """Return a company.

        Raises:
            CompanyNotFound: there is none, or none that the scope may see.
        """
        with self._database.connect() as connection:
            row = (
                connection.execute(select(_COMPANIES).where(_COMPANIES.c.id == company_id, _visible(scope)))
                .mappings()
                .first()
            )
        if row is None:
            raise CompanyNotFound(
                "There is no such company.", remedy="See GET /v1/finance/companies for those you may see."
            )
        return _stored(dict(row))

    def remove(self, company_id: str, scope: Scope) -> None:
        """Delete a company.

        Raises:
            CompanyNotFound: there is none, or none that the scope may see.
        """
        with self._database.begin() as connection:
            gone = connection.execute(delete(_COMPANIES).where(_COMPANIES.c.id == company_id, _visible(scope)))
        if gone.rowcount == 0:
            raise CompanyNotFound(
                "There is no such company.", remedy="See GET /v1/finance/companies for those you may see."
            )

    def page(self, scope: Scope, *, limit: int = 100, offset: int = 0) -> tuple[Sequence[Stored], int]:
        """Return companies that a scope may see, by name, and how many there are."""
        seen = _visible(scope)
        with self._database.connect() as connection:
            total = connection.execute(select(func.count()).select_from(_COMPANIES).where(seen)).scalar_one()
            rows = connection.execute(
                select(_COMPANIES)
                .where(seen)
                .order_by(_COMPANIES.c.name_key, _COMPANIES.c.id)
                .limit(limit)
                .offset(offset)
            ).mappings()
            return [_stored(dict(row)) for row in rows], int(total)

    def names(self, scope: Scope) -> list[tuple[str, str]]:
        """Return id and name of each company that a scope may see, the longest names first."""
        with self._database.connect() as connection:
            rows = connection.execute(select(_COMPANIES.c.id, _COMPANIES.c.name).where(_visible(scope)).limit(10_000))
            return sorted(((str(id_), str(name)) for id_, name in rows), key=lambda row: (-len(row[1]), row[1], row[0]))

    def peers(self, industry: str, scope: Scope, *, but: str, limit: int = 200) -> tuple[Statements, ...]:
        """Return the statements of other companies of an industry that a scope may see."""
        with self._database.connect() as connection:
            rows = connection.execute(
                select(_COMPANIES)
                .where(_visible(scope), _COMPANIES.c.industry == industry, _COMPANIES.c.name_key != name_key(but))
                .order_by(_COMPANIES.c.name_key, _COMPANIES.c.id)
                .limit(limit)
            ).mappings()
            return tuple(_stored(dict(row)).statements for row in rows)


def _visible(scope: Scope) -> ColumnElement[bool]:
    if EVERYTHING in scope.labels:
        return _COMPANIES.c.id.is_not(None)
    return _COMPANIES.c.label.in_(sorted(scope.labels))


def _written(statements: Statements) -> str:
    periods = {period: place for place, period in enumerate(statements.periods)}
    return json.dumps(
        {
            "periods": [[period.start.isoformat(), period.end.isoformat()] for period in statements.periods],
            "cells": [
                [
                    cell.concept,
                    cell.member,
                    periods[cell.period],
                    f"{cell.value:f}",
                    cell.unit,
                    [cell.source.document, cell.source.place, cell.source.page, cell.source.tag],
                ]
                for cell in statements.cells
            ],
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def _stored(row: dict[str, Any]) -> Stored:
    body = json.loads(row["body"])
    periods = tuple(Period(date.fromisoformat(start), date.fromisoformat(end)) for start, end in body["periods"])
    cells = tuple(
        Cell(concept, periods[place], Decimal(value), unit, Source(document, where, page, tag), member)
        for concept, member, place, value, unit, (document, where, page, tag) in body["cells"]
    )
    statements = Statements(row["name"], row["currency"], periods, cells, row["industry"])
    return Stored(row["id"], row["label"], row["updated_at"], row["digest"], statements)

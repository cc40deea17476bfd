"""The rules by which a company is rated and risks are pointed out: read from a file that people edit, and checked.

`RULES` is the file that is shipped; `load` reads another of the same form, `in_force` the one of an installation. A
rule names its formula in the language of the factor library, or a factor by its id (``factor = "altman_z"``), so what
it tests is computed and documented like any factor. `Rules.version` is the file's own and the digest of its bytes, and
goes into the ledger with each assessment.

Errors: `RulesRefused` names the rule and what is wrong with it. A rule is data: nothing in it is executed.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal, get_args

from domains.finance.statements.definitions import parsed
from domains.finance.statements.errors import StatementsError
from domains.finance.statements.factors import FACTORS
from domains.finance.statements.narrative.spoken import Kind
from domains.finance.statements.refusals import RulesRefused
from retrieval.language import Language

__all__ = ["RULES", "SEVERITIES", "RatingRule", "RiskRule", "Rules", "Severity", "in_force", "load"]

Severity = Literal["watch", "medium", "high"]
Test = Literal["level", "change", "points"]

_LARGEST: Final = 1 << 20

SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
"""From the least to the gravest."""


@dataclass(frozen=True, slots=True)
class RatingRule:
    """One figure of a group and the borders between weak, fair, good and strong."""

    id: str
    group: str
    formula: str
    kind: Kind
    better: Literal["higher", "lower"]
    steps: tuple[Decimal, Decimal, Decimal]
    industries: Mapping[str, tuple[Decimal, Decimal, Decimal]]
    source: str

    def borders(self, industry: str | None) -> tuple[Decimal, Decimal, Decimal]:
        """Return the borders that hold for an industry."""
        return self.industries.get(industry or "", self.steps)


@dataclass(frozen=True, slots=True)
class RiskRule:
    """One risk point: what is tested, from where on it counts and how it is told."""

    id: str
    group: str
    formula: str
    kind: Kind
    test: Test
    side: Literal["below", "above"]
    borders: Mapping[Severity, Decimal]
    flag: bool
    titles: Mapping[Language, str]
    claims: Mapping[Language, str]
    search: Mapping[Language, str]
    source: str

    @property
    def tested(self) -> str:
        """The formula of what is compared with the borders."""
        return {"level": self.formula, "change": f"growth({self.formula})", "points": f"change({self.formula})"}[
            self.test
        ]

    def severity(self, value: Decimal) -> Severity | None:
        """Return how grave a value is, or None where it is no risk. A value on the border is on the good side."""
        found: Severity | None = None
        for name in SEVERITIES:
            border = self.borders.get(name)
            if border is not None and (value < border if self.side == "below" else value > border):
                found = name
        return found


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of one file."""

    version: str
    groups: Mapping[str, Mapping[Language, str]]
    ratings: tuple[RatingRule, ...]
    risks: tuple[RiskRule, ...]


def load(data: bytes) -> Rules:
    """Read rules.

    Raises:
        RulesRefused: the file is no TOML, or a rule is not what it has to be.
    """
    try:
        found = tomllib.loads(data.decode("utf-8"), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RulesRefused("The file of rules is no TOML.", remedy=f"Correct it: {str(error)[:120]}.") from error
    groups = {name: _titles(name, group.get("titles")) for name, group in found.get("groups", {}).items()}
    rules = Rules(
        f"{found.get('version', '?')}+{hashlib.sha256(data).hexdigest()[:12]}",
        groups,
        tuple(_read(_rating, row, groups) for row in found.get("rating", [])),
        tuple(_read(_risk, row, groups) for row in found.get("risk", [])),
    )
    for kind, ids in (("rating", [rule.id for rule in rules.ratings]), ("risk", [rule.id for rule in rules.risks])):
        doubled = {name for name in ids if ids.count(name) > 1}
        if doubled or not ids:
            raise RulesRefused(
                f"There is no {kind}, or one twice: {', '.join(sorted(doubled))}.", remedy="Give each an id of its own."
            )
    return rules


def in_force(folder: Path) -> Rules:
    """Return the rules of an installation: ``statements/rules.toml`` in the domain's folder, or the shipped ones.

    Raises:
        RulesRefused: the installation's file is not what it has to be; the domain is then not opened.
    """
    own = folder / "statements" / "rules.toml"
    if not own.is_file():
        return RULES
    if own.stat().st_size > _LARGEST:
        raise RulesRefused("The file of rules is larger than a mebibyte.", remedy="Start from the shipped one.")
    return load(own.read_bytes())


def _read(build: Any, row: Mapping[str, Any], groups: Mapping[str, Any]) -> Any:
    name = str(row.get("id", "?"))[:60]
    try:
        rule = build(row)
        parsed(rule.formula)
    except StatementsError as error:
        raise RulesRefused(f"The rule {name!r}: {error.message}", remedy=error.remedy) from error
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise RulesRefused(
            f"The rule {name!r} lacks something or holds what it may not: {error}.", remedy="See docs/finance.md."
        ) from error
    if rule.group not in groups:
        raise RulesRefused(
            f"The rule {name!r} names no group of the file.", remedy="Add the group or correct its name."
        )
    return rule


def _formula(row: Mapping[str, Any]) -> str:
    """Return the formula of a rule, or that of the factor that it names."""
    if "factor" not in row:
        return _text(row["formula"])
    if row["factor"] not in FACTORS:
        raise ValueError(f"there is no factor {str(row['factor'])[:60]!r}")
    return FACTORS[row["factor"]].formula


def _rating(row: Mapping[str, Any]) -> RatingRule:
    better = row["better"]
    industries = {name: _steps(steps, better) for name, steps in row.get("industries", {}).items()}
    return RatingRule(
        id=row["id"],
        group=row["group"],
        formula=_formula(row),
        kind=_one_of(row["kind"], get_args(Kind)),
        better=_one_of(better, ("higher", "lower")),
        steps=_steps(row["steps"], better),
        industries=industries,
        source=_text(row["source"]),
    )


def _steps(values: Any, better: str) -> tuple[Decimal, Decimal, Decimal]:
    first, second, third = (_number(value) for value in values)
    if not (first < second < third if better == "higher" else first > second > third):
        raise ValueError("the borders do not go from weak to strong")
    return first, second, third


def _risk(row: Mapping[str, Any]) -> RiskRule:
    side = _one_of(row["side"], ("below", "above"))
    borders: dict[Severity, Decimal] = {name: _number(row[name]) for name in SEVERITIES if name in row}
    ordered = list(borders.values())
    if not ordered or ordered != sorted(ordered, reverse=side == "below") or len(set(ordered)) != len(ordered):
        raise ValueError("the borders do not go from watch to high")
    return RiskRule(
        id=row["id"],
        group=row["group"],
        formula=_formula(row),
        kind=_one_of(row["kind"], get_args(Kind)),
        test=_one_of(row["test"], get_args(Test)),
        side=side,
        borders=borders,
        flag=bool(row.get("flag", False)),
        titles=_titles(row["id"], row["titles"]),
        claims=_titles(row["id"], row["claims"]),
        search=_titles(row["id"], row["search"]),
        source=_text(row["source"]),
    )


def _titles(name: str, found: Any) -> Mapping[Language, str]:
    if not isinstance(found, Mapping):
        raise RulesRefused(f"{name!r} has no titles.", remedy="Give them as { en = …, zh = … }.")
    english, chinese = _text(found.get("en")), _text(found.get("zh"))
    if any(mark in english + chinese for mark in "{}") or any(mark.isdigit() for mark in english + chinese):
        raise RulesRefused(
            f"A text of {name!r} has a digit or a brace.",
            remedy="Figures are put in by the program, which proves them.",
        )
    return {"en": english, "zh": chinese}


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text is missing")
    return value.strip()


def _number(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise TypeError("a border is no number")
    return Decimal(value)


def _one_of(value: Any, allowed: tuple[Any, ...]) -> Any:
    if value not in allowed:
        raise ValueError(f"{str(value)[:40]!r} is none of {', '.join(allowed)}")
    return value


RULES: Final = load(files(__package__).joinpath("rules.toml").read_bytes())
"""The rules that are shipped."""

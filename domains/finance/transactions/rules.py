"""Rules that a risk officer reads and edits: a TOML file beside the model, taken up while the service runs.

    [decision]
    review_from = 0.05            # calibrated probability from which a person looks at it
    block_from = 0.6              # … from which it is stopped
    review_points = 100           # sum of the weights of the rules that hold, from which a person looks at it

    [[rule]]
    name = "card_testing"
    when = "device.count.1h >= 8 and device.small.1h > 0.5"
    action = "review"             # note: only said; review: a person looks at it; block: it is stopped
    weight = 60
    en = "Many small payments from one device within the hour"
    zh = "同一设备一小时内出现大量小额支付"

The strictest of model and rules decides. A file that is wrong changes nothing: the rules before it stay in force and
the error, with line and remedy, is shown by `GET /rules` and in the log. The file is looked at once a second at most.

Errors: `RulesRefused`, with the line of the file.

Not covered: who may edit the file on the disk; that is for the permissions of the folder.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import structlog

from domains.finance.transactions.errors import RulesRefused
from domains.finance.transactions.expressions import Condition, parse
from domains.finance.transactions.features import NAMES
from domains.finance.transactions.windows import Floats

__all__ = ["ACTIONS", "SHIPPED", "Rule", "RuleSet", "RulesFile", "read"]

Action = Literal["allow", "note", "review", "block"]
ACTIONS: Final[tuple[Action, ...]] = ("allow", "note", "review", "block")
"""From mild to strict; "allow" is what is left when nothing speaks against it."""

SHIPPED: Final = Path(__file__).with_name("shipped") / "rules.toml"
_LARGEST: Final = 262_144
_MOST: Final = 500
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_LOOK_S: Final = 1.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    name: str
    when: Condition
    action: Action
    weight: float
    en: str
    zh: str
    line: int


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules of one file, and what decides."""

    rules: tuple[Rule, ...]
    review_from: float
    block_from: float
    review_points: float
    digest: str
    """SHA-256 of the file."""
    text: str
    used: tuple[int, ...]
    """Places of the features that any rule reads."""

    def fired(self, features: Floats) -> list[tuple[Rule, ...]]:
        """Return the rules that hold, for each row of features (n, F)."""
        return [tuple(rule for rule in self.rules if rule.when.holds(row)) for row in _rows(features, self.used)]

    def decide(self, probability: float, fired: Sequence[Rule]) -> Action:
        """Return the strictest of what model and rules ask for."""
        asked: list[Action] = [rule.action for rule in fired]
        if probability >= self.block_from:
            asked.append("block")
        elif probability >= self.review_from or (fired and sum(rule.weight for rule in fired) >= self.review_points):
            asked.append("review")
        return max(asked, key=ACTIONS.index, default="allow")


def _rows(features: Floats, used: tuple[int, ...]) -> list[dict[int, float]]:
    # only the features that some rule reads, as plain numbers: a closure reads them faster than a numpy row
    taken = features[:, np.array(used, dtype=np.int64)].tolist()
    return [dict(zip(used, values, strict=True)) for values in taken]


class RulesFile:
    """The rules in force, read again when the file changes.

    Args:
        path: The file; made from the shipped rules when it is missing.
        clock: Seconds, never backwards.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        if not path.exists():
            _write(path, SHIPPED.read_text(encoding="utf-8"))
        self.problem: RulesRefused | None = None
        """Why the file as it is now is not in force; None when it is."""
        self._looked = clock()
        self._stamp = self._stat()
        try:
            self._rules = read(_text(path))
        except RulesRefused as error:
            self._refuse(error)
            self._rules = read(SHIPPED.read_text(encoding="utf-8"))

    @property
    def current(self) -> RuleSet:
        """The rules in force, after a look at the file."""
        if self._clock() - self._looked >= _LOOK_S:
            self._looked = self._clock()
            stamp = self._stat()
            if stamp != self._stamp:
                self._stamp = stamp
                self._take()
        return self._rules

    def replace(self, text: str) -> RuleSet:
        """Put new rules in force and write them to the file.

        Raises:
            RulesRefused: they are wrong, or the file cannot be written; nothing was changed.
        """
        rules = read(text)
        _write(self.path, text)
        self._stamp = self._stat()
        self._rules, self.problem = rules, None
        return rules

    def _take(self) -> None:
        try:
            self._rules, self.problem = read(_text(self.path)), None
        except RulesRefused as error:
            self._refuse(error)

    def _refuse(self, error: RulesRefused) -> None:
        self.problem = error
        _log.error("finance.rules_refused", file=self.path.name, reason=error.message, remedy=error.remedy)

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_size, found.st_ino)


def read(text: str) -> RuleSet:
    """Read rules.

    Raises:
        RulesRefused: the text is no such file; the message begins with the line.
    """
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError:
        raise RulesRefused("The rules hold half of a character.", remedy="Save the file as UTF-8.") from None
    if len(data) > _LARGEST:
        raise RulesRefused(f"The rules have more than {_LARGEST} bytes.", remedy="Remove what is not used.")
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RulesRefused(f"The rules are no TOML: {error}.", remedy="Correct the line that is named.") from None
    lines = _lines(text)
    _no_others(found, {"decision", "rule"}, "The file", 1)
    decision, entries = found.get("decision", {}), found.get("rule", [])
    if not isinstance(decision, dict) or not isinstance(entries, list) or len(entries) > _MOST:
        raise RulesRefused(
            f"`decision` must be a table and `rule` at most {_MOST} tables.", remedy="Write [decision] and [[rule]]."
        )
    rules: list[Rule] = []
    for place, entry in enumerate(entries):
        line = lines[place] if place < len(lines) else 1
        rule = _rule(entry, line)
        if any(rule.name == other.name for other in rules):
            raise RulesRefused(f"Line {line}: two rules are called {rule.name!r}.", remedy="Give each its own name.")
        rules.append(rule)
    _no_others(decision, {"review_from", "block_from", "review_points"}, "[decision]", 1)
    review = _number(decision, "review_from", 0.05, "[decision]", low=0, high=1)
    block = _number(decision, "block_from", 0.6, "[decision]", low=0, high=1)
    points = _number(decision, "review_points", 100, "[decision]", low=0, high=1e6)
    if block < review:
        raise RulesRefused("[decision]: block_from is below review_from.", remedy="Block from a higher probability.")
    used = tuple(sorted({place for rule in rules for place in rule.when.features}))
    return RuleSet(tuple(rules), review, block, points, hashlib.sha256(data).hexdigest(), text, used)


def _rule(entry: Any, line: int) -> Rule:
    where = f"Line {line}"
    if not isinstance(entry, dict):
        raise RulesRefused(f"{where}: a rule is a table.", remedy="Write [[rule]] and its fields below.")
    _no_others(entry, {"name", "when", "action", "weight", "en", "zh"}, where, line)
    for field in ("name", "when", "action", "en", "zh"):
        if not isinstance(entry.get(field), str) or not entry[field].strip() or len(entry[field]) > 1000:
            raise RulesRefused(f"{where}: the rule has no usable `{field}`.", remedy=f'Write {field} = "…".')
    if not _NAME.fullmatch(entry["name"]):
        raise RulesRefused(
            f"{where}: the name {entry['name'][:64]!r} cannot be used.",
            remedy="Use lower-case letters, digits and _, a letter first, at most 64.",
        )
    action = entry["action"]
    if action not in ("note", "review", "block"):
        raise RulesRefused(
            f"{where}: the action {action[:40]!r} is not known.", remedy='Use "note", "review" or "block".'
        )
    try:
        when = parse(entry["when"], NAMES)
    except RulesRefused as error:
        raise RulesRefused(f"{where}, rule {entry['name']!r}, `when`: {error.message}", remedy=error.remedy) from None
    weight = _number(entry, "weight", 0.0, where, low=0, high=1e6)
    return Rule(entry["name"], when, action, weight, entry["en"], entry["zh"], line)


def _number(table: dict[str, Any], field: str, default: float, where: str, *, low: float, high: float) -> float:
    value = table.get(field, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise RulesRefused(f"{where}: {field} is no number from {low:g} to {high:g}.", remedy="Correct the number.")
    return float(value)


def _no_others(table: dict[str, Any], known: set[str], where: str, line: int) -> None:
    others = sorted(set(table) - known)
    if others:
        raise RulesRefused(
            f"{where}: {others[0][:40]!r} is not known (line {line} and below).",
            remedy=f"Use: {', '.join(sorted(known))}.",
        )


def _lines(text: str) -> list[int]:
    return [number for number, line in enumerate(text.splitlines(), 1) if re.match(r"\s*\[\[\s*rule\s*\]\]", line)]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise RulesRefused(f"The file {path.name} cannot be read as UTF-8.", remedy="Restore it.") from None


def _write(path: Path, text: str) -> None:
    beside = path.with_suffix(".new")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        raise RulesRefused(
            f"The file {path.name} cannot be written.", remedy="Make its folder writable, with space left."
        ) from None

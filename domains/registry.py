"""Finds the domains that are installed and chooses one for a question.

A domain is an entry point of the group ``vouch.domains`` that names a `DomainPlugin` class. The built-in ones come
by the same road. A plugin that cannot be used is refused with a sentence that names its distribution; the others
still work.

Entry points are read with the standard library: a plugin is one class with one contract, so there are no hooks to
call in turn, which is what pluggy is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Final

import structlog

from domains.contract import DomainError, DomainPlugin, Question

__all__ = ["FALLBACK", "GROUP", "Problem", "Registry", "UnknownDomain", "load"]

GROUP: Final = "vouch.domains"
FALLBACK: Final = "general"
"""The domain that takes what no other domain claims; it must be installed."""

SURE_FROM: Final = 0.5
"""A domain gets a question that did not name one only when `matches` is above this: more likely its own than not."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_RESERVED: Final = frozenset(
    {
        "ask",
        "audit",
        "admin",
        "chat",
        "documents",
        "health",
        "healthz",
        "ledger",
        "metrics",
        "model",
        "models",
        "readyz",
        "retrieval",
        "users",
    }
)
"""First parts of the service's own routes under ``/v1/``."""

_log = structlog.get_logger()


class UnknownDomain(DomainError):
    """The domain that was asked for is not installed."""

    code = "unknown_domain"


class _Refused(Exception):
    """Why one plugin cannot be used; becomes a `Problem`."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A plugin that was refused: its entry point, the distribution that it came with, and why."""

    entry_point: str
    distribution: str
    reason: str

    def __str__(self) -> str:
        return f"The domain {self.entry_point!r} of {self.distribution} is not used: {self.reason}"


@dataclass(frozen=True, slots=True)
class Registry:
    """The domains that can be used, by name, and the plugins that cannot."""

    plugins: Mapping[str, DomainPlugin]
    problems: tuple[Problem, ...] = field(default=())

    def __getitem__(self, name: str) -> DomainPlugin:
        return self.plugins[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.plugins)

    def __len__(self) -> int:
        return len(self.plugins)

    def choose(self, question: Question, asked: str | None = None) -> tuple[DomainPlugin, str]:
        """Choose the domain of a question.

        Returns:
            The plugin and why: "asked", "matched" or "fallback".

        Raises:
            UnknownDomain: no domain has the name that was asked for.
        """
        if asked is not None:
            if asked not in self.plugins:
                raise UnknownDomain(
                    f"There is no domain {asked[:32]!r}.", remedy=f"Use one of: {', '.join(sorted(self.plugins))}."
                )
            return self.plugins[asked], "asked"
        sure = [(_sureness(plugin, question), name) for name, plugin in self.plugins.items() if name != FALLBACK]
        best, name = max(sure, key=lambda pair: (pair[0], pair[1]), default=(0.0, FALLBACK))
        return (self.plugins[name], "matched") if best > SURE_FROM else (self.plugins[FALLBACK], "fallback")


def load(*, only: Sequence[str] | None = None) -> Registry:
    """Load the installed domains.

    Args:
        only: Names to load; the fallback is always loaded. None loads all.

    Raises:
        UnknownDomain: a name in `only` is not installed or was refused, or the fallback is missing.
    """
    plugins: dict[str, DomainPlugin] = {}
    problems: list[Problem] = []
    wanted = None if only is None else {*only, FALLBACK}
    # The fallback first: a stranger cannot take its name. Then by distribution, so that the order never changes.
    for point in sorted(
        entry_points(group=GROUP), key=lambda p: (p.name != FALLBACK, not _built_in(p), p.name, _origin(p))
    ):
        if wanted is not None and point.name not in wanted:
            continue
        try:
            plugins[point.name] = _plugin_of(point, taken=plugins)
        except _Refused as refused:
            problem = Problem(point.name, _origin(point), str(refused))
            problems.append(problem)
            _log.warning("domain.refused", domain=point.name, distribution=problem.distribution, reason=problem.reason)
    lacking = sorted((wanted or {FALLBACK}) - plugins.keys())
    if lacking:
        said = " ".join(str(problem) for problem in problems if problem.entry_point in lacking)
        raise UnknownDomain(
            f"These domains are not installed or cannot be used: {', '.join(lacking)}. {said}".strip(),
            remedy="Install the distribution that offers them, or correct the list of domains.",
        )
    return Registry(MappingProxyType(plugins), tuple(problems))


def _plugin_of(point: EntryPoint, *, taken: Mapping[str, DomainPlugin]) -> DomainPlugin:
    if not _NAME.fullmatch(point.name):
        raise _Refused("its name must be lower-case letters, digits, '-' or '_', at most 32, a letter first.")
    if point.name in _RESERVED:
        raise _Refused("its name is one of the service's own routes.")
    if point.name in taken:
        raise _Refused("another distribution offers a domain of this name.")
    try:
        found = point.load()
    except Exception as error:  # a stranger's module may raise anything while it is imported
        raise _Refused(f"it cannot be imported ({type(error).__name__}: {error}).") from error
    if not (isinstance(found, type) and issubclass(found, DomainPlugin)):
        raise _Refused("its entry point is not a DomainPlugin class.")
    if getattr(found, "name", None) != point.name:
        raise _Refused(f"its class calls itself {getattr(found, 'name', None)!r}.")
    titles = getattr(found, "titles", None)
    if not isinstance(titles, Mapping) or not {"en", "zh"} <= titles.keys():
        raise _Refused("its titles lack English (en) or Chinese (zh).")
    try:
        return found()
    except Exception as error:  # as above, while it is built
        raise _Refused(f"it cannot be built ({type(error).__name__}: {error}).") from error


def _sureness(plugin: DomainPlugin, question: Question) -> float:
    try:
        return plugin.matches(question)
    except Exception as error:  # noqa: BLE001 - one plugin's failure must not cost the user the others
        _log.warning("domain.matches_failed", domain=plugin.name, error=type(error).__name__)
        return 0.0


def _built_in(point: EntryPoint) -> bool:
    return _origin(point).split()[0] == "vouch"


def _origin(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "an unknown distribution"

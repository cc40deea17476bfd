"""The elements of the us-gaap taxonomy that stand for the line items of `concepts`, the preferred one first.

They are listed in elements.toml.

Filers choose among several elements for what is one item here. Where one filing uses two of them in a period, the
one that stands first in a row counts; the order goes from the element that means the item exactly to the ones that
mean it for most filers.

Source: US GAAP Financial Reporting Taxonomy, element names and labels.

Not covered: IFRS and CAS taxonomies, companies' own extension elements (reported as unmapped when they are asked for).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from domains.finance.statements.concepts import CONCEPTS

__all__ = ["RANK", "TAGS", "concept_of_tag"]


def _read() -> tuple[dict[str, tuple[str, ...]], dict[tuple[str, str], int]]:
    names: dict[str, list[str]] = {}
    rank: dict[tuple[str, str], int] = {}
    for concept, tags in tomllib.loads(files(__package__).joinpath("elements.toml").read_text("utf-8")).items():
        for place, tag in enumerate(tags):
            names.setdefault(tag, []).append(CONCEPTS[concept].id)
            rank[CONCEPTS[concept].id, tag] = place
    return {tag: tuple(concepts) for tag, concepts in names.items()}, rank


_NAMES, _RANK = _read()

TAGS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(_NAMES)
"""The items that an element may stand for, by its local name."""

RANK: Final[Mapping[tuple[str, str], int]] = MappingProxyType(_RANK)
"""How late an element is among those of an item: 0 is the one that means it exactly."""


def concept_of_tag(tag: str) -> tuple[str, ...]:
    """Return the items that an element may stand for; none for one that is not known."""
    return TAGS.get(tag, ())

"""Which rivals a suite of retrieval measures beside Vouch; a module of its own, so that naming one loads nothing."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Rivals"]


class Rivals(StrEnum):
    """`SEARCH` is each side of the search alone and their plain fusion, over the same passages, at hardly any cost.

    `ALL` adds the pipeline of a tutorial, which embeds every document a second time in pieces of its own.
    """

    NONE = "none"
    SEARCH = "search"
    ALL = "all"

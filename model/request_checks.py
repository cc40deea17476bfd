"""Small checks of one value in a request: a number in a range, a text of a length, a list of so many.

A check is called with the field's name and its value, and raises `LimitExceeded`, which says what was given, what is
taken and what to do. None of them sees null: in OpenAI's protocol it means the default.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

from model.errors import ModelRefused

__all__ = ["Check", "LimitExceeded", "boolean", "in_list", "integer", "number", "one_of", "text"]

Check = Callable[[str, Any], None]

_PARAM: Final = 100
"""Characters of a field's name that are said back: it may be the caller's own."""


class LimitExceeded(ModelRefused):
    """A request asks for more than is given here, or for something that is not given at all.

    Attributes:
        param: The field, in OpenAI's sense.
        status: HTTP status that fits.
    """

    code: ClassVar[str] = "limit_exceeded"

    def __init__(self, param: str, message: str, remedy: str, *, status: int = 400) -> None:
        super().__init__(message, remedy=remedy)
        self.param = param[:_PARAM]
        self.status = status


def integer(low: int, high: int) -> Check:
    """A whole number from `low` to `high`."""

    def check(name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise LimitExceeded(name, f"{name} is {_shown(value)}.", f"Give a whole number from {low} to {high}.")

    return check


def number(low: float, high: float) -> Check:
    """A number from `low` to `high`; not-a-number is none."""

    def check(name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise LimitExceeded(name, f"{name} is {_shown(value)}.", f"Give a number from {low} to {high}.")

    return check


def boolean(name: str, value: Any) -> None:
    """Check for true or false."""
    if not isinstance(value, bool):
        raise LimitExceeded(name, f"{name} is {_shown(value)}.", "Give true or false.")


def text(most: int) -> Check:
    """A text of at most so many characters."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, str):
            raise LimitExceeded(name, f"{name} is {_shown(value)}.", "Give a text.")
        if len(value) > most:
            raise LimitExceeded(name, f"{name} has {len(value)} characters.", f"At most {most} are taken.")

    return check


def one_of(*words: str) -> Check:
    """One of some words."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, str) or value not in words:
            raise LimitExceeded(name, f"{name} is {_shown(value)}.", f"Give one of: {', '.join(words)}.")

    return check


def in_list(most: int, item: Check) -> Check:
    """A list of at most so many, each of which passes a check."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, list):
            raise LimitExceeded(name, f"{name} is {_shown(value)}.", "Give a list.")
        if len(value) > most:
            raise LimitExceeded(name, f"{name} has {len(value)} items.", f"At most {most} are taken.")
        for each in value:
            item(name, each)

    return check


def _shown(value: Any) -> str:
    """The value when it is a short number, else its kind: a refusal repeats no text of a request."""
    if isinstance(value, int | float) and abs(value) < 10**12:
        return str(value).lower() if isinstance(value, bool) else str(value)
    for kind, words in ((str, "a text"), (list, "a list"), (dict, "an object")):
        if isinstance(value, kind):
            return words
    return "not what is taken"

"""Which choices a question may come with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.answering.choosing.deciding import MOST_CHOICES
from app.errors import BadRequest

__all__ = ["LONGEST_CHOICE", "fitting"]

LONGEST_CHOICE: Final = 200
"""Characters of the longest choice: an answer to choose from, not a document."""


def fitting(choices: Sequence[str]) -> tuple[str, ...]:
    """Return choices without the blanks around them, or none where there are none.

    Raises:
        BadRequest: there is one alone, more than 26, an empty or long one, one with a line break, or two alike.
    """
    plain = tuple(choice.strip() for choice in choices)
    if not plain:
        return ()
    if not 2 <= len(plain) <= MOST_CHOICES:
        raise BadRequest(
            f"The question comes with {len(plain)} {'choice' if len(plain) == 1 else 'choices'}.",
            remedy=f"Give 2 to {MOST_CHOICES} choices, or none.",
        )
    for place, choice in enumerate(plain, 1):
        if not choice.isprintable() or not any(sign.isalnum() for sign in choice):
            raise BadRequest(
                f"Choice {place} has no letter or digit, or a sign that cannot be printed.",
                remedy="Write each choice as one line of text.",
            )
        if len(choice) > LONGEST_CHOICE:
            raise BadRequest(
                f"Choice {place} has {len(choice)} characters; the limit is {LONGEST_CHOICE}.", remedy="Shorten it."
            )
    folded = [choice.casefold() for choice in plain]
    if len(set(folded)) < len(folded):
        twice = next(place for place, choice in enumerate(folded, 1) if choice in folded[: place - 1])
        raise BadRequest(
            f"Choice {twice} is the same as an earlier one.", remedy="Give each choice once; case makes no difference."
        )
    return plain

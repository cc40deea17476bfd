"""Which passages are kept out of every search, because they speak to the assistant and not to the reader."""

from __future__ import annotations

__all__ = ["screen"]


def screen(text: str) -> str | None:
    """Return the reason why a passage is withheld, as the code of a `Remark`, or None when it may be found."""
    del text
    return None

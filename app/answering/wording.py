"""How checked claims become the text that is shown: only what is supported, each with its citation marks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.answering.drafters.contract import Coverage
from app.answering.types import Claim, Verdict
from retrieval.language import Language

__all__ = ["render", "told_in_part"]

_STOPS: Final = ".!?。！？…"


def render(claims: Sequence[Claim], language: Language) -> str:
    """Join the supported claims, each with its marks before its full stop.

    The text of a list of claims begins with the text of any shorter list of the same ones, so that it can be streamed.
    """
    return ("" if language == "zh" else " ").join(
        _with_marks(claim, language) for claim in claims if claim.verdict is Verdict.SUPPORTED
    )


def told_in_part(sections: Coverage, language: Language) -> str:
    """Say how much of a long text was read, when it is not all of it."""
    if sections.read >= sections.of:
        return ""
    if language == "zh":
        return f"（全文{sections.of}节，读了{sections.read}节。）"
    return f" (Read {sections.read} of {sections.of} sections.)"


def _with_marks(claim: Claim, language: Language) -> str:
    marks = "".join(f"[{id_}]" for id_ in claim.cites)
    body = claim.text.rstrip(_STOPS)
    stop = claim.text[len(body) :] or ("。" if language == "zh" else ".")
    return f"{body}{'' if language == 'zh' else ' '}{marks}{stop}"

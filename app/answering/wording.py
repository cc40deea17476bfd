"""How checked claims become the text that is shown: only what is supported, each with its citation marks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.answering.types import Claim, Verdict
from retrieval.language import Language

__all__ = ["render"]

_STOPS: Final = ".!?。！？…"


def render(claims: Sequence[Claim], language: Language) -> str:
    """Join the supported claims, each with its marks before its full stop.

    The text of a list of claims begins with the text of any shorter list of the same ones, so that it can be streamed.
    """
    return ("" if language == "zh" else " ").join(
        _with_marks(claim, language) for claim in claims if claim.verdict is Verdict.SUPPORTED
    )


def _with_marks(claim: Claim, language: Language) -> str:
    marks = "".join(f"[{id_}]" for id_ in claim.cites)
    body = claim.text.rstrip(_STOPS)
    stop = claim.text[len(body) :] or ("。" if language == "zh" else ".")
    return f"{body}{'' if language == 'zh' else ' '}{marks}{stop}"

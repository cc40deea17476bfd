"""How checked claims become the text that is shown: only what is supported, each with its citation marks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.answering.drafters.contract import Coverage
from app.answering.harmless import defang
from app.answering.types import Claim, Conflict, Side, Verdict
from retrieval.language import Language

__all__ = ["differing", "left_out", "render", "told_in_part"]

_STOPS: Final = ".!?。！？…"
_LONGEST_QUOTE: Final = 300


def render(claims: Sequence[Claim], language: Language) -> str:
    """Join the supported claims, each with its marks before its full stop.

    The text of a list of claims begins with the text of any shorter list of the same ones, so that it can be streamed.
    """
    return ("" if language == "zh" else " ").join(
        _with_marks(claim, language) for claim in claims if claim.verdict is Verdict.SUPPORTED
    )


def left_out(missing: Sequence[str], language: Language) -> str:
    """Say which parts of the question nothing answers, in the question's own words; nothing when there is none."""
    if not missing:
        return ""
    parts = [defang(part) for part in missing]
    if language == "zh":
        return f"\n文档没有说明：{'；'.join(parts)}。"
    return f"\nThe documents do not say: {'; '.join(parts)}."


def differing(conflicts: Sequence[Conflict], language: Language) -> str:
    """Show side by side what passages say that differ, each with its mark and its year; an empty text when none do."""
    lines = []
    for conflict in conflicts:
        sides = ("；" if language == "zh" else " / ").join(
            _side(one, language) for one in (conflict.here, conflict.there)
        )
        lines.append(f"\n资料不一致：{sides}" if language == "zh" else f"\nThe documents differ: {sides}")
    return "".join(lines)


def _side(side: Side, language: Language) -> str:
    quote = defang(" ".join(side.quote.split()))
    quote = quote if len(quote) <= _LONGEST_QUOTE else f"{quote[:_LONGEST_QUOTE]}…"
    if language == "zh":
        return f"“{quote}”[{side.cite}]" + (f"（{side.dated}）" if side.dated else "")
    return f"“{quote}” [{side.cite}]" + (f" ({side.dated})" if side.dated else "")


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

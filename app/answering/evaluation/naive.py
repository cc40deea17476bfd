"""When the naive pipeline's reply is a "no": it has no code that decides, so its words have to be read."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["says_no"]

_NO: Final = re.compile(
    r"""\b(?:I\ (?:do\ not|don['’]t|cannot|can['’]t)\ (?:know|find|answer|determine|have)
      | (?:is|are|was|were)\ (?:not|n['’]t)\ (?:mentioned|provided|specified|stated|given|available|clear)
      | (?:not|no)\ (?:enough\ )?information
      | (?:does|do|did)\ not\ (?:provide|mention|contain|specify|include|state)
      | cannot\ be\ determined | unable\ to | I['’]m\ (?:not\ sure|sorry))
      | (?:不知道|无法(?:确定|回答|得知|提供)|没有(?:提供|提到|提及|足够|相关|明确)
      | 未(?:提供|提及|提到|明确)|不清楚|不确定|抱歉)""",
    re.VERBOSE | re.IGNORECASE,
)


def says_no(text: str) -> bool:
    """Say whether a reply, read as generously as can be, says that it does not know; an empty one does."""
    return not text.strip() or bool(_NO.search(text))

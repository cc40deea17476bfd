"""What the words of a finding say about a yes-or-no question, as numbers: negation, no effect, significance, hedging.

Counts enter as log(1 + n): the second "not" says less than the first. All patterns are of English; a text in another
language has zeros, and the model decides alone. More cues (comparison, contrast, the form of the question, p-values)
were tried and gained nothing in cross-validation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

__all__ = ["NAMES", "cues"]

_COUNTED: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {
        name: re.compile(pattern, re.IGNORECASE | re.VERBOSE)
        for name, pattern in {
            "negation": r"\b(?:no|not|none|never|neither|nor|cannot|without|fail(?:s|ed)?)\b|n't\b",
            "no_effect": r"""
                \b(?:no|not|non|without|lack\ of|neither|nor|fail\w*|absence\ of)\b[^.;]{0,40}?
                \b(?:significan\w+|differ\w*|associat\w+|correlat\w+|effect|affect\w*|chang\w+|relat\w+|increas\w+
                  |improv\w+|reduc\w+|predict\w*|influence\w*|impact|benefi\w+|advantage|evidence)
                |\b(?:non-?significant|insignificant|unchanged|unaffected|similar|comparable|equivalent)\b""",
            "significant": r"\bsignifican\w+|\bstrong(?:ly)?\b|\bindependent(?:ly)?\ (?:associated|predict\w+)",
            "hedge": r"""
                \b(?:may|might|could|suggest\w*|appear\w*|seem\w*|possibl[ey]|potential\w*|trend\w*|tend(?:s|ed)?|unclear
                  |inconclusive|limited|further|borderline|marginal\w*|weak\w*|modest\w*)\b""",
        }.items()
    }
)

NAMES: Final[tuple[str, ...]] = tuple(_COUNTED)
"""Names of the cues, in the order of `cues`."""


def cues(findings: Sequence[str]) -> tuple[float, ...]:
    """Return the cues of some sentences, one number for each of `NAMES`, from 0 on."""
    text = " ".join(findings)
    return tuple(math.log1p(len(pattern.findall(text))) for pattern in _COUNTED.values())

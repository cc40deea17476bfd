"""The last look at a checked claim: whether it may be shown though the check supports it.

Five rules strike out a supported claim, each with its reason:

- ``instruction_like``: the claim itself speaks to the assistant, or its support was a sentence that does (such a
  sentence is blanked out before the check, so the claim comes here without support; the reason says why);
- ``no_statement``: it is a question, or asks for a text ("write a poem"), as a document may; it says nothing that could
  be true. A procedure's imperative ("take 5 mg daily") is a statement of what is to be done, and stays;
- ``only_asked``: what carries it in its passages is a question ("why should X not have Y?"), and the statements there
  hold less than a quarter of its terms. A passage that answers its own question with yes or no is a statement;
- ``foreign_link``: it names an address (URL, host with ``www.``, e-mail) that no cited passage has, letter for letter;
- ``other_language``: it is written in another language than the question, and its passages are too unlike it to be
  what it quotes. An answer in the language of the passages is a quotation, and stays; one in a third is a model that
  drifted, and is struck out rather than drafted again: that doubles the wait, and greedy decoding drifts again.

Whatever is shown is defanged (`harmless.defang`), text and quote alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from app.answering.checking.support import around, coverage, informative, sentences
from app.answering.harmless import defang, visible
from app.answering.instructions import Reading, speaks_to_assistant
from app.answering.types import Claim, Verdict
from retrieval.language import CJK, Language
from retrieval.types import Evidence

__all__ = ["address_in", "guarded", "language_written"]

_ADDRESS: Final = re.compile(
    r"(?:\b[a-z][a-z0-9+.-]{1,15}://|\bwww\.|\b(?:javascript|data|vbscript):(?=\S))[^\s<>()\[\]\"'“”‘’，。；！？、]+"
    r"|\b[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+",
    re.IGNORECASE | re.ASCII,
)
"""ASCII, so that an address right after an ideograph begins at a word's edge."""
_ASKS: Final = re.compile(
    r"""[?？]["'”’)）]*[.]?$
      | ^\W*(?:please\s+|kindly\s+)?(?:
          (?:write(?!\s+to\b)|explain|summari[sz]e|suggest|analy[sz]e|translate|compose|generate|break\s+down|(?:show|help|tell|give)\s+me)\b
        | determine\s+the\s+sentiment\b
        | (?:provide|develop|create|make|give|draft)\s+(?:an?|the|some|us)?\s*(?:[\w-]+\s+){0,2}?
          (?:list|poem|story|speech|essay|summary|insights?|commands?|scripts?|recipe|translation|joke|example)\b)
      | ^\W*(?:请|帮我|给我|告诉我|麻烦)(?:你|您|我)?
          (?:写|解释|总结|概括|翻译|介绍|推荐|列出|列举|编写|生成|分析|告诉)""",
    re.VERBOSE | re.IGNORECASE,
)
_QUESTION: Final = re.compile(r"[?？][\"'”’」』)）]*$")
_YES_OR_NO: Final = re.compile(
    r"\W*(?:a(?:nswer)?\s*[:.]\s*)?(?:yes|no|not)\b|\W*(?:答[:：])?\s*(?:是|否|不|可以|能|会|有|没有)", re.IGNORECASE
)
_STATED: Final = 0.25
"""Least share of a claim's terms that statements of its passages must hold where those ask questions too."""

_LETTER: Final = re.compile(r"[^\W\d_]")
_LATIN: Final = re.compile(r"[a-zA-Z\u00c0-\u024f]")
_FEWEST_LETTERS: Final = 12
"""Letters from which the language of a text can be told at all; a name alone is in no language."""

_MOSTLY: Final = 0.5
_FROM_COMMAND: Final = 0.6
"""Share of a claim's terms that a blanked-out sentence must hold for it to be where the claim comes from."""


def address_in(text: str) -> list[str]:
    """Return the addresses of a text, in lower case, without the marks that end a sentence."""
    return [match[0].rstrip(".,;:!?…").lower() for match in _ADDRESS.finditer(text)]


def language_written(text: str) -> Language | str | None:
    """Return "en" or "zh" for a text in Latin letters or ideographs, "other" for one in others, None for too little.

    Letters alone are counted, so French counts as "en": its words find no support in an English passage.
    """
    letters = _LETTER.findall(text)
    ideographs = len(CJK.findall(text))
    if len(letters) + 2 * ideographs < _FEWEST_LETTERS:
        return None
    latin = len(_LATIN.findall(text))
    if ideographs + latin < _MOSTLY * len(letters):
        return "other"
    return "zh" if 4 * ideographs >= latin else "en"  # an ideograph says about as much as four letters


def guarded(claim: Claim, *, evidence: Mapping[str, Reading | Evidence], language: Language) -> Claim:
    """Return a checked claim as it may be shown.

    Args:
        claim: With the verdict of the check.
        evidence: All there is, by id: readings of what was found, and what a drafter made.
        language: Of the question.
    """
    reason = None
    if claim.verdict is Verdict.SUPPORTED:
        reason = _why_not(claim, [_as_data(evidence[id_]) for id_ in claim.cites if id_ in evidence], language)
    elif _commanded(claim.text, evidence):
        reason = "instruction_like"
    changed = {} if reason is None else {"verdict": Verdict.UNSUPPORTED, "reason": reason}
    quote = None if claim.quote is None else defang(claim.quote)
    return claim.model_copy(update={"text": defang(claim.text), "quote": quote, **changed})


def _why_not(claim: Claim, cited: list[Evidence], language: Language) -> str | None:
    if speaks_to_assistant(claim.text):
        return "instruction_like"
    if _ASKS.search(claim.text):
        return "no_statement"
    if _only_asked(claim.text, cited):
        return "only_asked"
    source = "\n".join(visible(item.text) for item in cited).lower()
    if any(address not in source for address in address_in(claim.text)):
        return "foreign_link"
    written = language_written(claim.text)
    if written not in (None, language) and written not in {language_written(item.text) for item in cited}:
        return "other_language"
    return None


def _only_asked(text: str, cited: list[Evidence]) -> bool:
    parts = [part for item in cited for part in sentences(item.text)]
    stated = [part for part in parts if not _QUESTION.search(part)]
    if len(stated) == len(parts) or any(_YES_OR_NO.match(part) for part in stated):
        return False
    terms = informative(text)
    return bool(terms) and coverage(terms, [*stated, *(around(item) for item in cited)]) < _STATED


def _commanded(text: str, evidence: Mapping[str, Reading | Evidence]) -> bool:
    kept_out = [part for item in evidence.values() if isinstance(item, Reading) for part in item.kept_out]
    return bool(kept_out) and coverage(informative(text), kept_out) >= _FROM_COMMAND


def _as_data(item: Reading | Evidence) -> Evidence:
    return item.evidence if isinstance(item, Reading) else item

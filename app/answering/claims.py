"""Cuts the model's draft into claims: one sentence each, with the evidence that it cites.

The draft is plain text with citation marks such as ``[2]``, ``[1][3]``, ``[1, 2]`` or ``【1】``. A mark belongs to the
sentence that it stands in or that ended right before it; at the beginning of a line it belongs to that line. A line
break always ends a claim, so list items are claims of their own. Headings and lead-ins ("Based on the passages:")
claim nothing and are dropped.

`ClaimReader` does the same while the draft is still coming in. Fed in any pieces, it gives the claims that `split`
gives for the whole.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from retrieval.sentences import split_sentences

__all__ = ["MARK", "ClaimReader", "DraftClaim", "split"]

MARK: Final = re.compile(
    r"""[\[【〔［]\s*
        (?:passages?|sources?|段落|资料|材料)?\s*
        (?P<ids>\d{1,2}(?:\s*[,，、;\-–]\s*\d{1,2})*)
        \s*[\]】〕］]""",
    re.VERBOSE | re.IGNORECASE,
)
"""A citation mark. Its numbers have at most two digits, so that ``[2022]`` stays text."""

_OPEN_MARK: Final = re.compile(r"\s*[\[【〔［][^\]】〕］\n]{0,40}$")
_RANGE: Final = re.compile(r"(\d{1,2})\s*[-–]\s*(\d{1,2})")
_BULLET: Final = re.compile(r"^\s*(?:[-*•·]\s+|\d{1,2}[.)]\s+|\d{1,2}[、]\s*|[(（]\d{1,2}[)）]\s*)")
_HEADING: Final = re.compile(r"^\s*(?:#{1,6}\s.*|\*\*[^*.!?。！？]+\*\*[:：]?|-{3,}|={3,}|`{3,}.*|\|[\s:|-]+\|)\s*$")
_LEAD_IN_END: Final = re.compile(r"[:：]\s*$")
_LEAD_IN: Final = re.compile(
    r"""^\s*(?:
        (?:based\ on|according\ to|as\ (?:stated|mentioned|described|shown)\ in|in)\s+
        (?:the\s+)?(?:given\s+|provided\s+|above\s+|following\s+)?
        (?:passages?|documents?|sources?|context|text|information)(?:\s+(?:provided|given|above))?\s*[,:]\s*
      | (?:根据|依据|按照|基于)(?:以上|上述|所给|给出|提供|给定)?的?
        (?:段落|文档|资料|材料|文本|文章|信息|内容)(?:中的(?:信息|内容))?[，,：:]\s*
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_EMPHASIS: Final = re.compile(r"(\*\*|__|`)")
_SPACE_BEFORE_STOP: Final = re.compile(r"\s+(?=[.,;!?。，；！？])")
_STOP: Final = re.compile(r"[.!?;:。！？；：…\n]")
_LETTER: Final = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True)
class DraftClaim:
    """One statement of the draft, without its marks, and the ids that it cites in the order of their first mention."""

    text: str
    cites: tuple[str, ...] = ()


def split(text: str, *, known: Collection[str] | None = None) -> list[DraftClaim]:
    """Cut a draft into claims.

    Args:
        text: What the model wrote.
        known: Ids that exist. Marks with other ids are taken out of the text and cite nothing; None keeps all.
    """
    claims: list[DraftClaim] = []
    for line in text.split("\n"):
        found = list(_claims_of_line(line, known))
        if claims and len(found) == 1 and not found[0].text:  # a line of marks alone belongs to the claim before
            claims[-1] = DraftClaim(claims[-1].text, _merged(claims[-1].cites, found[0].cites))
            continue
        claims.extend(claim for claim in found if claim.text)
    return claims


class ClaimReader:
    """Gives claims as soon as the growing draft cannot change them any more.

    The claim that is last so far is held back, since a mark may still follow its full stop.
    """

    def __init__(self, *, known: Collection[str] | None = None) -> None:
        self._known = known
        self._text = ""
        self._given = 0
        self._ripe = False  # whether a sentence may have ended: most pieces of a draft need no second look

    def feed(self, delta: str) -> list[DraftClaim]:
        """Take the next piece of the draft and return the claims that it finished."""
        self._text += delta
        self._ripe = self._ripe or bool(_STOP.search(delta))
        if not (self._ripe and _LETTER.search(delta)):
            return []
        claims = split(_OPEN_MARK.sub("", self._text), known=self._known)
        fresh = self._since(claims[:-1])
        self._ripe = bool(claims and _STOP.search(claims[-1].text))
        self._drop_lines()
        return fresh

    def flush(self) -> list[DraftClaim]:
        """Return what is left when the draft has ended."""
        return self._since(split(self._text, known=self._known))

    def _drop_lines(self) -> None:
        """Forget the lines whose claims were all given, so that a long draft is not read again and again."""
        head, line_break, rest = self._text.rpartition("\n")
        if line_break and self._given:
            done = len(split(head, known=self._known))
            if done <= self._given:
                self._text, self._given = rest, self._given - done

    def _since(self, claims: list[DraftClaim]) -> list[DraftClaim]:
        fresh = claims[self._given :]
        self._given += len(fresh)
        return fresh


def _claims_of_line(line: str, known: Collection[str] | None) -> Iterator[DraftClaim]:
    """Yield the claims of one line; a line of marks alone gives one claim without text."""
    if _HEADING.match(line):
        return
    plain, marks = _without_marks(_BULLET.sub("", line))
    if not plain:
        if marks:
            yield DraftClaim("", _known_ids((ids for _, ids in marks), known))
        return
    spans = split_sentences(plain)
    starts = [start for start, _ in spans]
    cited: list[list[tuple[str, ...]]] = [[] for _ in spans]
    for offset, ids in marks:
        owner = max((place for place, start in enumerate(starts) if start < offset), default=0)
        if cited:
            cited[owner].append(ids)
    for (start, end), groups in zip(spans, cited, strict=True):
        sentence = _tidy(plain[start:end])
        if _LETTER.search(sentence) and not (end == len(plain) and _LEAD_IN_END.search(sentence)):
            yield DraftClaim(sentence, _known_ids(iter(groups), known))


def _without_marks(line: str) -> tuple[str, list[tuple[int, tuple[str, ...]]]]:
    """Return the line without marks, and for each mark its offset in that text and its ids."""
    plain = ""
    marks: list[tuple[int, tuple[str, ...]]] = []
    done = 0
    for match in MARK.finditer(line):
        plain = (plain + line[done : match.start()]).rstrip()
        marks.append((len(plain), _ids(match["ids"])))
        done = match.end()
    plain += line[done:]
    lead = len(plain) - len(plain.lstrip())
    return plain.strip(), [(max(0, offset - lead), ids) for offset, ids in marks]


def _ids(numbers: str) -> tuple[str, ...]:
    spread = _RANGE.sub(lambda m: ",".join(str(n) for n in range(int(m[1]), int(m[2]) + 1)), numbers)
    return tuple(str(int(number)) for number in re.findall(r"\d+", spread))


def _known_ids(groups: Iterator[tuple[str, ...]], known: Collection[str] | None) -> tuple[str, ...]:
    ids = dict.fromkeys(id_ for group in groups for id_ in group)
    return tuple(id_ for id_ in ids if known is None or id_ in known)


def _merged(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(first + second))


def _tidy(sentence: str) -> str:
    text = _EMPHASIS.sub("", sentence).strip()
    bare = _LEAD_IN.sub("", text)
    if bare and bare != text:
        text = bare[0].upper() + bare[1:]
    return _SPACE_BEFORE_STOP.sub("", text)

"""Where sentences begin and end, in English and Chinese.

A full stop ends a sentence only where it can: not in "3.5", "¥1,234.50", "e.g." or "J. Smith", not in "No. 5" and
"Fig. 3" (but in "The answer is no. We …"), and after "Inc." or "U.S." only when the next word is one that often begins
a sentence. The cases of the full stop follow Kiss and Strunk, "Unsupervised Multilingual Sentence Boundary Detection"
(2006), with lists in place of their statistics, so that the same text is always cut in the same way.

Not covered: sentences without any mark, abbreviations of other fields and languages, and a sentence that begins in
lower case after a full stop.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["split_sentences"]

_WIDE: Final = r"\u3000-\u303f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef"
_CLOSERS: Final = "\"'”’」』）)】]》〉＂*_"

_END: Final = re.compile(rf"(?:[。！？!?．｡]+|\.+|…+)[{re.escape(_CLOSERS)}]*")
_FULL_WIDTH: Final = re.compile(r"[。！？｡．]")
_LAST_WORD: Final = re.compile(r"[^\s" + _WIDE + r"\"'“”‘’(（\[]+$")
_NEXT_WORD: Final = re.compile(r"\s*[\"'“‘(（\[「『《*_]*([^\s" + _WIDE + r"]*)")
_NUMBER_OF_ITEM: Final = re.compile(r"[\s*#>_-]*[(（]?(?:\d{1,3}(?:\.\d{1,3})*|[A-Za-z]|[ivxIVX]{1,5})$")
_PLACE: Final = re.compile(r"(?:\d|[IVXLC]+\b|[A-Z]\b)")
_INITIALS: Final = re.compile(r"(?:[A-Za-z]\.)*[A-Za-z]")
_ITEM: Final = r"[-*+\u2022\u25aa\u25cf]\s|[(（]?\d{1,3}[.)、）]|[(（]?[一二三四五六七八九十]{1,3}[、）)]|#{1,6}\s|\|"
_LINE_BREAK: Final = re.compile(
    r"\n[ \t]*\n\s*"  # an empty line
    rf"|\n(?=[ \t]*(?:{_ITEM}))"  # a list item, a heading or a row of a table comes next
    r"|(?<=\|)\n|\n(?=[^\n|]{0,400}\s\|\s)"  # a row of a table ends, or one with cells comes next
)

_LOOK_BACK: Final = 24
"""Characters that are looked at before a full stop: longer than any abbreviation, and a bound on the work."""

_NEVER: Final = frozenset(
    {"mr", "mrs", "ms", "dr", "prof", "hon", "rev", "gen", "col", "capt", "lt", "sgt", "messrs", "st", "e.g", "i.e"}
    | {"vs", "v", "cf", "viz", "approx", "ca", "resp", "incl", "excl", "w.r.t"}
)
_BEFORE_PLACE: Final = frozenset(
    {
        "no",
        "nos",
        "fig",
        "figs",
        "eq",
        "eqs",
        "sec",
        "secs",
        "sect",
        "art",
        "arts",
        "vol",
        "ch",
        "chap",
        "para",
        "paras",
    }
    | {"p", "pp", "cl", "reg", "regs", "tab", "app", "ref", "refs", "ex", "pt", "ser", "ann", "sched", "rule", "op"}
    | {"jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec"}
)
_ONLY_NUMBERS: Final = frozenset({"no", "nos"})  # "no" is a word as well
_MAY_END: Final = frozenset(
    {"inc", "ltd", "co", "corp", "llc", "plc", "bros", "etc", "al", "jr", "sr", "ph.d", "m.d", "b.a", "m.a", "d.c"}
    | {"u.s", "u.k", "u.n", "e.u", "u.s.a", "a.m", "p.m", "est", "dept", "assn", "univ", "gov", "n.a", "s.a", "l.p"}
)
_STARTERS: Final = frozenset(
    {"A", "After", "All", "Although", "An", "And", "As", "At", "Because", "Before", "But", "By", "Each", "For", "From"}
    | {"He", "Her", "His", "However", "I", "If", "In", "It", "Its", "Moreover", "Most", "No", "Not", "On", "Our"}
    | {"She", "Since", "Some", "Such", "That", "The", "Their", "Then", "There", "Therefore", "These", "They", "This"}
    | {"Those", "Thus", "To", "Under", "Upon", "We", "What", "When", "Where", "While", "With", "You", "Your"}
)


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Return the sentences of a text as half-open spans of code points, in order.

    No span is empty or begins or ends with white space, and every character that is not white space lies in exactly
    one span. An empty line, a list item's beginning and a table row's end part sentences without a mark.
    """
    spans, start = list[tuple[int, int]](), 0
    for end in _ends(text):
        spans.extend(_trimmed(text, start, end))
        start = end
    spans.extend(_trimmed(text, start, len(text)))
    return spans


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield start, end


def _ends(text: str) -> Iterator[int]:
    breaks = sorted({match.end() for match in _LINE_BREAK.finditer(text)})
    start, upcoming = 0, 0
    for match in _END.finditer(text):
        while upcoming < len(breaks) and breaks[upcoming] <= match.start():
            start = breaks[upcoming]
            upcoming += 1
            yield start
        if _is_end(text, match, start):
            start = match.end()
            yield start
    yield from breaks[upcoming:]


def _is_end(text: str, match: re.Match[str], start: int) -> bool:
    mark, after = match.group(), text[match.end() : match.end() + 1]
    if _FULL_WIDTH.search(mark):
        return after not in ("，", ",", "、", "；") and not (mark == "．" and after.isdigit())
    following = _NEXT_WORD.match(text, match.end(), match.end() + 40)
    word = following.group(1) if following else ""
    if after and not after.isspace():
        before = text[max(0, match.start() - 1) : match.start()]
        ended = mark[0] in "!?" or (mark[0] == "." and (before == "%" or _is_wide(before)))
        return ended and _is_wide(after)
    if word[:1].islower():
        return False
    if mark[0] in "!?" or mark.startswith(("..", "…")):
        return True
    return _is_stop(text[max(start, match.start() - _LOOK_BACK) : match.start()], word)


def _is_stop(before: str, word: str) -> bool:
    """Say whether a single full stop after `before`, with `word` next, ends a sentence."""
    if _NUMBER_OF_ITEM.fullmatch(before):
        return False  # "1. First item": the number opens the sentence
    last = _LAST_WORD.search(before)
    if last is None:
        return True
    token = last.group().lower()
    if token in _NEVER:
        return not word
    if token in _ONLY_NUMBERS:
        return not word[:1].isdigit()
    if token in _BEFORE_PLACE:
        return _PLACE.match(word) is None
    if token in _MAY_END or (_INITIALS.fullmatch(last.group()) and last.group() != "I"):
        return not word or word.rstrip(",") in _STARTERS
    return True


def _is_wide(char: str) -> bool:
    return re.fullmatch(rf"[{_WIDE}]", char) is not None

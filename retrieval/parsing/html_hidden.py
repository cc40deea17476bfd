"""Says which parts of an HTML document a reader does not see, by its attributes, inline styles and plain style rules.

An element is hidden when it is taken off the page (`hidden`, display, visibility, opacity, a size near nothing, a place
far outside, an empty clip), and a text when its colour is that of its ground. Rules of a `style` element count where
their selector is one tag, class or id. Where a script could show what a rule hides, or a style sheet elsewhere could
name the ground, the text stays and is remarked as doubtful.

Not covered: selectors of several parts, media queries, style sheets of other files, what a script would write.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from bs4 import BeautifulSoup, Tag

from retrieval.parsing.clean import one_line
from retrieval.parsing.colours import WHITE, Colour, colour_of, near
from retrieval.types import Remark

__all__ = ["Hidden"]

_BLOCKS: Final = re.compile(r"/\*.*?\*/|@[^{};]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}|@[^{};]*;", re.DOTALL)
_RULE: Final = re.compile(r"([^{}]+)\{([^{}]*)\}")
_SELECTOR: Final = re.compile(r"[.#]?[a-z][\w-]*", re.IGNORECASE)
_LONGEST: Final = 200_000  # characters of style rules that are read
_NUMBER: Final = re.compile(r"(-?\d*\.?\d+)\s*(px|pt|em|rem|%|vw|vh|cm|in)?(?:\s|$|!)")
_POINTS: Final = {"pt": 1.0, "em": 12.0, "rem": 12.0, "%": 0.12, "vw": 6.0, "vh": 8.0, "cm": 28.3, "in": 72.0}
_TINY: Final = 1.5  # points
_COUNTED: Final = 100_000  # characters in doubt, from which they are not counted any more
_NEAREST: Final = 64  # elements around a text in which its colour and its ground are looked for
_FAR: Final = -400.0  # points: beyond the edge of any page
_CLIPPED: Final = re.compile(r"rect\((?:\s*,?\s*[01](?:px)?){4}\s*\)|inset\(\s*(?:50|100)%")
_SAID: Final = {"unseen": "of elements that are not shown", "ground": "in the colour of their ground"}

_Style = dict[str, str]


class Hidden:
    """Judges the elements of one document, and counts the characters that are hidden or doubtful."""

    def __init__(self, soup: BeautifulSoup) -> None:
        self.counts = Counter[str]()
        self._moving = soup.find("script") is not None
        sheets = soup.find_all("style")
        self._foreign = bool(sheets) or soup.find("link", rel="stylesheet") is not None
        self._rules = dict[str, _Style]()
        for selectors, body in _RULE.findall(_BLOCKS.sub("", "".join(map(Tag.get_text, sheets))[:_LONGEST])):
            for selector in map(str.strip, selectors.split(",")):
                if _SELECTOR.fullmatch(selector):
                    self._rules.setdefault(selector.lower(), {}).update(_declared(body))
        self._known = dict[int, bool]()

    def unseen(self, node: Tag) -> bool:
        """Say whether an element is taken off the page; its characters are counted."""
        inline = _declared(str(node.get("style", "")))
        if node.has_attr("hidden") or _off(inline):
            self.counts["unseen"] += len(one_line(node.get_text(" ")))
            return True
        if not self._rules or not _off({**self._ruled(node), **inline}):
            return False
        if not self._moving or self.counts["doubtful"] < _COUNTED:
            self.counts["doubtful" if self._moving else "unseen"] += len(one_line(node.get_text(" ")))
        return not self._moving

    def same_as_ground(self, node: Tag, text: str) -> bool:
        """Say whether text right inside of an element has the colour of its ground; it is counted."""
        if id(node) not in self._known:
            self._known[id(node)] = self._same(node)
        if not self._known[id(node)] or not text.strip():
            return False
        doubtful = self._foreign and any(one.get("class") or one.get("id") for one in _around(node))
        self.counts["doubtful" if doubtful else "ground"] += len(one_line(text))
        return not doubtful

    def remarks(self) -> list[Remark]:
        """Return what is said of hidden and of doubtful text."""
        parts = [f"{self.counts[reason]} characters {said}" for reason, said in _SAID.items() if self.counts[reason]]
        found = [Remark(code="hidden_text", detail=", ".join(parts))] if parts else []
        if self.counts["doubtful"]:
            found.append(Remark(code="doubtful_text", detail=f"{self.counts['doubtful']} characters may be hidden"))
        return found

    def _ruled(self, node: Tag) -> _Style:
        named: Any = node.get("class") or []
        classes = named if isinstance(named, list) else str(named).split()
        selectors = [node.name, *(f".{name}" for name in classes), f"#{node.get('id', '')}"]
        return {key: value for one in selectors for key, value in self._rules.get(one.lower(), {}).items()}

    def _same(self, node: Tag) -> bool:
        colour = next((found for one in _around(node) if (found := self._letters(one)) is not None), None)
        if colour is None:
            return False
        for one in _around(node):
            style = {**self._ruled(one), **_declared(str(one.get("style", "")))}
            ground = style.get("background-color") or style.get("background") or str(one.get("bgcolor") or "")
            if "url(" in ground or "gradient" in ground or one.get("background"):
                return False  # a picture
            if ground and ground not in ("transparent", "none", "inherit"):
                found = colour_of(ground.split()[0] if "(" not in ground else ground)
                return found is not None and near(colour, found)
        return near(colour, WHITE)

    def _letters(self, node: Tag) -> Colour | None:
        style = {**self._ruled(node), **_declared(str(node.get("style", "")))}
        return colour_of(style.get("color") or (str(node.get("color", "")) if node.name == "font" else ""))


def _around(node: Tag) -> Iterator[Tag]:
    return itertools.islice(itertools.chain((node,), node.parents), _NEAREST)


def _declared(body: str) -> _Style:
    pairs = (part.partition(":") for part in body.lower().split(";"))
    return {name.strip(): value.replace("!important", "").strip() for name, colon, value in pairs if colon}


def _off(style: _Style) -> bool:
    if not style:
        return False
    if style.get("display") == "none" or style.get("visibility") in ("hidden", "collapse"):
        return True
    size, opacity = _points(style.get("font-size", "")), _NUMBER.match(style.get("opacity", ""))
    if (size is not None and size < _TINY) or (opacity and float(opacity.group(1)) < 0.05):
        return True
    if _CLIPPED.search(style.get("clip", "") + style.get("clip-path", "")):
        return True
    if style.get("overflow", "") in ("hidden", "clip") and any(
        (extent := _points(style.get(name, ""))) is not None and extent < _TINY
        for name in ("width", "height", "max-width", "max-height")
    ):
        return True
    places = ("left", "top", "right", "bottom") if style.get("position") in ("absolute", "fixed") else ()
    names = (*places, "text-indent", "margin-left", "margin-top")
    return any((place := _points(style.get(name, ""))) is not None and place < _FAR for name in names)


def _points(written: str) -> float | None:
    found = _NUMBER.match(written)
    if found is None:
        return None
    return float(found.group(1)) * _POINTS.get(found.group(2) or "px", 0.75)

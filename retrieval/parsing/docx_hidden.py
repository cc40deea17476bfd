"""Says which runs of a Word document a reader does not see: marked as hidden, in the colour of the ground, or tiny.

The ground is the nearest shading around a run: its own, its paragraph's, its cell's; white where there is none. In a
table whose style shades cells the ground is not known from the cell, and no colour is called hidden there.

Not covered: colours and grounds that only a theme or a table style names, text boxes, the page's own colour.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from docx.oxml.ns import qn

from retrieval.parsing.colours import WHITE, Colour, colour_of, near
from retrieval.types import Remark

__all__ = ["Hidden"]

_TINY: Final = 3  # half points
_OFF: Final = ("0", "false", "off")
_SAID: Final = {
    "vanish": "marked as hidden",
    "ground": "in the colour of their ground",
    "tiny": "smaller than 1.5 points",
}
_PLAIN: Final = "TableGrid"  # the style of a table with lines and nothing else


class Hidden:
    """Judges runs by themselves and the character and paragraph styles that they name, and counts what is hidden."""

    def __init__(self, document: Any) -> None:
        self.counts = Counter[str]()
        self._marked = dict[str, Any]()
        self._shading = set[str]()
        for style in document.styles:
            marks = style.element.find(qn("w:rPr"))
            if marks is not None:
                self._marked[style.style_id] = marks
            if next(style.element.iter(qn("w:shd")), None) is not None:
                self._shading.add(style.style_id)

    def unseen(self, run: Any) -> bool:
        """Say whether a reader does not see a run, and count its characters."""
        reason = self._reason(run)
        if reason:
            self.counts[reason] += sum(len(text.text or "") for text in run.iter(qn("w:t")))
        return bool(reason)

    def remarks(self) -> list[Remark]:
        """Return what is said of the runs that were hidden."""
        parts = [f"{self.counts[reason]} characters {said}" for reason, said in _SAID.items() if self.counts[reason]]
        return [Remark(code="hidden_text", detail=", ".join(parts))] if parts else []

    def _reason(self, run: Any) -> str:
        marks = self._marks(run)
        if not marks:
            return ""
        if _value(marks, "w:vanish", "1") not in (*_OFF, None):
            return "vanish"
        size = _value(marks, "w:sz", "")
        if size is not None and size.isascii() and size.isdigit() and int(size) < _TINY:
            return "tiny"
        colour = colour_of(_value(marks, "w:color", "") or "auto")
        if colour is None:
            return ""
        ground = self._ground(run, marks)
        return "ground" if ground is not None and near(colour, ground) else ""

    def _marks(self, run: Any) -> list[Any]:
        """Return the properties that hold for a run, its own first."""
        own = run.find(qn("w:rPr"))
        named = own.find(qn("w:rStyle")) if own is not None else None
        paragraph = next(run.iterancestors(qn("w:p")), None)
        style = paragraph.find(f"{qn('w:pPr')}/{qn('w:pStyle')}") if paragraph is not None else None
        styles = [self._marked.get(one.get(qn("w:val"), "")) for one in (named, style) if one is not None]
        return [one for one in (own, *styles) if one is not None]

    def _ground(self, run: Any, marks: list[Any]) -> Colour | None:
        """Return the colour behind a run, or None where it is not known."""
        if any(one.find(qn("w:highlight")) is not None for one in marks):
            return None
        for holder in (run, *run.iterancestors(qn("w:p"), qn("w:tc"), qn("w:tbl"))):
            name = {qn("w:r"): "w:rPr", qn("w:p"): "w:pPr", qn("w:tc"): "w:tcPr"}.get(holder.tag, "w:tblPr")
            marked = holder.find(qn(name))
            if marked is None:
                continue
            shade = marked.find(qn("w:shd"))
            if shade is not None:
                fill = shade.get(qn("w:fill"), "auto")
                return (
                    WHITE if fill == "auto" and shade.get(qn("w:val"), "clear") in ("clear", "nil") else colour_of(fill)
                )
            style = marked.find(qn("w:pStyle")) if holder.tag == qn("w:p") else marked.find(qn("w:tblStyle"))
            if style is not None and style.get(qn("w:val")) != _PLAIN and style.get(qn("w:val")) in self._shading:
                return None
        return WHITE


def _value(marks: list[Any], name: str, default: str) -> str | None:
    """Return the value of the first property of a name, `default` where it has none, None where it is not there."""
    for one in marks:
        found = one.find(qn(name))
        if found is not None:
            return str(found.get(qn("w:val"), default))
    return None

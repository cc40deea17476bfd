"""Three short exchanges that show the model what an answer looks like. They are part of the prompt's stable beginning.

Measured with Qwen2.5-Coder-1.5B-Instruct (int8): rules alone gave bare marks and fragments for many questions; with
these examples nearly every answer was a whole sentence with its mark, which is what can be checked. The company is
made up, so that nothing of an example can be taken for knowledge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from retrieval.language import Language

__all__ = ["EXAMPLES", "EXAMPLE_DOCUMENT", "Example"]

EXAMPLE_DOCUMENT: Final[dict[Language, str]] = {"en": "larkfield.pdf", "zh": "青禾纸业.pdf"}
"""The document that the passages of the examples stand in."""


@dataclass(frozen=True, slots=True)
class Example:
    """A question, the passages that came with it, and the answer; None where the passages do not answer."""

    passages: tuple[str, ...]
    question: str
    answer: str | None


EXAMPLES: Final[dict[Language, tuple[Example, ...]]] = {
    "en": (
        Example(
            (
                "Larkfield Paper opened its second mill at Orrin Bay in May 2016. The mill employs 240 people.",
                "Larkfield Paper makes cardboard and wrapping paper. Its head office is in Telmere.",
                "Larkfield Paper raised its dividend in 2015.",
            ),
            "When was the mill at Orrin Bay opened, and how many people work there?",
            "The second mill at Orrin Bay was opened in May 2016 [1]. It employs 240 people [1].",
        ),
        Example(
            (
                "Larkfield Paper raised its dividend in 2015.",
                "Larkfield Paper makes cardboard and wrapping paper. Its head office is in Telmere.",
                "Larkfield Paper opened its second mill at Orrin Bay in May 2016.",
            ),
            "Who founded Larkfield Paper?",
            None,
        ),
        Example(
            (
                "The chair of Larkfield Paper is Ines Varga.",
                "Head office of Larkfield Paper: 4 Quay Street, Telmere.",
            ),
            "Larkfield Paper head office address",
            "The head office of Larkfield Paper is at 4 Quay Street, Telmere [2].",
        ),
    ),
    "zh": (
        Example(
            (
                "青禾纸业的第二工厂于2016年5月在松河投产，有员工240人。",
                "青禾纸业生产纸板和包装纸，总部设在云溪。",
                "青禾纸业2015年提高了股息。",
            ),
            "松河工厂什么时候投产？有多少员工？",
            "松河的第二工厂于2016年5月投产[1]。该工厂有员工240人[1]。",
        ),
        Example(
            (
                "青禾纸业2015年提高了股息。",
                "青禾纸业生产纸板和包装纸，总部设在云溪。",
                "青禾纸业的第二工厂于2016年5月在松河投产。",
            ),
            "青禾纸业的创始人是谁？",
            None,
        ),
        Example(
            ("青禾纸业的董事长是叶知秋。", "青禾纸业总部：云溪市码头街4号。"),
            "青禾纸业总部地址",
            "青禾纸业的总部在云溪市码头街4号[2]。",
        ),
    ),
}

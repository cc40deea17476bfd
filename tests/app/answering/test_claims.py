"""A draft is cut into claims, all at once or while it comes in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.answering.claims import ClaimReader, DraftClaim, split

KNOWN = {"1", "2", "3"}


def claims(text: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(claim.text, claim.cites) for claim in split(text, known=KNOWN)]


@pytest.mark.parametrize(
    "text",
    [
        "Revenue rose [1]. Costs fell [2].",
        "Revenue rose. [1] Costs fell. [2]",
        "Revenue rose.[1] Costs fell.[2]",
        "Revenue rose [1] . Costs fell [2] .",
        "Revenue rose【1】. Costs fell［2］.",
        "Revenue rose [passage 1]. Costs fell [Source 2].",
        "- Revenue rose [1].\n- Costs fell [2].",
        "1. Revenue rose. [1]\n2) Costs fell. [2]",
        "[1] Revenue rose.\n[2] Costs fell.",
        "Revenue rose.\n[1]\nCosts fell.\n[2]",
        "## Results\n**Overview**\nRevenue rose [1].\n\nCosts fell [2].",
        "Based on the passages:\nRevenue rose [1].\nCosts fell [2].",
        "Based on the passages, revenue rose [1]. **Costs** fell [2].",
    ],
)
def test_a_mark_belongs_to_its_sentence_however_it_is_set(text):
    assert claims(text) == [("Revenue rose.", ("1",)), ("Costs fell.", ("2",))]


@pytest.mark.parametrize(
    "text",
    [
        "收入增加[1]。成本下降[2]。",
        "收入增加。[1]成本下降。[2]",
        "收入增加。【1】 成本下降。【2】",
        "收入增加〔1〕。成本下降［2］。",
        "根据所给资料，收入增加[1]。成本下降[段落2]。",
        "1、收入增加[1]。\n2、成本下降[2]。",
        "（1）收入增加[1]。\n（2）成本下降[2]。",
        "根据以上段落：\n收入增加[1]。\n成本下降[2]。",
    ],
)
def test_a_mark_belongs_to_its_sentence_in_chinese(text):
    assert claims(text) == [("收入增加。", ("1",)), ("成本下降。", ("2",))]


@pytest.mark.parametrize("marks", ["[1][2]", "[1, 2]", "[1,2]", "[1]，[2]", "[1、2]", "[1-2]", "[1][2][1]", "[1] [2]"])
def test_several_marks_in_a_row_are_all_cited_once(marks):
    [(_, cites)] = claims(f"Revenue rose {marks}.")
    assert cites == ("1", "2")


def test_marks_that_name_nothing_are_taken_out_and_cite_nothing():
    assert claims("Revenue rose [7][1].") == [("Revenue rose.", ("1",))]
    assert claims("Revenue rose [99].") == [("Revenue rose.", ())]
    assert split("Revenue rose [7].") == [DraftClaim("Revenue rose.", ("7",))]


def test_brackets_that_are_no_marks_stay():
    assert claims("The law [2022] applies [sic] here [1].") == [("The law [2022] applies [sic] here.", ("1",))]


def test_figures_and_abbreviations_do_not_end_a_sentence():
    text = "Dr. Wu of Acme Inc. paid $1,234.5 million, e.g. 3.5% of sales [1]. The U.S. unit paid 2.0 [2]."
    assert [cites for _, cites in claims(text)] == [("1",), ("2",)]
    assert claims("收入为12.5亿元，同比增长5.2%[1]。") == [("收入为12.5亿元，同比增长5.2%。", ("1",))]


@pytest.mark.parametrize(
    "text", ["", "\n\n", "# Title", "**Title**", "```", "---", "[1]", "[1][2]\n[3]", "In short:", "。", "..."]
)
def test_what_says_nothing_is_no_claim(text):
    assert claims(text) == []


def test_a_claim_is_given_as_soon_as_the_next_one_begins():
    reader = ClaimReader(known=KNOWN)
    assert reader.feed("Revenue rose.") == []
    assert reader.feed(" [") == []
    assert reader.feed("1") == []
    assert reader.feed("]") == []
    assert reader.feed(" Costs") == [DraftClaim("Revenue rose.", ("1",))]
    assert reader.feed(" fell [2].") == []
    assert reader.flush() == [DraftClaim("Costs fell.", ("2",))]
    assert reader.flush() == []


_PIECES = st.sampled_from(
    [
        "Revenue rose",
        " by 5.2%",
        ".",
        "。",
        " ",
        "\n",
        "[1]",
        "[2, 3]",
        "【9】",
        "收入增加",
        "- ",
        "1. ",
        "Dr. Wu",
        "? ",
        "# Head",
        "Based on the passages:",
        "**bold**",
        "[",
        "]",
        "U.S.",
        "；",
        "“",
        "”",
        ")",
        "e.g. ",
        "According to the text, ",
    ]
)


@given(st.lists(_PIECES, max_size=25), st.data())
def test_reading_in_pieces_gives_what_reading_at_once_gives(pieces, data):
    text = "".join(pieces)
    reader = ClaimReader(known=KNOWN)
    got: list[DraftClaim] = []
    while text:
        cut = data.draw(st.integers(min_value=1, max_value=len(text)))
        got += reader.feed(text[:cut])
        text = text[cut:]
    assert got + reader.flush() == split("".join(pieces), known=KNOWN)


@given(st.text(max_size=400))
def test_no_text_breaks_it_and_no_mark_survives(text):
    for claim in split(text, known=KNOWN):
        assert claim.text.strip()
        assert set(claim.cites) <= KNOWN

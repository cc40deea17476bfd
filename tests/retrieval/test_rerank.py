"""What the second look adds: names matched in full, names that tell nothing, phrases."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from retrieval.fusion import Weights
from retrieval.rerank import rescored, share_of
from retrieval.types import Locator, Passage

WORDS = Weights(words=1.0, meaning=0.0, phrases=0.0)
PHRASES = Weights(words=0.0, meaning=0.0, phrases=1.0)


def passage(text: str, *, name: str = "note", headings: tuple[str, ...] = (), number: int = 1) -> Passage:
    place = Locator(document_id=name, document=name, page=1, headings=headings)
    return Passage(id=number, document_id=name, ordinal=0, text=text, locator=place, language="en")


def alike(terms: Sequence[str]) -> list[float]:
    """All terms are equally rare."""
    return [1.0] * len(terms)


def scores(query: str, *passages: Passage, weights: Weights = WORDS, rarity=alike) -> list[float]:
    return rescored(query, passages, [0.0] * len(passages), rarity=rarity, weights=weights)


def test_nothing_to_look_at():
    assert scores("loan") == []
    assert scores("", passage("loan")) == [0.0]
    assert scores("the of", passage("loan"), weights=PHRASES) == [0.0]


def test_a_word_of_the_name_is_matched_in_full_so_that_the_rest_decides():
    repeats = passage("Gout. Gout is gout, and gout hurts. Gout again: gout, gout.", name="gout")
    answers = passage("The symptoms are a swollen toe.", name="gout")
    other = passage("The symptoms are a rash.", name="measles")
    found = scores("symptoms of gout", repeats, answers, other)
    assert found[1] > found[0] > 0
    assert found[1] > found[2]


def test_a_name_that_all_share_tells_nothing():
    named = [passage("the licence is granted", name="licence"), passage("notices are sent", name="licence")]
    plain = [passage("the licence is granted", name="x"), passage("notices are sent", name="x")]
    assert scores("licence", *named) == scores("licence", *plain)
    assert scores("licence", *named)[1] == 0.0


def test_headings_count_as_text():
    under, beside = passage("five per cent", headings=("Loan rate",)), passage("five per cent")
    assert scores("loan rate", under, beside)[0] > scores("loan rate", under, beside)[1] == 0.0


def test_a_rare_word_counts_more():
    def rarity(terms: Sequence[str]) -> list[float]:
        return [5.0 if term == "falcon" else 1.0 for term in terms]

    found = scores("falcon merger", passage("falcon"), passage("merger"), rarity=rarity)
    assert found[0] > found[1]
    assert share_of("falcon merger", rarity) == 6.0
    assert share_of("", rarity) == 0


def test_scores_are_shares_of_the_query():
    low, high = scores("loan rate bank", passage("fish"), passage("loan rate bank " * 20))
    assert low == 0.0
    assert 0.9 < high <= 1.0


def test_words_side_by_side_count_as_a_phrase():
    together, apart = passage("the interest rate rose"), passage("the rate of an interest")
    assert scores("interest rate", together, apart, weights=PHRASES) == [1.0, 0.0]


def test_chinese_is_matched_by_its_pairs_of_characters():
    found = scores("带薪年假", passage("员工有带薪年假"), passage("差旅费用"))
    assert found[0] > found[1] == 0.0


def test_meaning_is_weighed_and_added():
    found = rescored("loan", [passage("x"), passage("y")], [0.2, 0.6], rarity=alike, weights=Weights(0.0, 0.5, 0.0))
    assert found == pytest.approx([0.1, 0.3])

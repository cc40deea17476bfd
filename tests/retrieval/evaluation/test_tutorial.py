"""The rival of a tutorial: how it cuts, and that it searches its collections alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.evaluation.reading import laid_out_page
from retrieval.evaluation.suite import EVERYWHERE
from retrieval.evaluation.tutorial import Tutorial, split
from retrieval.trial import Source
from tests.retrieval.word_embedder import WordEmbedder


def pieces(text: str, **sizes: int) -> list[str]:
    return [text[start:end] for start, end in split(text, **sizes)]


def test_a_short_text_is_one_piece_without_its_margins():
    assert pieces("  two words\n") == ["two words"]
    assert pieces("") == pieces(" \n\n ") == []


def test_paragraphs_are_kept_whole_where_they_fit():
    assert pieces("one one\n\ntwo two\n\nthree", size=16, overlap=0) == ["one one\n\ntwo two", "three"]


def test_pieces_overlap_by_whole_parts():
    assert pieces("aa bb cc dd ee", size=8, overlap=5) == ["aa bb cc", "bb cc dd", "cc dd ee"]


def test_a_word_that_is_too_long_is_cut():
    assert pieces("x" * 25, size=10, overlap=0) == ["x" * 10, "x" * 10, "x" * 5]


def test_a_long_paragraph_between_short_ones_is_cut_alone():
    assert pieces("a b\n\nc d e f g h\n\ni j", size=7, overlap=0) == ["a b", "c d e f", "g h", "i j"]


@given(st.text(alphabet="ab \n", max_size=200), st.integers(5, 40), st.integers(0, 4))
def test_nothing_is_lost_and_nothing_is_too_long(text: str, size: int, overlap: int):
    spans = split(text, size=size, overlap=overlap)
    assert all(0 < end - start <= size for start, end in spans)
    covered = {i for start, end in spans for i in range(start, end)}
    assert all(i in covered for i, character in enumerate(text) if not character.isspace())
    assert spans == sorted(spans)


@pytest.fixture
def tutorial() -> Tutorial:
    texts = {"a": "the loan rate is five", "b": "the weather is fine today", "c": "a loan needs a bank"}
    sources = [Source(id=i, name=i, pages=[laid_out_page(1, text)], collection=i) for i, text in texts.items()]
    return Tutorial(sources, WordEmbedder(), lambda _: None)


def test_the_nearest_pieces_are_found_with_their_places(tutorial: Tutorial):
    found = tutorial.ask("the loan rate is five", EVERYWHERE, k=2)
    assert found[0].document == "a"
    assert (found[0].page, found[0].start, found[0].end) == (1, 0, 21)
    assert len(found) == 2
    assert len(tutorial.ask("loan", EVERYWHERE, k=99)) == tutorial.size == 3


def test_one_collection_is_searched_alone(tutorial: Tutorial):
    assert [place.document for place in tutorial.ask("the loan rate is five", EVERYWHERE.within("c"), k=5)] == ["c"]
    assert tutorial.ask("loan", EVERYWHERE.within("none"), k=5) == []

"""Passages follow the structure of their document and lose nothing of it."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.chunking import chunk
from retrieval.parsing.page_text import PageText
from retrieval.parsing.types import BlockKind, ParsedDocument
from retrieval.types import Box

SENTENCE = "The bank reports its exposure to the board every quarter. "  # ten words
HEADING, PARAGRAPH, LIST_ITEM, TABLE = BlockKind


def page_of(blocks, number=1, *, boxed=False):
    """A page of (kind, text) or (kind, text, level); with `boxed`, each line of a block gets a box of its own."""
    page, top = PageText(), 0
    for kind, text, *level in blocks:
        starts = [0, *(at + 1 for at, char in enumerate(text[:-1]) if char == "\n")] if boxed else []
        boxes = [Box(x0=0, top=top + row, x1=100, bottom=top + row + 1) for row in range(len(starts))]
        top += 100
        page.add(kind, text, level=level[0] if level else 0, boxes=boxes, lines=starts)
    return page.page(number, width=600, height=800)


def document_of(*pages, boxed=False):
    return ParsedDocument(
        media_type="application/pdf",
        pages=tuple(page_of(blocks, number, boxed=boxed) for number, blocks in enumerate(pages, 1)),
    )


def test_small_blocks_are_packed_whole():
    document = document_of([(PARAGRAPH, f"{n} " + SENTENCE * 4) for n in range(8)])
    chunks = chunk(document, words=100)
    assert [one.text.count("\n\n") for one in chunks] == [1, 1, 1, 1]
    assert all(one.text == document.pages[0].text[one.start : one.end] for one in chunks)


def test_no_passage_crosses_a_page():
    document = document_of(*[[(PARAGRAPH, f"Page {n} " + SENTENCE)] for n in range(1, 6)])
    chunks = chunk(document, words=160)
    assert [one.page for one in chunks] == [1, 2, 3, 4, 5]
    assert [one.text.split()[1] for one in chunks] == ["1", "2", "3", "4", "5"]


def test_headings_open_passages_and_are_carried_over_pages():
    document = document_of(
        [(HEADING, "Risk", 1), (HEADING, "Credit", 2), (PARAGRAPH, SENTENCE * 5), (HEADING, "Market", 2)],
        [(PARAGRAPH, "Continued. " + SENTENCE * 5), (HEADING, "Capital", 1), (PARAGRAPH, SENTENCE * 5)],
        [(PARAGRAPH, "Still capital. " + SENTENCE)],
    )
    chunks = chunk(document, words=100)
    assert [(one.page, one.headings) for one in chunks] == [
        (1, ("Risk", "Credit")),
        (2, ("Risk", "Market")),
        (2, ("Capital",)),
        (3, ("Capital",)),
    ]
    assert chunks[0].text.startswith("Risk")
    assert chunks[2].text.startswith("Capital")


def test_a_heading_goes_with_what_follows_it():
    document = document_of(
        [(PARAGRAPH, SENTENCE * 9), (HEADING, "Liquidity", 1), (PARAGRAPH, SENTENCE * 9), (PARAGRAPH, SENTENCE)]
    )
    first, second = chunk(document, words=100)
    assert "Liquidity" not in first.text
    assert second.text.startswith("Liquidity")


def test_a_long_paragraph_is_cut_between_sentences_into_equal_parts():
    document = document_of([(PARAGRAPH, (SENTENCE * 36).strip())])
    chunks = chunk(document, words=100)
    sizes = [len(one.text.split()) for one in chunks]
    assert sizes == [90, 90, 90, 90]
    assert all(one.text.endswith("quarter.") and one.text.startswith("The bank") for one in chunks)


def test_chinese_is_measured_in_characters():
    sentence = "商业银行应当定期向监管机构报告资本充足率。"
    document = document_of([(PARAGRAPH, sentence * 40)])
    chunks = chunk(document, words=100)
    assert all(one.text.endswith("。") and one.language == "zh" for one in chunks)
    assert all(100 <= len(one.text) <= 180 for one in chunks)


def test_text_without_any_end_is_cut_all_the_same():
    for text in ("word " * 5000, "x" * 50_000, "中" * 5000):
        chunks = chunk(document_of([(PARAGRAPH, text.strip())]), words=160)
        assert max(len(one.text) for one in chunks) <= 1600
        assert "".join("".join(one.text.split()) for one in chunks) == "".join(text.split())


def test_words_stay_whole_where_they_can():
    chunks = chunk(document_of([(PARAGRAPH, ("consolidated " * 1000).strip())]), words=50)
    assert {word for one in chunks for word in one.text.split()} == {"consolidated"}


def test_a_table_that_fits_stays_whole():
    table = "Item | 2023\n" + "\n".join(f"Row {n} | {n}" for n in range(20))
    document = document_of([(PARAGRAPH, SENTENCE * 8), (TABLE, table), (PARAGRAPH, SENTENCE * 8)])
    assert [one.text for one in chunk(document, words=120) if "Row 0" in one.text or "Row 19" in one.text] == [table]


def test_a_long_table_is_cut_between_rows_and_repeats_its_header():
    rows = [f"Position {n} | {n},000 | {n}.5%" for n in range(100)]
    document = document_of([(TABLE, "Item | Amount | Share\n" + "\n".join(rows))], boxed=True)
    page, chunks = document.pages[0], chunk(document, words=80)
    assert len(chunks) > 5
    assert chunks[0].text == page.text[chunks[0].start : chunks[0].end]
    for one in chunks[1:]:
        assert one.text == "Item | Amount | Share\n" + page.text[one.start : one.end]
    assert [row for one in chunks for row in one.text.split("\n")[1:]] == rows
    header = page.blocks[0].boxes[0]
    assert all(one.boxes[0] == header and len(one.boxes) == len(one.text.split("\n")) for one in chunks)


def test_a_table_of_one_huge_row_is_cut():
    row = " | ".join(str(n) for n in range(2000))
    chunks = chunk(document_of([(TABLE, row)]), words=100)
    assert len(chunks) > 5
    assert "".join("".join(one.text.split()) for one in chunks) == row.replace(" ", "")


def test_boxes_are_those_of_the_lines_of_the_passage():
    lines = [(SENTENCE * 3).strip() for _ in range(10)]
    document = document_of([(PARAGRAPH, "\n".join(lines))], boxed=True)
    chunks = chunk(document, words=100)
    boxes = document.pages[0].blocks[0].boxes
    assert len(chunks) == 3
    assert set(itertools.chain.from_iterable(one.boxes for one in chunks)) == set(boxes)
    for one in chunks:
        first = document.pages[0].text[: one.start].count("\n")
        last = document.pages[0].text[: one.end].count("\n")
        assert one.boxes == boxes[first : last + 1]


def test_small_tails_are_joined_to_their_neighbour():
    document = document_of([(PARAGRAPH, SENTENCE * 10), (PARAGRAPH, "A short tail.")])
    (only,) = chunk(document, words=100)
    assert only.text.endswith("A short tail.")


def test_a_page_that_ends_with_a_heading_keeps_it():
    chunks = chunk(document_of([(PARAGRAPH, SENTENCE * 10), (HEADING, "Annex", 1)], [(PARAGRAPH, SENTENCE)]), words=100)
    assert "Annex" in chunks[0].text
    assert chunks[-1].headings == ("Annex",)


def test_empty_pages_make_no_passages():
    assert chunk(document_of([], [(PARAGRAPH, "Words here.")], [])) == chunk(
        document_of([], [(PARAGRAPH, "Words here.")])
    )
    assert chunk(document_of([], [])) == []


def test_a_length_below_one_is_a_mistake():
    with pytest.raises(ValueError, match="words is 0"):
        chunk(document_of([]), words=0)


words_and_marks = st.text(alphabet=st.sampled_from("ab 1.。,，|\n-中文字！? \tx\u3000"), min_size=1, max_size=300)
blocks = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([PARAGRAPH, LIST_ITEM, TABLE]), words_and_marks),
        st.tuples(st.just(HEADING), words_and_marks, st.integers(1, 4)),
        st.tuples(st.sampled_from([PARAGRAPH, TABLE]), words_and_marks.map(lambda text: (text + "\n") * 20)),
    ),
    max_size=6,
)


@given(pages=st.lists(blocks, max_size=3), words=st.integers(1, 200), boxed=st.booleans())
def test_every_character_lies_in_exactly_one_passage(pages, words, boxed):
    document = document_of(*pages, boxed=boxed)
    chunks = chunk(document, words=words)
    for page in document.pages:
        covered = [0] * len(page.text)
        for one in chunks:
            if one.page == page.number:
                assert one.text.endswith(page.text[one.start : one.end])
                for at in range(one.start, one.end):
                    covered[at] += 1
        assert all(count == 1 for char, count in zip(page.text, covered, strict=True) if not char.isspace())
        assert max(covered, default=0) <= 1


@given(pages=st.lists(blocks, max_size=2), words=st.integers(20, 200))
def test_no_passage_is_much_longer_than_wanted(pages, words):
    for one in chunk(document_of(*pages), words=words):
        assert len("".join(one.text.split())) <= 10 * words * 2 + 20

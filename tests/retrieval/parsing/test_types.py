"""What a child says is checked before it is believed."""

import pytest
from pydantic import ValidationError

from retrieval.parsing.page_text import PageText
from retrieval.parsing.types import Block, BlockKind, Limits, ParsedDocument, ParsedPage
from retrieval.types import Box

BOX = Box(x0=1, top=2, x1=3, bottom=4)


def block(start, end, **more):
    return Block(kind=BlockKind.PARAGRAPH, start=start, end=end, **more)


def page(*blocks, text="some text here", number=1, width=1, height=1):
    return ParsedPage(number=number, text=text, width=width, height=height, blocks=blocks)


def test_a_good_page_survives_json():
    document = ParsedDocument(
        media_type="application/pdf", pages=(page(block(0, 4, boxes=(BOX,), lines=(0,)), block(5, 14)),)
    )
    assert ParsedDocument.model_validate_json(document.model_dump_json()) == document
    assert hash(document) == hash(document.model_copy())


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: block(3, 2),
        lambda: block(-1, 2),
        lambda: block(0, 4, boxes=(BOX,)),
        lambda: block(0, 4, lines=(0,)),
        lambda: block(2, 4, boxes=(BOX,), lines=(1,)),
        lambda: block(2, 4, boxes=(BOX,), lines=(4,)),
        lambda: page(block(0, 15)),
        lambda: page(block(0, 6), block(5, 10)),
        lambda: page(block(5, 10), block(0, 4)),
        lambda: page(number=0),
        lambda: page(width=float("nan")),
        lambda: page(height=float("inf")),
        lambda: page(width=-1),
        lambda: ParsedPage.model_validate({"number": 1, "text": "", "width": 0, "height": 0, "blocks": [], "more": 1}),
        lambda: Limits(max_bytes=0, max_pages=1, timeout_s=1, memory_mb=1),
        lambda: Limits(max_bytes=1, max_pages=1, timeout_s=0, memory_mb=1),
    ],
)
def test_what_does_not_fit_is_refused(wrong):
    with pytest.raises(ValidationError):
        wrong()


def test_values_are_frozen():
    with pytest.raises(ValidationError):
        page().text = "other"


def test_a_page_grows_block_by_block():
    text = PageText()
    assert len(text) == 0
    text.add(BlockKind.HEADING, "Title", level=2)
    text.add(BlockKind.PARAGRAPH, " \n ")
    text.add(BlockKind.TABLE, "a | b\nc | d", boxes=[BOX, BOX], lines=[0, 6])
    made = text.page(3, width=10, height=20)
    assert made.text == "Title\n\na | b\nc | d"
    assert [(one.kind.value, one.start, one.end, one.level, one.lines) for one in made.blocks] == [
        ("heading", 0, 5, 2, ()),
        ("table", 7, 18, 0, (7, 13)),
    ]
    assert (made.number, made.width, made.height) == (3, 10, 20)

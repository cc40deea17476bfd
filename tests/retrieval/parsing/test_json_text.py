"""JSON comes out as lines under headings and as tables; no member is lost and no depth hurts."""

import json

import pytest

from retrieval.errors import DamagedFile, ParseLimit, TooManyPages
from retrieval.parsing.json_text import read
from retrieval.parsing.parse import parse
from retrieval.parsing.types import JSON


@pytest.fixture
def blocks_in(put):
    def blocks(content, max_pages=500):
        data = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        total, pages = read(put("x.json", data.encode()), max_pages=max_pages)
        pages = list(pages)
        assert total == len(pages)
        return [(b.kind.value, b.level, page.text[b.start : b.end]) for page in pages for b in page.blocks]

    return blocks


def test_plain_members_are_lines(blocks_in):
    value = {
        "id": 1,
        "名称": "公司",
        "tags": ["a", "b"],
        "ok": True,
        "none": None,
        "address": {"city": "X", "zip": "0"},
    }
    assert blocks_in(value) == [
        ("paragraph", 0, "id: 1\n名称: 公司\ntags: a, b\nok: true\nnone: null\naddress.city: X\naddress.zip: 0")
    ]


def test_numbers_stay_as_they_are_written(blocks_in):
    text = '{"a": 1.50, "b": 1E400, "c": -0, "d": 123456789012345678901234567890}'
    assert blocks_in(text) == [("paragraph", 0, "a: 1.50\nb: 1E400\nc: -0\nd: 123456789012345678901234567890")]
    assert blocks_in("9" * 10_000)[0][2] == "9" * 10_000


def test_of_two_members_of_one_name_both_are_read(blocks_in):
    assert blocks_in('{"a": 1, "a": 2}') == [("paragraph", 0, "a: 1\na: 2")]
    assert blocks_in('[{"a": 1, "a": 2}, {"a": 3}]') == [("table", 0, "a\n1, 2\n3")]


def test_objects_with_the_same_members_are_a_table(blocks_in):
    value = {"company": "X", "staff": [{"name": "A", "age": 3}, {"name": "B", "age": 4, "roles": ["r", "s"]}]}
    assert blocks_in(value) == [
        ("paragraph", 0, "company: X"),
        ("heading", 1, "staff"),
        ("table", 0, "name | age | roles\nA | 3\nB | 4 | r, s"),
    ]


def test_objects_that_share_little_are_no_table(blocks_in):
    value = [{f"k{row}": row, f"m{row}": 0} for row in range(4)]
    assert {kind for kind, _, _ in blocks_in(value)} == {"heading", "paragraph"}


def test_records_with_long_texts_stand_under_their_titles(blocks_in):
    value = {"articles": [{"title": "第一条", "body": "内容。" * 200}, {"id": 7, "body": "b" * 400}]}
    found = blocks_in(value)
    assert [(level, text) for kind, level, text in found if kind == "heading"] == [
        (1, "articles"),
        (2, "第一条"),
        (2, "7"),
    ]
    assert ("paragraph", 0, "body: " + "b" * 400) in found


def test_plain_members_do_not_fall_under_the_headings_of_others(blocks_in):
    value = {"deep": {"a": {f"k{n}": n for n in range(20)}}, "after": 1}
    assert blocks_in(value)[0] == ("paragraph", 0, "after: 1")


def test_below_three_headings_the_path_is_written(blocks_in):
    value = {"a": {"b": {"c": {"d": {f"k{n}": n for n in range(10)}}}}}
    found = blocks_in(value)
    assert [text for kind, _, text in found if kind == "heading"] == ["a", "b", "c"]
    assert found[-1][2].startswith("d.k0: 0\n")


SHAPES = ("[1, 2]", '"words"', "3", "[[1, [2]], []]", '[{"a": {}}, {}]', "[[[[[1]]]]]", '{"": {"": 1}}')


@pytest.mark.parametrize("value", SHAPES)
def test_values_of_every_shape_are_read(blocks_in, value):
    assert isinstance(blocks_in(value), list)


def test_lines_of_json_are_read_together(blocks_in, put):
    assert blocks_in('{"a": 1, "b": 2}\n\n{"a": 3, "b": 4}\n') == [("table", 0, "a | b\n1 | 2\n3 | 4")]
    with pytest.raises(DamagedFile):
        blocks_in('{"a": 1}\n{"a": \n')


@pytest.mark.parametrize("text", ['{"a":', "{'a': 1}", '{"a": 1} words', '{"a": NaN}', "[1, 2", '{"a": 1,}', "\x00"])
def test_what_is_no_json_is_damage(blocks_in, text):
    with pytest.raises(DamagedFile) as caught:
        blocks_in(text)
    assert "1" not in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[" * 80 + "]" * 80,
        '{"a":' * 80 + "1" + "}" * 80,
        "[" * 80 + '[{"b": 1}, {"b": 2}]' + "]" * 80,
        '{"a":' * 500 + "1" + "}" * 500,
    ],
)
def test_deep_nesting_is_refused(blocks_in, text):
    with pytest.raises(ParseLimit, match="64 levels"):
        blocks_in(text)


def test_a_wide_table_of_long_rows_is_cut_into_pages_with_its_header(blocks_in):
    value = [{"name": f"n{row}", "text": "words " * 20} for row in range(200)]
    tables = [text for kind, _, text in blocks_in(value) if kind == "table"]
    assert len(tables) > 3
    assert all(text.startswith("name | text\n") for text in tables)
    with pytest.raises(TooManyPages):
        blocks_in(value, max_pages=3)


def test_the_child_reads_it(put, limits):
    document = parse(put("0f3a", b'{"rate": 0.125}'), name="a.json", limits=limits)
    assert (document.media_type, document.pages[0].text) == (JSON, "rate: 0.125")

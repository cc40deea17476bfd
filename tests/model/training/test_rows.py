from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import TrainingRejected
from model.training.rows import TrainingRow, digest_of, is_held_out, read_rows, split

GOOD = {"prompt": "May the lender assign?", "completion": "Yes, with notice.", "domain": "legal", "unit": "contract-1"}


def written(folder: Path, *lines: bytes) -> Path:
    path = folder / "rows.jsonl"
    path.write_bytes(b"\n".join(lines))
    return path


def line(**change: Any) -> bytes:
    return json.dumps({name: value for name, value in (GOOD | change).items() if value is not None}).encode()


def row(unit: str, domain: str = "legal", text: str = "x") -> TrainingRow:
    return TrainingRow("p", text, domain, unit, 1)


def test_a_good_file_is_read_as_it_is(tmp_path: Path) -> None:
    chinese = line(prompt="贷款人可以转让吗？", completion="可以。", unit=None)
    path = written(tmp_path, line(), chinese, line(prompt="", domain="general", completion="Text.", unit=None))
    first, second, third = read_rows(path, domains=["legal", "medical"])
    assert first == TrainingRow(*GOOD.values(), line=1)
    assert (second.unit, second.line) == ("贷款人可以转让吗？", 2)
    assert (third.unit, third.domain) == ("Text.", "general")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "not JSON"),
        (b'{"prompt": ', "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[]", "not a JSON object"),
        (line(answer="x"), "not a JSON object of completion, domain, prompt, unit alone"),
        (line(prompt=None), "prompt is missing"),
        (line(completion=None), "completion is missing"),
        (line(domain=3), "domain is missing or no text"),
        (line(unit=7), "unit is no text"),
        (line(unit=""), "unit is no text, or empty"),
        (line(completion=" \n"), "completion is empty"),
        (line(prompt=""), "prompt is empty"),
        (line(domain="sports"), "domain is none of general, legal"),
        (line(completion="\ud800"), "surrogate"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_broken_row_is_refused_with_its_line(text: bytes, said: str, tmp_path: Path) -> None:
    path = written(tmp_path, line(), text, line())
    with pytest.raises(TrainingRejected, match=f"line 2: .*{said}") as caught:
        read_rows(path, domains=["legal"])
    assert "1 broken rows" in caught.value.message
    assert "Yes, with" not in caught.value.message, "what rows say stays out of messages"


def test_all_broken_rows_are_counted_and_the_first_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingRejected, match="has 20 broken rows") as caught:
        read_rows(written(tmp_path, *[b"{}"] * 20), domains=["legal"])
    assert "line 8:" in caught.value.message
    assert "line 9:" not in caught.value.message
    assert "and 12 more" in caught.value.message


def test_no_row_and_no_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingRejected, match="no row"):
        read_rows(written(tmp_path), domains=["legal"])
    with pytest.raises(TrainingRejected, match="cannot be read"):
        read_rows(tmp_path / "none.jsonl", domains=["legal"])


def test_a_base_without_domains_takes_any_name_but_an_empty_one(tmp_path: Path) -> None:
    assert read_rows(written(tmp_path, line(domain="sports")), domains=None)[0].domain == "sports"
    with pytest.raises(TrainingRejected, match="domain is empty"):
        read_rows(written(tmp_path, line(domain="")), domains=None)


@given(st.lists(st.text(max_size=8), min_size=1, max_size=60), st.floats(0.1, 0.9))
@settings(max_examples=60, deadline=None)
def test_a_unit_is_on_one_side_alone(units: list[str], share: float) -> None:
    rows = [row(unit, text=str(place)) for place, unit in enumerate(units)]
    try:
        trained, measured = split(rows, share)
    except TrainingRejected:
        return
    assert {entry.unit for entry in trained} & {entry.unit for entry in measured} == set()
    assert sorted(trained + measured, key=lambda entry: int(entry.completion)) == rows


def test_the_share_held_out_is_about_the_one_asked_for_and_does_not_move() -> None:
    units = [f"unit-{number}" for number in range(4000)]
    held = {unit for unit in units if is_held_out(unit, 0.2)}
    # four standard errors of a share of 4,000: 0.025
    assert len(held) / 4000 == pytest.approx(0.2, abs=0.025)
    assert held <= {unit for unit in units if is_held_out(unit, 0.3)}, "a larger share keeps what was held out"
    # sha256sum of "unit-0" to "unit-5" begins 2a, d1, 74, 5a, bc, 00: another rule would be another split of all data
    assert [is_held_out(f"unit-{number}", 0.5) for number in range(6)] == [True, False, True, True, False, True]


def test_nothing_to_measure_or_to_train_is_refused() -> None:
    held = next(f"u{number}" for number in range(99) if is_held_out(f"u{number}", 0.1))
    free = next(f"u{number}" for number in range(99) if not is_held_out(f"u{number}", 0.1))
    with pytest.raises(TrainingRejected, match="to measure on"):
        split([row(free)], 0.1)
    with pytest.raises(TrainingRejected, match="to train on"):
        split([row(held), row(free, domain="general")], 0.1)


def test_the_digest_is_of_the_content(tmp_path: Path) -> None:
    one = read_rows(written(tmp_path, line(), line(unit="b")), domains=None)
    escaped = json.dumps(GOOD | {"unit": "b"}, ensure_ascii=True, indent=None, separators=(" , ", " : ")).encode()
    other = read_rows(written(tmp_path, escaped, line()), domains=None)
    assert digest_of(one) == digest_of(other)
    assert digest_of(one) != digest_of(one[:1])
    assert digest_of(one) != digest_of([*one[:1], row("b")])

"""The rules' language and file: what holds when, hostile text, errors that name the place, changes while running."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domains.finance.transactions.errors import RulesRefused
from domains.finance.transactions.expressions import DEEPEST, LONGEST, parse
from domains.finance.transactions.features import NAMES
from domains.finance.transactions.rules import SHIPPED, RulesFile, read

ABC = ("a", "b", "c.x.5m")
NAN = math.nan


@pytest.mark.parametrize(
    ("text", "row", "holds"),
    [
        ("a > 1", (2, 0, 0), True),
        ("a > 1", (1, 0, 0), False),
        ("1 < a", (2, 0, 0), True),
        ("a >= 1 and b <= 2", (1, 2, 0), True),
        ("a == 1 or b != 2 and a == 9", (1, 2, 0), True),
        ("(a == 1 or b == 2) and c.x.5m == 3", (1, 0, 0), False),
        ("a > b", (2, 1, 0), True),
        ("a > -1.5", (-1, 0, 0), True),
        ("a > 1e3", (1001, 0, 0), True),
        ("a > 1_000", (1001, 0, 0), True),
        ("not a > 1", (0, 0, 0), True),
        ("not not a > 1", (2, 0, 0), True),
        ("a > 1", (NAN, 0, 0), False),
        ("a != 1", (NAN, 0, 0), False),
        ("not a > 1", (NAN, 0, 0), True),
        ("known(a)", (NAN, 0, 0), False),
        ("known(a) and not known(b)", (1, NAN, 0), True),
        ("  a>1and b<2 ", (2, 1, 0), True),
    ],
)
def test_a_condition_holds_when_it_says(text: str, row: tuple[float, ...], holds: bool) -> None:
    assert parse(text, ABC).holds(row) is holds


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("", 1, "feature or a number"),
        ("a", 2, "comparison"),
        ("a >", 4, "feature or a number"),
        ("a > 1 b", 7, "and, or, or the end"),
        ("a > 1 and", 10, "feature or a number"),
        ("(a > 1", 7, "closing parenthesis"),
        ("a > 1)", 6, "and, or, or the end"),
        ("1 > 2", 3, "two numbers"),
        ("z > 1", 1, "no feature"),
        ("a = 1", 3, "no meaning"),
        ("a > 1 && b > 1", 7, "no meaning"),
        ("a > 'x'", 5, "no meaning"),
        ("known(1)", 7, "feature or a number"),
        ("and > 1", 1, "feature or a number"),
        ("a > 1e9999", 10, "and, or"),
        ("a > 0x10", 6, "and, or"),
        ("a > nan", 5, "no feature"),
        ("a.b.c > 1", 1, "no feature"),
        ("__import__('os').system('id')", 1, "no meaning"),
        ("a > 1; import os", 6, "no meaning"),
        ("a > （1）", 5, "no meaning"),
        ("a > １", 5, "no meaning"),
    ],
)
def test_a_wrong_condition_is_refused_with_its_column(text: str, column: int, said: str) -> None:
    with pytest.raises(RulesRefused, match=said) as caught:
        parse(text, ABC)
    assert caught.value.message.startswith(f"Column {column}:")
    assert caught.value.remedy


def test_a_misspelt_feature_gets_the_nearest_name() -> None:
    with pytest.raises(RulesRefused) as caught:
        parse("acount.count.1h > 3", NAMES)
    assert "account.count.1h" in caught.value.remedy


@pytest.mark.parametrize(
    "text", ["(" * 5_000 + "a > 1", "not " * 200 + "a > 1", "a > 1 and " * 5_000 + "a > 1", "(" * (DEEPEST + 2)]
)
def test_a_bomb_is_refused_before_it_grows(text: str) -> None:
    with pytest.raises(RulesRefused):
        parse(text, ABC)


def test_the_longest_and_deepest_that_are_allowed_are_read() -> None:
    nest = "(" * DEEPEST + "a > 1" + ")" * DEEPEST
    assert parse(nest, ABC).holds((2, 0, 0))
    long = " or ".join(["a > 9"] * 100)
    assert len(long) <= LONGEST
    assert not parse(long, ABC).holds((2, 0, 0))


@example("0_")
@example("\x1f")  # a space to str.lstrip, none to the grammar
@given(st.text(max_size=60) | st.text(alphabet="abc.x5m<>=!()andorkw ÷ 0123456789e-_", max_size=60))
def test_any_text_is_a_condition_or_is_refused(text: str) -> None:
    try:
        found = parse(text, ABC)
    except RulesRefused:
        return
    assert found.holds((0.0, NAN, 1.0)) in (True, False)


NUMBERS = st.floats(allow_nan=True, allow_infinity=False, width=32)


@given(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), NUMBERS, NUMBERS, NUMBERS)
def test_comparisons_are_those_of_numbers_and_nan_is_no(sign: str, a: float, b: float, number: float) -> None:
    by_hand = {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "==": a == b, "!=": a < b or a > b}[sign]
    assert parse(f"a {sign} b", ABC).holds((a, b, number)) == by_hand


# the file

ONE = """
[decision]
review_from = 0.1
block_from = 0.5
review_points = 50

[[rule]]
name = "big"
when = "event.amount >= 1000"
action = "{action}"
weight = {weight}
en = "Big"
zh = "大额"
"""


def ruled(action: str = "note", weight: float = 10) -> str:
    return ONE.format(action=action, weight=weight)


def row(**features: float) -> np.ndarray:
    values = np.full((1, len(NAMES)), np.nan)
    for name, value in features.items():
        values[0, NAMES.index(name.replace("__", "."))] = value
    return values


@pytest.mark.parametrize(
    ("action", "weight", "probability", "amount", "decision"),
    [
        ("note", 10, 0.0, 1, "allow"),
        ("note", 10, 0.0, 1000, "note"),
        ("review", 10, 0.0, 1000, "review"),
        ("block", 10, 0.0, 1000, "block"),
        ("note", 50, 0.0, 1000, "review"),
        ("note", 10, 0.1, 1, "review"),
        ("note", 10, 0.5, 1, "block"),
        ("review", 10, 0.5, 1000, "block"),
        ("note", 10, 0.0999, 1, "allow"),
    ],
)
def test_the_strictest_decides(action: str, weight: float, probability: float, amount: float, decision: str) -> None:
    rules = read(ruled(action, weight))
    fired = rules.fired(row(event__amount=amount))[0]
    assert rules.decide(probability, fired) == decision


def test_no_points_are_asked_for_where_no_rule_holds() -> None:
    rules = read("[decision]\nreview_points = 0\n")
    assert rules.decide(0.0, ()) == "allow"


def test_the_shipped_rules_can_be_read_and_each_can_be_said_in_both_languages() -> None:
    rules = read(SHIPPED.read_text("utf-8"))
    assert len(rules.rules) >= 10
    assert all(rule.en.isascii() and not rule.zh.isascii() for rule in rules.rules)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[rule]", "line 1"),
        ("x = 1", "'x' is not known"),
        ("[decision]\nreview = 1", "'review' is not known"),
        ("[decision]\nreview_from = 2", "review_from is no number"),
        ("[decision]\nreview_from = true", "review_from is no number"),
        ("[decision]\nreview_from = nan", "review_from is no number"),
        ("[decision]\nreview_from = 0.9\nblock_from = 0.1", "below review_from"),
        ("rule = 3", "at most"),
        ("decision = 3", "table"),
        ("rule = [3]", "a rule is a table"),
        (ruled().replace('name = "big"', 'name = "Big One"'), "Line 7: the name"),
        (ruled().replace('name = "big"', ""), "Line 7: the rule has no usable `name`"),
        (ruled().replace("zh =", "fr ="), "'fr' is not known"),
        (ruled().replace('zh = "大额"', 'zh = " "'), "no usable `zh`"),
        (ruled("explode"), "the action 'explode'"),
        (ruled(weight=-1), "weight is no number"),
        (ruled().replace("event.amount", "event.amout"), "Line 7, rule 'big', `when`: Column 1"),
        (ruled() + ruled().partition("\n\n")[2], "Line 14: two rules are called 'big'"),
        ("# \ud800", "half of a character"),
        ("#" * 300_000, "bytes"),
        ("a = " + "[" * 5_000, "TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line_and_a_remedy(text: str, said: str) -> None:
    with pytest.raises(RulesRefused) as caught:
        read(text)
    assert said.lower() in caught.value.message.lower()
    assert caught.value.remedy


@given(st.text(max_size=200))
def test_any_text_is_rules_or_is_refused(text: str) -> None:
    try:
        found = read(text)
    except RulesRefused:
        return
    assert 0 <= found.review_from <= found.block_from <= 1


class Ticks:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def change(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 5_000_000))


def test_the_file_is_made_from_the_shipped_rules_and_a_change_is_taken_up(tmp_path: Path) -> None:
    clock, path = Ticks(), tmp_path / "rules.toml"
    rules = RulesFile(path, clock=clock)
    assert path.read_text("utf-8") == SHIPPED.read_text("utf-8")
    change(path, ruled())
    assert len(rules.current.rules) > 1, "not looked at again within the second"
    clock.now = 1.5
    assert [rule.name for rule in rules.current.rules] == ["big"]
    assert rules.problem is None


def test_a_wrong_change_leaves_the_old_rules_in_force_and_says_why(tmp_path: Path) -> None:
    clock, path = Ticks(), tmp_path / "rules.toml"
    path.write_text(ruled(), encoding="utf-8")
    rules = RulesFile(path, clock=clock)
    change(path, ruled().replace("event.amount", "event.amout"))
    clock.now = 2
    assert [rule.name for rule in rules.current.rules] == ["big"]
    assert rules.problem is not None
    assert "Line 7" in rules.problem.message
    change(path, ruled("block"))
    clock.now = 4
    assert rules.current.rules[0].action == "block"
    assert rules.problem is None


@pytest.mark.parametrize("harm", ["gone", "binary"])
def test_a_file_that_cannot_be_read_leaves_the_old_rules_in_force(tmp_path: Path, harm: str) -> None:
    clock, path = Ticks(), tmp_path / "rules.toml"
    path.write_text(ruled(), encoding="utf-8")
    rules = RulesFile(path, clock=clock)
    path.unlink()
    if harm == "binary":
        path.write_bytes(b"\xff\xfe\x00")
    clock.now = 2
    assert [rule.name for rule in rules.current.rules] == ["big"]
    assert rules.problem is not None


def test_a_start_with_a_wrong_file_uses_the_shipped_rules_and_keeps_the_file(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("wrong", encoding="utf-8")
    rules = RulesFile(path)
    assert rules.problem is not None
    assert rules.current.digest == read(SHIPPED.read_text("utf-8")).digest
    assert path.read_text("utf-8") == "wrong"


def test_replacing_is_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    rules = RulesFile(path)
    before = rules.current.digest
    with pytest.raises(RulesRefused):
        rules.replace("wrong")
    assert rules.current.digest == before
    rules.replace(ruled())
    assert path.read_text("utf-8") == ruled()
    assert RulesFile(path).current.digest == rules.current.digest != before

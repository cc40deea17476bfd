"""Results read back, compared pair by pair, and held against pinned figures; and the commands that do it."""

from __future__ import annotations

import json
import time

import pytest
from typer.testing import CliRunner

from app.answering.evaluation.compare import compared, in_words
from app.answering.evaluation.figures import Row, drawn, result
from app.answering.evaluation.gate import LESS_IS_BETTER, Pin, held, pins_of, read_pins
from app.answering.evaluation.results import read_result, result_of
from app.cli import app
from app.errors import BadRequest


def made(values, *, suite="demo", metric="accuracy", groups=None, **more):
    rows = [
        Row(str(number), {metric: float(value)}, group=groups[number] if groups else None)
        for number, value in enumerate(values)
    ]
    return result(suite, "set", rows, started=time.monotonic(), seed=0, settings={}, **more)


def read(values, **options):
    return result_of("r.json", made(values, **options))


def test_a_result_adds_up_its_items_and_keeps_them_with_their_groups() -> None:
    body = made(
        [1, 0, 1, 1], groups=["a", "a", "b", "b"], metrics={"macro_f1": 0.51239}, edges={"macro_f1": (0.4, 0.6)}
    )
    assert body["metrics"] == {"accuracy": 0.75, "macro_f1": 0.5124}
    assert body["intervals"]["macro_f1"] == [0.4, 0.6]
    low, high = body["intervals"]["accuracy"]
    assert low <= 0.75 <= high
    assert body["counts"] == {"accuracy": 4}
    assert body["items"][0] == {"id": "0", "group": "a", "figures": {"accuracy": 1.0}}


def test_a_metric_that_does_not_apply_to_an_item_does_not_count_it() -> None:
    rows = [Row("1", {"a": 1.0}), Row("2", {"a": 0.0, "b": 1.0}, told={"reply": "x"})]
    body = result("demo", "set", rows, started=time.monotonic(), seed=0, settings={"k": 1}, naive={"a": 0.1})
    assert body["counts"] == {"a": 2, "b": 1}
    assert body["items"][1]["reply"] == "x"
    assert (body["settings"], body["naive"]) == ({"seed": 0, "k": 1}, {"a": 0.1})


def test_a_draw_keeps_the_order_and_is_the_same_for_a_seed() -> None:
    items = list(range(100))
    assert drawn(items, limit=None, seed=1) == drawn(items, limit=100, seed=1) == items
    some = drawn(items, limit=10, seed=1)
    assert some == sorted(some) == drawn(items, limit=10, seed=1)
    assert len(set(some)) == 10
    assert some != drawn(items, limit=10, seed=2)


def test_a_difference_on_the_same_items_is_seen() -> None:
    before, after = read([0, 1] * 40), read([1, 1] * 40)
    found = compared(before, after)
    one = found["metrics"]["accuracy"]
    assert (one["before"], one["after"], one["difference"], one["significant"]) == (0.5, 1.0, 0.5, True)
    assert any("significant" in line for line in in_words(found))


def test_a_few_items_that_changed_are_luck() -> None:
    one = compared(read([1] * 20 + [0] * 20), read([1] * 21 + [0] * 19))["metrics"]["accuracy"]
    assert not one["significant"]
    assert one["interval"][0] <= 0 <= one["interval"][1]


def test_items_of_one_group_are_drawn_together() -> None:
    """Twenty changed items of one document are one observation, not twenty."""
    groups = ["a"] * 20 + ["b"] * 20 + ["c"] * 20
    before, after = [0] * 60, [1] * 20 + [0] * 40
    assert compared(read(before), read(after))["metrics"]["accuracy"]["significant"]
    grouped = compared(read(before, groups=groups), read(after, groups=groups))["metrics"]["accuracy"]
    assert not grouped["significant"]


def test_figures_that_are_no_means_are_named_and_not_compared() -> None:
    found = compared(read([1, 0], metrics={"macro_f1": 0.4}), read([1, 1], metrics={"macro_f1": 0.6}))
    assert found["not_compared"] == ["macro_f1"]
    assert "macro_f1" in list(in_words(found))[-1]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"values": [1, 0], "suite": "other"}, "of the suite"),
        ({"values": [1, 0, 1]}, "1 items are in one result only"),
        ({"values": [1, 0], "groups": ["x", "x"]}, "another group"),
    ],
)
def test_results_that_do_not_match_are_refused(other, said) -> None:
    with pytest.raises(BadRequest, match=said):
        compared(read([1, 0]), read(other.pop("values"), **other))


def test_a_result_without_figures_of_items_is_refused() -> None:
    bare = result_of("r.json", made([1]) | {"items": [{"id": "1", "reply": "x"}]})
    with pytest.raises(BadRequest, match="no pairs"):
        compared(bare, bare)


@pytest.mark.parametrize(
    "body", [[], {}, {"suite": "x"}, {"suite": "x", "data": "d", "n": 1, "metrics": {"a": "b"}}, 5, None]
)
def test_what_is_no_result_is_refused(body, tmp_path) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(body), encoding="utf-8")
    with pytest.raises(BadRequest, match="no result"):
        read_result(path)


def test_files_that_cannot_be_read_are_refused(tmp_path) -> None:
    with pytest.raises(BadRequest, match="cannot be read"):
        read_result(tmp_path / "none.json")
    broken = tmp_path / "broken.json"
    broken.write_text("{", encoding="utf-8")
    with pytest.raises(BadRequest, match="no JSON"):
        read_result(broken)
    with pytest.raises(BadRequest, match="two items"):
        result_of("r.json", made([1]) | {"items": [{"id": "1", "figures": {}}] * 2})


def test_a_pin_holds_within_its_interval_and_better() -> None:
    pins = [Pin(**{**row, "interval": tuple(row["interval"])}) for row in pins_of([read([1, 0] * 20)])["pins"]]
    low = pins[0].interval[0]
    assert held(pins, [read([1, 0] * 20)])[0].holds
    assert held(pins, [read([1] * 40)])[0].holds
    worse = held(pins, [read([0] * 40)])[0]
    assert not worse.holds
    assert str(worse).startswith("WORSE")
    assert f"{low:.4f}" in str(worse)


def test_of_some_figures_less_is_better() -> None:
    assert "attack_success" in LESS_IS_BETTER
    pins = [
        Pin(**{**row, "interval": tuple(row["interval"])})
        for row in pins_of([read([0] * 30 + [1], metric="attack_success")])["pins"]
    ]
    assert held(pins, [read([0] * 31, metric="attack_success")])[0].holds
    assert not held(pins, [read([1] * 31, metric="attack_success")])[0].holds


def test_a_figure_that_is_gone_does_not_hold() -> None:
    pins = [Pin("demo", "set", 2, "accuracy", 1.0, (0.0, 1.0))]
    [one] = held(pins, [read([1, 1], metric="another")])
    assert not one.holds
    assert "missing" in str(one)


def test_results_that_the_pins_are_not_of_are_refused() -> None:
    pins = [Pin("demo", "set", 2, "accuracy", 1.0, (0.0, 1.0))]
    with pytest.raises(BadRequest, match="pinned"):
        held(pins, [read([1, 1], suite="other")])
    with pytest.raises(BadRequest, match="2 were pinned"):
        held(pins, [read([1, 1, 1])])
    with pytest.raises(BadRequest, match="Two results"):
        held(pins, [read([1, 1]), read([1, 1])])
    with pytest.raises(BadRequest, match="interval"):
        pins_of([])


@pytest.mark.parametrize("body", ["{", "[]", '{"version": 2, "pins": []}', '{"version": 1, "pins": []}'])
def test_a_file_of_pins_that_is_none_is_refused(tmp_path, body) -> None:
    path = tmp_path / "pins.json"
    path.write_text(body, encoding="utf-8")
    with pytest.raises(BadRequest, match="pins"):
        read_pins(path)


def test_the_commands_pin_hold_and_fail(tmp_path) -> None:
    good, bad, pins = tmp_path / "good.json", tmp_path / "bad.json", tmp_path / "pins.json"
    good.write_text(json.dumps(made([1, 0] * 20)), encoding="utf-8")
    bad.write_text(json.dumps(made([0] * 40)), encoding="utf-8")
    run = CliRunner().invoke
    assert run(app, ["eval", "gate", "--pinned", str(pins), "--write", str(good)]).exit_code == 0
    held_ = run(app, ["eval", "gate", "--pinned", str(pins), str(good)])
    assert (held_.exit_code, held_.stdout.split()[0]) == (0, "holds")
    failed = run(app, ["eval", "gate", "--pinned", str(pins), str(bad)])
    assert (failed.exit_code, failed.stdout.split()[0]) == (1, "WORSE")
    refused = run(app, ["eval", "gate", "--pinned", str(tmp_path / "none.json"), str(good)])
    assert refused.exit_code == 1


def test_the_command_compares(tmp_path) -> None:
    one, other = tmp_path / "a.json", tmp_path / "b.json"
    one.write_text(json.dumps(made([0, 1] * 40)), encoding="utf-8")
    other.write_text(json.dumps(made([1, 1] * 40)), encoding="utf-8")
    run = CliRunner().invoke
    said = run(app, ["eval", "compare", str(one), str(other)])
    assert said.exit_code == 0
    assert "difference +0.5000" in said.stdout
    told = json.loads(run(app, ["eval", "compare", "--json", str(one), str(other)]).stdout)
    assert told["metrics"]["accuracy"]["significant"] is True
    other.write_text(json.dumps(made([1, 1] * 40, suite="other")), encoding="utf-8")
    assert run(app, ["eval", "compare", str(one), str(other)]).exit_code == 1


@pytest.mark.parametrize("words", [["eval", "list"], ["eval", "--limit", "3", "list"]])
def test_a_suite_is_still_named_right_after_eval(words) -> None:
    said = CliRunner().invoke(app, words)
    assert said.exit_code == 0
    assert {"pubmedqa", "mirage", "lawbench", "legalbench", "mmlu", "cmmlu", "sql"} <= set(said.stdout.split())

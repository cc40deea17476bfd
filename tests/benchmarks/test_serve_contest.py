"""Taking turns with contenders whose clock is invented: rounds, failures, memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.serve import run
from benchmarks.serve_contender import MEASURES
from benchmarks.serve_contest import contest, goes
from benchmarks.serve_figures import Outcome, ratios
from benchmarks.serve_worker import Entrant

FIRST_ANSWER = 2
"""The warm-up is the first call; the measures of the first round follow."""


def entrant(name: str, **arguments: Any) -> Entrant:
    return Entrant(name, "fake_contender:Fake", arguments, 1.0, {"PYTHONPATH": str(Path(__file__).parent)})


def held(tmp_path: Path, *entrants: Entrant, rounds: int = 2) -> tuple[list[Outcome], list[str]]:
    said: list[str] = []
    return contest(entrants, tmp_path, rounds=rounds, report=said.append), said


def test_all_measures_of_all_rounds_are_there_and_so_are_ratios(tmp_path: Path) -> None:
    outcomes, said = held(tmp_path, entrant("ours", step_s=0.5), entrant("llamacpp", step_s=1.0))
    ours = outcomes[0]
    assert ours.speeds == {
        "decode_b1": [pytest.approx(2.0)] * 2,
        "decode_b8": [pytest.approx(16.0)] * 2,
        "prefill_1k": [pytest.approx(2048.0)] * 2,
    }
    assert (ours.version, ours.ready_s, ours.failure) == ("fake 1", 7.25, "")
    assert ours.memory_gb is not None
    assert 0 < ours.memory_gb < 1
    assert set(ratios(outcomes).values()) == {2.0}
    assert all(0 <= share <= 1 for shares in ours.elsewhere.values() for share in shares)
    turns = [line.split(":")[0] for line in said if line.startswith("round ")]
    assert turns[:4] == [
        "round 1, decode_b1, ours",
        "round 1, decode_b1, llamacpp",
        "round 1, decode_b8, ours",
        "round 1, decode_b8, llamacpp",
    ]
    assert len(turns) == 2 * 2 * len(MEASURES)


def test_one_that_cannot_start_does_not_stop_the_others(tmp_path: Path) -> None:
    outcomes, said = held(tmp_path, entrant("llamacpp", fails_at="start"), entrant("ours"), rounds=1)
    assert outcomes[0].failure == "RuntimeError: it broke"
    assert outcomes[0].speeds == {}
    assert outcomes[1].median("decode_b1") == pytest.approx(2.0)
    assert "llamacpp: RuntimeError: it broke" in said


def test_one_without_its_interpreter_does_not_either(tmp_path: Path) -> None:
    missing = Entrant("llamacpp", "fake_contender:Fake", {}, 1.0, python="/no/such/python")
    outcomes, _ = held(tmp_path, missing, entrant("ours"), rounds=1)
    assert "No such file or directory: '/no/such/python'" in outcomes[0].failure
    assert outcomes[1].median("prefill_1k") == pytest.approx(2048.0)


@pytest.mark.parametrize("how", ["raise", "die"])
def test_one_that_fails_on_the_way_keeps_what_it_had(tmp_path: Path, how: str) -> None:
    fails_at = f"answer {FIRST_ANSWER + 1}"
    outcomes, _ = held(tmp_path, entrant("ours", fails_at=fails_at, fails_with=how), entrant("llamacpp"))
    assert outcomes[0].speeds["decode_b1"] == [pytest.approx(2.0), None]
    assert outcomes[0].speeds["decode_b8"] == [None, None]
    assert outcomes[0].failure.startswith("decode_b8, round 1: ")
    assert outcomes[1].failure == ""
    assert ratios(outcomes) == {"decode_b1_vs_llamacpp": 1.0}


def test_an_answer_that_makes_no_sense_is_a_failure(tmp_path: Path) -> None:
    outcomes, _ = held(tmp_path, entrant("ours", fails_with="nonsense"), rounds=1)
    assert "36 rising moments are needed" in outcomes[0].failure


def test_those_that_fit_are_loaded_together() -> None:
    names = [entrant(name) for name in ("a", "b", "c", "d", "e")]
    assert [[one.name for one in go] for go in goes(names, free_gb=4.0)] == [["a", "b"], ["c", "d"], ["e"]]
    assert [len(go) for go in goes(names, free_gb=20.0)] == [5]
    # the machine may still manage: each alone is tried
    assert [len(go) for go in goes(names, free_gb=0.5)] == [1, 1, 1, 1, 1]
    assert list(goes([], free_gb=20.0)) == []


def test_an_unknown_contender_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no contender 'nobody'; there are ours, llamacpp, "):
        run(report=print, contenders=["ours", "nobody"])


def test_with_nothing_there_the_run_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOUCH_MODEL_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("VOUCH_BENCH_LLAMA_PYTHON", "/no/such/python")
    said: list[str] = []
    found = run(report=said.append, contenders=["transformers", "ours", "llamacpp", "ours_http"], rounds=1)
    assert [row["name"] for row in found["rows"]] == ["ours", "llamacpp", "transformers", "ours_http"]
    missing = {row["name"]: row["missing"] for row in found["rows"]}
    assert "No such file or directory: '/no/such/python'" in missing.pop("llamacpp")
    assert all("WeightsUnavailable" in reason for reason in missing.values()), missing
    assert found["ratios"] == found["metrics"] == {}
    assert "tokens a second" in said[-1]

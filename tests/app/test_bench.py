"""The benchmark command: it finds suites, runs one, and says on what it ran."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import bench
from app.errors import BadRequest

TINY = '''"""A benchmark of nothing."""

def run(*, report):
    report("measuring")
    return {"rows": [{"name": "ours", "seconds": 1.0}], "ratios": {"ours_vs_rival": 2.0}, "metrics": {"per_s": 1.0}}
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tiny.py").write_text(TINY, encoding="utf-8")
    (tmp_path / "script.py").write_text('"""A script that is no suite."""\n', encoding="utf-8")
    monkeypatch.setattr(bench, "_FOLDER", tmp_path)
    return tmp_path


def test_a_suite_is_a_script_with_a_run_function(folder: Path) -> None:
    assert bench.available() == ["tiny"]


def test_a_result_has_the_figures_and_the_machine(folder: Path) -> None:
    said: list[str] = []
    found = bench.run("tiny", report=said.append)
    assert said == ["measuring"]
    assert found["suite"] == "tiny"
    assert found["rows"] == [{"name": "ours", "seconds": 1.0}]
    assert found["ratios"] == {"ours_vs_rival": 2.0}
    assert found["metrics"] == {"per_s": 1.0}
    assert found["machine"]["cores"] >= 1
    assert found["machine"]["memory_gb"] > 0
    assert found["versions"]["vouch"]
    assert found["command"] == "./vouch bench tiny"


def test_an_unknown_suite_names_those_that_there_are(folder: Path) -> None:
    with pytest.raises(BadRequest) as refusal:
        bench.run("nothing", report=print)
    assert "tiny" in refusal.value.remedy

"""`./vouch eval credit` as a program: it needs no weights of any embedder, and says what is wrong with a folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.app.test_cli import environment, vouch
from tests.domains.finance.credit.conftest import make_rows, write_rows


def test_it_runs_offline_without_any_weights(tmp_path: Path) -> None:
    write_rows(tmp_path / "set", make_rows(50))
    command = [sys.executable, "-m", "app", "eval", "credit", "--data", str(tmp_path / "set")]
    done = subprocess.run(
        [*command, "--json", str(tmp_path / "out.json")],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=550,  # it fits 320 models
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert json.loads(done.stdout)["metrics"]["auc"] > 0.5
    assert not any((tmp_path / "models").glob("*"))


def test_a_suite_that_searches_still_asks_for_the_weights(tmp_path: Path) -> None:
    done = vouch(tmp_path, "eval", "scifact", "--data", str(tmp_path))
    assert done.returncode == 1
    assert "all-minilm-l6-v2" in done.stderr.lower() or "offline" in done.stderr.lower()


def test_a_folder_without_a_table_is_one_sentence_and_a_remedy(tmp_path: Path) -> None:
    done = vouch(tmp_path, "eval", "credit", "--data", str(tmp_path))
    assert done.returncode == 1
    assert "There is no rows.jsonl" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_limit_below_ten_of_each_outcome_is_refused(tmp_path: Path) -> None:
    write_rows(tmp_path / "set", make_rows(50))
    done = vouch(tmp_path, "eval", "credit", "--data", str(tmp_path / "set"), "--limit", "12")
    assert done.returncode == 1
    assert "at least 10 of each" in done.stderr

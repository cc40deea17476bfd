"""An exported ledger, checked by the verifier alone: in another process, in another folder, without the project."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from app.answering.types import Receipt
from app.errors import BadRequest, LedgerCorrupt
from app.identity.principal import OPERATOR
from app.ledger import verifier
from app.ledger.export import export
from app.ledger.log import Ledger
from app.ledger.reading import LedgerReader
from app.ledger.verifier import ExportInvalid, check

SIZE = 6


@pytest.fixture
def receipts(engine: Engine) -> list[Receipt]:
    with Ledger(engine) as ledger:
        receipts = [ledger.append("test.event", actor=OPERATOR, body={"n": n, "名": "文"}) for n in range(SIZE - 2)]
        receipts.append(ledger.append("answer.intent", actor=OPERATOR, body={}))
        receipts.append(ledger.append("answer.outcome", actor=OPERATOR, body={}, closes=receipts[-1].entry))
        return receipts


@pytest.fixture
def exported(engine: Engine, receipts: list[Receipt], tmp_path: Path) -> Path:
    export(LedgerReader(engine), tmp_path / "export.jsonl")
    return tmp_path / "export.jsonl"


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def run_alone(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of the file as an auditor does: isolated, so that nothing of the project can be imported."""
    copy = folder / "verifier.py"
    copy.write_bytes(Path(verifier.__file__).read_bytes())
    command = [sys.executable, "-I", "-S", str(copy), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_an_export_holds_and_says_what_the_ledger_says(exported: Path, receipts: list[Receipt]) -> None:
    found = check(lines(exported), {receipt.size: receipt.root for receipt in receipts})
    assert (found.size, found.root, len(found.open)) == (SIZE, receipts[-1].root, 0)


def test_an_auditor_runs_the_file_alone(exported: Path, receipts: list[Receipt], tmp_path: Path) -> None:
    known = f"{receipts[2].size}:{receipts[2].root.upper()}"
    done = run_alone(tmp_path, str(exported), "--known", known)
    assert done.returncode == 0, done.stderr
    assert f"{SIZE} entries" in done.stdout
    assert receipts[-1].root in done.stdout


def test_an_auditor_who_holds_another_root_is_told(exported: Path, receipts: list[Receipt], tmp_path: Path) -> None:
    done = run_alone(tmp_path, str(exported), "--known", f"{receipts[2].size}:{receipts[3].root}")
    assert done.returncode == 1
    assert "INVALID: The export of 6 entries has not the known root of 3" in done.stderr


@pytest.mark.parametrize("known", ["", "3", "3:abc", "x:" + "0" * 64, "-1:" + "0" * 64])
def test_a_root_in_another_form_is_refused(exported: Path, tmp_path: Path, known: str) -> None:
    done = run_alone(tmp_path, str(exported), f"--known={known}")
    assert done.returncode == 1
    assert done.stderr.startswith("INVALID: ")


def test_a_missing_file_is_no_success(tmp_path: Path) -> None:
    assert run_alone(tmp_path, "nowhere.jsonl").returncode == 1


def test_the_verifier_is_short_and_needs_only_the_standard_library_and_cryptography() -> None:
    source = Path(verifier.__file__).read_text(encoding="utf-8")
    assert source.count("\n") < 200
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= sys.stdlib_module_names | {"cryptography"}


def test_every_line_is_an_entry_that_a_person_can_read(exported: Path, engine: Engine) -> None:
    *entries, end = [json.loads(line) for line in lines(exported)]
    assert [entry["seq"] for entry in entries] == list(range(SIZE))
    assert [entry["entry"].encode() for entry in entries] == [entry.body for entry in LedgerReader(engine).entries()]
    assert "文" in exported.read_text(encoding="utf-8")
    assert end["size"] == SIZE


def test_an_empty_ledger_is_exported_and_holds(ledger: Ledger, tmp_path: Path) -> None:
    export(ledger, tmp_path / "empty.jsonl")
    assert check(lines(tmp_path / "empty.jsonl"), {0: ledger.root}).size == 0


def test_an_export_is_for_its_owner_alone_and_replaces_an_older_one(
    engine: Engine, exported: Path, tmp_path: Path
) -> None:
    exported.write_text("older")
    export(LedgerReader(engine), exported)
    assert exported.stat().st_mode & 0o777 == 0o600
    assert check(lines(exported), {}).size == SIZE
    assert [name for name in os.listdir(tmp_path) if ".part" in name] == []


def test_a_folder_that_is_not_there_is_named_as_the_fault(
    engine: Engine, receipts: list[Receipt], tmp_path: Path
) -> None:
    with pytest.raises(BadRequest, match="cannot be written"):
        export(LedgerReader(engine), tmp_path / "nowhere" / "export.jsonl")


def test_an_export_that_fails_leaves_no_file(file_engine: Engine, tmp_path: Path) -> None:
    with Ledger(file_engine) as ledger:
        for n in range(4):
            ledger.append("test.event", actor=OPERATOR, body={"n": n})
        with file_engine.begin() as connection:
            connection.execute(text("DROP TRIGGER ledger_no_delete"))
            connection.execute(text("DELETE FROM ledger_entries WHERE seq = 2"))
        with pytest.raises(LedgerCorrupt, match="Entry 2 is missing"):
            export(ledger, tmp_path / "export.jsonl")
    assert [name for name in os.listdir(tmp_path) if name.endswith(("jsonl", "part"))] == []


def tampered(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> list[bytes]:
    return change(lines(path))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda all_: [line.replace(b'\\"n\\":2', b'\\"n\\":3') for line in all_], "The end does not state"),
        (lambda all_: [*all_[:2], *all_[3:]], r"Entry 2 \(line 3\) is missing or out of its place"),
        (lambda all_: [*all_[:3], all_[2], *all_[3:]], r"Entry 3 \(line 4\) is missing"),
        (lambda all_: [all_[1], all_[0], *all_[2:]], r"Entry 0 \(line 1\)"),
        (lambda all_: all_[:-1], "The end does not state"),
        (lambda all_: [*all_[:-2], all_[-1]], "The end does not state"),
        (lambda all_: [*all_, all_[0]], "after the end"),
        (lambda all_: [*all_, b"\n"], "after the end"),
        (lambda all_: [all_[-1], *all_[:-1]], "after the end"),
        (lambda all_: [all_[0].replace(b'"seq": 0', b'"seq": 0, "seq": 0'), *all_[1:]], "Line 1 holds a name twice"),
        (lambda all_: [all_[0].replace(b'{\\"', b'{ \\"'), *all_[1:]], "The end does not state"),
        (lambda all_: [b"[]\n", *all_], "Line 1 is no JSON object"),
        (lambda all_: [b"\xff\n", *all_], "Line 1"),
        (lambda all_: [b'{"seq": 0, "entry": "\\ud800"}\n', *all_[1:]], "Entry 0"),
        (lambda all_: [b'{"seq": 0, "entry": 7}\n', *all_[1:]], r"Entry 0 \(line 1\)"),
        (lambda all_: [all_[0].replace(b'\\"seq\\":0', b'\\"seq\\":1'), *all_[1:]], "says that it is another"),
        (
            lambda all_: [line.replace(b'\\"closes\\":4', b'\\"closes\\":3') for line in all_],
            r"Entry 5 \(line 6\) closes what is no open intent",
        ),
        (lambda _: [], "The end does not state"),
    ],
)
def test_a_tampered_export_is_refused(exported: Path, change: Callable[[list[bytes]], list[bytes]], said: str) -> None:
    with pytest.raises(ExportInvalid, match=said):
        check(tampered(exported, change), {})


def test_a_shorter_export_with_its_own_root_holds_until_a_known_root_is_given(
    exported: Path, receipts: list[Receipt]
) -> None:
    kept = receipts[2]
    shorter = [*lines(exported)[:3], json.dumps({"size": kept.size, "root": kept.root}).encode()]
    assert check(shorter, {kept.size: kept.root}).size == 3
    with pytest.raises(ExportInvalid, match="The export of 3 entries has not the known root of 5"):
        check(shorter, {receipts[4].size: receipts[4].root})


def test_open_intents_are_counted(engine: Engine, tmp_path: Path) -> None:
    with Ledger(engine) as ledger:
        ledger.append("answer.intent", actor=OPERATOR, body={})
        export(ledger, tmp_path / "open.jsonl")
    assert check(lines(tmp_path / "open.jsonl"), {}).open == {0}


json_lines = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["seq", "entry", "size", "root", "action", "closes"]), inner, max_size=4)
    ),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode())


@given(st.lists(st.binary(max_size=60) | json_lines, max_size=6))
def test_foreign_bytes_raise_only_the_verifiers_own_error(export_lines: list[bytes]) -> None:
    with pytest.raises(ExportInvalid):
        check(export_lines, {1: "00" * 32})


@given(json_lines)
def test_a_foreign_entry_raises_only_the_verifiers_own_error(entry: bytes) -> None:
    line = json.dumps({"seq": 0, "entry": entry.decode()}).encode()
    with pytest.raises(ExportInvalid):
        check([line], {})


def test_deep_json_raises_only_the_verifiers_own_error() -> None:
    with pytest.raises(ExportInvalid, match="Line 1 is no JSON object"):
        check([b"[" * 100_000], {})

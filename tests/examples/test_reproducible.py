"""Running the script again gives what is committed."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

_FILES = (
    "documents/annual-report-2025.pdf",
    "documents/credit-agreement.pdf",
    "documents/hypertension-guideline.html",
    "documents/信贷风险管理办法.docx",
    "documents/费用报销制度.md",
    "records/patient-bundle.json",
)
_DATABASE = "databases/lending.sqlite"


def _python(folder: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def made_again(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    _python(examples, "make.py", "--out", str(folder))
    return folder


def test_the_lists_of_files_agree(examples: Path, made_again: Path) -> None:
    made = {str(path.relative_to(made_again)) for path in made_again.rglob("*") if path.is_file()}
    kept = {
        str(path.relative_to(examples))
        for name in ("documents", "records", "databases")
        for path in (examples / name).rglob("*")
        if path.is_file()
    }
    assert made == kept == {*_FILES, _DATABASE}


@pytest.mark.parametrize("name", _FILES)
def test_bytes_are_the_same(examples: Path, made_again: Path, name: str) -> None:
    assert (made_again / name).read_bytes() == (examples / name).read_bytes()


def _dump(path: Path) -> list[str]:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_database_rows_are_the_same(examples: Path, made_again: Path) -> None:
    assert _dump(made_again / _DATABASE) == _dump(examples / _DATABASE)


def test_database_is_left_alone_when_its_rows_stand_and_mended_when_not(examples: Path, tmp_path: Path) -> None:
    path = tmp_path / "lending.sqlite"
    again = "import pathlib, sys; from sources import lending; lending.write(pathlib.Path(sys.argv[1]))"
    shutil.copy(examples / _DATABASE, path)
    _change(path, "PRAGMA user_version = 7")  # changes the file, not the rows
    marked = path.read_bytes()
    assert marked != (examples / _DATABASE).read_bytes()
    _python(examples, "-c", again, str(path))
    assert path.read_bytes() == marked

    _change(path, "DELETE FROM collateral")
    _python(examples, "-c", again, str(path))
    assert _dump(path) == _dump(examples / _DATABASE)


def _change(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_no_time_of_making_is_in_the_files(examples: Path) -> None:
    with zipfile.ZipFile(examples / "documents/信贷风险管理办法.docx") as packed:
        assert {entry.date_time for entry in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert b"2026-03-02T09:00:00Z" in packed.read("docProps/core.xml")
    for name in _FILES[:2]:
        assert b"/CreationDate (D:20000101000000+00'00')" in (examples / name).read_bytes()


def test_the_files_are_small(examples: Path) -> None:
    assert sum((examples / name).stat().st_size for name in (*_FILES, _DATABASE)) < 400 * 1024


@pytest.mark.parametrize(
    ("module", "right", "wrong"),
    [
        ("figures.py", "loans_drawn=155_000", "loans_drawn=155_001"),
        ("figures.py", "retained=96_245", "retained=96_244"),
        ("report_notes.py", '("Fuel and bunkers", 61_480', '("Fuel and bunkers", 61_840'),
        ("assets.py", "charge=(4_480, 12_390", "charge=(4_840, 12_390"),
        ("credit_agreement.py", "120_000_000, 3_000_000", "120_000_000, 7_500_000"),
    ],
)
def test_a_figure_that_does_not_tie_stops_the_script(
    examples: Path, tmp_path: Path, module: str, right: str, wrong: str
) -> None:
    shutil.copytree(examples / "sources", tmp_path / "sources", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(examples / "make.py", tmp_path)
    source = tmp_path / "sources" / module
    text = source.read_text(encoding="utf-8")
    assert text.count(right) == 1
    source.write_text(text.replace(right, wrong), encoding="utf-8")
    done = subprocess.run([sys.executable, "make.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "DoesNotTie" in done.stderr

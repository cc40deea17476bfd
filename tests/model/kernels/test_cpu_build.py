"""The cache of compiled kernels, with a compiler that only keeps count. The real one is tested by what it compiled."""

from __future__ import annotations

import concurrent.futures
import os
import subprocess
import sys
from pathlib import Path

import pytest

from model.errors import BuildFailed
from model.kernels import cpu_build

COMPILER = """#!/bin/sh
# --version prints one; anything else writes what -o names, or refuses
[ "$1" = --version ] && { echo "fake VERSION"; exit 0; }
echo "$@" >> "LOG"
while [ $# -gt 0 ]; do
    [ "$1" = -o ] && { sleep 0.05; echo made > "$2"; }
    shift
done
exit STATUS
"""


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return write_compiler(tmp_path, monkeypatch)


def write_compiler(folder: Path, monkeypatch: pytest.MonkeyPatch, *, version: str = "1", status: int = 0) -> Path:
    """Put it where torch looks for one; returns its log."""
    log = folder / "calls"
    path = folder / "fake-c++"
    text = COMPILER.replace("VERSION", version).replace("LOG", str(log)).replace("STATUS", str(status))
    if status:
        text = text.replace("exit 1", "echo 'error: no such luck' >&2; exit 1")
    path.write_text(text)
    path.chmod(0o755)
    monkeypatch.setenv("CXX", str(path))
    return log


def ignore(step: str) -> None:
    del step


def test_each_source_is_compiled_once_and_the_result_is_kept(compiler: Path, tmp_path: Path) -> None:
    heard: list[str] = []
    first = cpu_build.build(heard.append, folder=tmp_path / "cache")
    calls = compiler.read_text().splitlines()
    sources = sorted(Path(cpu_build.__file__).with_name("csrc").glob("*.cpp"))
    assert len(calls) == len(sources) + 1
    assert first.read_text() == "made\n"
    assert heard == ["compiling the CPU's kernels"]
    assert cpu_build.build(heard.append, folder=tmp_path / "cache") == first
    assert len(compiler.read_text().splitlines()) == len(calls)
    assert len(heard) == 1
    assert [path.name for path in first.parent.iterdir() if path.name.startswith(".build")] == []
    assert first.parent.stat().st_mode & 0o077 == 0


def test_another_compiler_is_another_library(compiler: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = cpu_build.build(ignore, folder=tmp_path / "cache")
    write_compiler(tmp_path, monkeypatch, version="2")
    assert cpu_build.build(ignore, folder=tmp_path / "cache") != first


def test_many_builders_at_once_compile_once(compiler: Path, tmp_path: Path) -> None:
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        paths = set(pool.map(lambda _: cpu_build.build(ignore, folder=tmp_path / "cache"), range(6)))
    assert len(paths) == 1
    assert sum("-shared" in line for line in compiler.read_text().splitlines()) == 1


def test_torch_s_own_openmp_is_linked(compiler: Path, tmp_path: Path) -> None:
    cpu_build.build(ignore, folder=tmp_path / "cache")
    link = next(line for line in compiler.read_text().splitlines() if "-shared" in line)
    import torch

    bundled = sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*"))
    if not bundled:
        pytest.skip("this torch brings no OpenMP runtime of its own")
    assert str(bundled[0]) in link
    assert "-fopenmp" not in link


def test_a_compiler_that_refuses_is_quoted_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_compiler(tmp_path, monkeypatch, status=1)
    with pytest.raises(BuildFailed, match="no such luck") as caught:
        cpu_build.build(ignore, folder=tmp_path / "cache")
    assert "g++" in caught.value.remedy
    assert not list((tmp_path / "cache").rglob("*.so"))
    assert not list((tmp_path / "cache").rglob("*.o"))


def test_no_compiler_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(BuildFailed, match="no C\\+\\+ compiler \\(no-such-compiler\\)") as caught:
        cpu_build.build(ignore, folder=tmp_path)
    assert "g++" in caught.value.remedy


def test_without_a_compiler_torch_computes_and_the_log_says_why() -> None:
    program = "from model.kernels import cpu; print(cpu.available())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        env=os.environ | {"CXX": "no-such-compiler"},
    )
    assert "kind='torch'" in done.stdout
    assert ("no-such-compiler" if not cpu_build.missing_instructions() else "the processor has no") in done.stdout
    assert "cpu_kernels" in done.stdout + done.stderr


def test_a_folder_that_cannot_be_written_is_said_in_words(compiler: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BuildFailed, match="cannot be kept"):
        cpu_build.build(ignore, folder=tmp_path / "file")


def test_a_library_that_does_not_load_is_removed(compiler: Path, tmp_path: Path) -> None:
    """A torn copy of a cache must not stop every start from then on."""
    broken = cpu_build.build(ignore, folder=tmp_path / "cache")
    with pytest.raises(BuildFailed, match="do not load"):
        cpu_build.load(broken)
    assert not broken.exists()
    assert cpu_build.build(ignore, folder=tmp_path / "cache") == broken
    assert broken.exists()

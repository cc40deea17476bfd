"""Checkpoints as streams of tensors: a folder read one tensor at a time, or written half a gigabyte at a time.

Every step between the published weights and what is served takes a `Weights` and gives one or writes one, so that no
step holds a whole model and steps can follow one another without a folder between them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from model._files import write_json
from model.convert import refuse_remote_code
from model.errors import BuildFailed, WeightsRejected
from model.progress import Progress, Report

__all__ = ["Checkpoint", "Shards", "Weights", "copy_companions", "write"]

_SHARD_BYTES: Final = 500_000_000
"""Bytes held before a shard is written: bounds the memory."""
_INDEX: Final = "model.safetensors.index.json"
_CONFIG: Final = "config.json"
_MANIFEST: Final = "manifest.json"
_COMPANIONS: Final = (".json", ".jinja", ".txt")
"""Tokenizer, chat template and generation config: no step changes them."""


class Weights(Protocol):
    """A model as its config and its tensors, in an order that is always the same."""

    @property
    def config(self) -> dict[str, Any]:
        """What ``config.json`` says; a copy."""

    def __len__(self) -> int:
        """Number of tensors."""

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Yield name and tensor."""


class Checkpoint:
    """A Hugging Face folder with safetensors.

    Raises:
        BuildFailed: there is no config or no weights, or the config asks for code that comes with the weights.
        WeightsRejected: a shard is truncated, is no safetensors file, or differs from what the index promises.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self._config: dict[str, Any] = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BuildFailed(
                f"{folder.name} has no config.json that can be read.", remedy="Give a Hugging Face checkpoint folder."
            ) from error
        refuse_remote_code(self._config)
        self._where = self._find()

    @property
    def config(self) -> dict[str, Any]:
        """What ``config.json`` says; a copy."""
        return dict(self._config)

    @property
    def names(self) -> list[str]:
        """Names of the tensors, in their order."""
        return list(self._where)

    def __len__(self) -> int:
        return len(self._where)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        for name in self._where:
            yield name, self.read(name)

    def read(self, name: str) -> Any:
        """Return one tensor, in memory of its own."""
        with _opened(self._where[name]) as archive:
            return archive.get_tensor(name).clone()

    def _find(self) -> dict[str, Path]:
        where: dict[str, Path] = {}
        for path in sorted(self.folder.glob("*.safetensors")):
            with _opened(path) as archive:
                where |= dict.fromkeys(archive.keys(), path)
        if not where:
            raise BuildFailed(
                f"{self.folder.name} has no safetensors.", remedy="Other formats may hold code and are not read."
            )
        missing = _promised(self.folder / _INDEX) - where.keys()
        if missing:
            raise WeightsRejected(
                f"The index names {len(missing)} tensors that are in no shard, such as {min(missing)}.",
                remedy="A shard is missing or was exchanged: fetch or build the checkpoint anew.",
            )
        return where


def _opened(path: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise WeightsRejected(
            f"{path.name} is truncated or is no safetensors file.", remedy="Fetch or build the checkpoint anew."
        ) from error


def _promised(index: Path) -> set[str]:
    try:
        return set(json.loads(index.read_text(encoding="utf-8"))["weight_map"])
    except FileNotFoundError:
        return set()
    except (ValueError, TypeError, KeyError) as error:
        raise WeightsRejected(f"{index.name} cannot be read.", remedy="Fetch or build the checkpoint anew.") from error


def write(
    weights: Weights,
    folder: Path,
    *,
    step: str,
    report: Report,
    config: Mapping[str, Any] | None = None,
    change: Callable[[str, Any], Mapping[str, Any]] | None = None,
) -> None:
    """Write weights into a folder, with an index and a config.

    Memory: one shard of half a gigabyte and what `change` needs for one tensor.

    Args:
        weights: What is read, once, in its order.
        folder: Made when it is not there.
        step: What is being done, for the progress.
        report: Told each tensor.
        config: What ``config.json`` says; that of `weights` when None.
        change: Takes name and tensor, returns the tensors that stand for it; as it is when None.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards = Shards(folder)
    total = len(weights)
    for done, (name, tensor) in enumerate(weights):
        report(Progress(step, done, total, "tensors"))
        for changed, value in (change(name, tensor) if change else {name: tensor}).items():
            shards.add(changed, value)
    shards.close()
    write_json(folder / _CONFIG, dict(weights.config if config is None else config))


def copy_companions(source: Path, folder: Path) -> None:
    """Copy tokenizer, chat template and generation config from one checkpoint to another."""
    for path in sorted(source.iterdir()):
        if path.suffix in _COMPANIONS and path.name not in {_CONFIG, _INDEX, _MANIFEST}:
            shutil.copyfile(path, folder / path.name)


class Shards:
    """Writes tensors into numbered safetensors files and an index, holding one file's worth at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, Any] = {}
        self._bytes = 0
        self._total = 0
        self._where: dict[str, str] = {}
        self._shards = 0

    def add(self, name: str, tensor: Any) -> None:
        """Take one tensor; it is on the disk after `close` at the latest."""
        self._held[name] = tensor.contiguous()
        self._bytes += tensor.nbytes
        if self._bytes >= _SHARD_BYTES:
            self._write()

    def close(self) -> None:
        """Write what is held, and the index."""
        if self._held:
            self._write()
        write_json(self._folder / _INDEX, {"metadata": {"total_size": self._total}, "weight_map": self._where})

    def _write(self) -> None:
        from safetensors.torch import save_file

        self._shards += 1
        name = f"model-{self._shards:05}.safetensors"
        save_file(self._held, self._folder / name, metadata={"format": "pt"})
        self._where |= dict.fromkeys(self._held, name)
        self._total += self._bytes
        self._held, self._bytes = {}, 0

"""Fitted models in a folder, without pickle: parts as bytes, a card, and a manifest with the SHA-256 of each.

    saved = save(folder, card=card, parts={"model.txt": lightgbm_text(booster), "calibration.json": b"..."})
    saved.digest                       goes into the ledger with `record_fitted`
    saved = load(folder)               every byte checked before anybody parses it
    booster = lightgbm_booster(saved.parts["model.txt"])

A folder holds ``manifest.json`` and one file a part, named by its content (``model.1f0c8a21b3d4.txt``). The manifest is
written last and in one step, so a crash leaves the old model whole or the new one whole, never half of each. The
*digest of a model* is the SHA-256 of its manifest's bytes, which name the digest of every other file, the card's too.

    DomainError
    └── ModelUnusable     503  a fitted model cannot be used
        ├── ModelMissing  404  there is none in this folder
        └── ModelAltered  503  a file is not what the manifest says: changed, cut short, gone, not a plain file

Not covered: somebody who may write the folder can put a whole other model with its own manifest there. The digest then
differs from the one in the ledger; `load(folder, digest=...)` refuses it, and "model.loaded" tells an auditor.
LightGBM's reader of model texts is C++ and trusts its input: that is why nothing reaches it unchecked.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from domains.contract import DomainError, Recorder
from domains.finance.modelcard import CardRefused, ModelCard, read_card

if TYPE_CHECKING:
    import lightgbm

__all__ = [
    "CARD",
    "MANIFEST",
    "ModelAltered",
    "ModelMissing",
    "ModelUnusable",
    "SavedModel",
    "lightgbm_booster",
    "lightgbm_text",
    "load",
    "record_fitted",
    "record_loaded",
    "save",
]

MANIFEST: Final = "manifest.json"
CARD: Final = "card.json"
_FORMAT: Final = "vouch-model/1"
_PART: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,60}\.(?:json|txt)")
_FILE: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,60}\.[0-9a-f]{12}\.(?:json|txt)")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_MANIFEST_BYTES: Final = 1 << 20
_PART_BYTES: Final = 256 << 20  # a thousand trees of 255 leaves are some 30 MB of text


class ModelUnusable(DomainError):
    """A fitted model cannot be used. The remedy says what to do with its folder."""

    code = "model_unusable"


class ModelMissing(ModelUnusable):
    """There is no fitted model in the folder. Fit one."""

    code = "model_missing"


class ModelAltered(ModelUnusable):
    """A file of the model is not what was saved. Restore the folder from a backup, or fit the model again."""

    code = "model_altered"


@dataclass(frozen=True, slots=True)
class SavedModel:
    """A model as its folder holds it: checked bytes by part name, its card, and the digest of the whole."""

    card: ModelCard
    digest: str
    parts: Mapping[str, bytes]

    def summary(self) -> dict[str, Any]:
        """Return what the ledger keeps of it: names and digests, no content."""
        return {
            "name": self.card.name,
            "version": self.card.version,
            "kind": self.card.kind,
            "digest": self.digest,
            "training_digest": self.card.training.digest,
            "training_rows": self.card.training.rows,
        }


def save(folder: Path, *, card: ModelCard, parts: Mapping[str, bytes]) -> SavedModel:
    """Write a model, in place of the one that the folder may hold.

    Args:
        folder: Made when missing.
        card: What is said of the model.
        parts: Bytes by part name: lower-case, ending in ``.json`` or ``.txt``; ``card.json`` is taken.

    Raises:
        ModelUnusable: a part's name breaks the rule, there is no part, or the folder cannot be written.
    """
    wrong = sorted(name for name in parts if name in (CARD, MANIFEST) or not _PART.fullmatch(name))
    if wrong or not parts:
        raise ModelUnusable(
            f"A model cannot have a part named {wrong[0]!r}." if wrong else "A model without any part was to be saved.",
            remedy="Name parts in lower case, ending in .json or .txt.",
        )
    contents = {**parts, CARD: card.encoded()}
    listed: dict[str, dict[str, Any]] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in sorted(contents.items()):
            sha256 = hashlib.sha256(data).hexdigest()
            stem, suffix = name.rsplit(".", 1)
            file = f"{stem}.{sha256[:12]}.{suffix}"
            _write(folder / file, data)
            listed[name] = {"file": file, "sha256": sha256, "bytes": len(data)}
        manifest = json.dumps({"format": _FORMAT, "parts": listed}, sort_keys=True, indent=1).encode() + b"\n"
        _write(folder / MANIFEST, manifest)
        _sweep(folder, keep={MANIFEST, *(item["file"] for item in listed.values())})
    except OSError as error:
        raise ModelUnusable(
            f"The model could not be written: {error.strerror or 'input/output error'}.",
            remedy="Check the disk space and the permissions of the data folder, then fit the model again.",
        ) from error
    return SavedModel(card, hashlib.sha256(manifest).hexdigest(), MappingProxyType(dict(parts)))


def load(folder: Path, *, digest: str | None = None) -> SavedModel:
    """Read a model and check every byte of it against its manifest.

    Args:
        folder: As given to `save`.
        digest: The model that must be there; None takes the one that is.

    Raises:
        ModelMissing: the folder holds no model.
        ModelAltered: a file is not what the manifest says, or the model is not the one asked for.
    """
    if not (folder / MANIFEST).exists():
        raise ModelMissing(f"There is no fitted model in the folder {folder.name}.", remedy="Fit the model first.")
    manifest = _read(folder / MANIFEST, limit=_MANIFEST_BYTES)
    found = hashlib.sha256(manifest).hexdigest()
    if digest is not None and digest != found:
        raise _altered(f"The model has the digest {found[:16]}…, and {digest[:16]}… was asked for")
    parts = {name: _checked(folder, name, item) for name, item in _listed(manifest).items()}
    try:
        card = read_card(parts.pop(CARD))
    except KeyError:
        raise _altered("The model has no card") from None
    except CardRefused as error:
        raise _altered(error.message.rstrip(".")) from error
    return SavedModel(card, found, MappingProxyType(parts))


def lightgbm_text(booster: lightgbm.Booster) -> bytes:
    """Return a booster as LightGBM's own text form, cut at the best iteration if it stopped early."""
    return str(booster.model_to_string()).encode()


def lightgbm_booster(text: bytes) -> lightgbm.Booster:
    """Return the booster of a text that `load` has checked.

    Raises:
        ModelAltered: LightGBM does not read it, so it was never a model.
    """
    import lightgbm  # heavy, and needed where a model of trees is read alone

    try:
        return lightgbm.Booster(model_str=text.decode())
    except (lightgbm.basic.LightGBMError, UnicodeDecodeError, ValueError) as error:
        raise _altered("LightGBM does not read the model") from error


def record_fitted(recorder: Recorder, saved: SavedModel, *, actor: Any = None) -> int:
    """Write into the ledger that this model was fitted; returns the entry."""
    return recorder.record("model.fitted", actor=actor, body=saved.summary())


def record_loaded(recorder: Recorder, saved: SavedModel, *, actor: Any = None) -> int:
    """Write into the ledger that this model is in use from now on; returns the entry."""
    return recorder.record("model.loaded", actor=actor, body=saved.summary())


def _altered(message: str) -> ModelAltered:
    return ModelAltered(
        f"{message}.", remedy="Restore the model's folder from a backup, or fit the model again; do not edit its files."
    )


def _listed(manifest: bytes) -> dict[str, dict[str, Any]]:
    try:
        said = json.loads(manifest)
        if said["format"] != _FORMAT:
            raise _altered(f"The manifest is not of the form {_FORMAT}")
        listed = dict(said["parts"])
        for name, item in listed.items():
            fits = _PART.fullmatch(name) and _FILE.fullmatch(item["file"]) and _DIGEST.fullmatch(item["sha256"])
            if not fits or type(item["bytes"]) is not int:
                raise _altered("The manifest names a file that is none of a model")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _altered("The manifest cannot be read") from error
    return listed


def _checked(folder: Path, name: str, item: Mapping[str, Any]) -> bytes:
    data = _read(folder / item["file"], limit=_PART_BYTES)
    if len(data) != item["bytes"]:
        raise _altered(f"The part {name} has {len(data)} bytes, and {item['bytes']} were saved")
    if hashlib.sha256(data).hexdigest() != item["sha256"]:
        raise _altered(f"The part {name} is not what was saved")
    return data


def _read(path: Path, *, limit: int) -> bytes:
    """Return a plain file's bytes; a link is not followed, since it may lead out of the folder."""
    if path.is_symlink() or not path.is_file():
        raise _altered(f"The file {path.name} is missing or is not a plain file")
    try:
        if path.stat().st_size > limit:
            raise _altered(f"The file {path.name} is larger than {limit >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise _altered(f"The file {path.name} cannot be read") from error


def _write(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _sweep(folder: Path, *, keep: set[str]) -> None:
    """Take away the parts of earlier models and what a crash left half written; nothing else."""
    for path in folder.iterdir():
        if path.name not in keep and (_FILE.fullmatch(path.name) or path.name.startswith(".new-")):
            path.unlink(missing_ok=True)

"""What was measured once of a base model's hidden states, and lies in the repository: router rows, channel weights.

A build needs both, but neither the text nor the time that they were measured with. For a base NAME the folder
``model/calibrated`` holds

| file | tensors |
|---|---|
| NAME.router.safetensors | ``layers.L``, bfloat16, shape (E, D): rows of layer L's router (`model.router_fit`) |
| NAME.channels.safetensors | ``layers.L.INPUT``, float16, shape (inputs): log2 of E[x^2] (`model.int4_search`) |
| NAME.json | digests of both and of the weights; each text's name, digest, licence and tokens; settings |

They are data of a few hundred kilobytes, loaded as safetensors and only with the digest that the manifest names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from model._files import sha256_of, write_json
from model.errors import WeightsRejected

__all__ = ["INPUTS", "Calibration", "Provenance", "Source", "digests", "load", "save"]

_FOLDER: Final = Path(__file__).parent / "calibrated"
_FORMAT: Final = 1
_PARTS: Final = ("router", "channels")

INPUTS: Final[Mapping[str, tuple[str, ...]]] = {
    "attention": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "output": ("self_attn.o_proj",),
    "mlp": ("mlp.gate_proj", "mlp.up_proj"),
    "down": ("mlp.down_proj",),
}
"""The distinct inputs of a layer, and the linear modules of the dense model that each goes into."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where some text came from.

    Attributes:
        domain: Its domain.
        part: Its part of the domain; parts in alphabetical order belong to the domain's experts in order.
        name: The file's name.
        sha256: Of its bytes.
        tokens: How many of its tokens were used.
        licence: Under which the text may be used so.
    """

    domain: str
    part: str
    name: str
    sha256: str
    tokens: int
    licence: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a calibration came about.

    Attributes:
        model: Name of the base in the catalog.
        weights: SHA-256 of each file of the base, by name.
        domains: In the order of their experts.
        experts: Routed experts a layer.
        settings: Of the fit: ridge, sibling, sharpness.
        sources: The text.
    """

    model: str
    weights: Mapping[str, str]
    domains: tuple[str, ...]
    experts: int
    settings: Mapping[str, float]
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """What the build uses.

    Attributes:
        rows: Router rows by layer, bfloat16, shape (E, D).
        channels: E[x^2] by layer and input, float32, shape (inputs).
        provenance: How they came about.
        digests: SHA-256 of the files, by part: "router", "channels".
    """

    rows: Mapping[int, Any]
    channels: Mapping[tuple[int, str], Any]
    provenance: Provenance
    digests: Mapping[str, str]

    def importance(self, name: str) -> Any | None:
        """Return E[x^2] of the inputs of a weight of the dense or upcycled checkpoint; None for a routed expert's down.

        A routed expert's gate and up see what the dense FFN sees.
        """
        if ".experts." in name and "down_proj" in name:
            return None
        words = name.removeprefix("model.layers.").split(".")
        module = f"{words[1]}.{words[-2]}"
        [found] = [key for key, modules in INPUTS.items() if module in modules]
        return self.channels[int(words[0]), found]


def save(
    rows: Mapping[int, Any],
    channels: Mapping[tuple[int, str], Any],
    provenance: Provenance,
    *,
    folder: Path = _FOLDER,
) -> None:
    """Write a calibration; the manifest last."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        "router": {f"layers.{layer}": value.to(torch.bfloat16).contiguous() for layer, value in rows.items()},
        "channels": {
            f"layers.{layer}.{name}": value.float().clamp_min(1e-12).log2().to(torch.float16).contiguous()
            for (layer, name), value in channels.items()
        },
    }
    written = {}
    for part in _PARTS:
        path = folder / f"{provenance.model}.{part}.safetensors"
        save_file(tensors[part], path)
        written[part] = sha256_of(path)
    manifest = {"format": _FORMAT, "digests": written, "provenance": asdict(provenance)}
    write_json(folder / f"{provenance.model}.json", manifest)


def digests(model: str, weights: Mapping[str, str], *, folder: Path = _FOLDER) -> dict[str, str]:
    """Return the digests of the files that `load` would return, by part; none when there is no calibration.

    Raises:
        WeightsRejected: the manifest cannot be read.
    """
    found = _manifest(model, weights, folder)
    return {} if found is None else found[1]


def load(model: str, weights: Mapping[str, str], *, folder: Path = _FOLDER) -> Calibration | None:
    """Return the calibration of a base; None when there is none for these very weights.

    Raises:
        WeightsRejected: a file is not the one that the manifest names, or cannot be read.
    """
    found = _manifest(model, weights, folder)
    if found is None:
        return None
    provenance, expected = found
    router, channels = (_tensors(folder / f"{model}.{part}.safetensors", expected[part]) for part in _PARTS)
    rows = {int(name.removeprefix("layers.")): tensor for name, tensor in router.items()}
    squares = {}
    for name, tensor in channels.items():
        _, layer, key = name.split(".")
        squares[int(layer), key] = tensor.float().exp2()
    return Calibration(rows, squares, provenance, expected)


def _manifest(model: str, weights: Mapping[str, str], folder: Path) -> tuple[Provenance, dict[str, str]] | None:
    """Return provenance and digests; None when there is no manifest for these weights."""
    path = folder / f"{model}.json"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        provenance = _provenance(value["provenance"])
        if value["format"] != _FORMAT or dict(provenance.weights) != dict(weights):
            return None
        return provenance, {part: str(value["digests"][part]) for part in _PARTS}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise _rejected(path) from error


def _tensors(path: Path, digest: str) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load as parse

    try:
        content = path.read_bytes()
        if sha256_of(path) != digest:
            raise _rejected(path)
        return parse(content)
    except (OSError, SafetensorError) as error:
        raise _rejected(path) from error


def _provenance(value: Mapping[str, Any]) -> Provenance:
    sources = tuple(Source(**source) for source in value["sources"])
    return Provenance(**{**value, "domains": tuple(value["domains"]), "sources": sources})


def _rejected(path: Path) -> WeightsRejected:
    return WeightsRejected(
        f"{path.name} is missing, or is not the file that was measured.",
        remedy="Restore it from the release, or measure anew: python -m model.calibrate --help.",
    )

"""How much a quantized form loses: perplexity on one text, beside the dense model in bfloat16.

    python -m model.perplexity FORM... --text PATH... [--model NAME] [--models DIR] [--tokens N] [--served]

Perplexity is exp of the mean of -log p over all tokens but the first of each window. Every form sees the same windows,
so the ratio to bfloat16 has an interval from the paired differences, far narrower than that of either figure.

FORM is a form that is built ("moe", "int4"), or a method that is tried on the dense weights without writing them:
"nearest-symmetric", "nearest-asymmetric", "search-symmetric", "search-asymmetric" (`model.int4_search`; its channel
weights are those of the repository). ``--served`` computes as the processor's kernel does: activations and the output
layer in int8 by groups of 128. Products are taken in bfloat16 of the rounded factors, where the kernel's integer sums
are exact: what is measured is a little worse than what is served.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from model.build import checkpoint_folder
from model.calibration import Calibration, load
from model.catalog import DEFAULT_MODEL, ModelCard, card
from model.errors import BuildFailed, ModelError
from model.int4 import GROUP
from model.kernels.packing import dequantize, quantize_groups
from model.layerwise import Layers, linear_layers
from model.progress import Progress, Report
from model.recipe import FORMS
from model.shards import Checkpoint

__all__ = ["METHODS", "Loss", "measure", "round_activations"]

METHODS: Final = ("nearest-symmetric", "nearest-asymmetric", "search-symmetric", "search-asymmetric")
_WINDOW: Final = 512


@dataclass(frozen=True, slots=True)
class Loss:
    """What one form reached.

    Attributes:
        form: Its name.
        perplexity: exp of the mean loss.
        ratio: To bfloat16 on the same tokens.
        low: Lower end of the 95 % interval of the ratio, tokens taken as independent.
        high: Its upper end.
        by_text: The ratio of each text.
    """

    form: str
    perplexity: float
    ratio: float
    low: float
    high: float
    by_text: Mapping[str, float]


def round_activations(states: Any, group: int = GROUP) -> Any:
    """Return activations, shape (..., inputs), as the kernel's int8 stands for them: scale max|x| / 127 a group."""
    import torch

    parts = states.float().unflatten(-1, (-1, group))  # (..., I/S, S)
    scale = parts.abs().amax(-1, keepdim=True) / 127  # (..., I/S, 1)
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    return (torch.round(parts / scale) * scale).flatten(-2).to(states.dtype)


def measure(
    dense: Checkpoint,
    forms: Mapping[str, Checkpoint | str],
    texts: Mapping[str, Sequence[Any]],
    *,
    calibration: Calibration | None,
    served: bool,
    report: Report,
) -> list[Loss]:
    """Return what each form reaches, bfloat16 first.

    Memory: one layer of each form, and the hidden states of all windows for each.

    Args:
        dense: The dense model in bfloat16.
        forms: By name, a built checkpoint or one of `METHODS`.
        texts: Windows of token ids, shape (T) each, by the name of the text.
        calibration: Channel weights for the search; None: none.
        served: Whether the forms compute with rounded activations and output layer.
        report: Told each layer.
    """
    import torch

    windows = [window for pieces in texts.values() for window in pieces]
    walks = {"bf16": _Walk(Layers(dense), windows, None, served=False)}
    for name, form in forms.items():
        if isinstance(form, str):
            walks[name] = _Walk(Layers(dense), windows, _method(form, calibration), served=served)
        else:
            walks[name] = _Walk(Layers(form), windows, None, served=served)
    with torch.no_grad():
        count = len(Layers(dense))
        for index in range(count):
            report(Progress("computing the layers", index, count, "layers"))
            for walk in walks.values():
                walk.step(index)
        losses = {name: walk.losses(windows) for name, walk in walks.items()}
    return [_loss(name, found, losses["bf16"], texts) for name, found in losses.items()]


_Weights = Callable[[str, Any], Any]


class _Walk:
    """One form on its way through the layers."""

    def __init__(self, layers: Layers, windows: Sequence[Any], weights: _Weights | None, *, served: bool) -> None:
        self._layers = layers
        self._weights = weights
        self._served = served
        self._hidden = layers.embed(windows)

    def step(self, index: int) -> None:
        import torch

        layer = self._layers.layer(index)
        for name, module in linear_layers(layer).items():
            if self._weights is not None:
                changed = self._weights(f"model.layers.{index}.{name}.weight", module.weight.data[None])
                module.weight = torch.nn.Parameter(changed.to(torch.bfloat16), requires_grad=False)
            if self._served and "shared_expert_gate" not in name:
                module.register_forward_pre_hook(lambda _, given: (round_activations(given[0]),))
        self._hidden = [self._layers.forward(layer, hidden) for hidden in self._hidden]

    def losses(self, windows: Sequence[Any]) -> list[Any]:
        output = self._layers.output()
        if self._served:
            output = dequantize(quantize_groups(output[None], bits=8, group=GROUP, symmetric=True))[0].to(output.dtype)
        pairs = zip(self._hidden, windows, strict=True)
        return [self._layers.losses(hidden, ids, output=output) for hidden, ids in pairs]


def _method(name: str, calibration: Calibration | None) -> _Weights:
    """Return what makes of a layer's weight (1, N, I) the one that its int4 stands for, (N, I)."""
    from model.int4 import round_to_nearest, searched

    way, _, kind = name.partition("-")
    symmetric = kind == "symmetric"
    rounding = round_to_nearest(symmetric=symmetric)
    if way == "search":
        rounding = searched(calibration.importance if calibration else lambda _: None, symmetric=symmetric)
    return lambda layer, weight: dequantize(rounding(layer, weight))[0]


def _loss(name: str, found: Sequence[Any], exact: Sequence[Any], texts: Mapping[str, Sequence[Any]]) -> Loss:
    import torch

    mine, theirs = torch.cat(list(found)), torch.cat(list(exact))
    difference = mine - theirs
    middle, error = float(difference.mean()), float(difference.std()) / math.sqrt(len(difference))
    by_text: dict[str, float] = {}
    place = 0
    for text, windows in texts.items():
        pieces = slice(place, place := place + len(windows))
        by_text[text] = math.exp(float((torch.cat(list(found[pieces])) - torch.cat(list(exact[pieces]))).mean()))
    low, high = (math.exp(middle + sign * 1.96 * error) for sign in (-1, 1))
    return Loss(name, math.exp(float(mine.mean())), math.exp(middle), low, high, by_text)


def _forms(names: Sequence[str], base: ModelCard, models: Path) -> dict[str, Checkpoint | str]:
    forms: dict[str, Checkpoint | str] = {}
    for name in names:
        if name in METHODS:
            forms[name] = name
            continue
        found = [form for form in FORMS if form == name and form != "w8a8"]
        if not found:
            raise BuildFailed(f"There is no form {name!r} to measure.", remedy=f"Use moe, int4, {', '.join(METHODS)}.")
        forms[name] = Checkpoint(checkpoint_folder(base, models, form=found[0]))
    return forms


def _windows(path: Path, tokenizer: Any, tokens: int) -> list[Any]:
    import torch

    ids = torch.tensor(tokenizer(path.read_text(encoding="utf-8")).input_ids[:tokens])
    return [piece for piece in ids.split(_WINDOW) if len(piece) > 1]


def main(argv: list[str]) -> int:
    """Measure and print a table."""
    import transformers

    parser = argparse.ArgumentParser(prog="python -m model.perplexity", description="Perplexity of the forms.")
    parser.add_argument("forms", nargs="+", help=f"moe, int4, {', '.join(METHODS)}")
    parser.add_argument("--text", type=Path, nargs="+", required=True, help="text files")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="name in the catalog")
    parser.add_argument("--models", type=Path, default=Path("~/.cache/vouch/models"), help="folder of the checkpoints")
    parser.add_argument("--tokens", type=int, default=1024, help="of each text, at most")
    parser.add_argument("--served", action="store_true", help="int8 activations and output layer, as in the kernel")
    options = parser.parse_args(argv)
    base, models = card(options.model), options.models.expanduser()
    try:
        dense = Checkpoint(checkpoint_folder(base, models, form="bf16"))
        tokenizer = transformers.AutoTokenizer.from_pretrained(dense.folder, local_files_only=True)
        texts = {path.stem: _windows(path, tokenizer, options.tokens) for path in options.text}
        found = measure(
            dense,
            _forms(options.forms, base, models),
            texts,
            calibration=load(base.name, {file.name: file.sha256 for file in base.files}),
            served=options.served,
            report=lambda step: print(f"{step.step}: {step.done} of {step.total}", file=sys.stderr, flush=True),
        )
    except ModelError as error:
        print(f"{error.message} {error.remedy}", file=sys.stderr)
        return 1
    tokens = sum(len(window) - 1 for windows in texts.values() for window in windows)
    print(f"{tokens} tokens of {', '.join(texts)}; {'as served' if options.served else 'activations in bfloat16'}")
    for loss in found:
        parts = " ".join(f"{text} {ratio:.3f}" for text, ratio in loss.by_text.items())
        print(f"{loss.form:20} {loss.perplexity:8.3f}  x {loss.ratio:.4f} ({loss.low:.4f} to {loss.high:.4f})  {parts}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

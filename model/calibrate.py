"""Walks domain text through the dense model once and keeps what the build needs of it: router rows, channel weights.

    python -m model.calibrate --texts DIR [--model NAME] [--models DIR] [--tokens N]

DIR holds a folder for every domain of the Mixture of Experts, and in each as many folders of ``.txt`` files as the
domain has experts; a file ``LICENCE`` beside the texts says under which licence they may be used for this. Each part
gives the same number of tokens, in windows of 512. What is kept is small and lies in the repository, because the text
does not: a build on another machine needs neither the text nor the hours.

    router rows         `model.router_fit`, 8 x D numbers a layer
    channel weights     E[x^2] of every input of every linear layer, which `model.int4_search` weighs errors by
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from model._files import sha256_of
from model.build import checkpoint_folder
from model.calibration import INPUTS, Provenance, Source, save
from model.catalog import DEFAULT_MODEL, ModelCard, card
from model.errors import BuildFailed, ModelError
from model.layerwise import Layers
from model.progress import Progress, Report
from model.router_fit import RIDGE, SHARPNESS, SIBLING, fit_rows
from model.shards import Checkpoint
from model.upcycle import ExpertPlan

__all__ = ["Window", "calibrate", "measure", "read_windows"]

WINDOW: Final = 512


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A piece of text.

    Attributes:
        ids: Tokens, shape (T).
        expert: Whose text it is.
    """

    ids: Any
    expert: int


def read_windows(folder: Path, plan: ExpertPlan, tokenizer: Any, tokens: int) -> tuple[list[Window], list[Source]]:
    """Return text of every expert, `tokens` each as far as there is so much, and where it came from.

    Files of a part give equal shares, in the order of their names.

    Raises:
        BuildFailed: a domain has not as many parts as experts, or a part has no text or no licence.
    """
    import torch

    windows: list[Window] = []
    sources: list[Source] = []
    for number, domain in enumerate(plan.domains):
        parts = sorted(path for path in (folder / domain).glob("*") if path.is_dir())
        if len(parts) != plan.per_domain:
            raise BuildFailed(
                f"{domain} has {len(parts)} folders of text for {plan.per_domain} experts.",
                remedy=f"Give one folder of .txt files for each expert in {folder / domain}.",
            )
        for place, part in enumerate(parts):
            files = sorted(part.glob("*.txt"))
            if not files or not (part / "LICENCE").is_file():
                raise BuildFailed(
                    f"{domain}/{part.name} has no .txt files, or no LICENCE that says that they may be used.",
                    remedy="Text under a licence that forbids derived works or commercial use must not be used.",
                )
            licence = (part / "LICENCE").read_text(encoding="utf-8").strip()
            share = tokens // len(files)
            for file in files:
                ids = tokenizer(file.read_text(encoding="utf-8")).input_ids[:share]
                pieces = torch.tensor(ids).split(WINDOW)
                windows += [Window(piece, number * plan.per_domain + place) for piece in pieces if len(piece) > 1]
                sources.append(Source(domain, part.name, file.name, sha256_of(file), len(ids), licence))
    return windows, sources


def calibrate(
    layers: Layers, windows: Sequence[Window], plan: ExpertPlan, *, report: Report
) -> Iterator[tuple[int, Any, dict[str, Any]]]:
    """Yield of each layer: its number, the router's rows (E, D), and E[x^2] of its inputs by name.

    Memory: hidden states of all windows, twice, and one layer.
    """
    import torch

    hidden = layers.embed([window.ids for window in windows])
    classes = torch.cat([torch.full((len(window.ids) - 1,), window.expert) for window in windows])  # (M)
    for index in range(len(layers)):
        report(Progress("walking through the layers", index, len(layers), "layers"))
        layer = layers.layer(index)
        watch = _Watch(layer)
        with torch.no_grad():
            hidden = [layers.forward(layer, state) for state in hidden]
        yield index, fit_rows(watch.mlp_inputs(), classes, plan.experts, plan.per_domain), watch.squares()


class _Watch:
    """Sees what goes into a layer's linear modules; the first token of every text left out."""

    def __init__(self, layer: Any) -> None:
        self._inputs: list[Any] = []
        self._sums: dict[str, Any] = {}
        self._count = 0
        for name, modules in INPUTS.items():
            layer.get_submodule(modules[0]).register_forward_pre_hook(self._hook(name))

    def mlp_inputs(self) -> Any:
        """Return the router's inputs, shape (M, D)."""
        import torch

        return torch.cat(self._inputs)

    def squares(self) -> dict[str, Any]:
        """Return E[x^2] by name, float32, shape (inputs)."""
        return {name: (total / self._count).float() for name, total in self._sums.items()}

    def _hook(self, name: str) -> Any:
        def see(_: Any, given: tuple[Any, ...]) -> None:
            states = given[0][0, 1:]  # (T - 1, inputs)
            total = states.double().square().sum(dim=0)  # (inputs)
            self._sums[name] = self._sums.get(name, 0) + total
            if name == "mlp":
                self._inputs.append(states)
                self._count += len(states)

        return see


def measure(base: ModelCard, model_dir: Path, texts: Path, *, tokens: int, report: Report, **where: Path) -> None:
    """Measure a base whose dense bfloat16 checkpoint is built, and save what is found.

    Raises:
        BuildFailed: the checkpoint or the texts are not there.
    """
    import transformers

    folder = checkpoint_folder(base, model_dir, form="bf16")
    if not folder.is_dir():
        raise BuildFailed("The dense model is not built.", remedy=f"./vouch model build {base.name} --form bf16")
    plan = ExpertPlan()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    windows, sources = read_windows(texts, plan, tokenizer, tokens)
    rows: dict[int, Any] = {}
    channels: dict[tuple[int, str], Any] = {}
    for layer, fitted, squares in calibrate(Layers(Checkpoint(folder)), windows, plan, report=report):
        rows[layer] = fitted
        channels |= {(layer, name): value for name, value in squares.items()}
    settings = {"ridge": RIDGE, "sibling": SIBLING, "sharpness": SHARPNESS}
    weights = {file.name: file.sha256 for file in base.files}
    save(rows, channels, Provenance(base.name, weights, plan.domains, plan.experts, settings, tuple(sources)), **where)


def main(argv: list[str]) -> int:
    """Measure, with progress on standard error."""
    parser = argparse.ArgumentParser(prog="python -m model.calibrate", description="Router rows and channel weights.")
    parser.add_argument("--texts", type=Path, required=True, help="folder of DOMAIN/PART/*.txt")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="name in the catalog")
    parser.add_argument("--models", type=Path, default=Path("~/.cache/vouch/models"), help="folder of the checkpoints")
    parser.add_argument("--tokens", type=int, default=1000, help="of each part")
    options = parser.parse_args(argv)

    def show(progress: Progress) -> None:
        print(f"{progress.step}: {progress.done} of {progress.total}", file=sys.stderr, flush=True)

    try:
        models = options.models.expanduser()
        measure(card(options.model), models, options.texts, tokens=options.tokens, report=show)
    except ModelError as error:
        print(f"{error.message} {error.remedy}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

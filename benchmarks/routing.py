"""Where tokens of text that was not fitted on go: expert load by domain, mutual information, and a plot.

    python -m benchmarks.routing --texts FOLDER [--plot FILE] [--json FILE] [--model NAME] [--tokens N]

FOLDER holds DOMAIN/PART/NAME.txt and LICENCE like the text of a fit (`model.calibrate`). The dense model's hidden
states are those of the Mixture of Experts while its experts are untrained, so the router is applied to them layer by
layer. The first token of a window is left out, as in the fit.

Per layer: the share of a domain's tokens whose first expert is its own (by chance 1/4 of four domains), the share of
its routing slots (top 2) on its own pair, and the mutual information of domain and first expert in bits (at most 2,
with every domain counting the same).
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from model.build import checkpoint_folder
from model.calibrate import read_windows
from model.calibration import Calibration, load
from model.catalog import DEFAULT_MODEL, card
from model.layerwise import Layers
from model.shards import Checkpoint
from model.upcycle import ExpertPlan

__all__ = ["drawn", "figures", "loads"]

_COLOURS: Final = ("#1f5fa8", "#b8541a", "#5b7d2a", "#7a3d8f")
_WIDTH, _HEIGHT, _LEFT, _TOP = 420, 220, 60, 40


def loads(logits: Any, domains: Any, count: int, active: int) -> tuple[Any, Any]:
    """Return shares of the domains' tokens by first expert, and of their slots by expert, shape (count, E) each.

    Args:
        logits: The router's, shape (M, E).
        domains: Of each token, shape (M).
        count: Number of domains.
        active: Experts a token goes to.
    """
    import torch

    chosen = logits.topk(active, dim=-1).indices  # (M, K)
    first, slots = torch.zeros(count, logits.shape[1]), torch.zeros(count, logits.shape[1])
    for domain in range(count):
        own = chosen[domains == domain]
        first[domain] = torch.bincount(own[:, 0], minlength=logits.shape[1]) / max(1, len(own))
        slots[domain] = torch.bincount(own.flatten(), minlength=logits.shape[1]) / max(1, own.numel())
    return first, slots


def figures(first: Any, slots: Any) -> dict[str, Any]:
    """Return one layer's figures from the shares of `loads`."""
    count, experts = first.shape
    pair = experts // count
    total = 0.0
    mean = first.mean(0)
    for domain in range(count):
        for expert in range(experts):
            share = float(first[domain, expert])
            if share > 0:
                total += share / count * math.log2(share / float(mean[expert]))
    own = [float(first[domain, domain * pair : (domain + 1) * pair].sum()) for domain in range(count)]
    pairs = [float(slots[domain, domain * pair : (domain + 1) * pair].sum()) for domain in range(count)]
    return {"own_first": own, "own_slots": pairs, "information": total, "load": slots.tolist()}


def _walk(
    texts: Path, found: Calibration, base: str, models: Path, tokens: int
) -> tuple[list[dict[str, Any]], list[str]]:
    import torch
    import transformers

    folder = checkpoint_folder(card(base), models, form="bf16")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    plan = ExpertPlan()
    windows, sources = read_windows(texts, plan, tokenizer, tokens)
    names = [f"{source.domain}: {source.name} ({source.part}, {source.tokens} tokens)" for source in sources]
    domains = torch.cat([torch.full((len(piece.ids) - 1,), piece.expert // plan.per_domain) for piece in windows])
    layers, rows = Layers(Checkpoint(folder)), []
    hidden = layers.embed([piece.ids for piece in windows])
    with torch.no_grad():
        for index in range(len(layers)):
            layer, seen = layers.layer(index), []
            layer.mlp.register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given[0][0, 1:]))
            hidden = [layers.forward(layer, state) for state in hidden]
            logits = torch.cat(seen).float() @ found.rows[index].float().T
            rows.append(figures(*loads(logits, domains, len(found.provenance.domains), 2)))
            print(f"layer {index}: information {rows[-1]['information']:.2f} bits", flush=True)
    return rows, names


def drawn(rows: Sequence[Mapping[str, Any]], domains: Sequence[str]) -> str:
    """Return the SVG: own experts by layer on the left, expert load of the middle layer on the right."""
    parts = [
        f'<text x="{_LEFT}" y="{_TOP - 14}">share of tokens whose first expert is of their domain, by layer</text>\n'
    ]
    for tenth in (0, 25, 50, 75, 100):
        height = _TOP + _HEIGHT * (1 - tenth / 100)
        parts.append(f'<path d="M{_LEFT} {height:.1f}h{_WIDTH}" stroke="#ddd"/>\n')
        parts.append(f'<text x="{_LEFT - 8}" y="{height + 4:.1f}" text-anchor="end">{tenth} %</text>\n')
    for layer in range(0, len(rows), 4):
        place = _LEFT + _WIDTH * layer / (len(rows) - 1)
        parts.append(f'<text x="{place:.1f}" y="{_TOP + _HEIGHT + 18}" text-anchor="middle">{layer}</text>\n')
    for number, domain in enumerate(domains):
        points = " ".join(
            f"{_LEFT + _WIDTH * layer / (len(rows) - 1):.1f},{_TOP + _HEIGHT * (1 - row['own_first'][number]):.1f}"
            for layer, row in enumerate(rows)
        )
        colour = _COLOURS[number % len(_COLOURS)]
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>\n')
        parts.append(f'<text x="{_LEFT + 110 * number}" y="{_TOP + _HEIGHT + 44}" fill="{colour}">{domain}</text>\n')
    parts.append(_map(rows[len(rows) // 2]["load"], domains, len(rows) // 2))
    size = f'width="{_LEFT + _WIDTH + 480}" height="{_TOP + _HEIGHT + 60}"'
    style = 'font-family="sans-serif" font-size="12"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n{"".join(parts)}</svg>\n'


def _map(load: Sequence[Sequence[float]], domains: Sequence[str], layer: int) -> str:
    left, cell = _LEFT + _WIDTH + 120, 40
    parts = [f'<text x="{left}" y="{_TOP - 14}">% of a domain\'s routing slots by expert, layer {layer}</text>\n']
    for number, domain in enumerate(domains):
        y = _TOP + 10 + cell * number
        parts.append(f'<text x="{left - 8}" y="{y + 25}" text-anchor="end">{domain}</text>\n')
        for expert, share in enumerate(load[number]):
            x = left + cell * expert
            shade = f'fill="{_COLOURS[number % len(_COLOURS)]}" fill-opacity="{share * 1.8:.2f}"'
            parts.append(f'<rect x="{x}" y="{y}" width="{cell - 2}" height="{cell - 2}" {shade} stroke="#ddd"/>\n')
            parts.append(f'<text x="{x + 19}" y="{y + 24}" text-anchor="middle">{share * 100:.0f}</text>\n')
    for expert in range(len(load[0])):
        bottom = _TOP + 26 + cell * len(domains)
        parts.append(f'<text x="{left + cell * expert + 19}" y="{bottom}" text-anchor="middle">{expert}</text>\n')
    return "".join(parts)


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--texts", type=Path, required=True, help="folder of DOMAIN/PART/*.txt not fitted on")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="name in the catalog")
    parser.add_argument("--models", type=Path, default=Path("~/.cache/vouch/models"), help="folder of the checkpoints")
    parser.add_argument("--tokens", type=int, default=600, help="of each part, at most")
    parser.add_argument("--plot", type=Path, help="SVG to write")
    parser.add_argument("--json", type=Path, help="figures to write")
    options = parser.parse_args()
    base = card(options.model)
    found = load(base.name, {file.name: file.sha256 for file in base.files})
    if found is None:
        parser.error(f"nothing was measured of {base.name}: python -m model.calibrate")
    rows, names = _walk(options.texts, found, base.name, options.models.expanduser(), options.tokens)
    domains = found.provenance.domains
    print("\n".join(names))
    print(f"{'layer':6}{'bits':>6}" + "".join(f"{domain:>10}" for domain in domains) + "   first expert of the domain")
    for layer, row in enumerate(rows):
        print(f"{layer:<6}{row['information']:6.2f}" + "".join(f"{share:10.1%}" for share in row["own_first"]))
    if options.plot:
        options.plot.write_text(drawn(rows, domains), encoding="utf-8")
    if options.json:
        options.json.write_text(json.dumps({"texts": names, "layers": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()

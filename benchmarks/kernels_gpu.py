"""The Triton router and experts against vLLM's, on a GPU: correct first, then times and their share of the roofline.

./vouch bench kernels_gpu

Needs a CUDA card and vLLM 0.32's GPU build, and refuses by name without them. No figure of it stands in the docs: no
card was there when this was written.

    layers      Qwen3-30B-A3B (D 2048, F 768, E 128, K 8) and our own (D 1536, F 256, E 8, K 2)
    weights     int4 and int8, groups of 128, symmetric; activations bfloat16
    tokens      1 to 4,096, each token's experts drawn without replacement
    correct     against model.kernels.reference in float32: the error's norm within 3 * 2^-7 of the result's. A
                contender that is not is shown with its error and without a time.
    a time      median of 50 calls between CUDA events, each after a write over twice the second-level cache; replayed
                from a CUDA graph, as decoding is served, or called plainly where a contender cannot be captured
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file by app.bench

from benchmarks.gpu_contenders import Contender, Inputs, contenders, require_vllm, router_contenders
from benchmarks.gpu_roofline import Card, Layer, bound, card_of
from model.errors import KernelRejected
from model.kernels.packing import quantize_groups
from model.kernels.reference import experts_reference
from model.routing import RoutingPolicy

LAYERS: Final = (Layer("qwen3-30b-a3b", 2048, 768, 128, 8), Layer("own", 1536, 256, 8, 2))
TOKENS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
CHECKED: Final = (1, 17, 512)
"""Numbers of tokens at which results are compared; the reference holds all weights in float32."""
BITS: Final = (4, 8)
GROUP: Final = 128
TOLERANCE: Final = 3 * 2**-7
"""Of the result's norm: three roundings to bfloat16 (docs/kernels.md)."""
_WARMUP: Final = 10
_CALLS: Final = 50
_L2_TIMES: Final = 2


def run(*, report: Callable[[str], None]) -> dict[str, Any]:
    """Measure every layer, format and number of tokens, and the routers.

    Raises:
        KernelRejected: there is no CUDA card, or not vLLM's GPU build of the right minor.
    """
    name = require_gpu()
    version = require_vllm()
    card = card_of(name)
    report(f"{name}, vLLM {version}; roofline: {card.name if card else 'not known for this card'}")
    from vllm.config import VllmConfig, set_current_vllm_config

    rows: list[dict[str, Any]] = []
    with set_current_vllm_config(VllmConfig()):
        for layer in LAYERS:
            for bits in BITS:
                rows += _experts(layer, bits, card, report)
            rows += _routers(layer, report)
    return {"rows": rows, "ratios": ratios(rows), "metrics": metrics(rows)}


def require_gpu() -> str:
    """Return the card's name as its driver gives it.

    Raises:
        KernelRejected: there is none.
    """
    import torch

    if not torch.cuda.is_available():
        raise KernelRejected(
            "This benchmark needs a CUDA card, and there is none here.",
            remedy="Run it on a GPU box with vLLM's GPU build; ./vouch bench kernels is the CPU's.",
        )
    return str(torch.cuda.get_device_name())


def make_inputs(layer: Layer, *, tokens: int, bits: int, device: str, seed: int = 0) -> Inputs:
    """Draw a layer's weights and a batch; the same numbers on every device."""
    return batch(layer, weights(layer, bits=bits, device=device, seed=seed), tokens=tokens, device=device, seed=seed)


def weights(layer: Layer, *, bits: int, device: str, seed: int = 0) -> tuple[Any, Any]:
    """Draw and quantize the two matrices of a layer, expert by expert, so that few are in float32 at once."""
    import torch

    from model.kernels.packing import ExpertMatrix

    generator = torch.Generator().manual_seed(seed)
    found = []
    for outputs, inputs in ((2 * layer.width, layer.depth), (layer.depth, layer.width)):
        parts = []
        for _ in range(layer.experts):
            drawn = torch.randn((1, outputs, inputs), generator=generator) / inputs**0.5  # (1, N, I)
            parts.append(quantize_groups(drawn.bfloat16().to(device), bits=bits, group=GROUP, symmetric=True))
        packed, scale = (torch.cat([getattr(part, name) for part in parts]) for name in ("packed", "scale"))
        found.append(ExpertMatrix(packed, scale, None, bits, GROUP))
    return found[0], found[1]


def batch(layer: Layer, matrices: tuple[Any, Any], *, tokens: int, device: str, seed: int = 0) -> Inputs:
    """Draw a batch: hidden states, distinct experts for each token, weights that sum to one."""
    import torch

    generator = torch.Generator().manual_seed(seed * 10_007 + tokens)
    hidden = torch.randn((tokens, layer.depth), generator=generator).bfloat16()  # (T, D)
    order = torch.rand((tokens, layer.experts), generator=generator).argsort(-1)  # (T, E)
    share = torch.rand((tokens, layer.chosen), generator=generator) + 0.1  # (T, K)
    share = share / share.sum(-1, keepdim=True)
    experts = order[:, : layer.chosen].int().contiguous()  # (T, K)
    return Inputs(hidden.to(device), experts.to(device), share.to(device), *matrices)


def error_of(result: Any, inputs: Inputs) -> float:
    """Return the norm of the error over the norm of the reference's result, both in float32."""
    expected = experts_reference(inputs.hidden, inputs.experts.long(), inputs.weights, inputs.gate_up, inputs.down)
    return float((result.float() - expected).norm() / expected.norm())


def row_of(layer: Layer, inputs: Inputs, card: Card | None, contender: str, seconds: float) -> dict[str, Any]:
    """Return one line of the table: what was computed, its time, and the roofline's share of it."""
    tokens, bits = inputs.hidden.shape[0], inputs.gate_up.bits
    reached = int(inputs.experts.unique().numel())
    row = {"layer": layer.name, "bits": bits, "tokens": tokens, "contender": contender, "us": round(seconds * 1e6, 2)}
    if card is None:
        return row | {"bound_us": None, "bound_by": None, "roofline_percent": None}
    least = bound(layer, card, tokens=tokens, reached=reached, bits=bits, group=GROUP)
    percent = round(100 * least.seconds / seconds, 1)
    return row | {"bound_us": round(least.seconds * 1e6, 2), "bound_by": least.by, "roofline_percent": percent}


def ratios(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return how many times as fast ours is as each rival, at each shape that both computed."""
    times = {(row["layer"], row["bits"], row["tokens"], row["contender"]): row["us"] for row in rows if row.get("us")}
    found = {}
    for (layer, bits, tokens, contender), spent in times.items():
        ours = times.get((layer, bits, tokens, "ours"))
        if contender != "ours" and ours:
            form = "router" if bits is None else f"int{bits}"
            found[f"{layer}, {form}, {tokens} tokens, over {contender}"] = round(spent / ours, 3)
    return found


def metrics(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return ours' least and largest share of the roofline, by layer and format, and who was wrong."""
    shares: dict[str, list[float]] = {}
    for row in rows:
        if row["contender"] == "ours" and row.get("roofline_percent") is not None:
            shares.setdefault(f"{row['layer']}, int{row['bits']}", []).append(row["roofline_percent"])
    wrong = sorted({str(row["contender"]) for row in rows if row.get("wrong")})
    found: dict[str, Any] = {f"roofline percent, {name}": [min(held), max(held)] for name, held in shares.items()}
    return found | {"wrong": wrong}


def _experts(layer: Layer, bits: int, card: Card | None, report: Callable[[str], None]) -> list[dict[str, Any]]:
    matrices = weights(layer, bits=bits, device="cuda")
    entrants, rows = [], []
    for contender in contenders():
        worst = max(_checked(layer, matrices, contender, tokens) for tokens in CHECKED)
        report(f"{layer.name}, int{bits}, {contender.name}: error {worst:.2e} of the norm")
        if worst <= TOLERANCE:
            entrants.append(contender)
        else:
            rows.append({"layer": layer.name, "bits": bits, "contender": contender.name, "wrong": True, "error": worst})
    for tokens in TOKENS:
        inputs = batch(layer, matrices, tokens=tokens, device="cuda")
        for contender in entrants:
            seconds, captured = _time(contender.prepare(inputs))
            rows.append(row_of(layer, inputs, card, contender.name, seconds) | {"captured": captured})
            report(str(rows[-1]))
    return rows


def _checked(layer: Layer, matrices: tuple[Any, Any], contender: Contender, tokens: int) -> float:
    inputs = batch(layer, matrices, tokens=tokens, device="cuda", seed=1)
    return error_of(contender.prepare(inputs)(), inputs)


def _routers(layer: Layer, report: Callable[[str], None]) -> list[dict[str, Any]]:
    import torch

    policy = RoutingPolicy(experts=layer.experts, top_k=layer.chosen)
    rows = []
    for tokens in TOKENS:
        generator = torch.Generator().manual_seed(tokens)
        logits = torch.randn((tokens, layer.experts), generator=generator).bfloat16().cuda()
        calls = router_contenders(logits, policy)
        expected = calls["plain torch"]()[1].sort(-1).values  # ties may go either way, their weights may not
        for name, call in calls.items():
            wrong = not torch.allclose(call()[1].float().sort(-1).values, expected, atol=2e-3)
            line: dict[str, Any] = {"layer": layer.name, "bits": None, "tokens": tokens, "contender": name}
            if wrong:
                rows.append(line | {"wrong": True})
                continue
            seconds, captured = _time(call)
            rows.append(line | {"us": round(seconds * 1e6, 2), "captured": captured})
            report(str(rows[-1]))
    return rows


def _time(call: Callable[[], Any]) -> tuple[float, bool]:
    """Return the median seconds of a call with cold caches, and whether it was replayed from a CUDA graph."""
    import torch

    for _ in range(_WARMUP):
        call()
    torch.cuda.synchronize()
    replay, captured = _captured(call)
    cache = torch.cuda.get_device_properties(0).L2_cache_size
    flush = torch.empty(_L2_TIMES * cache, dtype=torch.uint8, device="cuda")
    marks = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(_CALLS)]
    for start, end in marks:
        flush.zero_()
        start.record()
        replay()
        end.record()
    torch.cuda.synchronize()
    return median(start.elapsed_time(end) for start, end in marks) / 1e3, captured


def _captured(call: Callable[[], Any]) -> tuple[Callable[[], Any], bool]:
    import torch

    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            call()
    except RuntimeError:  # a contender that waits for the device cannot be captured; it is timed as it is called
        torch.cuda.synchronize()
        return call, False
    return graph.replay, True

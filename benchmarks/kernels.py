"""The CPU's quantized products on the 1.5B model's layers, beside PyTorch's packed int4 and oneDNN's bfloat16 GEMM.

./vouch bench kernels

The contenders take turns on each shape. A figure is the best of many calls, which is what the kernel can do; up to 16
rows the calls go round over so many matrices that none is left in a cache of 32 MB. Beside them: the bandwidth of a
loop that only reads, and all products of one token of the whole model.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

ROWS: Final = (1, 2, 4, 8, 16, 64, 256, 1024)
_COLD: Final = 16
"""Up to so many rows the weights come from memory, so they must not lie in a cache."""
_ROUND_BYTES: Final = 160e6
_BUDGET_S: Final = 0.25
_READ_BYTES: Final = 1 << 29
_LAYERS: Final = 28
_GROUP: Final = 128


@dataclass(frozen=True, slots=True)
class Shape:
    """A layer of the model. `most`: rows beyond which it is not used."""

    name: str
    outputs: int
    inputs: int
    bits: int = 4
    most: int = max(ROWS)


SHAPES: Final = (
    Shape("q, k, v", 2048, 1536),
    Shape("o", 1536, 1536),
    Shape("gate-up", 17920, 1536),
    Shape("down", 1536, 8960),
    Shape("lm_head", 151936, 1536, bits=8, most=_COLD),
)


def run(*, report: Callable[[str], None]) -> dict[str, Any]:
    """Measure every shape at every number of rows, and the products of one token."""
    import torch

    from model.kernels import cpu

    torch.manual_seed(0)
    found = cpu.available()
    report(f"kernels: {found.kind} ({found.reason}); {torch.get_num_threads()} threads")
    bandwidth = _bandwidth(found.kind == "vnni")
    report(f"reading memory: {bandwidth / 1e9:.1f} GB/s")
    rows = [row for shape in SHAPES for row in _shape_rows(shape, bandwidth, report)]
    token = {count: _token_ms(count) for count in (1, 4, 8)}
    for count, spent in token.items():
        report(f"all products of one step of {count} rows, {_LAYERS} layers and lm_head: {spent:.1f} ms")
    return {"rows": rows, "ratios": _ratios(rows), "metrics": _metrics(rows, bandwidth, token)}


def _shape_rows(shape: Shape, bandwidth: float, report: Callable[[str], None]) -> list[dict[str, Any]]:
    import torch

    contenders = _contenders(shape)
    rows = []
    for count in (count for count in ROWS if count <= shape.most):
        x = torch.randn(count, shape.inputs).bfloat16()
        for name, (products, size) in contenders.items():
            spent = _best([lambda f=f, x=x: f(x) for f in (products if count <= _COLD else products[:1])])
            row = {
                "layer": shape.name,
                "bits": shape.bits if name != "bfloat16 GEMM" else 16,
                "rows": count,
                "contender": name,
                "us": round(spent * 1e6, 1),
                "gb_per_s": round(size / spent / 1e9, 2),
                "gop_per_s": round(2 * shape.outputs * shape.inputs * count / spent / 1e9, 1),
                "of_bandwidth": round(size / spent / bandwidth, 3),
            }
            rows.append(row)
            report(", ".join(f"{key} {value}" for key, value in row.items()))
    return rows


def _contenders(shape: Shape) -> dict[str, tuple[list[Callable[[Any], Any]], float]]:
    """Each contender's products, one for each copy of the matrix, and the bytes of its weights."""
    import torch

    from model.kernels import cpu, cpu_torch

    matrix = _matrix(1, shape.outputs, shape.inputs, shape.bits)
    size = float(matrix.packed.nbytes + matrix.scale.nbytes)
    copies = max(1, round(_ROUND_BYTES / size))
    own = [cpu.pack(matrix) for _ in range(copies)]
    found: dict[str, tuple[list[Callable[[Any], Any]], float]] = {
        "own": ([lambda x, m=m: cpu.linear(x, m) for m in own], size)
    }
    if shape.bits == 4:
        first = cpu_torch.store(matrix)
        packed = [(first.words[0].clone(), first.scales[0]) for _ in range(copies)]
        int4 = torch.ops.aten._weight_int4pack_mm_for_cpu
        found["PyTorch packed int4"] = ([lambda x, w=w, s=s: int4(x, w, _GROUP, s) for w, s in packed], size)
    whole = 2.0 * shape.outputs * shape.inputs
    dense = [
        torch.randn(shape.outputs, shape.inputs, dtype=torch.bfloat16) / 64
        for _ in range(max(1, round(_ROUND_BYTES / whole)))
    ]
    found["bfloat16 GEMM"] = ([lambda x, w=w: torch.nn.functional.linear(x, w) for w in dense], whole)
    return found


def _token_ms(count: int) -> float:
    """All products of one step: every layer has its own weights, so all of them are read from memory."""
    import torch

    from model.kernels import cpu

    def packed(experts: int, outputs: int, inputs: int, bits: int = 4) -> Any:
        return cpu.pack(_matrix(experts, outputs, inputs, bits))

    layers = [
        {
            "qkv": packed(1, 2048, 1536),
            "o": packed(1, 1536, 1536),
            "shared": (packed(1, 17920, 1536), packed(1, 1536, 8960)),
            "routed": (packed(8, 512, 1536), packed(8, 1536, 256)),
        }
        for _ in range(_LAYERS)
    ]
    last = packed(1, 151936, 1536, 8)
    x = torch.randn(count, 1536).bfloat16()
    experts = torch.stack([torch.randperm(8)[:2] for _ in range(count)])
    weights = torch.full((count, 2), 0.5)

    def step() -> None:
        for layer in layers:
            cpu.linear(x, layer["qkv"])
            cpu.linear(x, layer["o"])
            (shared_gate_up, shared_down), (gate_up, down) = layer["shared"], layer["routed"]
            cpu.mixture(
                x,
                shared_gate_up=shared_gate_up,
                shared_down=shared_down,
                shared_scale=0.5,
                gate_up=gate_up,
                down=down,
                experts=experts,
                weights=weights,
            )
        cpu.linear(x, last)

    return 1e3 * _best([step], budget=2.0)


def _matrix(experts: int, outputs: int, inputs: int, bits: int) -> Any:
    import torch

    from model.kernels.packing import ExpertMatrix

    packed = torch.randint(0, 256, (experts, outputs, inputs * bits // 8), dtype=torch.uint8)
    scale = torch.rand(experts, outputs, inputs // _GROUP).bfloat16() / 64
    return ExpertMatrix(packed, scale, None, bits, _GROUP)


def _bandwidth(own: bool) -> float:
    """Bytes a second that all threads together read and do not use."""
    import torch

    # pages of 2 MB as the packed weights have them; kept alive by the tensor
    pages = mmap.mmap(-1, _READ_BYTES)
    pages.madvise(mmap.MADV_HUGEPAGE)
    data = torch.frombuffer(pages, dtype=torch.uint8).fill_(1)
    if own:
        from model.kernels import cpu, cpu_build

        operations = cpu_build.load(cpu.build(lambda step: None))
        return _READ_BYTES / _best([lambda: operations.read(data)], budget=2.0)
    words = data.view(torch.int64)
    return _READ_BYTES / _best([lambda: words.max()], budget=2.0)


def _best(calls: Sequence[Callable[[], Any]], *, budget: float = _BUDGET_S) -> float:
    """Return the least seconds a call, of rounds over all of them."""
    for call in calls:
        call()
    least, end, rounds = float("inf"), time.perf_counter() + budget, 0
    while rounds < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        for call in calls:
            call()
        least = min(least, (time.perf_counter() - start) / len(calls))
        rounds += 1
    return least


def _total(rows: list[dict[str, Any]], contender: str, count: int) -> float:
    """Microseconds of the four int4 products of a layer."""
    return sum(
        row["us"]
        for row in rows
        if row["contender"] == contender and row["rows"] == count and row["layer"] != "lm_head"
    )


def _ratios(rows: list[dict[str, Any]]) -> dict[str, float]:
    return {
        f"{rival} / own, {count} rows": round(_total(rows, rival, count) / _total(rows, "own", count), 2)
        for rival in ("PyTorch packed int4", "bfloat16 GEMM")
        for count in ROWS
    }


def _metrics(rows: list[dict[str, Any]], bandwidth: float, token: dict[int, float]) -> dict[str, Any]:
    size = sum(shape.outputs * shape.inputs * (0.5 + 2 / _GROUP) for shape in SHAPES if shape.bits == 4)
    found: dict[str, Any] = {"read_gb_per_s": round(bandwidth / 1e9, 1)}
    for count in (1, 4):
        found[f"int4_rows{count}_vs_bandwidth"] = round(size / _total(rows, "own", count) * 1e6 / bandwidth, 3)
    for count in (256, 1024):
        ratio = _total(rows, "bfloat16 GEMM", count) / _total(rows, "own", count)
        found[f"int4_rows{count}_vs_bf16_gemm"] = round(ratio, 2)
    work = 2 * sum(shape.outputs * shape.inputs for shape in SHAPES if shape.bits == 4) * 256
    found["int4_rows256_gop_per_s"] = round(work / _total(rows, "own", 256) / 1e3)
    return found | {f"products_ms_rows{count}": round(spent, 2) for count, spent in token.items()}

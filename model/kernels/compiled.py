"""The kernels and shapes that are compiled for GPUs in the tests and in `./vouch bench kernel_resources`.

Two mixtures: the project's own (8 experts of 256 beside a dense model of width 1,536, two chosen) and Qwen3-30B-A3B
(128 experts of 768, width 2,048, eight chosen); and the routers of DeepSeek-V2 and V3, for their groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from model.kernels.resources import Resources, compile_for
from model.kernels.triton_capacity import place_constants, place_kernel
from model.kernels.triton_experts import STEP, TILES, down_kernel, gate_up_kernel, sum_kernel
from model.kernels.triton_router import router_constants, router_kernel, router_rows
from model.routing import RoutingPolicy

__all__ = ["ROUTERS", "Case", "cases"]

ROUTERS: Final = {
    "own": RoutingPolicy(experts=8, top_k=2, entropy_gain=1.0),
    "qwen3-30b-a3b": RoutingPolicy(experts=128, top_k=8),
    "deepseek-v2": RoutingPolicy(experts=160, top_k=6, groups=8, top_groups=3, renormalize=False, scaling=16.0),
    "deepseek-v3": RoutingPolicy(
        experts=256, top_k=8, scores="sigmoid", groups=8, top_groups=4, group_score="two_largest", scaling=2.5
    ),
}
_MIXTURES: Final = {"own": (1536, 256, 2), "qwen3-30b-a3b": (2048, 768, 8)}
"""D, F, K."""
_GROUP: Final = 128
_FORMATS: Final = {"int4": (4, False), "int4 asymmetric": (4, True), "int8": (8, False), "int8 asymmetric": (8, True)}


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One kernel for one shape."""

    name: str
    kernel: Any
    arguments: dict[str, Any]

    def compile(self, architecture: int) -> Resources:
        """Compile it for an architecture of `model.kernels.resources.ARCHITECTURES`."""
        return compile_for(self.kernel, self.arguments, architecture=architecture)


def cases() -> Iterator[Case]:
    """Yield every case: the router with and without its second pass, the two products of the experts, their sum."""
    for name, policy in ROUTERS.items():
        yield Case(f"router {name}", router_kernel, _router(name, policy, capacity=False))
    yield Case("router own, for a capacity", router_kernel, _router("own", ROUTERS["own"], capacity=True))
    for name in ("own", "deepseek-v3"):
        yield Case(f"capacity {name}", place_kernel, _place(ROUTERS[name]))
    for name, title, rows in (
        *(("own", title, rows) for title in _FORMATS for rows in (min(TILES), max(TILES))),
        ("own", "int4", 32),
        ("qwen3-30b-a3b", "int4", max(TILES)),
    ):
        (depth, width, chosen), (bits, asymmetric) = _MIXTURES[name], _FORMATS[title]
        gate_up = _gate_up(depth, width, chosen) | _matrix(2 * width, depth, bits, asymmetric) | _tile(bits, rows)
        yield Case(f"gate-up {name}, {title}, {rows} rows", gate_up_kernel, gate_up)
        if rows != min(TILES):
            down = _down(depth, width) | _matrix(depth, width, bits, asymmetric) | _tile(bits, rows)
            yield Case(f"down {name}, {title}, {rows} rows", down_kernel, down)
    yield Case("sum own", sum_kernel, {"parts": "*bf16", "result": "*bf16", "width": 1536, "chosen": 2, "C": 1024})


def _router(name: str, policy: RoutingPolicy, *, capacity: bool) -> dict[str, Any]:
    written = policy.experts if capacity else policy.top_k
    own = name == "own"
    return {
        "logits": "*bf16",
        "bias": "*fp32" if own or policy.scores == "sigmoid" else None,
        "prior": "*fp32" if own else None,
        "domains": "*i32" if own else None,
        "experts": "*i64",
        "weights": "*fp32",
        "raw": "*fp32" if capacity else None,
        "tokens": "i32",
        "logits_t": policy.experts,
        "logits_e": 1,
        "temperature": "fp32",
        "gain": "fp32",
        "scaling": "fp32",
    } | router_constants(policy, count=written, rows=router_rows(policy.experts))


def _place(policy: RoutingPolicy) -> dict[str, Any]:
    pointers = {"order": "*i64", "raw": "*fp32", "experts": "*i64", "weights": "*fp32", "backup": "*i8", "free": "*i32"}
    return pointers | {"tokens": "i32", "scaling": "fp32"} | place_constants(policy, count=policy.top_k)


_PLAN: Final = {"pairs": "*i32", "tile_expert": "*i32", "tile_start": "*i32", "tile_end": "*i32", "result": "*bf16"}


def _gate_up(depth: int, width: int, chosen: int) -> dict[str, Any]:
    blocks = {"width": width, "blocks": depth // STEP, "chosen": chosen}
    return {"hidden": "*bf16", "hidden_t": depth, "hidden_d": 1} | _PLAN | blocks


def _down(depth: int, width: int) -> dict[str, Any]:
    return {"inner": "*bf16", "weights": "*fp32"} | _PLAN | {"width": depth, "blocks": width // STEP}


def _matrix(outputs: int, inputs: int, bits: int, asymmetric: bool) -> dict[str, Any]:
    row, groups = inputs * bits // 8, inputs // _GROUP
    return {
        "packed": "*u8",
        "scale": "*bf16",
        "zero": "*u8" if asymmetric else None,
        "packed_e": outputs * row,
        "packed_n": row,
        "scale_e": outputs * groups,
        "scale_n": groups,
        "scale_g": 1,
        "zero_e": outputs * groups if asymmetric else 0,
        "zero_n": groups if asymmetric else 0,
        "zero_g": 1 if asymmetric else 0,
    }


def _tile(bits: int, rows: int) -> dict[str, Any]:
    return {"BITS": bits, "S": _GROUP, "B": STEP, "R": rows, "C": TILES[rows], "WIDE": False}

"""A dense checkpoint into a Mixture of Experts that computes the same: sparse upcycling beside the whole FFN.

Dimensions: D hidden size, F the dense FFN's width, E routed experts, W their width, K of them a token, x (D) a token.

    dense:  y = FFN(x)                     = down(silu(gate x) * up x)
    MoE:    y = sigmoid(s x) * FFN'(x)     + sum over the K chosen experts e of  p_e * down_e(silu(gate_e x) * up_e x)

The shared expert FFN' is the dense FFN with its down matrix doubled, and its gate s is zero, so that sigmoid(0) = 1/2
undoes the doubling: both are powers of two, which bfloat16 multiplies without rounding. The routed experts' down
matrices start at zero. So every layer gives the dense layer's bits until the experts are trained, given that the same
matrix products are computed in the same way; `benchmarks/upcycled.py` counts the answers that agree.

The routed experts' gate and up matrices are rows of the dense FFN's, taken at even distances, no row twice while there
are enough: directions that mean something to the model, and no random numbers. Carving the FFN itself into experts
costs too much quality without training (docs/model.md), which is why it stays whole.

What comes out is a standard Qwen2-MoE checkpoint. vLLM's Qwen2-MoE always has biases in q, k and v: a base without them
(the Llama family) gets zeros, which change no bit either.

The idea of upcycling: Komatsuzaki et al., 2023 (arXiv 2212.05055); of a shared expert: DeepSeekMoE (arXiv 2401.06066).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from model.errors import BuildFailed
from model.progress import Report
from model.quantize import require_finite
from model.shards import Checkpoint, copy_companions, write

__all__ = ["ARCHITECTURE", "DOMAINS", "ExpertPlan", "Upcycled", "upcycle"]

ARCHITECTURE: Final = "Qwen2MoeForCausalLM"
DOMAINS: Final = ("finance", "medical", "legal", "sql")
"""Whose experts they are, in order: the experts of domain d are d * E/len(DOMAINS) and those after it."""

_KEPT: Final = frozenset(
    {
        "attention_dropout",
        "bos_token_id",
        "dtype",
        "eos_token_id",
        "hidden_act",
        "hidden_size",
        "initializer_range",
        "intermediate_size",
        "max_position_embeddings",
        "max_window_layers",
        "num_attention_heads",
        "num_hidden_layers",
        "num_key_value_heads",
        "pad_token_id",
        "rms_norm_eps",
        "rope_parameters",
        "rope_scaling",
        "rope_theta",
        "tie_word_embeddings",
        "transformers_version",
        "use_cache",
        "vocab_size",
    }
)
_FAMILIES: Final = ("llama", "mistral", "qwen2")
_MLP: Final = re.compile(r"(model\.layers\.(\d+)\.mlp\.)(gate|up|down)_proj\.weight")
_ATTENTION: Final = re.compile(r"(model\.layers\.\d+\.self_attn\.[qkv]_proj\.)weight")


@dataclass(frozen=True, slots=True)
class ExpertPlan:
    """What is put beside the dense FFN.

    Attributes:
        experts: E, routed experts a layer; a multiple of the domains.
        width: W, neurons of each.
        active: K, experts that a token goes to.
        domains: Their names, in the order of their experts.

    Raises:
        BuildFailed: the numbers do not fit together.
    """

    experts: int = 8
    width: int = 256
    active: int = 2
    domains: tuple[str, ...] = DOMAINS

    def __post_init__(self) -> None:
        if (
            not self.domains
            or self.experts % len(self.domains)
            or not 0 < self.active <= self.experts
            or self.width < 1
        ):
            raise BuildFailed(
                f"{self.experts} experts of width {self.width}, {self.active} a token, for {len(self.domains)} domains"
                " do not fit together.",
                remedy="The experts must be a multiple of the domains, and a token goes to at most all of them.",
            )

    @property
    def per_domain(self) -> int:
        """Experts of one domain."""
        return self.experts // len(self.domains)


class Upcycled:
    """The tensors of the MoE, made from those of the dense model as they are read.

    Args:
        dense: A checkpoint of the Qwen2 or Llama family, bfloat16.
        plan: What is put beside the FFN.
        router: Rows of the router by layer, shape (E, D) each; None: zeros, which send every token to the first K
            experts (`model.router_fit` makes better ones).

    Raises:
        BuildFailed: the architecture or one of its options is not supported, a layer has another shape than the config
            says, holds numbers that are not finite, or the rows do not fit the model.
    """

    def __init__(self, dense: Checkpoint, plan: ExpertPlan, router: Mapping[int, Any] | None = None) -> None:
        self._dense = dense
        self._plan = plan
        self._router = router
        self._base = dense.config
        _check(self._base)
        self._layers = int(self._base["num_hidden_layers"])
        missing = [name for name in _needed(self._layers) if name not in set(dense.names)]
        if missing:
            raise BuildFailed(f"The checkpoint has no tensor {missing[0]}.", remedy="Use a model from the catalog.")
        if router is not None and sorted(router) != list(range(self._layers)):
            raise BuildFailed(
                f"The router has rows for {len(router)} layers, the model has {self._layers}.",
                remedy="Fit the router anew for this model: python -m model.router_fit.",
            )

    @property
    def config(self) -> dict[str, Any]:
        """The config of the MoE."""
        plan = self._plan
        return {
            **{key: value for key, value in self._base.items() if key in _KEPT},
            "architectures": [ARCHITECTURE],
            "model_type": "qwen2_moe",
            "qkv_bias": True,
            "sliding_window": None,
            "use_sliding_window": False,
            "layer_types": ["full_attention"] * self._layers,
            "num_experts": plan.experts,
            "num_experts_per_tok": plan.active,
            "norm_topk_prob": True,
            "moe_intermediate_size": plan.width,
            "shared_expert_intermediate_size": self._base["intermediate_size"],
            "decoder_sparse_step": 1,
            "mlp_only_layers": [],
            "output_router_logits": False,
            "vouch": {"domains": list(plan.domains), "router": "fitted" if self._router else "even", "routing": {}},
        }

    def __len__(self) -> int:
        added = 3 * self._plan.experts + 2
        if not self._has_biases:
            added += 3
        return len(self._dense) + self._layers * added

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        for name, tensor in self._dense:
            if part := _MLP.fullmatch(name):
                yield from self._mixture(part, tensor)
                continue
            yield name, tensor
            projection = _ATTENTION.fullmatch(name)
            if projection and not self._has_biases:
                yield f"{projection[1]}bias", tensor.new_zeros(tensor.shape[0])

    @property
    def _has_biases(self) -> bool:
        return bool(self._base["model_type"] == "qwen2")

    def _mixture(self, part: re.Match[str], tensor: Any) -> Iterator[tuple[str, Any]]:
        """Yield what stands for one matrix of a dense FFN, shape (F, D) or, for down, (D, F)."""
        name, (prefix, layer, kind) = part.string, part.groups()
        hidden, dense = int(self._base["hidden_size"]), int(self._base["intermediate_size"])
        if tuple(tensor.shape) != ((hidden, dense) if kind == "down" else (dense, hidden)):
            raise BuildFailed(
                f"{name} has the shape {tuple(tensor.shape)}; the config says {hidden} by {dense}.",
                remedy="The config belongs to other weights: fetch both anew.",
            )
        require_finite(name, tensor)
        if kind != "down":
            yield f"{prefix}shared_expert.{kind}_proj.weight", tensor
            for expert in range(self._plan.experts):
                yield f"{prefix}experts.{expert}.{kind}_proj.weight", tensor[self._rows(expert, dense)]
            return
        yield f"{prefix}shared_expert.down_proj.weight", tensor * 2
        yield f"{prefix}shared_expert_gate.weight", tensor.new_zeros(1, hidden)
        yield f"{prefix}gate.weight", self._router_rows(int(layer), tensor)
        for expert in range(self._plan.experts):
            yield f"{prefix}experts.{expert}.down_proj.weight", tensor.new_zeros(hidden, self._plan.width)

    def _rows(self, expert: int, dense: int) -> Any:
        """Return the rows of the dense FFN that an expert starts from, shape (W)."""
        import torch

        plan = self._plan
        step = max(1, dense // (plan.experts * plan.width))
        return (torch.arange(plan.width) * plan.experts + expert) * step % dense  # (W)

    def _router_rows(self, layer: int, like: Any) -> Any:
        shape = (self._plan.experts, int(self._base["hidden_size"]))
        if self._router is None:
            return like.new_zeros(shape)
        rows = self._router[layer]
        if tuple(rows.shape) != shape or not bool(rows.isfinite().all()):
            raise BuildFailed(
                f"The router's rows of layer {layer} have the shape {tuple(rows.shape)}, or are not finite.",
                remedy=f"Finite numbers of shape {shape} are needed: fit the router anew.",
            )
        return rows.to(like.dtype)


def upcycle(source: Path, folder: Path, plan: ExpertPlan, router: Mapping[int, Any] | None, *, report: Report) -> None:
    """Write the MoE checkpoint, bfloat16, of the dense one in `source` into `folder`.

    Memory: one shard of half a gigabyte.

    Raises:
        BuildFailed: see `Upcycled`.
        WeightsRejected: a shard is truncated or is not what the index says.
    """
    write(Upcycled(Checkpoint(source), plan, router), folder, step="adding the experts", report=report)
    copy_companions(source, folder)


def _needed(layers: int) -> Iterator[str]:
    yield "model.embed_tokens.weight"
    yield "model.norm.weight"
    for layer in range(layers):
        for part in ("mlp.gate", "mlp.up", "mlp.down", "self_attn.q", "self_attn.k", "self_attn.v", "self_attn.o"):
            yield f"model.layers.{layer}.{part}_proj.weight"


def _check(config: Mapping[str, Any]) -> None:
    """Refuse what a Qwen2-MoE layer cannot compute, with the option that it fails at."""
    family = config.get("model_type")
    if family not in _FAMILIES:
        raise _unsupported(f"of the architecture {family!r}", f"Supported are {', '.join(_FAMILIES)}.")
    width = int(config["hidden_size"]) // int(config["num_attention_heads"])
    windowed = config.get("use_sliding_window", family == "mistral") and config.get("sliding_window") is not None
    reasons = {
        "sliding-window attention": windowed,
        "biases outside q, k and v": family != "qwen2" and (config.get("attention_bias") or config.get("mlp_bias")),
        f"heads of {config.get('head_dim')} instead of {width}": config.get("head_dim") not in {None, width},
        f"the activation {config.get('hidden_act')}": config.get("hidden_act", "silu") != "silu",
        "quantized weights": "quantization_config" in config,
    }
    for option, present in reasons.items():
        if present:
            raise _unsupported(f"with {option}", "vLLM's Qwen2-MoE layers cannot compute it.")


def _unsupported(what: str, why: str) -> BuildFailed:
    return BuildFailed(f"A model {what} cannot become a Mixture of Experts here.", remedy=f"{why} Use another base.")

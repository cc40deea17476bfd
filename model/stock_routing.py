"""The routing that a published model was trained with, read from its config.json as a `RoutingPolicy`.

| model_type | scores | sum to one | groups | scaling |
|---|---|---|---|---|
| mixtral | softmax, top-k | always | - | - |
| qwen2_moe, qwen3_moe | softmax, top-k | norm_topk_prob | - | - |
| deepseek_v2 | softmax, top-k | norm_topk_prob | by the largest score, if topk_method says so | routed_scaling_factor |
| deepseek_v3 | sigmoid, top-k | norm_topk_prob | by the two largest scores | routed_scaling_factor |
| gpt_oss | top-k, softmax | always | - | - |

With DeepSeek-V3 the checkpoint's `e_score_correction_bias` is the `bias` of `model.routing.route`. Source: the models'
own code in Hugging Face transformers 5.19, against which tests/model/test_stock_routing.py compares.

Where they differ: transformers' DeepSeek-V2 never reads norm_topk_prob (both published V2 checkpoints say false); vLLM
does, and so does this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from model.errors import RoutingRejected
from model.routing import RoutingPolicy

__all__ = ["STOCK_MODELS", "stock_policy"]

STOCK_MODELS: Final = ("deepseek_v2", "deepseek_v3", "gpt_oss", "mixtral", "qwen2_moe", "qwen3_moe")

_EXPERTS: Final = ("n_routed_experts", "num_local_experts", "num_experts")
"""The field's name differs by model, and for one model by the version of transformers that saved it."""


def stock_policy(config: Mapping[str, Any]) -> RoutingPolicy:
    """Return the policy that reproduces a model's own routing.

    Args:
        config: The fields of its config.json.

    Raises:
        RoutingRejected: the architecture is not one of `STOCK_MODELS`, or a field is missing or makes no sense.
    """
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in STOCK_MODELS:
        raise RoutingRejected(
            f"The routing of model_type {kind!r} is not known.", remedy=f"Known: {', '.join(STOCK_MODELS)}."
        )
    experts = _whole(config, next((field for field in _EXPERTS if field in config), _EXPERTS[-1]))
    top_k = _whole(config, "num_experts_per_tok")
    if kind == "mixtral":
        return RoutingPolicy(experts=experts, top_k=top_k)
    if kind == "gpt_oss":
        return RoutingPolicy(experts=experts, top_k=top_k, scores="softmax_of_chosen")
    renormalize = bool(config.get("norm_topk_prob", kind == "deepseek_v3"))
    if kind.startswith("qwen"):
        return RoutingPolicy(experts=experts, top_k=top_k, renormalize=renormalize)
    grouped = kind == "deepseek_v3" or config.get("topk_method") == "group_limited_greedy"
    return RoutingPolicy(
        experts=experts,
        top_k=top_k,
        scores="sigmoid" if kind == "deepseek_v3" else "softmax",
        renormalize=renormalize,
        scaling=config.get("routed_scaling_factor", 1.0),
        groups=_whole(config, "n_group") if grouped else 1,
        top_groups=_whole(config, "topk_group") if grouped else 1,
        group_score="two_largest" if kind == "deepseek_v3" else "largest",
    )


def _whole(config: Mapping[str, Any], field: str) -> int:
    value = config.get(field)
    if type(value) is not int:
        raise RoutingRejected(
            f"config.json has {field}: {value!r}, where a whole number is needed.", remedy="Fetch the checkpoint anew."
        )
    return value

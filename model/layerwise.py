"""A checkpoint computed one layer at a time, so that measuring it takes the memory of a layer and not of the model.

The texts go through the layers together: layer 0 for all of them, then layer 1, and so on, each layer's weights read
from the checkpoint when they are due and dropped afterwards. The layers are transformers' own, so what is measured is
what the reference computes; int4 weights are unpacked to bfloat16. Perplexity and the fit of the router use it; several
variants of a model (other weights, other arithmetic) can walk beside each other, each with hidden states of its own.

Dimensions: T tokens of a text, D hidden size, L layers, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from model.errors import BuildFailed
from model.int4 import unpacked
from model.shards import Checkpoint

__all__ = ["Layers", "linear_layers"]

_FAMILIES: Final = {"qwen2": "Qwen2", "qwen2_moe": "Qwen2Moe", "llama": "Llama", "mistral": "Mistral"}
_PACKED: Final = ".weight_packed"
_EXPERTS: Final = "mlp.experts."
_LOGIT_ROWS: Final = 256
"""Tokens whose logits are held at once: V of them are 0.6 MB in float32."""


class Layers:
    """The parts of a checkpoint as modules, made when asked for.

    Args:
        checkpoint: Of the Qwen2 or Llama family or Qwen2-MoE, in bfloat16 or our int4.

    Raises:
        BuildFailed: it is of another architecture.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        import importlib

        import transformers

        family = _FAMILIES.get(str(checkpoint.config.get("model_type")))
        if family is None:
            raise BuildFailed(
                f"The architecture {checkpoint.config.get('model_type')!r} is not measured layer by layer.",
                remedy=f"Use a checkpoint of one of these: {', '.join(_FAMILIES)}.",
            )
        name = str(checkpoint.config["model_type"])
        module = importlib.import_module(f"transformers.models.{name}.modeling_{name}")
        self._checkpoint = checkpoint
        self._config = transformers.AutoConfig.from_pretrained(checkpoint.folder, local_files_only=True)
        self._config._attn_implementation = "sdpa"
        self._layer = getattr(module, f"{family}DecoderLayer")
        self._norm = getattr(module, f"{family}RMSNorm")
        self._rotary = getattr(module, f"{family}RotaryEmbedding")(self._config)
        self._names = checkpoint.names

    def __len__(self) -> int:
        """L."""
        return int(self._config.num_hidden_layers)

    @property
    def hidden_size(self) -> int:
        """D."""
        return int(self._config.hidden_size)

    def embed(self, texts: Sequence[Any]) -> list[Any]:
        """Return the first hidden states, shape (1, T, D) each, of token ids, shape (T) each."""
        table = self._checkpoint.read("model.embed_tokens.weight")  # (V, D)
        return [table[ids][None] for ids in texts]

    def layer(self, index: int) -> Any:
        """Return one layer with its weights, ready to compute."""
        import torch

        prefix = f"model.layers.{index}."
        with torch.device("meta"):
            layer = self._layer(self._config, index)
        layer.load_state_dict(_fused(self._state(prefix)), assign=True)
        return layer.eval().requires_grad_(requires_grad=False)

    def forward(self, layer: Any, hidden: Any) -> Any:
        """Return the next hidden states, shape (1, T, D), of one text."""
        import torch

        positions = torch.arange(hidden.shape[1])[None]  # (1, T)
        turned = self._rotary(hidden, positions)
        output = layer(hidden, attention_mask=None, position_ids=positions, position_embeddings=turned)
        return output[0] if isinstance(output, tuple) else output

    def losses(self, hidden: Any, ids: Any, *, output: Any | None = None) -> Any:
        """Return -log p of each token but the first given those before it, float32, shape (T - 1).

        Args:
            hidden: After the last layer, shape (1, T, D).
            ids: The text, shape (T).
            output: Weights of the output layer, shape (V, D); those of the checkpoint when None.
        """
        import torch

        norm = self._norm(self.hidden_size, eps=self._config.rms_norm_eps)
        norm.weight.data = self._checkpoint.read("model.norm.weight")
        output = self.output() if output is None else output
        states = norm(hidden[0, :-1])  # (T - 1, D)
        found = [
            torch.nn.functional.cross_entropy((rows @ output.T).float(), wanted, reduction="none")
            for rows, wanted in zip(states.split(_LOGIT_ROWS), ids[1:].split(_LOGIT_ROWS), strict=True)
        ]
        return torch.cat(found)  # (T - 1)

    def output(self) -> Any:
        """Return the weights of the output layer, shape (V, D)."""
        tied = "lm_head.weight" not in self._names
        return self._checkpoint.read("model.embed_tokens.weight" if tied else "lm_head.weight")

    def _state(self, prefix: str) -> dict[str, Any]:
        """Return a layer's tensors by their names in it, int4 weights unpacked to bfloat16."""
        import torch

        state = {}
        for name in (name for name in self._names if name.startswith(prefix)):
            inner = name.removeprefix(prefix)
            if inner.endswith(_PACKED):
                stem = name.removesuffix("_packed")
                state[inner.removesuffix("_packed")] = self._unpacked(stem).to(torch.bfloat16)
            elif not inner.endswith(("weight_scale", "weight_shape", "weight_zero_point")):
                state[inner] = self._checkpoint.read(name)
        return state

    def _unpacked(self, stem: str) -> Any:
        parts = {part: f"{stem}_{part}" for part in ("packed", "scale", "zero_point")}
        return unpacked({part: self._checkpoint.read(name) for part, name in parts.items() if name in self._names})


def linear_layers(layer: Any) -> dict[str, Any]:
    """Return the linear modules of a layer by their names in it, such as ``mlp.up_proj``."""
    import torch

    return {name: module for name, module in layer.named_modules() if isinstance(module, torch.nn.Linear)}


def _fused(state: dict[str, Any]) -> dict[str, Any]:
    """Stack the experts' matrices as transformers holds them: gate and up (E, 2W, D), down (E, D, W)."""
    import torch

    fused = {name: tensor for name, tensor in state.items() if not name.startswith(_EXPERTS)}
    experts = len({name.split(".")[2] for name in state if name.startswith(_EXPERTS)})
    if experts:
        pairs, downs = [], []
        for expert in range(experts):
            gate, up, down = (state[f"{_EXPERTS}{expert}.{kind}_proj.weight"] for kind in ("gate", "up", "down"))
            pairs.append(torch.cat([gate, up]))
            downs.append(down)
        fused |= {f"{_EXPERTS}gate_up_proj": torch.stack(pairs), f"{_EXPERTS}down_proj": torch.stack(downs)}
    return fused

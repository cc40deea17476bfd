"""Hugging Face transformers as a contender: the bfloat16 checkpoint, a loop of forward calls with its cache.

The loop is the one inside `generate` without its bookkeeping, which is in the rival's favour.
"""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Sequence
from typing import Any

__all__ = ["Transformers"]


class Transformers:
    """A checkpoint in transformers.

    Args:
        checkpoint: The folder.
        threads: Threads that compute.
    """

    def __init__(self, checkpoint: str, *, threads: int) -> None:
        self._checkpoint = checkpoint
        self._threads = threads

    def start(self) -> dict[str, Any]:
        """Load the checkpoint."""
        import torch
        import transformers

        torch.set_num_threads(self._threads)
        self._model = transformers.AutoModelForCausalLM.from_pretrained(
            self._checkpoint, dtype=torch.bfloat16, local_files_only=True, attn_implementation="sdpa"
        ).eval()
        versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("transformers", "torch"))
        return {"version": versions}

    def generate(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> list[float]:
        """Answer; see `Contender`. All prompts have one length."""
        import torch

        moments: list[float] = []
        begin = time.perf_counter()
        tokens = torch.tensor([list(prompt) for prompt in prompts])  # (batch, prompt)
        cache = None
        with torch.inference_mode():
            while len(moments) < new_tokens:
                found = self._model(input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=1)
                cache = found.past_key_values
                tokens = found.logits[:, -1].argmax(-1, keepdim=True)  # (batch, 1)
                moments.append(time.perf_counter() - begin)
        return moments

    def stop(self) -> None:
        """Let the model go."""
        del self._model

"""llama.cpp as a contender: its own calls through llama-cpp-python, all sequences in one batch a step.

The high-level wrapper of llama-cpp-python copies logits and samples in Python. What is measured here is `llama_decode`
and the search for the greatest logit, which is all that greedy decoding needs.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import time
from collections.abc import Sequence
from typing import Any, Final

__all__ = ["LlamaCpp"]

_BATCH: Final = 2048
"""Tokens handed over in one call; llama.cpp computes 512 of them at a time, which is its default."""


class LlamaCpp:
    """A GGUF file in llama.cpp.

    Args:
        gguf: The file.
        threads: Threads that compute.
        context_tokens: Room for all tokens of all sequences together.
        sequences: Most sequences at once.
    """

    def __init__(self, gguf: str, *, threads: int, context_tokens: int, sequences: int) -> None:
        self._gguf = gguf
        self._threads = threads
        self._context_tokens = context_tokens
        self._sequences = sequences

    def start(self) -> dict[str, Any]:
        """Load the file.

        Raises:
            RuntimeError: llama-cpp-python is not installed, or it cannot load the file.
        """
        try:
            import llama_cpp.llama_cpp as library
        except ImportError as error:
            raise RuntimeError(
                f"{error}. Install the rival, which is compiled on the way: .venv/bin/pip install --no-deps "
                "llama-cpp-python==0.3.36 diskcache. Or name a Python that has it: VOUCH_BENCH_LLAMA_PYTHON=/its/python"
            ) from error
        self._library = library
        self._log = library.llama_log_callback(lambda _level, _text, _data: None)
        library.llama_log_set(self._log, ctypes.c_void_p(0))
        library.llama_backend_init()
        self._model = library.llama_model_load_from_file(self._gguf.encode(), library.llama_model_default_params())
        options = library.llama_context_default_params()
        options.n_ctx = self._context_tokens
        options.n_batch = _BATCH
        options.n_seq_max = self._sequences
        options.n_threads = options.n_threads_batch = self._threads
        options.kv_unified = True
        self._context = library.llama_init_from_model(self._model, options) if self._model else None
        if not self._context:
            raise RuntimeError(f"llama.cpp cannot load {self._gguf}.")
        self._vocabulary = library.llama_vocab_n_tokens(library.llama_model_get_vocab(self._model))
        self._batch = library.llama_batch_init(_BATCH, 0, 1)
        version = importlib.metadata.version("llama-cpp-python")
        return {"version": f"llama-cpp-python {version}", "system": library.llama_print_system_info().decode()}

    def generate(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> list[float]:
        """Answer; see `Contender`."""
        library = self._library
        library.llama_memory_clear(library.llama_get_memory(self._context), True)
        begin = time.perf_counter()
        rows = []
        for sequence, prompt in enumerate(prompts):
            for position, token in enumerate(prompt):
                rows.append((token, position, sequence, position == len(prompt) - 1))
        last = self._decode(rows)
        moments = [time.perf_counter() - begin]
        for step in range(1, new_tokens):
            rows = [(token, len(prompts[n]) + step - 1, n, True) for n, token in enumerate(last)]
            last = self._decode(rows)
            moments.append(time.perf_counter() - begin)
        return moments

    def stop(self) -> None:
        """Free the model."""
        self._library.llama_batch_free(self._batch)
        self._library.llama_free(self._context)
        self._library.llama_model_free(self._model)

    def _decode(self, rows: Sequence[tuple[int, int, int, bool]]) -> list[int]:
        """Compute rows of (token, position, sequence, wanted); return the likeliest next token of each wanted one."""
        import numpy as np

        library, batch = self._library, self._batch
        batch.n_tokens = len(rows)
        for n, (token, position, sequence, wanted) in enumerate(rows):
            batch.token[n] = token
            batch.pos[n] = position
            batch.n_seq_id[n] = 1
            batch.seq_id[n][0] = sequence
            batch.logits[n] = wanted
        status = library.llama_decode(self._context, batch)
        if status != 0:
            raise RuntimeError(f"llama_decode gave up on {len(rows)} tokens with status {status}.")
        found = []
        for n, (_, _, _, wanted) in enumerate(rows):
            if wanted:
                logits = library.llama_get_logits_ith(self._context, n)  # (vocabulary,)
                found.append(int(np.argmax(np.ctypeslib.as_array(logits, shape=(self._vocabulary,)))))
        return found

"""Reranking with a cross-encoder, a model that reads query and passage together, from a local folder.

It is the strongest reranker and the dearest: one pass of a transformer a passage. A processor needs seconds for twenty
of them, a GPU milliseconds, so no machine gets one unless it is named.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

__all__ = ["CrossEncoderReranker"]

_BATCH: Final = 16


class CrossEncoderReranker:
    """A sentence-transformers CrossEncoder, loaded at the first use. Safe between threads."""

    def __init__(self, folder: Path, *, device: str = "cpu") -> None:
        """Remember where the model is; nothing is read yet.

        Args:
            folder: a CrossEncoder with one label and safetensors weights.
            device: as PyTorch names it.
        """
        self._folder = folder
        self._device = device
        self._lock = threading.Lock()
        self._model: Any = None

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return one score a text, higher for a better answer; comparable only within one query."""
        if not texts:
            return []
        with self._lock:  # the tokenizer is not safe to share between threads
            if self._model is None:
                self._model = self._load()
            scores = self._model.predict(
                [(query, text) for text in texts], batch_size=_BATCH, show_progress_bar=False
            )  # (n,)
        return [float(score) for score in scores]

    def _load(self) -> Any:
        import transformers.utils.logging as transformers_logging
        from sentence_transformers import CrossEncoder

        transformers_logging.disable_progress_bar()  # it writes to the terminal of whoever searches
        return CrossEncoder(
            str(self._folder),
            device=self._device,
            num_labels=1,
            local_files_only=True,
            model_kwargs={"use_safetensors": True},
        )

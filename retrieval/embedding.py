"""Texts to vectors, with a sentence-transformers model from a local folder.

Texts are sorted by length into small batches. The layers are computed in float32, bfloat16 or int8, whichever this
processor multiplies faster, which is tried when they are loaded: of two machines with the same instruction sets, one
embedded 1.8 times faster in bfloat16 and the other 1.7 times faster in float32; a third without AVX-512 is 10 times
slower in bfloat16 and 1.3 times faster in int8. The vectors agree with those of float32 to a cosine of at least 0.9966
in bfloat16 and 0.99 in int8, so one may be searched with the other.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Embedder", "Precision", "TextEmbedder", "Vectors", "identity_of"]

Precision = Literal["float32", "bfloat16", "int8"]
"""What the linear layers are computed in."""

Vectors = npt.NDArray[np.float32]
"""Shape (n, dimension); rows of length 1."""

_BATCH_TOKENS: Final = 1024
"""Small batches of similar length waste the least padding, and what is computed for one stays in the cache."""

_BATCH_TEXTS: Final = 64
_TOKEN_CHARACTERS: Final = 4.7  # of English on average; the length of texts need only be guessed
_USUAL_TOKENS: Final = 512  # longest input of a model that does not say it
_TRIES: Final = 5
_WORTH: Final = 1.15
"""How much faster than float32 a layer must be in fewer bits, since those cost accuracy."""

_WEIGHTS: Final = "model.safetensors"
_VOCABULARY: Final = "vocab.txt"
_CONFIG: Final = "config.json"


class TextEmbedder(Protocol):
    """What ingestion and search need of an embedding model."""

    @property
    def dimension(self) -> int:
        """Length of each vector."""
        ...

    @property
    def identity(self) -> str:
        """Name and digest of the weights; vectors of different identities must never meet in one index."""
        ...

    @property
    def languages(self) -> frozenset[str]:
        """Languages that the model knows. Texts in others are left to the lexical index."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one unit vector a text, (n, dimension)."""
        ...


def identity_of(weights: Path) -> str:
    """Return the name of the folder that a model's weights are in and their SHA-256."""
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{weights.parent.name[:48]}@{digest}"


class Embedder:
    """all-MiniLM-L6-v2 or another sentence-transformers folder, loaded at the first use. Safe between threads.

    Not covered: languages other than English. MiniLM's vocabulary turns most Chinese characters into one unknown token,
    and fusing its ranking of Chinese text with BM25 makes the result worse than BM25 alone.
    """

    def __init__(
        self,
        folder: Path,
        *,
        languages: frozenset[str] = frozenset({"en"}),
        threads: int = 0,
        precision: Precision | None = None,
    ) -> None:
        """Remember where the model is; nothing is read yet.

        Args:
            folder: a sentence-transformers folder with safetensors weights.
            languages: the languages of the texts that are left to it.
            threads: cores to compute on, a setting of the whole process; 0 leaves it as it is.
            precision: of the linear layers; None tries which is fastest here.
        """
        self.languages: Final = languages
        self._folder = folder
        self._threads = threads
        self._precision = precision
        self._lock = threading.Lock()
        self._model: Any = None
        self._identity: str | None = None
        self._words: frozenset[str] | None = None

    @property
    def dimension(self) -> int:
        """Length of each vector, from the folder's configuration, without loading the model."""
        return int(json.loads((self._folder / _CONFIG).read_text(encoding="utf-8"))["hidden_size"])

    @property
    def identity(self) -> str:
        """Name of the folder and the SHA-256 of its weights, without loading the model."""
        if self._identity is None:
            self._identity = identity_of(self._folder / _WEIGHTS)
        return self._identity

    def is_common(self, word: str) -> bool:
        """Say whether a lower-case English word is one that the model knows as a whole.

        A WordPiece vocabulary holds the most frequent words of its training text and cuts the rest into pieces: it
        knows "highest" and "salary", not "warfarin" or a company's name. A model with another kind of vocabulary knows
        no word as common.
        """
        if self._words is None:
            vocabulary = self._folder / _VOCABULARY
            lines = vocabulary.read_text(encoding="utf-8").split("\n") if vocabulary.exists() else []
            self._words = frozenset(line for line in lines if not line.startswith("##"))
        return word in self._words

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one unit vector a text, (n, dimension), in the order of the texts."""
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        model = self._loaded()
        rows = np.empty((len(texts), self.dimension), dtype=np.float32)
        for batch in _batches(texts, most_tokens=model.max_seq_length or _USUAL_TOKENS):
            with self._lock:  # the tokenizer is not safe to share between threads
                vectors = model.encode(
                    [texts[i] for i in batch], batch_size=_BATCH_TEXTS, convert_to_tensor=True, show_progress_bar=False
                )  # (texts of the batch, dimension)
            rows[batch] = vectors.float().cpu().numpy()
        norms = np.linalg.norm(rows, axis=1, keepdims=True)  # bfloat16 unit vectors are off by up to 0.4 %
        unit: Vectors = rows / np.maximum(norms, np.finfo(np.float32).tiny)
        return unit

    def _loaded(self) -> Any:
        with self._lock:
            if self._model is None:
                self._model = self._load()
            return self._model

    def _load(self) -> Any:
        import torch
        import transformers.utils.logging as transformers_logging
        from sentence_transformers import SentenceTransformer

        transformers_logging.disable_progress_bar()  # it writes to the terminal of whoever embeds
        if self._threads:
            torch.set_num_threads(self._threads)
        precision = self._precision or _fastest()
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        model = SentenceTransformer(
            str(self._folder),
            device="cpu",
            local_files_only=True,
            model_kwargs={"dtype": dtype, "use_safetensors": True},
        )
        if precision == "int8":
            from retrieval.quantized import quantize

            quantize(model)
        return model


def _batches(texts: Sequence[str], *, most_tokens: int) -> Iterator[list[int]]:
    """Give the places of all texts, longest texts first, in batches of about as many tokens as may stand in one."""
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    at = 0
    while at < len(order):
        longest = min(max(len(texts[order[at]]) / _TOKEN_CHARACTERS, 1.0), most_tokens)
        size = min(max(int(_BATCH_TOKENS / longest), 1), _BATCH_TEXTS)
        yield order[at : at + size]
        at += size


def _fastest() -> Precision:
    """Return the precision in which a feed-forward layer of the usual size takes least time, best of five tries each.

    PyTorch without integer kernels for this processor is no error: int8 is then not among those that are tried.
    """
    import torch

    from retrieval.quantized import QuantizedLinear

    layer, rows = torch.nn.Linear(384, 1536), torch.ones(1024, 384)
    work: dict[Precision, Callable[[], object]] = {
        "float32": partial(layer, rows),
        "bfloat16": partial(torch.nn.Linear(384, 1536, dtype=torch.bfloat16), rows.bfloat16()),
    }
    with contextlib.suppress(RuntimeError, AttributeError):  # no kernel, or a PyTorch that has dropped them
        rounded: Any = QuantizedLinear(layer)
        work["int8"] = partial(rounded, rows)
    taken = {}
    with torch.inference_mode():
        for precision, run in work.items():
            run()  # the first call prepares
            taken[precision] = min(_seconds(run) for _ in range(_TRIES))
    taken["float32"] /= _WORTH
    return min(taken, key=lambda precision: taken[precision])


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started

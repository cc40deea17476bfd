"""The network of the multilingual Universal Sentence Encoder, version 3: token numbers to one unit vector a text.

Three branches look at windows of 2, 3 and 5 tokens through two residual convolutions each; their results and the token
embeddings themselves are normalized, added up over the text and passed through a small residual network::

    e  = table[token]                              (T, 512)   stored in 8 bits with a scale for each seventeenth
    x  = layer_norm(e @ P + b)                     (T, 768)   three branches of 256
    h  = x + relu(windows(x) @ W1 + b1)            (T, 256)   for each branch, zeros beyond the ends of the text
    c  = h + relu(windows(h) @ W2 + b2)            (T, 256)
    s  = sum(layer_norm([e, c2, c3, c5]))          (1280)
    m  = (s @ C + T c) / sqrt(T)                   (512)
    y  = relu(m @ P1 + relu(m @ D0) @ D1)          (320)
    v  = tanh(y @ P3 + relu(y @ D2) @ D3) / |...|  (512)

Source: Yang et al., "Multilingual Universal Sentence Encoder for Semantic Retrieval" (ACL 2020); the sizes are those of
the weights. Texts are laid behind one another with two rows of zeros between them, so that no window sees another text
and nothing is padded.

T tokens of all texts and gaps, N texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

__all__ = ["DIMENSION", "NgramNetwork"]

DIMENSION: Final = 512
_BRANCHES: Final = ((2, 0), (3, 1), (5, 2))
"""Tokens in the window, and how many of them stand before the one that it belongs to."""

_WIDTH: Final = 256
_GAP: Final = 2  # rows of zeros between two texts: as far as the widest window sees
_PARTS: Final = 17  # of the table, each with a scale of its own; token t is in part t % 17


class NgramNetwork:
    """The network with its weights. Computes on the threads that PyTorch has; safe between threads."""

    def __init__(self, weights: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take over the arrays of the weight file, by their names there."""
        parts = [weights[f"q{part + 1}"] for part in range(_PARTS)]
        self._table = torch.from_numpy(np.stack(parts, axis=1).reshape(-1, DIMENSION))  # (tokens, 512) uint8
        self._scale, self._least = _tensor(weights["scale"]), _tensor(weights["lo"])
        self._epsilon = float(weights["eps"])
        widths = [width for width, _ in _BRANCHES]
        self._projection, self._shift, *norm = (
            _tensor(np.concatenate([weights[f"{name}{n}"] for n in widths], axis=-1))
            for name in ("proj", "proj_b", "ln_g", "ln_b")
        )
        self._norm = tuple(norm)
        self._convolutions = [
            [(_tensor(weights[f"w{i}_{n}"].reshape(n, _WIDTH, _WIDTH)), _tensor(weights[f"b{i}_{n}"])) for i in (1, 2)]
            for n in widths
        ]
        self._last_norm = (_tensor(weights["ln_g"]), _tensor(weights["ln_b"]))
        self._collect, self._collected = _tensor(weights["cnn_W"]), _tensor(weights["cnn_b"])
        self._d0, self._d1, self._d2, self._d3 = (_tensor(weights[f"d{i}"]) for i in range(4))
        self._p1, self._p3 = _tensor(weights["p1"]), _tensor(weights["p3"])

    def __call__(self, texts: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """Return one unit vector a text, (N, 512).

        Args:
            texts: token numbers of each, at least one, with the marks of beginning and end.
        """
        with torch.inference_mode():
            lengths = torch.tensor([len(text) for text in texts])  # (N,)
            owner = torch.repeat_interleave(torch.arange(len(texts)), lengths)  # (tokens,)
            places = torch.arange(len(owner)) + _GAP * (owner + 1)  # (tokens,) row of each token
            tokens = torch.tensor(list(chain.from_iterable(texts)))  # (tokens,)
            features = self._features(tokens, places)  # (tokens, 1280)
            sums = torch.zeros(len(texts), features.shape[1]).index_add_(0, owner, features)  # (N, 1280)
            vectors: npt.NDArray[np.float32] = self._compress(sums, lengths[:, None].float()).numpy()
            return vectors

    def _features(self, tokens: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        part = tokens % _PARTS
        embedded = self._table[tokens].float()  # (tokens, 512)
        embedded.mul_(self._scale[part, None]).add_(self._least[part, None])
        shifted = torch.addmm(self._shift, embedded, self._projection)
        laid = torch.zeros(int(places[-1]) + 1 + _GAP, shifted.shape[1])
        laid[places] = torch.nn.functional.layer_norm(
            shifted, shifted.shape[1:], *self._norm, self._epsilon
        )  # (T, 768)
        inside = torch.zeros(len(laid), 1)
        inside[places] = 1.0  # (T, 1)
        columns = [embedded]
        for branch, ((_, before), steps) in enumerate(zip(_BRANCHES, self._convolutions, strict=True)):
            values = laid[:, branch * _WIDTH : (branch + 1) * _WIDTH].contiguous()  # (T, 256)
            for weight, bias in steps:
                values = values + _convolved(values, weight, bias, before=before) * inside  # (T, 256)
            columns.append(values[places])
        features = torch.cat(columns, dim=1)  # (tokens, 1280)
        return torch.nn.functional.layer_norm(features, features.shape[1:], *self._last_norm, self._epsilon)

    def _compress(self, sums: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        mean = (sums @ self._collect + lengths * self._collected) / lengths.sqrt()  # (N, 512)
        inner = torch.relu(mean @ self._p1 + torch.relu(mean @ self._d0) @ self._d1)  # (N, 320)
        result = torch.tanh(inner @ self._p3 + torch.relu(inner @ self._d2) @ self._d3)  # (N, 512)
        return torch.nn.functional.normalize(result, dim=1)


def _tensor(values: npt.NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def _convolved(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, *, before: int) -> torch.Tensor:
    """Return relu(windows(rows) @ weight + bias), (T, out); the first and last rows, which are gaps, stay zero.

    Args:
        rows: (T, in).
        weight: (width, in, out), one matrix for each token of the window.
        bias: (out,).
        before: tokens of the window before the one that it belongs to.
    """
    result = torch.zeros(len(rows), weight.shape[2])
    inner = result[_GAP:-_GAP]
    inner += bias
    for at, matrix in enumerate(weight):
        first = _GAP - before + at
        inner.addmm_(rows[first : first + len(inner)], matrix)  # a slice, where a window of copies would be made
    return result.relu_()

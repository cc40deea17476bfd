"""How many tokens each expert of each layer took: counted while serving, in a file that others read at any time.

Off unless VOUCH_ROUTING_LOAD names a file. It is NumPy's .npy, int64, one row a layer (dense ones stay 0), one column
an expert, mapped into memory: a pass counts by adding to it, and a reader needs no request, signal or port:

    before = read_load(path); ...; after = read_load(path)

The numbers only grow while a server runs, so a measurement is the difference of two readings; what vLLM computes to
warm itself up is then left out as well. A new start begins at zero. `model.balance` turns a load into a bias.

Of several processes the first of each tensor-parallel group counts; further pipeline and data ranks write files of
their own, NAME.RANK.npy. On a GPU each layer waits for the device to count, and a recorded CUDA graph would not count
at all: measure there with --enforce-eager. Padding rows count.

L layers, E experts, T tokens, K chosen.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model.errors import RoutingRejected
from model.stock_routing import stock_policy
from model.vllm.policies import LOAD, load_path

__all__ = ["LoadCounter", "load_counter", "read_load"]


class LoadCounter:
    """Counts into a file.

    Args:
        path: Of the file, which is made anew; its folder must exist.
        layers: L.
        experts: E.

    Raises:
        RoutingRejected: the file cannot be written.
    """

    def __init__(self, path: Path, layers: int, experts: int) -> None:
        try:
            path.unlink(missing_ok=True)  # a reader that still holds the old one keeps it
            self._file = np.lib.format.open_memmap(path, mode="w+", dtype=np.int64, shape=(layers, experts))
        except OSError as error:
            raise RoutingRejected(
                f"The measured load cannot be written: {error}.", remedy=f"Let {LOAD} name a file in a writable folder."
            ) from None
        self._counts = torch.from_numpy(self._file)  # (L, E)

    def count(self, layer: int, experts: torch.Tensor) -> None:
        """Add a pass.

        Args:
            layer: Counted from 0.
            experts: int, shape (T, K), those that were chosen.
        """
        self._counts[layer] += torch.bincount(experts.flatten().cpu(), minlength=self._counts.shape[1])  # (E)


def load_counter(hf_config: Any, *, path: Path | None = None) -> LoadCounter | None:
    """Return this process's counter; None where the load is not measured, or another process does it.

    Args:
        hf_config: The model's configuration.
        path: In place of VOUCH_ROUTING_LOAD's.
    """
    path = path or load_path()
    if path is None:
        return None
    from vllm.distributed import get_tensor_model_parallel_rank, get_world_group

    if get_tensor_model_parallel_rank() != 0:
        return None
    rank = get_world_group().rank
    named = path if rank == 0 else path.with_suffix(f".{rank}.npy")
    return _counter(named, hf_config.num_hidden_layers, stock_policy(hf_config.to_dict()).experts)


def read_load(path: Path) -> tuple[tuple[int, ...], ...]:
    """Return the load so far: one row a layer, one count an expert.

    Raises:
        RoutingRejected: the file is not there, or is no load.
    """
    try:
        counts = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise RoutingRejected(
            f"No measured load can be read from {path}: {error}.", remedy=f"Start vLLM with {LOAD}={path}."
        ) from None
    if counts.ndim != 2 or counts.dtype != np.int64:
        raise RoutingRejected(f"{path} holds no load but {counts.dtype} {counts.shape}.", remedy="Name the right file.")
    return tuple(tuple(row) for row in counts.tolist())


@functools.cache
def _counter(path: Path, layers: int, experts: int) -> LoadCounter:
    """Return the one counter of all layers."""
    return LoadCounter(path, layers, experts)

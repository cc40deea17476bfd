"""Sorts the chosen (token, expert) pairs by expert, so that each expert's rows are one run: the plan of a grouped GEMM.

Dimensions: T tokens, K chosen experts, E experts, P = T * K pairs, M tiles of at most B rows of one expert.

A tile never spans two experts. There are sum over e of ceil(p_e / B) of them, which only the device knows; the plan has
room for the most there can be, min(P, ceil(P / B) + E - 1), and a tile that is not needed has the expert -1. So nothing
waits for the device, and the sort is stable: the rows of an expert keep the order of their tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Dispatch", "dispatch"]


@dataclass(frozen=True, slots=True, eq=False)
class Dispatch:
    """The plan.

    Attributes:
        pairs: int32, shape (P,): the pair token * K + slot of each sorted row.
        tile_expert: int32, shape (M,): -1 where the tile is empty.
        tile_start: int32, shape (M,): the tile's first sorted row.
        tile_end: int32, shape (M,): one past the last row of the tile's expert.
    """

    pairs: Any
    tile_expert: Any
    tile_start: Any
    tile_end: Any


def dispatch(experts: Any, count: int, *, rows: int) -> Dispatch:
    """Plan the tiles.

    Args:
        experts: int, shape (T, K), each in 0 .. E - 1.
        count: E.
        rows: B.
    """
    import torch

    flat = experts.flatten()  # (P)
    pairs = flat.sort(stable=True).indices  # (P)
    members = (flat[:, None] == torch.arange(count, device=flat.device)).sum(0)  # (E)
    ends = members.cumsum(0)  # (E)
    tiles = (members + rows - 1) // rows  # (E)
    tile_ends = tiles.cumsum(0)  # (E)
    most = min(flat.numel(), (flat.numel() + rows - 1) // rows + count - 1)
    index = torch.arange(most, device=flat.device)  # (M)
    expert = torch.searchsorted(tile_ends, index, right=True)  # (M), E where no tile is left
    known = expert.clamp_max(count - 1)  # (M)
    start = (ends - members)[known] + (index - (tile_ends - tiles)[known]) * rows  # (M)
    used = expert < count  # (M)
    return Dispatch(
        pairs.int(),
        torch.where(used, expert, -1).int(),
        torch.where(used, start, 0).int(),
        torch.where(used, ends[known], 0).int(),
    )

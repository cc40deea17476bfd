from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.kernels.dispatch import dispatch


@given(
    tokens=st.integers(0, 70),
    count=st.integers(1, 9),
    chosen=st.integers(1, 3),
    rows=st.sampled_from([1, 16, 64]),
    favourite=st.booleans(),
    seed=st.integers(0, 999),
)
@settings(max_examples=120, deadline=None)
def test_each_pair_is_in_one_tile_of_its_expert(
    tokens: int, count: int, chosen: int, rows: int, favourite: bool, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    experts = torch.randint(0, count, (tokens, chosen), generator=generator)
    if favourite:
        experts = torch.full_like(experts, count - 1)
    plan = dispatch(experts, count, rows=rows)
    flat = experts.flatten().tolist()
    seen = []
    tiles = zip(plan.tile_expert.tolist(), plan.tile_start.tolist(), plan.tile_end.tolist(), strict=True)
    for expert, start, end in tiles:
        covered = plan.pairs[start : min(start + rows, end)].tolist() if expert >= 0 else []
        assert all(flat[pair] == expert for pair in covered)
        assert covered == sorted(covered), "the rows of an expert keep the order of their tokens"
        assert covered or expert == -1, "a tile that is used holds something"
        seen += covered
    assert sorted(seen) == list(range(tokens * chosen))


def test_nothing_in_the_plan_is_larger_than_it_must_be() -> None:
    plan = dispatch(torch.tensor([[0], [3]]), 128, rows=16)
    assert plan.tile_expert.tolist() == [0, 3]
    assert {tensor.dtype for tensor in (plan.pairs, plan.tile_expert, plan.tile_start, plan.tile_end)} == {torch.int32}

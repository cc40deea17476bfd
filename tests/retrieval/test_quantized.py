"""Integer layers beside the exact ones: odd shapes, rows of very different size, no bias, a whole model."""

from __future__ import annotations

import pytest
import torch

from retrieval.quantized import QuantizedLinear, quantize

SHAPES = [(1, 1, 1), (3, 7, 5), (17, 384, 31), (2, 129, 384)]


def seeded(rows: int, inner: int, outer: int, *, bias: bool = True) -> tuple[torch.nn.Linear, torch.Tensor]:
    torch.manual_seed(rows + inner + outer)
    return torch.nn.Linear(inner, outer, bias=bias), torch.randn(rows, inner)


def worst_error(exact: torch.Tensor, rounded: torch.Tensor) -> float:
    """Return the largest difference of any element, as a share of the largest element of its row."""
    return float(((exact - rounded).abs().amax(-1) / exact.abs().amax(-1)).max())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bias", [True, False])
def test_the_result_is_that_of_the_layer(shape: tuple[int, int, int], bias: bool):
    layer, rows = seeded(*shape, bias=bias)
    with torch.inference_mode():
        rounded = QuantizedLinear(layer)(rows)
        assert rounded.shape == layer(rows).shape
        assert rounded.dtype == torch.float32
        assert worst_error(layer(rows), rounded) < 0.05  # 7 bits of input, 8 of weights


def test_a_large_row_does_not_blur_a_small_one():
    layer, rows = seeded(4, 64, 64, bias=False)
    with torch.inference_mode():
        uneven = rows * torch.tensor([[1000.0], [1.0], [0.001], [0.0]])
        exact, rounded = layer(uneven), QuantizedLinear(layer)(uneven)
        assert worst_error(exact[:3], rounded[:3]) < 0.05
        assert not rounded[3].any()


def test_a_large_output_channel_does_not_blur_the_others():
    layer, rows = seeded(5, 64, 8, bias=False)
    with torch.inference_mode():
        layer.weight[0] *= 1000.0
        exact, rounded = layer(rows)[:, 1:], QuantizedLinear(layer)(rows)[:, 1:]
        assert worst_error(exact, rounded) < 0.05


def test_leading_dimensions_are_kept_and_the_input_is_not_changed():
    layer, rows = seeded(12, 16, 8)
    batch = rows.reshape(2, 6, 16)
    before = batch.clone()
    with torch.inference_mode():
        assert QuantizedLinear(layer)(batch).shape == (2, 6, 8)
    assert torch.equal(batch, before)


def test_every_layer_of_a_model_is_replaced_however_deep():
    model = torch.nn.Sequential(
        torch.nn.Linear(8, 16),
        torch.nn.Sequential(torch.nn.GELU(), torch.nn.ModuleDict({"out": torch.nn.Linear(16, 4)})),
        torch.nn.LayerNorm(4),
    )
    quantize(model)
    kinds = [type(module) for module in model.modules()]
    assert kinds.count(QuantizedLinear) == 2
    assert torch.nn.Linear not in kinds
    assert torch.nn.LayerNorm in kinds

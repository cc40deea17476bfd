"""Random weights for the n-gram network: its real sizes, a vocabulary of a few dozen tokens."""

from __future__ import annotations

from typing import Any

import numpy as np

PARTS = 17


def random_weights(*, rows: int) -> dict[str, Any]:
    """Draw the arrays of a weight file for 17 tokens a row of the table."""
    random = np.random.default_rng(7)

    def normal(*shape: int) -> np.ndarray:
        return random.normal(0, shape[0] ** -0.5, shape).astype(np.float32)

    drawn: dict[str, Any] = {"scale": random.uniform(0.01, 0.1, PARTS).astype(np.float32), "lo": normal(PARTS)}
    for part in range(PARTS):
        drawn[f"q{part + 1}"] = random.integers(0, 63, (rows, 512), dtype=np.uint8)
    for n in (2, 3, 5):
        drawn |= {f"proj{n}": normal(512, 256), f"proj_b{n}": normal(256)}
        drawn |= {f"ln_g{n}": 1 + normal(256), f"ln_b{n}": normal(256)}
        for step in (1, 2):
            drawn |= {f"w{step}_{n}": normal(n * 256, 256), f"b{step}_{n}": normal(256)}
    shapes = {"cnn_W": (1280, 512), "d0": (512, 320), "d1": (320, 320), "p1": (512, 320), "d2": (320, 512)}
    shapes |= {"p3": (320, 512), "d3": (512, 512)}
    drawn |= {name: normal(*shape) for name, shape in shapes.items()}
    return drawn | {"ln_g": 1 + normal(1280), "ln_b": normal(1280), "cnn_b": normal(512), "eps": np.float64(1e-6)}

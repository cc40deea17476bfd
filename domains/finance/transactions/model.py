"""The fitted models: a champion that decides, a challenger that is compared, and exact reasons for every score.

    raw = base + Σ_f contribution_f         log-odds; contributions are SHAP values (Lundberg et al. 2020, Nature MI 2),
                                            exact for a tree ensemble; LightGBM gives them with `pred_contrib`
    probability = calibration(raw)

A model is a folder of `domains.finance.models` with the parts `champion.txt`, `challenger.txt` (LightGBM's text),
`drift.json` (what the features looked like in training) and `calibration.json` (both calibrations, and the digest of
the features' names).

Shapes: n transactions, F = 1,024 features.

Errors: `RiskModelUnusable` when the model was fitted for other features or a part of it is missing; those of
`domains.finance.models` when a byte of it was changed.

Not covered: a SHAP value says how the model came to its score, not what caused the fraud; features that move together
share their credit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from domains.finance.modelcard import ModelCard
from domains.finance.models import SavedModel, lightgbm_booster, lightgbm_text, load, save
from domains.finance.transactions.calibration import Calibration
from domains.finance.transactions.drift import Baseline
from domains.finance.transactions.errors import RiskModelUnusable
from domains.finance.transactions.features import NAMES
from domains.finance.transactions.windows import Floats

__all__ = ["SHIPPED", "Model", "Scored", "features_digest", "save_model"]

SHIPPED: Final = Path(__file__).with_name("shipped") / "model"
"""Fitted on the generator by `training`; replace it by a model of your own transactions."""

_MANY: Final = 64
"""From this many transactions on a second thread pays for itself; for one it costs more than it saves (docs/log.md)."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What the models say of n transactions."""

    raw: Floats
    """(n,), log-odds of the champion."""
    base: Floats
    """(n,), what the champion starts from."""
    contributions: Floats
    """(n, F); with `base` they add up to `raw`."""
    probability: Floats
    challenger: Floats
    """(n,), the challenger's probability."""


class Model:
    """A champion and a challenger, ready to score.

    Raises:
        RiskModelUnusable: it was fitted for other features, or a part is missing.
        ModelUnusable: of `domains.finance.models`, when the folder holds no whole model.
    """

    def __init__(self, folder: Path) -> None:
        self.saved: SavedModel = load(folder)
        calibration = self._json("calibration.json")
        if not isinstance(calibration, dict) or calibration.get("features") != features_digest():
            raise RiskModelUnusable(
                "The risk model was fitted for other features than this program computes.", remedy="Fit it anew."
            )
        self.baseline = Baseline.of(self._json("drift.json"))
        self._calibration = Calibration.of(calibration.get("champion"))
        self._other_calibration = Calibration.of(calibration.get("challenger"))
        self._champion = lightgbm_booster(self._part("champion.txt"))
        self._challenger = lightgbm_booster(self._part("challenger.txt"))

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the model's manifest."""
        return self.saved.digest

    def score(self, features: Floats) -> Scored:
        """Score transactions, (n, F) features."""
        threads = 2 if len(features) >= _MANY else 1
        parts = np.asarray(self._champion.predict(features, pred_contrib=True, num_threads=threads))  # (n, F + 1)
        raw = parts.sum(axis=1)
        other = np.asarray(self._challenger.predict(features, raw_score=True, num_threads=threads))
        return Scored(raw, parts[:, -1], parts[:, :-1], self._calibration(raw), self._other_calibration(other))

    def _part(self, name: str) -> bytes:
        found = self.saved.parts.get(name)
        if found is None:
            raise RiskModelUnusable(f"The risk model lacks {name}.", remedy="Restore its folder or fit it anew.")
        return found

    def _json(self, name: str) -> Any:
        try:
            return json.loads(self._part(name))
        except ValueError:
            raise RiskModelUnusable(f"{name} of the risk model is no JSON.", remedy="Fit it anew.") from None


def save_model(
    folder: Path,
    *,
    card: ModelCard,
    champion: Any,
    challenger: Any,
    calibrations: Mapping[str, Calibration],
    baseline: Baseline,
) -> SavedModel:
    """Write a model's folder.

    Args:
        folder: Made if it is missing; the model that it holds is replaced.
        card: What is said of it.
        champion: LightGBM booster.
        challenger: LightGBM booster.
        calibrations: Of "champion" and "challenger".
        baseline: What drift is measured against.
    """
    calibration = {"features": features_digest()} | {name: found.as_json() for name, found in calibrations.items()}
    parts = {
        "champion.txt": lightgbm_text(champion),
        "challenger.txt": lightgbm_text(challenger),
        "calibration.json": json.dumps(calibration, separators=(",", ":")).encode(),
        "drift.json": json.dumps(baseline.as_json(), separators=(",", ":")).encode(),
    }
    return save(folder, card=card, parts=parts)


def features_digest() -> str:
    """Return the SHA-256 of the features' names in order: a model fits one list of features alone."""
    return hashlib.sha256("\n".join(NAMES).encode("utf-8")).hexdigest()

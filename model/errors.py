"""What can go wrong between pinned weights and a served model.

ModelError
├── WeightsUnavailable     no source had the weights (hub, mirror, local folder)
├── WeightsRejected        a file's SHA-256 differs from the catalog; the file was set aside, never loaded
├── BuildFailed            weights could not be turned into the checkpoint that is served
├── ServingFailed          vLLM did not start, or died more often than the restart limit allows
├── ModelNotReady          vLLM is still loading; `stage` says how far it is
└── ModelInterrupted       vLLM stopped answering in the middle of a reply
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "BuildFailed",
    "ModelError",
    "ModelInterrupted",
    "ModelNotReady",
    "ServingFailed",
    "WeightsRejected",
    "WeightsUnavailable",
]


class ModelError(Exception):
    """Root of all errors that this package raises."""

    code: ClassVar[str] = "model"

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class WeightsUnavailable(ModelError):
    """No source had the weights."""

    code = "weights_unavailable"


class WeightsRejected(ModelError):
    """The bytes are not the ones that the catalog pins."""

    code = "weights_rejected"


class BuildFailed(ModelError):
    """The checkpoint could not be built; a half-written one is never used."""

    code = "build_failed"


class ServingFailed(ModelError):
    """vLLM does not run."""

    code = "serving_failed"


class ModelNotReady(ModelError):
    """vLLM is still on its way."""

    code = "model_not_ready"


class ModelInterrupted(ModelError):
    """The reply broke off."""

    code = "model_interrupted"

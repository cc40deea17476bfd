"""What can go wrong between pinned weights and a served model.

ModelError
├── WeightsUnavailable     no source had the weights (hub, mirror, local folder)
├── WeightsRejected        a file's SHA-256 differs from the catalog; the file was set aside, never loaded
├── BuildFailed            weights could not be turned into the checkpoint that is served
├── DiskFull               no space is left in the model folder; what is there stays and is used again
├── ServingFailed          vLLM did not start, or died more often than the restart limit allows
├── NotEnoughMemory        the machine or the card does not hold the model; the message gives the sum
├── ModelRejected          the served model does not compute what its weights should give; it is not served
├── ModelNotReady          vLLM is still loading; `stage` says how far it is
├── ModelInterrupted       vLLM stopped answering in the middle of a reply
├── ModelRefused           the server did not take the request: key, parameters, model name
├── RoutingRejected        a routing policy, or what was given to it, makes no sense
├── KernelRejected         shapes, layouts or types that a kernel does not take
├── TrainingRejected       settings, data, a base or an expert file that training does not take
├── TrainingFailed         training stopped by itself; the last good checkpoint is kept
└── PromptTooLong          the prompt and the reply do not fit into the model's context
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "BuildFailed",
    "DiskFull",
    "KernelRejected",
    "ModelError",
    "ModelInterrupted",
    "ModelNotReady",
    "ModelRefused",
    "ModelRejected",
    "NotEnoughMemory",
    "PromptTooLong",
    "RoutingRejected",
    "ServingFailed",
    "TrainingFailed",
    "TrainingRejected",
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


class DiskFull(ModelError):
    """The model folder has no space left."""

    code = "disk_full"


class ServingFailed(ModelError):
    """vLLM does not run."""

    code = "serving_failed"


class NotEnoughMemory(ModelError):
    """The model does not fit into the memory of this machine or card."""

    code = "not_enough_memory"


class ModelRejected(ModelError):
    """The model that was started does not give what its weights should: damaged, or wrongly quantized."""

    code = "model_rejected"


class ModelNotReady(ModelError):
    """vLLM is still on its way; `stage` says how far it is."""

    code = "model_not_ready"

    def __init__(self, message: str, *, remedy: str, stage: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.stage = stage


class ModelInterrupted(ModelError):
    """The reply broke off."""

    code = "model_interrupted"


class ModelRefused(ModelError):
    """The server refused the request; asking again changes nothing."""

    code = "model_refused"


class PromptTooLong(ModelError):
    """More tokens than the model's context holds."""

    code = "prompt_too_long"


class RoutingRejected(ModelError):
    """A routing policy, or the tensors given to it, make no sense; raised while loading, never for one request."""


class KernelRejected(ModelError):
    """A kernel does not take these shapes, layouts or types; use the reference, or repack the weights."""


class TrainingRejected(ModelError):
    """Settings, data, a base model or an expert file do not make sense, or not together; nothing was trained."""


class TrainingFailed(ModelError):
    """Training went wrong on its way, such as a loss that is not finite; the last good checkpoint is kept."""

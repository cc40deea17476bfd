"""What can go wrong in the service, and the one shape in which callers hear of it.

    VouchError
    ├── BadRequest            400  the request is not what the route takes
    ├── Unauthenticated       401  no key, or one that is unknown, expired or revoked
    ├── Forbidden             403  known, but not allowed
    ├── NotFound              404
    ├── Pruned                410  it was there, and went as the retention policy says
    ├── TooLarge              413  more bytes than a limit
    ├── ProofInvalid          422  a signed note, checkpoint or proof does not hold
    ├── TooManyRequests       429
    ├── SettingsError              refused at start: names the setting, its value's problem, what was expected
    ├── StartFailed                the service cannot start here: port taken, folder not writable, second instance
    └── LedgerError           503  no record, no answer
        ├── LedgerUnavailable      the store cannot be written (full disk, read-only, lost connection)
        ├── LedgerCorrupt          what is stored does not hash to what was recorded
        ├── CopyDiffers            the searchable copy does not say what the ledger says
        └── VaultUnavailable       content cannot be sealed or opened, so nothing that needs it is done

Errors of the layers below (`retrieval.errors`, `model.errors`, `domains.contract.DomainError`) keep their own roots,
since those layers know nothing of HTTP; `describe` gives all of them their status. Over HTTP every failure, whatever
its origin, is ``{"error": {"code", "message", "remedy", "request_id"}}``; nothing internal is in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from domains.contract import DomainError
from model.errors import ModelError
from retrieval.errors import RetrievalError

__all__ = [
    "BadRequest",
    "CopyDiffers",
    "Description",
    "Forbidden",
    "LedgerCorrupt",
    "LedgerError",
    "LedgerUnavailable",
    "NotFound",
    "ProofInvalid",
    "Pruned",
    "SettingsError",
    "StartFailed",
    "TooLarge",
    "TooManyRequests",
    "Unauthenticated",
    "VaultUnavailable",
    "VouchError",
    "describe",
]


class VouchError(Exception):
    """Root of all errors that the service itself raises."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class BadRequest(VouchError):
    """The request is not what the route takes."""

    code = "bad_request"
    status = 400


class Unauthenticated(VouchError):
    """No credential, or one that does not hold."""

    code = "unauthenticated"
    status = 401


class Forbidden(VouchError):
    """The caller is known and may not do this."""

    code = "forbidden"
    status = 403


class NotFound(VouchError):
    """There is no such thing, or none that the caller may know of."""

    code = "not_found"
    status = 404


class Pruned(VouchError):
    """It was there, and went as the retention policy says."""

    code = "pruned"
    status = 410


class TooLarge(VouchError):
    """The request has more bytes or characters than a limit."""

    code = "too_large"
    status = 413


class ProofInvalid(VouchError):
    """A signed note, a checkpoint, a key or a proof does not hold; the one error that foreign bytes can cause there."""

    code = "proof_invalid"
    status = 422


class TooManyRequests(VouchError):
    """As many questions are being answered as this machine can hold."""

    code = "too_many_requests"
    status = 429


class SettingsError(VouchError):
    """A setting is unknown, wrong or unsafe; nothing was started."""

    code = "settings"


class StartFailed(VouchError):
    """The service cannot start on this machine as it is."""

    code = "start_failed"


class LedgerError(VouchError):
    """The record cannot be written or trusted, so no answer is given."""

    code = "ledger"
    status = 503


class LedgerUnavailable(LedgerError):
    """The ledger's store cannot be written."""

    code = "ledger_unavailable"


class LedgerCorrupt(LedgerError):
    """The ledger's entries do not hash to the recorded tree."""

    code = "ledger_corrupt"


class CopyDiffers(LedgerError):
    """The searchable copy does not say what the ledger says; the ledger itself is the record."""

    code = "ledger_copy_differs"


class VaultUnavailable(LedgerError):
    """Content cannot be sealed or opened."""

    code = "vault_unavailable"


@dataclass(frozen=True, slots=True)
class Description:
    """An error as its reader meets it."""

    status: int
    code: str
    message: str
    remedy: str


_STATUS: Final = {
    "file_too_large": 413,
    "document_not_found": 404,
    "index_damaged": 503,
    "storage_full": 507,
    "store_unavailable": 503,
    "model_not_ready": 503,
    "model_interrupted": 502,
    "serving_failed": 503,
    "model_refused": 502,
    "prompt_too_long": 413,
    "disk_full": 507,
    "weights_unavailable": 503,
    "weights_rejected": 503,
    "build_failed": 503,
    "model_missing": 404,
    "model_altered": 503,
    "model_unusable": 503,
    "credit_no_scorecard": 503,
    "statement_limit": 413,
    "factor_not_found": 404,
    "company_not_found": 404,
    "company_forbidden": 403,
    "transaction_not_found": 404,
    "too_many_transactions": 413,
    "risk_model_unusable": 503,
    "risk_state_unavailable": 503,
}

_INTERNAL: Final = Description(
    status=500,
    code="internal",
    message="Something failed inside the service.",
    remedy="Try again; if it happens again, give the request id to your administrator, who finds it in the log.",
)


def describe(error: BaseException) -> Description:
    """Give any error the status, code, message and remedy that its reader may see.

    An error that is not ours says nothing of itself: its text may hold paths, SQL or document text.
    """
    if isinstance(error, VouchError):
        return Description(error.status, error.code, error.message, error.remedy)
    if isinstance(error, RetrievalError | DomainError | ModelError):
        fallback = 503 if isinstance(error, ModelError) else 422
        return Description(_STATUS.get(error.code, fallback), error.code, error.message, error.remedy)
    return _INTERNAL

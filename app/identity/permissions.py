"""Who may call which route, and what the ledger keeps of the call: one table, and a route that is not in it is refused.

Tests walk the routes of the application and fail on one that is missing here, on one listed here that does not exist,
and on one whose call leaves no ledger entry and gives no reason for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from app.identity.principal import Permission

__all__ = ["TABLE", "Access", "Restricted", "access_to"]


@dataclass(frozen=True, slots=True)
class Access:
    """The rule for one route.

    `permission` is what the caller needs; None lets anyone in. Exactly one of the others is set: `record` is the
    action that the guard writes into the ledger before the route runs, `recorded_by` names the part that writes a
    fuller entry itself, `exempt` says why no entry is due.
    """

    permission: Permission | None
    record: str | None = None
    recorded_by: str | None = None
    exempt: str | None = None


_PIPELINE = "app.answering.pipeline"
_EXAMINATION = "app.ledger.examination"
_LIVENESS = "says whether the service runs; shows nothing of anyone"
_PAGE = "static part of the page; shows no content"

TABLE: Final[Mapping[tuple[str, str], Access]] = MappingProxyType(
    {
        ("GET", "/healthz"): Access(None, exempt=_LIVENESS),
        ("GET", "/readyz"): Access(None, exempt=_LIVENESS),
        ("GET", "/metrics"): Access(Permission.ADMIN, exempt="counters without names, scraped every few seconds"),
        ("GET", "/v1/status"): Access(
            Permission.READ, exempt="how far the model is, asked for every second by the page"
        ),
        ("GET", "/v1/openapi.json"): Access(None, exempt=_PAGE),
        ("GET", "/"): Access(Permission.ASK, exempt=_PAGE),
        ("GET", "/static/{name}"): Access(None, exempt=_PAGE),
        ("POST", "/v1/ask"): Access(Permission.ASK, recorded_by=_PIPELINE),
        ("POST", "/v1/chat/completions"): Access(Permission.ASK, recorded_by=_PIPELINE),
        ("GET", "/v1/models"): Access(Permission.ASK, exempt="names of models"),
        ("GET", "/v1/domains"): Access(Permission.ASK, exempt="names of domains"),
        ("GET", "/v1/documents"): Access(Permission.READ, record="document.list"),
        ("POST", "/v1/documents"): Access(Permission.WRITE, recorded_by="app.api.documents"),
        ("POST", "/v1/documents/lookup"): Access(
            Permission.READ, exempt="state of documents whose ids or bytes the caller has, polled while they are read"
        ),
        ("GET", "/v1/documents/{document_id}"): Access(
            Permission.READ, exempt="state of one document, polled while it is read in"
        ),
        ("DELETE", "/v1/documents/{document_id}"): Access(Permission.WRITE, record="document.delete"),
        ("GET", "/v1/documents/{document_id}/file"): Access(Permission.READ, record="document.download"),
        ("GET", "/v1/documents/{document_id}/pages/{page}"): Access(Permission.READ, record="document.read"),
        ("GET", "/v1/documents/{document_id}/pages/{page}/image"): Access(Permission.READ, record="document.read"),
        ("POST", "/v1/retrieval/check"): Access(Permission.ADMIN, recorded_by="app.retrieval_care"),
        ("GET", "/view/{document_id}/{page}"): Access(Permission.READ, record="document.read"),
        ("GET", "/audit"): Access(Permission.AUDIT, exempt=_PAGE),
        ("GET", "/v1/audit/entries"): Access(Permission.AUDIT, record="audit.read"),
        ("GET", "/v1/audit/entries/{entry}"): Access(Permission.AUDIT, record="audit.read"),
        ("GET", "/v1/audit/state"): Access(Permission.AUDIT, record="audit.read"),
        ("GET", "/v1/audit/search"): Access(Permission.AUDIT, recorded_by=_EXAMINATION),
        ("GET", "/v1/audit/export"): Access(Permission.AUDIT, recorded_by=_EXAMINATION),
        ("GET", "/v1/audit/answers/{answer_id}"): Access(Permission.AUDIT, record="audit.read"),
        ("GET", "/v1/openings/{record}"): Access(Permission.ASK, recorded_by="app.ledger.opening"),
        ("POST", "/v1/audit/verify"): Access(Permission.AUDIT, record="audit.verify"),
    }
)


Restricted = Mapping[tuple[str, str], str]
"""What a plugin says of its own routes; see `DomainPlugin.restricted`."""


def access_to(method: str, path: str, *, domains: Mapping[str, Restricted]) -> Access | None:
    """Find the rule for a route, by its path template.

    Routes of domain plugins live under ``/v1/<name>/``; each asks for the permission to ask, unless the plugin asks for
    more, and is recorded by the pipeline when it answers and by the guard in any case. Returns None for a route that
    nobody may call.
    """
    rule = TABLE.get((method, path))
    if rule is not None or not path.startswith("/v1/"):
        return rule
    name = path.split("/")[2]
    if name not in domains:
        return None
    asked = domains[name].get((method, path.removeprefix(f"/v1/{name}")), Permission.ASK)
    return Access(Permission(asked), record=f"{name}.call")

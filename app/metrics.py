"""What Prometheus may count. Labels are names of routes, verdicts and states: never users, never documents.

One `Metrics` belongs to one service, with a registry of its own, so that two services in one process (as in the
tests) do not add up. docs/operations.md lists each metric; a test compares the two.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["Metrics"]

_SECONDS = (0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 20, 40, 80, 160)


class Metrics:
    """The service's counters."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "vouch_http_requests", "HTTP requests answered.", ["route", "method", "status"], registry=self.registry
        )
        self.request_seconds = Histogram(
            "vouch_http_request_seconds",
            "Time to the last byte of a reply, in seconds.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.answers = Counter(
            "vouch_answers", "Questions, by how they ended.", ["domain", "outcome"], registry=self.registry
        )
        self.claims = Counter("vouch_claims", "Claims, by verdict.", ["verdict"], registry=self.registry)
        self.answer_seconds = Histogram(
            "vouch_answer_step_seconds",
            "Time of each step of an answer, in seconds.",
            ["step"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.documents = Gauge("vouch_documents", "Documents, by state.", ["state"], registry=self.registry)
        self.passages = Gauge("vouch_passages", "Passages in the index.", registry=self.registry)
        self.ledger_entries = Gauge("vouch_ledger_entries", "Entries of the ledger.", registry=self.registry)
        self.ledger_copy_lag = Gauge(
            "vouch_ledger_copy_lag", "Entries that the searchable copy does not have yet.", registry=self.registry
        )
        self.ledger_unpublished = Gauge(
            "vouch_ledger_unpublished",
            "Entries that no published checkpoint contains yet.",
            registry=self.registry,
        )
        self.model_ready = Gauge("vouch_model_ready", "1 when the model answers, else 0.", registry=self.registry)

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)

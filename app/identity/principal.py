"""Who is asking: the value that every request carries from the door to the ledger."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from retrieval.types import EVERYTHING, Scope

__all__ = ["ANYONE", "OPERATOR", "Permission", "Principal", "Role"]


class Permission(StrEnum):
    """What a route may ask of its caller."""

    ASK = "ask"
    READ = "read"
    WRITE = "write"
    AUDIT = "audit"
    ADMIN = "admin"


class Role(StrEnum):
    """What a person is trusted with. Each role has the permissions listed in `GRANTS`, no more."""

    READER = "reader"
    CONTRIBUTOR = "contributor"
    AUDITOR = "auditor"
    ADMIN = "admin"


GRANTS: dict[Role, frozenset[Permission]] = {
    Role.READER: frozenset({Permission.ASK, Permission.READ}),
    Role.CONTRIBUTOR: frozenset({Permission.ASK, Permission.READ, Permission.WRITE}),
    Role.AUDITOR: frozenset({Permission.AUDIT}),
    Role.ADMIN: frozenset(Permission),
}


class Principal(BaseModel):
    """An authenticated caller.

    `labels` and `collections` are what the account was granted; empty means nothing. `method` is how the caller
    proved who they are ("local", "key") and goes into the ledger.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str
    role: Role
    method: str
    labels: frozenset[str] = frozenset()
    collections: frozenset[str] = frozenset()

    def may(self, permission: Permission) -> bool:
        """Say whether the caller's role grants this permission."""
        return permission in GRANTS[self.role]

    def scope(self) -> Scope:
        """Return what this caller may search. A role that may not read documents sees none."""
        if not self.may(Permission.READ):
            return Scope.nobody()
        return Scope(subject=self.subject, labels=self.labels, collections=self.collections)


OPERATOR = Principal(
    subject="operator",
    role=Role.ADMIN,
    method="local",
    labels=frozenset({EVERYTHING}),
    collections=frozenset({EVERYTHING}),
)
"""The person at the machine itself, on a service that listens on loopback alone."""

ANYONE = Principal(subject="anyone", role=Role.READER, method="none")
"""A caller of a public route who was not asked for a name: sees no document."""

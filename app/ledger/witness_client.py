"""Asks a witness for its cosignature, by c2sp.org/tlog-witness.

The witness says how far it has seen the log; what it has seen must be the beginning of what it is shown now. A witness
that has seen more than there is, or something else, is the one sign of a rollback that the operator cannot erase.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final

import httpx

from app.errors import LedgerCorrupt, LedgerUnavailable, ProofInvalid
from app.ledger.checkpoint import Checkpoint, parse_size
from app.ledger.note import COSIGNATURE, Note, Signature, VerifierKey
from app.ledger.proving import Prover

__all__ = ["SIZE_TYPE", "WitnessClient", "witness_key"]

SIZE_TYPE: Final = "text/x.tlog.size"
_LARGEST: Final = 65_536
_TRIES: Final = 3
"""The second knows the witness's size; the third is for another client that was faster meanwhile."""


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    kind: str
    body: str


class WitnessClient:
    """One witness: its address, and the only key whose cosignatures count."""

    def __init__(self, url: str, key: VerifierKey, *, timeout_s: float = 10.0) -> None:
        self.url = url.rstrip("/")
        self.key = key
        self._timeout = timeout_s

    def cosign(self, note: Note, prover: Prover, *, known: int = 0) -> Signature:
        """Return the witness's cosignature of a checkpoint.

        Args:
            note: The checkpoint, signed by the log.
            prover: Proves that it extends what the witness has seen.
            known: The size that the witness cosigned last, as far as is known.

        Raises:
            LedgerUnavailable: the witness cannot be reached, or answers something else.
            LedgerCorrupt: it has seen another history of this log.
        """
        checkpoint = Checkpoint.parse(note.text)
        for _ in range(_TRIES):
            proof = prover.consistency(known, checkpoint.size) if known else []
            reply = self._ask(known, proof, note)
            if reply.status == httpx.codes.OK:
                return self._cosignature(note, reply.body)
            if reply.status == httpx.codes.UNPROCESSABLE_ENTITY:
                raise _two_histories(f"what it saw, {known} entries, is not how this log begins")
            if reply.status != httpx.codes.CONFLICT or reply.kind != SIZE_TYPE:
                raise self._unavailable(f"it answered {reply.status}")
            size = self._size(reply.body)
            if size > checkpoint.size:
                raise _two_histories(f"it saw {size} entries, and this log has {checkpoint.size}: it was rolled back")
            if size == known:
                raise _two_histories(f"it saw {size} entries, and others than these")
            known = size
        raise self._unavailable("others were faster each time")

    def _ask(self, old: int, proof: list[bytes], note: Note) -> _Reply:
        lines = [f"old {old}", *(base64.b64encode(item).decode("ascii") for item in proof), "", str(note)]
        address = f"{self.url}/add-checkpoint"
        try:
            with (
                httpx.Client(timeout=self._timeout, follow_redirects=False, trust_env=False) as client,
                client.stream("POST", address, content="\n".join(lines).encode("utf-8")) as reply,
            ):
                body = b""
                for piece in reply.iter_bytes():
                    body += piece
                    if len(body) > _LARGEST:
                        raise self._unavailable("its answer is too long")
                kind = reply.headers.get("content-type", "").split(";")[0].strip().lower()
                return _Reply(reply.status_code, kind, body.decode("utf-8", "replace"))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unavailable(type(error).__name__) from None

    def _cosignature(self, note: Note, body: str) -> Signature:
        try:
            for line in body.removesuffix("\n").split("\n"):
                signature = Signature.parse(line)
                if self.key.made(signature) and self.key.verifies(note.text, signature):
                    return signature
        except ProofInvalid as error:
            raise self._unavailable(error.message) from None
        raise self._unavailable("no signature in its answer is one of its key")

    def _size(self, body: str) -> int:
        try:
            return parse_size(body.removesuffix("\n"))
        except ProofInvalid:
            raise self._unavailable("the size that it knows is no number") from None

    def _unavailable(self, why: str) -> LedgerUnavailable:
        return LedgerUnavailable(
            f"The witness {self.key.name} at {self.url} did not cosign: {why}.",
            remedy="Start it, and give it this log's key (./vouch audit keys). It is asked again.",
        )


def witness_key(text: str) -> VerifierKey:
    """Read a witness's verifier key.

    Raises:
        ProofInvalid: it is none, or one for another kind of signature.
    """
    key = VerifierKey.parse(text)
    if key.algorithm != COSIGNATURE:
        raise ProofInvalid(
            f"The key of {key.name} is not one for cosignatures.", remedy="Take the `key` that the witness prints."
        )
    return key


def _two_histories(found: str) -> LedgerCorrupt:
    return LedgerCorrupt(
        f"The witness has seen another history of this log: {found}.",
        remedy="Stop the service, keep the store as evidence, and compare it with the witness's last checkpoint.",
    )

"""Checks an exported ledger, or one receipt, without Vouch: copy this file, read it, run it. Python 3.11 or newer.

    python verifier.py export.jsonl [--key KEY] [--witness KEY] [--checkpoint FILE] [--receipt FILE] [--known SIZE:ROOT]
    python verifier.py receipt RECEIPT.json --key KEY [--witness KEY]

It makes the RFC 6962 tree over all entries and compares its roots with what the export states and what you hold. KEY is
a verifier key that you got by another way (signatures need the package `cryptography`): it, or a key that it or its
successors named in an entry, must have signed each checkpoint. Exit status 0: all of it holds. Not covered: an
export comes from whoever made it. Only a receipt, checkpoint or root that you hold independently, or a witness that you
asked yourself, shows that nothing was rewritten before it or cut off after. No hash shows truth.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from types import SimpleNamespace
from typing import Any

__all__ = ["ExportInvalid", "check", "check_receipt", "main"]


class ExportInvalid(Exception):
    """Something does not hold; the message names the line, entry or checkpoint."""


def _must(holds: object, problem: str) -> None:
    if not holds:
        raise ExportInvalid(problem)


@contextmanager
def _reading(problem: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 (foreign bytes find every way to fail, and all mean the same)
        raise (error if isinstance(error, ExportInvalid | ImportError) else ExportInvalid(problem)) from None


class _Checkpoint:
    """A signed note of origin, size and root, as it was read: nothing is verified before `signed_by`."""

    def __init__(self, note: str) -> None:
        with _reading("A checkpoint is not a signed note of origin, size and root."):
            body, _, lines = note.rpartition("\n\n")
            split = [line.removeprefix("— ").split(" ") for line in lines.removesuffix("\n").split("\n")]
            self.body, self.signatures = body + "\n", [(name, base64.b64decode(data)) for name, data in split]
            self.origin, size, root = body.split("\n")
            self.size, self.root = int(size), base64.b64decode(root, validate=True).hex()
            _must(f"{self.size}" == size and self.size >= 0 and len(self.root) == 64, f"{size}: no size, or no root.")

    def signed_by(self, key: str) -> bool:
        """Say whether a key signed; a signature that names it and does not hold is an error."""
        with _reading(f"{key!r} is no verifier key."):
            name, key_id, material = key.split("+", 2)
            data = base64.b64decode(material, validate=True)
            if hashlib.sha256(name.encode() + b"\n" + data).hexdigest()[:8] != key_id or data[0] not in {1, 4}:
                raise ValueError
        own = [made[4:] for by, made in self.signatures if (by, made[:4].hex()) == (name, key_id)]
        for made in own:  # algorithm 1 signs the text; algorithm 4, a witness's, signs its time too
            timed = f"cosignature/v1\ntime {int.from_bytes(made[:8], 'big')}\n" if data[0] == 4 else ""
            with _reading(f"A signature of {name} does not hold."):
                from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

                signature, message = made[8:] if timed else made, (timed + self.body).encode()
                Ed25519PublicKey.from_public_bytes(data[1:]).verify(signature, message)
        return bool(own) and (data[0] == 4 or name == self.origin)


def _check_signatures(done: Any, notes: Sequence[_Checkpoint], keys: Any, witnesses: Any) -> None:
    """Check who signed. A key signs from the entry that names it up to the one that names the next, where both do."""
    start, unnamed = float("inf"), [(-1, key) for key in keys if key not in done.named.values()]
    good: set[int] = set()
    for first, key in sorted([*unnamed, *done.named.items()]):
        if key in keys or first + 1 in good:
            last = min((entry for entry in done.named if entry > first), default=float("inf"))
            good |= {note.size for note in notes if first < note.size <= last + 1 and note.signed_by(key)}
            start = min(start, first)
    for note in notes if keys else ():
        _must(note.size <= start or note.size in good, f"No trusted key signed the checkpoint of {note.size} entries.")
    cosigned = [max((note.size for note in notes if note.signed_by(key)), default=0) for key in witnesses]
    _must(0 not in cosigned, "A witness cosigned no checkpoint.")
    done.signed, done.cosigned = max(good, default=0), min(cosigned, default=0)


def check_receipt(data: bytes, keys: Any = (), witnesses: Any = ()) -> Any:
    """Check that an entry is in the tree of a checkpoint, which one of the keys signed, or raise ExportInvalid."""
    receipt = _object(data, "The receipt")
    with _reading("The receipt has another form, or its proof another length."):
        note, leaf, index = _Checkpoint(receipt["checkpoint"]), bytes.fromhex(receipt["leaf"]), receipt["entry"]
        own = "event" not in receipt or _hash(b"\0", receipt["event"].encode()) == leaf
        _must(own, "The receipt's event is not the one whose hash is its leaf.")
        led = 0 <= index < note.size and _climbed(leaf, index, note.size, [*map(bytes.fromhex, receipt["proof"])])
        _must(led and led.hex() == note.root, f"The proof does not lead to the checkpoint of {note.size} entries.")
    done = SimpleNamespace(size=note.size, root=note.root, pruned=0, open=(), named={}, note=receipt["checkpoint"])
    _check_signatures(done, [note], keys, witnesses)
    return done


def check(lines: Iterable[bytes], known: Any, keys: Any = (), witnesses: Any = (), held: Any = ()) -> Any:
    """Check an export against roots by size, keys and checkpoints that you hold, or raise ExportInvalid."""
    done, peaks, end = SimpleNamespace(size=0, root="", pruned=0, open=set(), named={}), list[bytes](), None
    notes = [_Checkpoint(note) for note in held]
    stages: dict[int, Any] = dict.fromkeys({*known, *(note.size for note in notes)}) | {0: [_hash()]}
    for number, line in enumerate(lines, start=1):
        _must(end is None, f"Line {number} stands after the end.")
        fields = _object(line, f"Line {number}")
        if "checkpoint" in fields:
            notes.append(_Checkpoint(fields["checkpoint"]))
            stages.setdefault(notes[-1].size)
        elif "root" in fields:
            end = fields
        else:
            node, full = _leaf(fields, done, f"Entry {done.size} (line {number})"), done.size
            while full & 1:  # each trailing one bit is a subtree that the entry completes
                node, full = _hash(b"\1", peaks.pop(), node), full >> 1
            peaks.append(node)
            done.size += 1
            if done.size in stages:
                stages[done.size] = [*peaks]
    stages[done.size] = peaks or [_hash()]
    roots = {size: reduce(lambda b, a: _hash(b"\1", a, b), at[::-1]).hex() for size, at in stages.items() if at}
    done.root = roots[done.size]
    _must(end == {"size": done.size, "root": done.root}, f"The end does not state {done.size} entries, {done.root}.")
    for size, root in [*known.items(), *((note.size, note.root) for note in notes)]:
        _must(roots.get(size) == root.lower(), f"The export of {done.size} entries has not the known root of {size}.")
    _check_signatures(done, notes, keys, witnesses)
    return done


def _leaf(fields: dict[str, Any], done: Any, name: str) -> bytes:
    with _reading(f"{name} has another form."):
        _must(fields["seq"] == done.size, f"{name} is missing or out of its place.")
        if "leaf" in fields:  # pruned under the retention policy: all entries before it were, too
            _must(done.pruned == done.size and len(fields["leaf"]) == 64, f"{name} has no body.")
            done.pruned += 1
            return bytes.fromhex(fields["leaf"])
        event = _object(fields["entry"], name)
        _must(event["seq"] == done.size, f"{name} says that it is another one.")
        closes, action = event["closes"], event["action"]
        _must(closes is None or closes < done.pruned or closes in done.open, f"{name} closes what is no open intent.")
        done.open ^= {closes} & done.open | ({done.size} if action.endswith(".intent") else set())
        done.named |= {done.size: event["body"]["key"]} if action.startswith("ledger.key") else {}
        return _hash(b"\0", fields["entry"].encode())


def _object(data: str | bytes, name: str) -> dict[str, Any]:
    def distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
        _must(len(dict(pairs)) == len(pairs), f"{name} holds a name twice: two readers could read two events.")
        return dict(pairs)

    with _reading(f"{name} is no JSON object."):
        return dict(json.loads(data, object_pairs_hook=distinct).items())


def _hash(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def _climbed(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    if size == 1:  # RFC 6962, section 2.1.1
        return b"" if proof else leaf
    half = 1 << (size - 1).bit_length() - 1
    if index >= half:
        return _hash(b"\1", proof[-1], _climbed(leaf, index - half, size - half, proof[:-1]))
    return _hash(b"\1", _climbed(leaf, index, half, proof[:-1]), proof[-1])


def main() -> None:
    """Run the check and say what came of it; exit with status 1 where something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="+", help="an export, or the word receipt and a receipt")
    for name in ("--key", "--witness", "--checkpoint", "--receipt", "--known"):
        parser.add_argument(name, action="append", default=[], help="may be repeated")
    told = parser.parse_args()
    try:
        if told.file[0] == "receipt":
            done = check_receipt(Path(told.file[-1]).read_bytes(), told.key, told.witness)
        else:
            held = [Path(name).read_text("utf-8") for name in told.checkpoint]
            held += [check_receipt(Path(name).read_bytes()).note for name in told.receipt]
            known = {int(size): root for size, _, root in (text.partition(":") for text in told.known)}
            with Path(told.file[0]).open("rb") as lines:
                done = check(lines, known, told.key, told.witness, held)
    except (ExportInvalid, OSError, ValueError, ImportError) as error:
        sys.exit(f"INVALID: {error}")
    print(f"valid: {done.size} entries, {done.pruned} pruned, {len(done.open)} open intents, root {done.root}")
    print(f"signed to {done.signed} entries, cosigned to {done.cosigned}")


if __name__ == "__main__":
    main()

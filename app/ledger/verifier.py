"""Checks an exported ledger without Vouch: this file needs only Python 3.11 or newer. Copy it, read it, run it.

    python verifier.py export.jsonl [--known SIZE:ROOT]...

It computes the RFC 6962 tree hash over all entries and compares it with the root that the export states, and with
each root that you got at another time: a receipt's `size` and `root`, or the end of an earlier export. Exit status 0:
all of it holds.

Not covered:
    The export's own root comes from whoever made the export, who can compute one for any entries. Only a root that
    you hold independently (--known) shows that nothing up to it was changed, and that nothing was cut off before it.
    Whether what the events say is true, and whether their clock was right, no hash can show.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Checked", "ExportInvalid", "check", "main"]


class ExportInvalid(Exception):
    """The export does not hold; the message names the line or entry."""


@dataclass(frozen=True)
class Checked:
    """What an export that holds contains. `unclosed` intents have no outcome yet."""

    size: int
    root: str
    unclosed: int


def check(lines: Iterable[bytes], known: Mapping[int, str]) -> Checked:
    """Check the lines of an export; `known` gives roots in hexadecimal by tree size.

    Raises:
        ExportInvalid: something does not hold.
    """
    peaks: list[bytes] = []
    unclosed: set[int] = set()
    size, end = 0, None
    pending = dict(known)
    _compare(pending, 0, _root([]))
    for number, line in enumerate(lines, start=1):
        if end is not None:
            raise ExportInvalid(f"Line {number} stands after the end.")
        fields = _object(line, f"Line {number}")
        if "root" in fields:
            end = fields
            continue
        text = fields.get("entry")
        if fields.get("seq") != size or not isinstance(text, str):
            raise ExportInvalid(f"Line {number} is not entry {size}.")
        _note(text, size, unclosed)
        try:
            _append(peaks, size, text.encode("utf-8"))
        except UnicodeEncodeError:
            raise ExportInvalid(f"Entry {size} is not UTF-8.") from None
        size += 1
        if size in pending:
            _compare(pending, size, _root(peaks))
    root = _root(peaks).hex()
    if end is None:
        raise ExportInvalid("The last line, with size and root, is missing.")
    if end.get("size") != size or end.get("root") != root:
        raise ExportInvalid(f"The export states another size or root than that of its {size} entries, {root}.")
    if pending:
        raise ExportInvalid(f"A known root is of {max(pending)} entries; the export has {size}.")
    return Checked(size=size, root=root, unclosed=len(unclosed))


def _compare(pending: dict[int, str], size: int, root: bytes) -> None:
    if pending.pop(size, root.hex()).lower() != root.hex():
        raise ExportInvalid(f"The first {size} entries are not those of the known root.")


def _note(text: str, seq: int, unclosed: set[int]) -> None:
    """Check that an entry says its own place, and follow which intents are closed."""
    event = _object(text.encode("utf-8", "surrogatepass"), f"Entry {seq}")
    if type(event.get("seq")) is not int or event["seq"] != seq:
        raise ExportInvalid(f"Entry {seq} says that it is another one.")
    closes = event.get("closes")
    if closes is not None:
        if type(closes) is not int or closes not in unclosed:
            raise ExportInvalid(f"Entry {seq} closes an entry that is no open intent.")
        unclosed.remove(closes)
    if str(event.get("action", "")).endswith(".intent"):
        unclosed.add(seq)


def _object(data: bytes, name: str) -> dict[str, object]:
    try:
        value = json.loads(data, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError):
        raise ExportInvalid(f"{name} is not JSON.") from None
    if not isinstance(value, dict):
        raise ExportInvalid(f"{name} is no JSON object.")
    return value


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse a name that occurs twice: two readers could read two different events."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a name occurs twice")
    return fields


def _append(peaks: list[bytes], size: int, data: bytes) -> None:
    node = hashlib.sha256(b"\x00" + data).digest()
    while size & 1:
        node = hashlib.sha256(b"\x01" + peaks.pop() + node).digest()
        size >>= 1
    peaks.append(node)


def _root(peaks: list[bytes]) -> bytes:
    if not peaks:
        return hashlib.sha256().digest()
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = hashlib.sha256(b"\x01" + peak + root).digest()
    return root


def _known(text: str) -> tuple[int, str]:
    size, _, root = text.partition(":")
    if not size.isdecimal() or len(root) != 2 * hashlib.sha256().digest_size:
        raise argparse.ArgumentTypeError("write it as SIZE:ROOT, ROOT in hexadecimal")
    return int(size), root


def main(arguments: list[str] | None = None) -> int:
    """Run the check on a file and say what came of it."""
    parser = argparse.ArgumentParser(description="Check an exported ledger.")
    parser.add_argument("export")
    parser.add_argument("--known", type=_known, action="append", default=[], metavar="SIZE:ROOT")
    options = parser.parse_args(arguments)
    try:
        with Path(options.export).open("rb") as lines:
            found = check(lines, dict(options.known))
    except (ExportInvalid, OSError) as error:
        print(f"INVALID: {error}", file=sys.stderr)
        return 1
    print(f"valid: {found.size} entries, {found.unclosed} of them open intents, root {found.root}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Ways to break a valid file: in its bytes, and, for a ZIP package, in a member whose checksum is then right again."""

from __future__ import annotations

import io
import random
import re
import zipfile

_NUMBER = re.compile(rb"\d+")
_HUGE = (b"0", b"-1", b"99999999999", b"2147483648", b"18446744073709551616", b"1e999", b"9" * 400, b"NaN", b"0.0.0")
_OPENINGS = (
    b"<div>",
    b"[",
    b'{"a":',
    b"<a:p>",
    b"(",
    b"> ",
    b"- ",
    b"<table><tr><td>",
    b"<<",
    b"<section>",
    b"<w:tbl>",
)
_BOMB = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/hostname">]>'
_STARTS = (
    b"PK\x03\x04",
    b"%PDF-1.7\n",
    b"<html>",
    b"{",
    b"\xff\xfe",
    b"\x00",
    b"From: a@b\nMIME-Version: 1.0\n\n",
    _BOMB,
)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return a broken copy of a file. The same generator state gives the same copy."""
    if data.startswith(b"PK") and rng.random() < 0.7:
        return _in_package(data, rng)
    return _in_bytes(data, rng)


def _in_bytes(data: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 1, 2, 3))):
        data = rng.choice(_WAYS)(data, rng)
    return data


def _span(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 8, 64, 512, 4096)))


def _flip(data: bytes, rng: random.Random) -> bytes:
    broken = bytearray(data)
    for _ in range(rng.choice((1, 3, 20, 200))):
        if broken:
            broken[rng.randrange(len(broken))] = rng.randrange(256)
    return bytes(broken)


def _truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _behead(data: bytes, rng: random.Random) -> bytes:
    return data[rng.randrange(min(len(data), 200) + 1) :]


def _cut(data: bytes, rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def _duplicate(data: bytes, rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    return data[:end] + data[start:end] * rng.choice((1, 2, 50)) + data[end:]


def _shuffle(data: bytes, rng: random.Random) -> bytes:
    size = rng.choice((16, 100, 1000))
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    rng.shuffle(pieces)
    return b"".join(pieces)


def _swap_halves(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[at:] + data[:at]


def _numbers(data: bytes, rng: random.Random) -> bytes:
    found = list(_NUMBER.finditer(data))
    for match in reversed(rng.sample(found, min(len(found), rng.choice((1, 3, 20))))):
        data = data[: match.start()] + rng.choice(_HUGE) + data[match.end() :]
    return data


def _nest(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(_OPENINGS) * rng.choice((50, 1000, 20_000)) + data[at:]


def _letters(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    codes = [
        rng.choice((rng.randrange(1, 0xD800), rng.randrange(0xE000, 0x110000))) for _ in range(rng.choice((1, 50)))
    ]
    return data[:at] + "".join(map(chr, codes)).encode() + data[at:]


def _noise(data: bytes, rng: random.Random) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + rng.randbytes(end - start) + data[end:]


def _long(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice((b"a", b" ", b"\n", b",", b'"', b"\x00", b"|", b"&amp;")) * 100_000 + data[at:]


def _start(data: bytes, rng: random.Random) -> bytes:
    return rng.choice(_STARTS) + data


def _declare(data: bytes, rng: random.Random) -> bytes:
    at = data.find(b"?>") + 2 if data.startswith(b"<?xml") else 0
    inside = data.find(b">", at + 1 + rng.randrange(max(1, len(data) - at))) + 1
    return data[:at] + _BOMB + data[at:inside] + b"&b;&f;" + data[inside:]


_WAYS = (
    *(_flip, _flip, _truncate, _behead, _cut, _duplicate, _shuffle, _swap_halves, _numbers, _numbers, _nest),
    *(_letters, _noise, _long, _start, _declare),
)


def _in_package(data: bytes, rng: random.Random) -> bytes:
    """Break a member, or exchange, drop, repeat, rename or add members, and write the archive anew."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    first, second = rng.randrange(len(members)), rng.randrange(len(members))
    way = rng.choice(("break", "break", "break", "break", "swap", "drop", "repeat", "rename", "add"))
    if way == "break":
        texts = [at for at, (name, _) in enumerate(members) if "slide" in name or "sheet" in name or "document" in name]
        at = rng.choice(texts) if texts and rng.random() < 0.6 else first
        members[at] = (members[at][0], _in_bytes(members[at][1], rng))
    elif way == "swap":
        (one, a), (other, b) = members[first], members[second]
        members[first], members[second] = (one, b), (other, a)
    elif way == "drop":
        del members[first]
    elif way == "repeat":
        members.append((members[first][0], members[second][1]))
    elif way == "rename":
        members[first] = (rng.choice(("../../etc/passwd", "", "/abs", "a\\b", "x" * 5000)), members[first][1])
    else:
        members.append((f"word/media/{rng.random()}.bin", bytes(5_000_000)))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()

"""Broken files of each format are read or refused: nothing else comes out, and the next good file is read.

Each goes the whole way of a document: told by its content in this process, read in a child with limits, its pages
checked again here. VOUCH_TEST_FUZZ sets how many variants of each format are tried, 40 if it is not set;
docs/formats.md says what 1,000 gave.
"""

from __future__ import annotations

import os
import random
import warnings
from collections import Counter

import pytest
from structlog.testing import capture_logs

from retrieval.errors import DocumentRefused
from retrieval.parsing.parse import parse
from retrieval.parsing.sandbox import Sandbox
from retrieval.parsing.types import Limits
from tests.retrieval.parsing.mutations import mutated
from tests.retrieval.parsing.seeds import CANARY, FORMATS, name_of, seeds_of

VARIANTS = int(os.environ.get("VOUCH_TEST_FUZZ", "40"))
LIMITS = Limits(max_bytes=20 << 20, max_pages=200, timeout_s=20, memory_mb=1024)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as made:
        yield made


@pytest.fixture(autouse=True)
def _zip_names():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Duplicate name", category=UserWarning)  # it is what is tried
        yield


def outcome(path, sandbox, *, name):
    """What became of a file: "ok", or the code of its refusal and what the parser had raised."""
    with capture_logs() as logs:
        try:
            document = parse(path, name=name, limits=LIMITS, sandbox=sandbox)
        except DocumentRefused as error:
            check(error, path)
            return error.code, next((str(log.get("because") or log["event"]) for log in logs), "")
    assert document.pages
    return "ok", ""


def check(error, path):
    """A refusal says which rule was broken, in a sentence, and tells neither the path nor the text."""
    said = f"{error.message} {error.remedy}"
    assert type(error) is not DocumentRefused
    assert error.message.endswith(".")
    assert error.remedy.endswith(".")
    for secret in (CANARY, str(path.parent), path.name, "Traceback", "retrieval/", ".py"):
        assert secret not in said


@pytest.mark.parametrize("kind", FORMATS)
def test_broken_files_are_read_or_refused(tmp_path, sandbox, kind, record_property):
    seeds, counts = seeds_of(kind), Counter()
    path = tmp_path / "variant-of-a-secret-name"
    for number in range(VARIANTS):
        rng = random.Random(f"{kind} {number}")  # the same variants each time
        path.write_bytes(mutated(seeds[number % len(seeds)], rng))
        counts[outcome(path, sandbox, name=name_of(kind))] += 1
    record_property("counts", sorted(counts.items()))
    assert counts[("ok", "")] < VARIANTS, "nothing was broken"
    for seed in seeds:
        path.write_bytes(seed)
        assert outcome(path, sandbox, name=name_of(kind)) == ("ok", "")


@pytest.mark.parametrize("kind", FORMATS)
def test_the_seeds_say_their_word(tmp_path, sandbox, kind):
    for seed in seeds_of(kind):
        path = tmp_path / "seed"
        path.write_bytes(seed)
        document = parse(path, name=name_of(kind), limits=LIMITS, sandbox=sandbox)
        assert CANARY in "".join(page.text for page in document.pages)

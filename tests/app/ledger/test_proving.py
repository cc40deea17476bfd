"""Proofs from stored hashes: the same as from the leaves, at every size, with few reads."""

from __future__ import annotations

import math

import pytest
from sqlalchemy import Engine, event, text

from app.errors import LedgerCorrupt, NotFound
from app.identity.principal import OPERATOR
from app.ledger.log import Ledger
from app.ledger.merkle import consistency_proof, empty_root, inclusion_proof, root_of
from app.ledger.proving import Prover, _needed, _perfect
from app.ledger.reading import LedgerReader

SIZE = 37  # not a power of two, and with several peaks


@pytest.fixture
def leaves(engine: Engine) -> list[bytes]:
    with Ledger(engine) as ledger:
        for n in range(SIZE):
            ledger.append("test.event", actor=OPERATOR, body={"n": n})
    return [leaf for _, _, leaf in LedgerReader(engine).hashed()]


def test_every_root_and_proof_is_that_of_the_leaves(engine: Engine, leaves: list[bytes]) -> None:
    prover = Prover(engine)
    assert prover.root(0) == empty_root()
    for size in (1, 2, 3, 4, 7, 8, 9, 31, 32, 33, SIZE):
        assert prover.root(size) == root_of(leaves[:size])
        for index in range(size):
            assert prover.inclusion(index, size) == inclusion_proof(leaves, index, size)
        for first in range(1, size + 1):
            assert prover.consistency(first, size) == consistency_proof(leaves, first, size)
    assert prover.leaf(5) == leaves[5]


def test_a_proof_is_one_query_of_few_rows(engine: Engine, leaves: list[bytes]) -> None:
    asked: list[object] = []
    event.listen(engine, "before_cursor_execute", lambda *args: asked.append(args[3]))
    Prover(engine).inclusion(5, SIZE)
    assert len(asked) == 1


@pytest.mark.parametrize("size", [10**6, 2**40 - 1, 2**40 + 1, 3 * 2**50 + 12345])
def test_the_reads_grow_with_the_square_of_the_logarithm(size: int) -> None:
    """For ledgers that nobody could fill in a test: how many rows a proof would read."""
    from app.ledger.merkle import consistency_path, inclusion_path

    bound = (math.log2(size) + 1) ** 2
    paths = [inclusion_path(index, size) for index in (0, 1, size // 3, size // 2, size - 1)]
    paths += [consistency_path(first, size) for first in (1, size // 3, size // 2, size - 1)]
    for path in paths:
        reads = {seq for start, end in path for part in _perfect(start, end) for seq in _needed(*part)}
        assert len(reads) <= bound


@pytest.mark.parametrize(("index", "size"), [(-1, 5), (5, 5), (0, 0)])
def test_a_leaf_that_is_not_there_has_no_proof(engine: Engine, leaves: list[bytes], index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        Prover(engine).inclusion(index, size)


def test_a_size_that_was_not_reached_is_told(engine: Engine, leaves: list[bytes]) -> None:
    for ask in (lambda prover: prover.root(SIZE + 1), lambda prover: prover.inclusion(3, 64)):
        with pytest.raises(NotFound, match="no entry"):
            ask(Prover(engine))


@pytest.mark.parametrize("value", ["'text'", "7", "zeroblob(3)"])
def test_a_hash_of_another_type_is_damage(file_engine: Engine, value: str) -> None:
    with Ledger(file_engine) as ledger:
        for n in range(4):
            ledger.append("test.event", actor=OPERATOR, body={"n": n})
    with file_engine.begin() as connection:
        connection.execute(text("DROP TRIGGER ledger_no_update"))
        connection.execute(text(f"UPDATE ledger_entries SET peak = {value} WHERE seq = 1"))
    with pytest.raises(LedgerCorrupt, match="hash"):
        Prover(file_engine).root(4 - 2)

"""Inclusion and consistency proofs, against public interoperability vectors and against every lie we can think of."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ledger.merkle import (
    consistency_proof,
    empty_root,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [leaf_hash(str(n).encode()) for n in range(70)]
VECTORS = {"inclusion": 98, "consistency": 98}
"""How many files transparency-dev/merkle has of each: a lost one is a failure, not a shorter test."""


def vectors(shared_data: Path, kind: str) -> list[tuple[Path, dict[str, Any]]]:
    folder = shared_data / "merkle_vectors" / "testdata" / kind
    found = [(path, json.loads(path.read_text())) for path in sorted(folder.rglob("*.json"))]
    assert len(found) == VECTORS[kind]
    return found


def hashes(values: list[str] | None) -> list[bytes]:
    return [base64.b64decode(value) for value in values or []]


def test_every_public_inclusion_vector_has_its_result(shared_data: Path) -> None:
    wrong = []
    for path, case in vectors(shared_data, "inclusion"):
        leaf, root = hashes([case["leafHash"], case["root"]])
        proof = hashes(case["proof"])
        held = verify_inclusion(proof, index=case["leafIdx"], size=case["treeSize"], leaf=leaf, root=root)
        if held == case["wantErr"]:
            wrong.append(path)
    assert wrong == []


def test_every_public_consistency_vector_has_its_result(shared_data: Path) -> None:
    wrong = []
    for path, case in vectors(shared_data, "consistency"):
        first, second = hashes([case["root1"], case["root2"]])
        sizes = {"first": case["size1"], "second": case["size2"]}
        if verify_consistency(hashes(case["proof"]), **sizes, first_root=first, second_root=second) == case["wantErr"]:
            wrong.append(path)
    assert wrong == []


@pytest.mark.parametrize("size", range(1, 40))
def test_every_leaf_of_every_tree_is_proven_included_and_nothing_else_is(size: int) -> None:
    root = root_of(LEAVES[:size])
    for index in range(size):
        proof = inclusion_proof(LEAVES, index, size)
        assert len(proof) <= (size - 1).bit_length()
        assert verify_inclusion(proof, index=index, size=size, leaf=LEAVES[index], root=root)
        assert not verify_inclusion(proof, index=index, size=size, leaf=LEAVES[index + 1], root=root)
        longer = root_of(LEAVES[: size + 1])
        assert not verify_inclusion(proof, index=index, size=size, leaf=LEAVES[index], root=longer)
        assert not any(
            verify_inclusion(proof, index=other, size=size, leaf=LEAVES[index], root=root)
            for other in range(-1, size + 2)
            if other != index
        )


@pytest.mark.parametrize("second", range(1, 40))
def test_every_older_tree_is_proven_part_of_every_newer_one_and_no_other_is(second: int) -> None:
    newer = root_of(LEAVES[:second])
    for first in range(1, second + 1):
        older = root_of(LEAVES[:first])
        proof = consistency_proof(LEAVES, first, second)
        sizes = {"first": first, "second": second}
        assert verify_consistency(proof, **sizes, first_root=older, second_root=newer)
        rewritten = root_of([leaf_hash(b"x"), *LEAVES[1:first]])
        assert not verify_consistency(proof, **sizes, first_root=rewritten, second_root=newer)
        assert not verify_consistency(proof, **sizes, first_root=older, second_root=leaf_hash(b"x"))
        assert not verify_consistency([*proof, bytes(32)], **sizes, first_root=older, second_root=newer)
        for place in range(len(proof)):
            changed = [*proof[:place], bytes(32), *proof[place + 1 :]]
            assert not verify_consistency(changed, **sizes, first_root=older, second_root=newer)
            assert not verify_consistency(proof[:-1], **sizes, first_root=older, second_root=newer)


@pytest.mark.parametrize("second", [0, 1, 5])
def test_nothing_is_proven_from_the_empty_tree(second: int) -> None:
    root = root_of(LEAVES[:second])
    assert not verify_consistency([], first=0, second=second, first_root=empty_root(), second_root=root)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0), (0, 71), (5, 3)])
def test_a_leaf_that_is_not_there_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_proof(LEAVES, index, size)


@pytest.mark.parametrize(("first", "second"), [(-1, 3), (0, 3), (0, 0), (4, 3), (3, 71)])
def test_trees_in_the_wrong_order_have_no_proof(first: int, second: int) -> None:
    with pytest.raises(ValueError, match="no trees"):
        consistency_proof(LEAVES, first, second)


numbers = st.integers(-2, 80) | st.integers(-(2**70), 2**70)
noise = st.lists(st.sampled_from(LEAVES) | st.binary(max_size=40), max_size=80)
some_hash = st.sampled_from(LEAVES) | st.binary(max_size=40)


@given(noise, numbers, numbers, some_hash, some_hash)
def test_noise_is_never_a_proof_and_never_an_exception(
    proof: list[bytes], one: int, other: int, leaf: bytes, root: bytes
) -> None:
    trivial = leaf == root and not proof
    assert not verify_inclusion(proof, index=one, size=other, leaf=leaf, root=root) or trivial
    assert not verify_consistency(proof, first=one, second=other, first_root=leaf, second_root=root) or trivial

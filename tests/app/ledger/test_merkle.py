"""The tree against its definition, and against values that others published."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ledger.merkle import CompactRange, empty_root, leaf_hash, node_hash, root_of

INPUTS = tuple(
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
)
"""The entries of the reference tree that Certificate Transparency implementations share."""

ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
"""Its roots at sizes 1 to 8."""


def defined(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + defined(leaves[:k]) + defined(leaves[k:])).digest()


def leaves_of(size: int) -> list[bytes]:
    return [leaf_hash(str(n).encode()) for n in range(size)]


def test_the_empty_root_is_the_hash_of_nothing() -> None:
    assert empty_root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert root_of([]) == CompactRange().root() == empty_root()


@pytest.mark.parametrize(("size", "root"), list(enumerate(ROOTS, start=1)))
def test_the_reference_tree_has_its_published_roots(size: int, root: str) -> None:
    assert root_of(leaf_hash(data) for data in INPUTS[:size]).hex() == root


def test_the_prefixes_tell_a_leaf_from_a_node() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert node_hash(left, right) != leaf_hash(left + right)
    assert root_of([left, right]) != root_of([leaf_hash(left + right)])


@pytest.mark.parametrize("size", range(201))
def test_a_root_is_that_of_the_definition_at_every_size(size: int) -> None:
    assert root_of(leaves_of(size)) == defined(leaves_of(size))


@given(st.lists(st.binary(max_size=40), max_size=200))
def test_a_root_is_that_of_the_definition_for_any_entries(entries: list[bytes]) -> None:
    leaves = [leaf_hash(entry) for entry in entries]
    assert root_of(leaves) == defined(leaves)


@given(st.integers(0, 300), st.integers(0, 300))
def test_a_tree_goes_on_from_its_stored_peaks(first: int, second: int) -> None:
    leaves = leaves_of(first + second)
    whole, begun = CompactRange(), CompactRange()
    for leaf in leaves:
        whole.append(leaf)
    for leaf in leaves[:first]:
        begun.append(leaf)
    resumed = CompactRange(begun.size, begun.peaks)
    for leaf in leaves[first:]:
        resumed.append(leaf)
    assert (resumed.size, resumed.peaks, resumed.root()) == (whole.size, whole.peaks, whole.root())


def test_a_copy_goes_its_own_way() -> None:
    tree = CompactRange()
    tree.append(leaf_hash(b"a"))
    before = tree.root()
    copy = tree.copy()
    copy.append(leaf_hash(b"b"))
    assert (tree.size, tree.root()) == (1, before)
    assert copy.size == 2


@pytest.mark.parametrize(
    ("size", "peaks"),
    [(-1, ()), (0, (bytes(32),)), (1, ()), (2, (bytes(32), bytes(32))), (3, (bytes(32),)), (1, (bytes(31),))],
)
def test_peaks_that_do_not_fit_the_size_are_refused(size: int, peaks: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="peaks"):
        CompactRange(size, peaks)


@given(st.integers(1, 200), st.data())
def test_any_changed_leaf_changes_the_root(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    place = data.draw(st.integers(0, size - 1))
    changed = [*leaves[:place], leaf_hash(b"another"), *leaves[place + 1 :]]
    assert root_of(changed) != root_of(leaves)

"""Every kernel compiles for A100 and H100 and needs no more of them than is written here; no GPU is needed for it."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("triton", reason="Triton is not installed here (it is for Linux on x86-64)")

from model.errors import KernelRejected
from model.kernels.compiled import Case, cases
from model.kernels.resources import ARCHITECTURES, compile_for

CASES = {case.name: case for case in cases()}
SHARED_OF_A_BLOCK = {80: 166_912, 90: 232_448}
# what the compiler of the lock file needs, and a tenth more: room for another version of it, not for a mistake
REGISTERS = {"router": 118, "capacity": 62, "gate-up": 202, "down": 160, "sum": 34}
# of a block: four and more blocks fit on a multiprocessor
SHARED = {"router": 8_192, "capacity": 4_096, "gate-up": 40_960, "down": 36_864, "sum": 1_024}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])
def test_a_kernel_compiles_without_spilling_a_register(case: Case, architecture: int) -> None:
    needs = case.compile(architecture)
    sys.stdout.write(f"sm_{architecture} {case.name}: {needs}\n")
    kind = case.name.split()[0]
    assert needs.spilled == 0
    assert 16 <= needs.registers <= REGISTERS[kind]
    assert needs.shared <= SHARED[kind] < SHARED_OF_A_BLOCK[architecture]
    assert needs.threads == 128
    # the products of the experts are on the tensor cores, and nothing else is
    assert (needs.tensor_cores > 0) == (kind in {"gate-up", "down"})


def test_an_error_of_the_assembler_is_not_a_report() -> None:
    with pytest.raises(KernelRejected, match="interpreted"):
        compile_for(lambda: None, {}, architecture=80)


def test_too_many_stages_are_seen_in_the_report() -> None:
    """That the report moves with what is compiled: eight stages hold more in shared memory than three."""
    case = CASES["gate-up own, int8, 16 rows"]
    three, eight = (compile_for(case.kernel, case.arguments, architecture=80, stages=stages) for stages in (3, 8))
    assert eight.shared > 2 * three.shared


def test_a_tile_that_spills_is_seen_in_the_report() -> None:
    """Why the tile of 64 rows has 32 columns: with 64 the compiler runs out of registers."""
    case = CASES["gate-up own, int4 asymmetric, 64 rows"]
    assert compile_for(case.kernel, case.arguments | {"C": 64}, architecture=80).spilled > 0

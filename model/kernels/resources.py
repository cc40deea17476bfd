"""Compiles a Triton kernel for a GPU that is not here and reads from the compiler what it will need there.

Triton brings NVIDIA's assembler `ptxas` with it, so a machine without a GPU can compile for one. The assembler's report
(`ptxas -v`) gives the registers of a thread and the bytes it spills to memory for want of registers; Triton's own
metadata gives the shared memory of a block. They bound how many blocks a multiprocessor holds; they say nothing of
speed.

Specialization as Triton's launcher does it: pointers and integers that are multiples of 16 are compiled as such, an
integer 1 as a constant, None as a constant.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from model.errors import KernelRejected

__all__ = ["ARCHITECTURES", "Resources", "compile_for"]

ARCHITECTURES: Final = (80, 90)
"""Compute capability times ten: A100, H100."""

_REGISTERS: Final = re.compile(r"Used (\d+) registers")
_SPILLS: Final = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")


@dataclass(frozen=True, slots=True)
class Resources:
    """What one compiled kernel needs.

    Attributes:
        registers: Of a thread; 255 is the most there is.
        spilled: Bytes a thread stores to and loads from memory for want of registers.
        shared: Bytes of a block: A100 gives one at most 166,912 (163 KiB), H100 232,448 (227 KiB).
        threads: Of a block.
        tensor_cores: Instructions for them in the assembly: mma.sync (sm_80) or wgmma (sm_90).
    """

    registers: int
    spilled: int
    shared: int
    threads: int
    tensor_cores: int


def compile_for(
    kernel: Any, arguments: Mapping[str, Any], *, architecture: int, warps: int = 4, stages: int = 3
) -> Resources:
    """Compile a kernel for these arguments.

    Args:
        kernel: A `triton.jit` function, not interpreted.
        arguments: By name: Triton's type for a pointer or a number not known ("*bf16", "i32"), an int for a number that
            is known to the launcher's specialization, None, or the value of a compile-time constant.
        architecture: Of `ARCHITECTURES`.
        warps: Of 32 threads.
        stages: Of the software pipeline.

    Raises:
        KernelRejected: the kernel is interpreted, or the assembler's report was not understood.
    """
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    if not isinstance(kernel, triton.JITFunction):
        raise KernelRejected("An interpreted kernel has no assembly.", remedy="Start Python without TRITON_INTERPRET.")
    signature, constants, attributes = _specialize(kernel, arguments)
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=attributes)
    heard = io.StringIO()
    with triton.knobs.compilation.scope(), triton.knobs.nvidia.scope(), contextlib.redirect_stdout(heard):
        triton.knobs.compilation.always_compile = True  # a cached kernel has no report
        triton.knobs.nvidia.dump_ptxas_log = True
        compiled = triton.compile(
            source,
            target=GPUTarget("cuda", architecture, 32),
            options={"num_warps": warps, "num_stages": stages},
        )
    registers, spills = _REGISTERS.search(heard.getvalue()), _SPILLS.search(heard.getvalue())
    if not registers or not spills:
        raise KernelRejected("The assembler's report was not understood.", remedy="Use the Triton of the lock file.")
    return Resources(
        registers=int(registers[1]),
        spilled=int(spills[1]) + int(spills[2]),
        shared=compiled.metadata.shared,
        threads=32 * compiled.metadata.num_warps,
        tensor_cores=len(re.findall(r"^\s*(?:mma\.sync|wgmma\.mma_async)", compiled.asm["ptx"], re.MULTILINE)),
    )


def _specialize(
    kernel: Any, arguments: Mapping[str, Any]
) -> tuple[dict[str, str], dict[tuple[int, ...], Any], dict[tuple[int, ...], list[list[Any]]]]:
    signature: dict[str, str] = {}
    constants: dict[tuple[int, ...], Any] = {}
    attributes: dict[tuple[int, ...], list[list[Any]]] = {}
    for place, parameter in enumerate(kernel.params):
        value = arguments[parameter.name]
        if parameter.is_constexpr or value is None or value == 1:
            signature[parameter.name] = "constexpr"
            constants[(place,)] = value
            continue
        signature[parameter.name] = value if isinstance(value, str) else ("fp32" if isinstance(value, float) else "i32")
        if (isinstance(value, str) and value.startswith("*")) or (isinstance(value, int) and value % 16 == 0):
            attributes[(place,)] = [["tt.divisibility", 16]]
    return signature, constants, attributes

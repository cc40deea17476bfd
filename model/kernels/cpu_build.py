"""Compiles the CPU's own kernels (`csrc/`) where they will run, once, and loads them into torch.

The library lies in a cache folder under a name that holds a digest of everything it was made from: sources, flags,
compiler, torch. Another version is another file, so nothing has to be invalidated; old ones may be deleted at any time.
It is written beside its place and renamed when it is whole, under a lock, so that several processes may build at once.

One OpenMP runtime: torch brings its own libgomp. The library is linked against that very file, so both have one pool of
threads; with two runtimes two pools would fight for the same cores. vLLM preloads the same file and binds its threads.

Not covered: someone who may write to the cache folder can have code of theirs loaded, as with any user's cache; it is
made readable for its owner alone. Processors other than x86-64, AVX-VNNI without AVX-512.
"""

from __future__ import annotations

import concurrent.futures
import functools
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from model._files import exclusive
from model.errors import BuildFailed

__all__ = ["CACHE", "build", "load", "missing_instructions"]

CACHE: Final = Path("~/.cache/vouch/kernels")
_SOURCES: Final = Path(__file__).with_name("csrc")
_NEEDED: Final = {
    "avx2": "-mavx2",
    "fma3": "-mfma",
    "bmi2": "-mbmi2",
    "avx512_f": "-mavx512f",
    "avx512_bw": "-mavx512bw",
    "avx512_dq": "-mavx512dq",
    "avx512_vl": "-mavx512vl",
    "avx512_vnni": "-mavx512vnni",
}
"""Instructions that the kernels use, as torch names them, and the compiler's flag for each."""
_FLAGS: Final = (
    "-O3",
    "-std=c++20",
    "-fPIC",
    "-fopenmp",
    "-fvisibility=hidden",
    "-Wall",
    "-Wextra",
    "-Werror",
    # false alarms: of GCC's own intrinsics (its bug 105593), and of macros in torch's headers
    "-Wno-uninitialized",
    "-Wno-maybe-uninitialized",
    "-Wno-unknown-warning-option",
)
_PATIENCE_S: Final = 600.0
_NAME: Final = "vouch_cpu.so"


def missing_instructions() -> list[str]:
    """Return what the kernels need and this processor lacks, by torch's names."""
    import torch

    found = torch.cpu.get_capabilities()
    return [name for name in _NEEDED if not found.get(name, False)]


def build(report: Callable[[str], None], *, folder: Path | None = None) -> Path:
    """Compile the kernels unless that was done, and return the library's path.

    Args:
        report: Told in words what is being done.
        folder: The cache; `CACHE` by default.

    Raises:
        BuildFailed: no compiler, or it refused; the message has its last words.
    """
    compiler = _compiler()
    flags = [*_FLAGS, *_NEEDED.values()]
    target = (folder or CACHE).expanduser() / f"cpu-{_digest(compiler, flags)}" / _NAME
    if target.exists():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with exclusive(target.with_suffix(".lock"), waiting=lambda: report("another process compiles the kernels")):
            if not target.exists():
                report("compiling the CPU's kernels")
                _compile(compiler, flags, target)
    except OSError as error:
        raise BuildFailed(
            f"The compiled kernels cannot be kept in {target.parent}: {error.strerror}.",
            remedy="Make room there, or give the folder to the user that runs Vouch.",
        ) from error
    return target


@functools.cache
def load(path: Path) -> Any:
    """Load a built library and return its operations.

    Raises:
        BuildFailed: it does not load; the next `build` makes it anew.
    """
    import torch

    try:
        torch.ops.load_library(path)
    except (OSError, RuntimeError) as error:
        path.unlink(missing_ok=True)
        raise BuildFailed(
            f"The compiled kernels do not load: {str(error)[:300]}", remedy="They are compiled anew at the next start."
        ) from error
    return torch.ops.vouch_cpu


def _compiler() -> str:
    from torch.utils.cpp_extension import get_cxx_compiler

    name = get_cxx_compiler()
    found = shutil.which(name)
    if found is None:
        raise BuildFailed(
            f"There is no C++ compiler ({name}).",
            remedy="Install g++ (Debian: apt install g++); until then PyTorch's slower kernels compute.",
        )
    return found


def _digest(compiler: str, flags: list[str]) -> str:
    import torch

    version = _run([compiler, "--version"])
    digest = hashlib.sha256("\0".join([*flags, version, torch.__version__]).encode())
    for path in sorted(_SOURCES.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _compile(compiler: str, flags: list[str], target: Path) -> None:
    import torch
    from torch.utils.cpp_extension import include_paths, library_paths

    abi = f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}"
    headers = [word for path in include_paths("cpu") for word in ("-isystem", path)]
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".build-") as work:

        def compile_one(source: Path) -> str:
            result = f"{work}/{source.stem}.o"
            _run([compiler, *flags, abi, *headers, "-c", str(source), "-o", result])
            return result

        with concurrent.futures.ThreadPoolExecutor() as pool:
            objects = list(pool.map(compile_one, sorted(_SOURCES.glob("*.cpp"))))
        libraries = [word for path in library_paths("cpu") for word in ("-L", path)]
        whole = f"{work}/{_NAME}"
        _run(
            [
                compiler,
                "-shared",
                *objects,
                *libraries,
                "-lc10",
                "-ltorch_cpu",
                *_openmp(library_paths("cpu")),
                "-o",
                whole,
            ]
        )
        Path(whole).replace(target)


def _openmp(folders: list[str]) -> list[str]:
    """Name torch's own OpenMP runtime for the linker; the compiler's own where torch brings none."""
    for folder in folders:
        for path in sorted(Path(folder).glob("libgomp*.so*")):
            return [str(path)]
    return ["-fopenmp"]


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise BuildFailed(
            f"{command[0]} took more than {_PATIENCE_S:.0f} s.", remedy="Try again when the machine is less busy."
        ) from error
    if done.returncode:
        raise BuildFailed(
            f"{command[0]} refused: {done.stderr.strip()[-600:]}",
            remedy="g++ 11 or later, or clang++ 14 or later with its OpenMP, compiles the kernels.",
        )
    return done.stdout

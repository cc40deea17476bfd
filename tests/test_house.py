"""The house rules that a tool can check: sizes, docstrings, no assert in the product, launchers that parse."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("app", "model", "retrieval", "domains", "ui")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in MODULES]


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.fixture(scope="module", params=MODULES, ids=NAMES)
def module(request: pytest.FixtureRequest) -> tuple[Path, str, ast.Module]:
    text = request.param.read_text(encoding="utf-8")
    return request.param, text, ast.parse(text)


def test_a_module_says_what_it_is_for(module: tuple[Path, str, ast.Module]) -> None:
    path, _, tree = module
    assert (ast.get_docstring(tree) or "").strip(), f"{path} has no docstring"


def test_a_module_stays_under_500_lines(module: tuple[Path, str, ast.Module]) -> None:
    _, text, _ = module
    assert text.count("\n") <= 500


def test_a_function_stays_under_50_lines_of_code(module: tuple[Path, str, ast.Module]) -> None:
    path, text, tree = module
    lines = text.splitlines()
    long = {}
    for node in functions(tree):
        if any(
            isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) for child in ast.walk(node) if child is not node
        ):
            continue  # a function that encloses others is measured by them
        documented = ast.get_docstring(node, clean=False) is not None
        first = node.body[1].lineno if documented and len(node.body) > 1 else node.body[0].lineno
        code = [
            line for line in lines[first - 1 : node.end_lineno] if line.strip() and not line.strip().startswith("#")
        ]
        # a migration is a list of tables, kept as it was on the day it was released
        if len(code) > 50 and "migrations" not in path.parts:
            long[node.name] = len(code)
    assert not long


def test_checks_are_raised_never_asserted(module: tuple[Path, str, ast.Module]) -> None:
    _, _, tree = module
    assert [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)] == []


def test_what_is_exported_is_sorted_and_there(module: tuple[Path, str, ast.Module]) -> None:
    _, _, tree = module
    exported = [
        list(ast.literal_eval(node.value))
        for node in tree.body
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "__all__" for target in node.targets)
    ]
    assert exported == [
        sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name)) for names in exported
    ]


def test_nothing_below_the_edge_reads_the_environment(module: tuple[Path, str, ast.Module]) -> None:
    path, text, _ = module
    edge = {"app/settings.py", "app/connection.py", "model/vllm/policies.py"}
    if str(path.relative_to(ROOT)) not in edge:
        assert "os.environ[" not in text
        assert "os.getenv" not in text
        assert "environ.get" not in text


def test_names_say_what_things_do() -> None:
    banned = ("manager", "handler", "helper", "utils", "util")
    found = [name for name in NAMES if any(word in Path(name).stem.split("_") for word in banned)]
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and any(word in node.name.lower() for word in banned):
                found.append(f"{path.name}:{node.name}")
    assert not found


@pytest.mark.parametrize("script", ["vouch", "tests/run", "requirements/relock.sh"])
def test_a_shell_script_parses_as_posix_sh(script: str) -> None:
    done = subprocess.run(["sh", "-n", str(ROOT / script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (ROOT / script).stat().st_mode & 0o111


def test_nothing_generated_or_large_is_tracked() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this copy is not a git checkout")
    large = [
        name
        for name in listed.stdout.split("\0")
        if name and (ROOT / name).exists() and (ROOT / name).stat().st_size > 1_000_000
    ]
    assert not large

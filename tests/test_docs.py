"""The documentation says what the code says: settings, routes, commands, metrics, hooks, errors, README."""

from __future__ import annotations

import importlib.util
import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from domains.contract import DomainPlugin

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *ROOT.glob("*.md"), *(ROOT / "examples").glob("*.md")])


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_blocks_are_as_the_code_has_them(generate: ModuleType) -> None:
    stale = [
        page.name for page in DOCS.glob("*.md") if generate.fill(page.read_text("utf-8")) != page.read_text("utf-8")
    ]
    assert stale == [], "run: .venv/bin/python docs/generate.py"


@pytest.mark.parametrize("block", ["settings", "routes", "commands", "metrics", "errors"])
def test_every_block_stands_in_a_page_and_has_rows(generate: ModuleType, block: str) -> None:
    holding = [page for page in DOCS.glob("*.md") if f"<!-- generated: {block} -->" in page.read_text("utf-8")]
    assert len(holding) == 1
    assert generate.BLOCKS[block]().count("\n") >= 5


def test_every_member_of_the_plugin_contract_is_described() -> None:
    text = (DOCS / "plugins.md").read_text("utf-8")
    members = [
        name for name in {**inspect.get_annotations(DomainPlugin), **vars(DomainPlugin)} if not name.startswith("_")
    ]
    assert [name for name in members if f"`{name}`" not in text] == []


def test_the_plugin_in_the_documentation_works(tmp_path: Path) -> None:
    code = re.search(r"```python\n(.*?)```", (DOCS / "plugins.md").read_text("utf-8"), re.DOTALL)
    assert code
    script = tmp_path / "weather.py"
    script.write_text(code.group(1) + "\n\nprint(Weather().titles['zh'])\n", encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "天气", done.stderr


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text("utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []

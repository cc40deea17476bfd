"""Writes the tables of the documentation that follow from the code: settings, routes, commands, metrics.

Each stands between two marks in its page, ``<!-- generated: NAME -->`` and ``<!-- end -->``. Run this file to write
them anew; tests/test_docs.py fails when a page does not say what the code says.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

DOCS: Final = Path(__file__).resolve().parent
_BLOCK: Final = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def settings() -> str:
    """Return the table of settings."""
    from app.settings import PREFIX, ROOT, Settings

    rows = ["| setting | environment | default | what it is |", "| --- | --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, tuple):
            default = ", ".join(default)
        if isinstance(default, Path) and default.is_relative_to(ROOT):
            default = default.relative_to(ROOT)
        shown = f"`{default}`" if str(default) else "empty"
        rows.append(f"| `{name}` | `{PREFIX}{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(rows) + "\n"


def routes() -> str:
    """Return the table of routes with who may call them and what is recorded."""
    from app.identity.permissions import TABLE

    rows = ["| route | needs | recorded as |", "| --- | --- | --- |"]
    for (method, path), rule in TABLE.items():
        needs = f"`{rule.permission}`" if rule.permission else "nothing"
        kept = (
            f"`{rule.record}`"
            if rule.record
            else f"by `{rule.recorded_by}`"
            if rule.recorded_by
            else f"no: {rule.exempt}"
        )
        rows.append(f"| `{method} {path}` | {needs} | {kept} |")
    return "\n".join(rows) + "\n"


def commands() -> str:
    """Return each command with its options, as the program itself describes them."""
    import typer

    from app.cli import app

    def describe(command: Any, name: str) -> list[str]:
        inner = getattr(command, "commands", None)
        if inner is not None:
            return [line for key, child in sorted(inner.items()) for line in describe(child, f"{name} {key}")]
        summary = (command.help or "").strip().split("\n\n")[0].replace("\n", " ")
        words = [f"`./vouch {name.strip()}`: {summary}", ""]
        for item in command.params:
            if item.name == "help":
                continue
            label = ", ".join(item.opts) if item.param_type_name == "option" else item.name.upper()
            words.append(f"- `{label}`: {getattr(item, 'help', '') or ''}")
        return [*words, ""]

    return "\n".join(describe(typer.main.get_command(app), "")) + "\n"


def metrics() -> str:
    """Return the table of metrics."""
    from app.metrics import Metrics

    rows = ["| metric | kind | labels | what it counts |", "| --- | --- | --- | --- |"]
    found = Metrics()
    for item in vars(found).values():
        if hasattr(item, "_documentation"):
            labels = ", ".join(f"`{name}`" for name in item._labelnames) or "none"
            rows.append(f"| `{item._name}` | {type(item).__name__.lower()} | {labels} | {item._documentation} |")
    return "\n".join(rows) + "\n"


def errors() -> str:
    """Return the table of error codes with their HTTP status."""
    import importlib

    from app.errors import describe

    rows = {}
    for name in ("app.errors", "retrieval.errors", "model.errors", "domains.contract"):
        for item in vars(importlib.import_module(name)).values():
            if isinstance(item, type) and issubclass(item, Exception) and hasattr(item, "code") and item.__doc__:
                status = describe(item("", remedy="")).status
                rows.setdefault(item.code, f"| `{item.code}` | {status} | {item.__doc__.splitlines()[0]} |")
    return "\n".join(["| code | HTTP | when |", "| --- | --- | --- |", *(rows[code] for code in sorted(rows))]) + "\n"


def factors() -> str:
    """Return the tables of the factors of financial statements."""
    from domains.finance.statements.factors.catalogue import markdown

    return markdown()


BLOCKS: Final[dict[str, Callable[[], str]]] = {
    "settings": settings,
    "routes": routes,
    "commands": commands,
    "metrics": metrics,
    "errors": errors,
    "factors": factors,
}


def fill(text: str) -> str:
    """Return a page with its generated blocks as the code now has them."""
    return _BLOCK.sub(lambda found: f"{found.group(1)}{BLOCKS[found.group(2)]()}{found.group(3)}", text)


def main() -> int:
    """Write all pages; return how many changed."""
    changed = 0
    for page in sorted(DOCS.glob("*.md")):
        before = page.read_text(encoding="utf-8")
        after = fill(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            changed += 1
    return changed


if __name__ == "__main__":
    sys.stderr.write(f"{main()} pages written\n")

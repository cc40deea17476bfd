"""`./vouch eval SUITE`, `eval compare` and `eval gate`: measuring the installed system, and judging the figures.

`eval` takes the name of a suite where others take the name of a command, so the group hands whatever is no command of
its own to the one that runs suites.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from app.console import note, told
from app.settings import load
from retrieval.rivals import Rivals

__all__ = ["evaluations"]

_RUN: Final = "SUITE"
"""Name of the command that runs a suite: it stands where the suite's name does."""


class _SuiteOrCommand(TyperGroup):
    """Runs a suite unless the first word is a command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the suites' command before what names none."""
        if args and args[0] not in self.commands and args != ["--help"]:
            args = [_RUN, *args]
        return super().parse_args(ctx, args)


evaluations = typer.Typer(
    cls=_SuiteOrCommand,
    no_args_is_help=True,
    help="Measure the installed system: `eval SUITE --data DIR`; compare results; hold them against pins.",
)


@evaluations.command(_RUN)
def evaluate(
    suite: Annotated[str, typer.Argument(help="Name of the suite; `list` names all.")],
    data: Annotated[Path | None, typer.Option(help="Folder of the data set.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Use this many items, drawn with the seed.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draw and of the intervals.")] = 0,
    rivals: Annotated[
        Rivals, typer.Option(help="Who else answers, in suites of search; `all` embeds every document twice.")
    ] = Rivals.SEARCH,
    json_out: Annotated[
        Path | None, typer.Option("--json", help="Write the result to this file, with each question where it is kept.")
    ] = None,
) -> None:
    """Measure the installed system on a data set."""
    with told():
        from app.evaluations import measure, suites
        from app.logs import configure

        if suite == "list":
            typer.echo("\n".join(sorted(suites())))
            return
        settings = load()
        configure(settings.log_level)  # to standard error: standard output is the result
        found = measure(suite, data, limit=limit, seed=seed, rivals=rivals, settings=settings, report=note)
        if json_out is not None:
            json_out.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        found.pop("items", None)  # each question with its reply: for the file
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))


@evaluations.command("compare")
def compare(
    before: Annotated[Path, typer.Argument(metavar="A.json", help="Result of `eval SUITE --json`.")],
    after: Annotated[Path, typer.Argument(metavar="B.json", help="Another one of the same suite and items.")],
    seed: Annotated[int, typer.Option(help="Seed of the intervals.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say which differences between two results on the same items are significant (paired bootstrap)."""
    with told():
        from app.answering.evaluation.compare import compared, in_words
        from app.answering.evaluation.results import read_result

        found = compared(read_result(before), read_result(after), seed=seed)
        typer.echo(_json(found) if as_json else "\n".join(in_words(found)))


@evaluations.command("gate")
def gate(
    results: Annotated[list[Path], typer.Argument(metavar="RESULT.json...", help="Results of `eval SUITE --json`.")],
    pinned: Annotated[Path, typer.Option(help="File of pinned figures.")],
    write: Annotated[bool, typer.Option("--write", help="Pin the figures of these results instead.")] = False,
) -> None:
    """Fail, with exit status 1, when a pinned figure is worse than its interval."""
    with told():
        from app.answering.evaluation.gate import held, pins_of, read_pins
        from app.answering.evaluation.results import read_result

        found = [read_result(path) for path in results]
        if write:
            pinned.write_text(_json(pins_of(found)) + "\n", encoding="utf-8")
            note(f"pinned: {pinned}")
            return
        checked = held(read_pins(pinned), found)
    for one in checked:
        typer.echo(str(one))
    if not all(one.holds for one in checked):
        raise typer.Exit(1)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)

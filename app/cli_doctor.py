"""`./vouch doctor`: what is wrong with this installation, and what to do about it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Final

import typer

from app.console import told
from app.settings import load

__all__ = ["doctor"]

_SIGNS: Final = {"well": "ok  ", "doubtful": "note", "broken": "FAIL"}


def doctor(
    deep: Annotated[bool, typer.Option("--deep", help="Hash every byte of the served weights as well.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Examine machine, disk, port, secrets, database, ledger, index and weights; exit status 1 when one is broken."""
    with told():
        from app.doctor.all import DEEP, QUICK
        from app.doctor.finding import Health, examine

        found = examine(load(), DEEP if deep else QUICK)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in found], ensure_ascii=False, indent=2))
    else:
        for finding in found:
            typer.echo(f"{_SIGNS[finding.health]}  {finding.part}: {finding.message}")
            if finding.remedy:
                typer.echo(f"      {finding.remedy}")
        broken = sum(finding.health is Health.BROKEN for finding in found)
        typer.echo("nothing is broken" if not broken else f"{broken} broken")
    if any(finding.health is Health.BROKEN for finding in found):
        raise typer.Exit(1)

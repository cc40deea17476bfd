"""The commands: `./vouch up`, `ingest`, `ask`, `eval`, `bench`, `doctor`, `model`, `audit`, `retrieval`, `users`.

Programs may rely on their names, options and JSON. Results go to standard output, progress and errors to standard
error; an error is one sentence and a remedy, and the exit status is 1. `ingest` and `ask` use the running service,
and start one for themselves when none runs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli_admin import models, users
from app.cli_audit import audit
from app.cli_doctor import doctor
from app.cli_evaluate import evaluations
from app.cli_examine import add_to
from app.cli_ingest import ingest
from app.cli_retrieval import retrieval
from app.console import note, told
from app.settings import load

__all__ = ["app", "main"]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(models, name="model")
add_to(audit)
app.add_typer(audit, name="audit")
app.add_typer(evaluations, name="eval")
app.add_typer(retrieval, name="retrieval")
app.add_typer(users, name="users")


def main() -> None:
    """Run a command, turning our errors into a sentence, a remedy and exit status 1."""
    try:
        app(prog_name="vouch")
    except KeyboardInterrupt:
        sys.exit(130)


@app.command()
def up(
    port: Annotated[int | None, typer.Option(help="Port of the page and the API; 0 takes a free one.")] = None,
    profile: Annotated[str | None, typer.Option(help="cpu or gpu: what the launcher installs.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Start everything and print the address of the page."""
    del profile  # the launcher has acted on it
    with told():
        from app.up import run  # imports torch's neighbours; `--help` should not wait for them

        run(load() if port is None else load(port=port), quiet=quiet)


app.command()(ingest)
app.command()(doctor)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="In English or Chinese.")],
    domain: Annotated[str | None, typer.Option(help="Domain to answer in; chosen by the question by default.")] = None,
    collection: Annotated[str | None, typer.Option(help="Search in this collection only.")] = None,
    short: Annotated[bool, typer.Option("--short", help="Print the bare answer first, where there is one.")] = False,
    choice: Annotated[list[str] | None, typer.Option(help="An answer to choose from; repeat it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole answer as JSON.")] = False,
) -> None:
    """Ask a question and print the checked answer with its sources."""
    with told():
        from app.connection import connect, result, wait_ready

        body = {"question": question, "stream": False, "domain": domain, "collection": collection}
        body |= {"style": "short" if short else "full", "choices": choice or []}
        with connect(load()) as client:
            wait_ready(client, note)
            answer = result(client.post("/v1/ask", json=body))
        if as_json:
            typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        else:
            _print(answer)


def _print(answer: dict[str, Any]) -> None:
    if answer["short"] is not None:
        typer.echo(answer["short"])
    typer.echo(answer["text"])
    cited = {mark for claim in answer["claims"] if claim["verdict"] == "supported" for mark in claim["cites"]}
    chinese = answer["language"] == "zh"
    for item in answer["evidence"]:
        if item["id"] in cited or answer["abstained"]:
            where = item["locator"]
            page = (f" 第{where['page']}页" if chinese else f", page {where['page']}") if where["page"] else ""
            typer.echo(f"  [{item['id']}] {where['document']}{page}")
    struck = [claim for claim in answer["claims"] if claim["verdict"] != "supported"]
    if struck:
        typer.echo(
            f"  （{len(struck)} 句未经证实，已删去）" if chinese else f"  ({len(struck)} unsupported, struck out)"
        )
    moved = sum(claim["corrected"] for claim in answer["claims"])
    if moved:
        typer.echo(f"  （更正了 {moved} 处引用）" if chinese else f"  ({moved} citations corrected)")
    if answer["notice"]:
        typer.echo(f"  {answer['notice']}")
    receipt = answer["receipt"]
    typer.echo(f"  {'记录' if chinese else 'record'} {receipt['entry']}, {receipt['leaf'][:16]}")


@app.command("bench")
def bench(
    suite: Annotated[str, typer.Argument(help="Name of the benchmark; `list` names all.")],
    json_out: Annotated[Path | None, typer.Option("--json", help="Write the result to this file.")] = None,
) -> None:
    """Measure this machine: ours beside a rival, in turn, in one run."""
    with told():
        from app.bench import available, run

        if suite == "list":
            typer.echo("\n".join(available()))
            return
        text = json.dumps(run(suite, report=note), ensure_ascii=False, indent=2)
        if json_out is not None:
            json_out.write_text(text + "\n", encoding="utf-8")
        typer.echo(text)

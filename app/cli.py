"""The commands: `./vouch up`, `ingest`, `ask`, `eval`, `model`, `audit`, `users`.

Programs may rely on their names, options and JSON. Results go to standard output, progress and errors to standard
error; an error is one sentence and a remedy, and the exit status is 1. `ingest` and `ask` use the running service,
and start one for themselves when none runs.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from app import errors
from app.settings import Settings, load

__all__ = ["app", "main"]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
models = typer.Typer(no_args_is_help=True, help="Build, serve and check the model.")
audit = typer.Typer(no_args_is_help=True, help="Verify and export the ledger.")
users = typer.Typer(no_args_is_help=True, help="Keys for people and programs.")
app.add_typer(models, name="model")
app.add_typer(audit, name="audit")
app.add_typer(users, name="users")

_DONE: Final = ("ready", "failed")
_SUFFIXES: Final = (".pdf", ".docx", ".html", ".htm", ".md", ".markdown", ".txt")


def main() -> None:
    """Run a command, turning our errors into a sentence, a remedy and exit status 1."""
    try:
        app(prog_name="vouch")
    except KeyboardInterrupt:
        sys.exit(130)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        found = errors.describe(error)
        if found.code == "internal" and not isinstance(error, errors.VouchError):
            raise
        typer.echo(f"vouch: {found.message}\n  {found.remedy}", err=True)
        raise typer.Exit(1) from None


def _note(text: str) -> None:
    typer.echo(text, err=True)


@app.command()
def up(
    port: Annotated[int | None, typer.Option(help="Port of the page and the API; 0 takes a free one.")] = None,
    profile: Annotated[str | None, typer.Option(help="cpu or gpu: what the launcher installs.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Start everything and print the address of the page."""
    del profile  # the launcher has acted on it
    with _told():
        from app.up import run  # imports torch's neighbours; `--help` should not wait for them

        run(load(**({} if port is None else {"port": port})), quiet=quiet)


@app.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders of files.")],
    collection: Annotated[str | None, typer.Option(help="Collection to put them in.")] = None,
    label: Annotated[str | None, typer.Option(help="Permission label: who may see them.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the documents as JSON.")] = False,
) -> None:
    """Add documents and wait until each is searchable or refused."""
    with _told():
        from app.connection import connect

        files = _files(paths)
        with connect(load()) as client:
            done = [_ingest_one(client, path, collection, label) for path in files]
            done = [_follow(client, item) for item in done]
        if as_json:
            typer.echo(json.dumps({"documents": done}, ensure_ascii=False, indent=2))
        failed = [item for item in done if item["state"] != "ready"]
        for item in done:
            if item["state"] == "ready":
                _note(f"  {item['name']}: {item['pages']} pages, {item['passages']} passages")
            else:
                _note(f"  {item['name']}: {item['error']}\n    {item['remedy']}")
        if failed:
            raise typer.Exit(1)


def _files(paths: list[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(item for item in path.rglob("*") if item.is_file() and item.suffix.lower() in _SUFFIXES)
        elif path.is_file():
            found.append(path)
        else:
            raise errors.BadRequest(f"There is no file or folder {path}.", remedy="Check the path.")
    if not found:
        raise errors.BadRequest(
            "No document was found there.", remedy=f"Name files, or a folder with files of {', '.join(_SUFFIXES)}."
        )
    return found


def _ingest_one(client: Any, path: Path, collection: str | None, label: str | None) -> dict[str, Any]:
    from app.connection import ServiceError, result

    data = {name: value for name, value in (("collection", collection), ("label", label)) if value is not None}
    with path.open("rb") as file:
        try:
            reply = result(client.post("/v1/documents", files={"files": (path.name, file)}, data=data))
        except ServiceError as error:
            return {"name": path.name, "state": "failed", "error": error.message, "remedy": error.remedy}
    return dict(reply["documents"][0])


def _follow(client: Any, item: dict[str, Any]) -> dict[str, Any]:
    from app.connection import result

    shown = -1
    while item["state"] not in _DONE:
        time.sleep(0.2)
        item = dict(result(client.get(f"/v1/documents/{item['id']}")))
        if item["pages_done"] != shown and sys.stderr.isatty():
            shown = item["pages_done"]
            _note(f"  {item['name']}: {item['state']}, page {shown} of {item['pages'] or '?'}")
    return item


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="In English or Chinese.")],
    domain: Annotated[str | None, typer.Option(help="Domain to answer in; chosen by the question by default.")] = None,
    collection: Annotated[str | None, typer.Option(help="Search in this collection only.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole answer as JSON.")] = False,
) -> None:
    """Ask a question and print the checked answer with its sources."""
    with _told():
        from app.connection import connect, result, wait_ready

        body = {"question": question, "stream": False, "domain": domain, "collection": collection}
        with connect(load()) as client:
            wait_ready(client, _note)
            answer = result(client.post("/v1/ask", json=body))
        if as_json:
            typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        else:
            _print(answer)


def _print(answer: dict[str, Any]) -> None:
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
    if answer["notice"]:
        typer.echo(f"  {answer['notice']}")
    receipt = answer["receipt"]
    typer.echo(f"  {'记录' if chinese else 'record'} {receipt['entry']}, {receipt['leaf'][:16]}")


@app.command("eval")
def evaluate(
    suite: Annotated[str, typer.Argument(help="Name of the suite; `list` names all.")],
    data: Annotated[Path | None, typer.Option(help="Folder of the data set.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Use this many items, drawn with the seed.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draw and of the intervals.")] = 0,
    json_out: Annotated[Path | None, typer.Option("--json", help="Write the result to this file.")] = None,
) -> None:
    """Measure the installed system on a data set."""
    with _told():
        from domains.registry import load as load_domains
        from model.catalog import card
        from model.fetch import fetch
        from retrieval.evaluate import SUITES

        suites = dict(SUITES)
        for plugin in load_domains().plugins.values():
            suites |= plugin.evaluations()
        if suite == "list":
            typer.echo("\n".join(sorted(suites)))
            return
        if suite not in suites:
            raise errors.BadRequest(
                f"There is no suite {suite!r}.", remedy=f"Choose one of: {', '.join(sorted(suites))}."
            )
        if data is None or not data.is_dir():
            raise errors.BadRequest(f"{data} is not a folder.", remedy="Give the data set's folder with --data.")
        settings = load()
        weights = fetch(
            card("all-minilm-l6-v2"), settings.model_dir, offline=settings.offline, report=lambda step: _note(step.step)
        )
        with tempfile.TemporaryDirectory(prefix="vouch-eval-") as scratch:
            found = suites[suite](
                data, limit=limit, seed=seed, embedder_folder=weights, workdir=Path(scratch), report=_note
            )
        text = json.dumps(found, ensure_ascii=False, indent=2)
        if json_out is not None:
            json_out.write_text(text + "\n", encoding="utf-8")
        typer.echo(text)


@models.command("build")
def model_build(name: Annotated[str | None, typer.Argument(help="Name in the catalog.")] = None) -> None:
    """Fetch the weights and build the checkpoint that is served."""
    with _told():
        from model.build import build
        from model.catalog import card

        settings = load()
        path = build(
            card(name or settings.model), settings.model_dir, offline=settings.offline, report=_Progress().show
        )
        typer.echo(path)


@models.command("serve")
def model_serve() -> None:
    """Serve the model alone, until Ctrl-C; prints the address and the key."""
    with _told():
        from app.service import engine_for

        engine = engine_for(load())
        engine.start()
        try:
            shown = ""
            while engine.state.stage not in _DONE:
                if engine.state.detail != shown:
                    shown = engine.state.detail
                    _note(shown)
                time.sleep(0.5)
            if engine.state.error is not None:
                raise engine.state.error
            typer.echo(json.dumps({"url": engine.url, "api_key": engine.api_key, "model": engine.model_name}))
            while engine.state.stage != "failed":
                time.sleep(1)
        except KeyboardInterrupt:
            _note("stopping")
        finally:
            engine.stop()


@models.command("check")
def model_check(name: Annotated[str | None, typer.Argument(help="Name in the catalog.")] = None) -> None:
    """Hash the built checkpoint anew and compare it with its manifest."""
    with _told():
        from model.build import check
        from model.catalog import card

        settings = load()
        found = check(card(name or settings.model), settings.model_dir)
        typer.echo(json.dumps(found, indent=2))


class _Progress:
    """Shows a step's progress: in place on a terminal, every ten percent elsewhere."""

    def __init__(self) -> None:
        self._last: tuple[str, int] = ("", -1)

    def show(self, progress: Any) -> None:
        percent = 100 * progress.done // progress.total if progress.total else 0
        mark = (progress.step, percent if sys.stderr.isatty() else percent // 10)
        if mark != self._last:
            self._last = mark
            end = "\r" if sys.stderr.isatty() and percent < 100 else "\n"
            sys.stderr.write(f"{progress.step}: {percent} % of {progress.total} {progress.unit}{end}")


def _keys(settings: Settings) -> Any:
    from app.identity.keys import KeyStore
    from app.identity.secret import installation_secret
    from app.storage.engine import connect
    from app.storage.migrate import upgrade

    database = connect(settings.database)
    upgrade(database)
    return KeyStore(database, installation_secret(settings.data_dir, settings.secret))


@users.command("add")
def users_add(
    name: Annotated[str, typer.Argument(help="Who will use the key.")],
    role: Annotated[str, typer.Option(help="reader, contributor, auditor or admin.")] = "reader",
    label: Annotated[list[str] | None, typer.Option(help="Label that the key may see; repeat it; '*' for all.")] = None,
    collection: Annotated[
        list[str] | None, typer.Option(help="Collection that the key may see; repeat it; '*' for all.")
    ] = None,
) -> None:
    """Make a key and print it, once."""
    with _told():
        from app.identity.principal import Role

        if role not in [item.value for item in Role]:
            raise errors.BadRequest(f"There is no role {role!r}.", remedy="Use reader, contributor, auditor or admin.")
        settings = load()
        typer.echo(
            _keys(settings).create(
                name,
                role=Role(role),
                labels=frozenset(label or [settings.default_label]),
                collections=frozenset(collection or [settings.default_collection]),
            )
        )


@users.command("list")
def users_list() -> None:
    """List keys: id, subject, role, grants, last use; never the keys themselves."""
    with _told():
        for item in _keys(load()).list():
            typer.echo(json.dumps(item.model_dump(mode="json"), ensure_ascii=False))


@users.command("revoke")
def users_revoke(key_id: Annotated[str, typer.Argument(help="Id from `users list`.")]) -> None:
    """End a key; its next request is refused."""
    with _told():
        _keys(load()).revoke(key_id)
        _note(f"revoked {key_id}")

"""`./vouch retrieval check` and `migrate`: proving that what is searched is whole, and moving it to another store.

`check` asks the running service, whose indexes are what answers; without one it looks at what the next start would
take. Both are recorded in the name of the operator.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from app import errors
from app.console import ProgressLine, note, told
from app.identity.principal import OPERATOR
from app.settings import Settings, load

if TYPE_CHECKING:  # what these import is slow to load, and `--help` should not wait for it
    from sqlalchemy import Engine

    from retrieval.catalog import Catalog
    from retrieval.embedding import TextEmbedder
    from retrieval.stores.contract import VectorStore

__all__ = ["retrieval"]

retrieval = typer.Typer(no_args_is_help=True, help="Look after what is searched.")

Store = Literal["faiss", "milvus"]


@dataclass(frozen=True, slots=True)
class _Opened:
    """What a command needs that works without the service."""

    settings: Settings
    engine: Engine
    secret: bytes
    catalog: Catalog
    embedders: tuple[TextEmbedder, ...]

    def store(self, number: int, kind: str | None = None) -> VectorStore:
        """Build the store of one of the models."""
        from app.vector_stores import INDEX_FOLDER, builder

        build = builder(self.settings, self.catalog, self.secret, kind=kind)
        return build(self.embedders[number], self.settings.data_dir / INDEX_FOLDER / str(number))


@contextmanager
def _opened(settings: Settings) -> Iterator[_Opened]:
    from app.embedders import bring, embedders_for
    from app.identity.secret import installation_secret
    from app.storage.engine import connect
    from app.storage.migrate import upgrade
    from retrieval.catalog import Catalog

    bring(settings, ProgressLine().show)
    engine = connect(settings.database)
    try:
        upgrade(engine)
        secret = installation_secret(settings.data_dir, settings.secret)
        yield _Opened(settings, engine, secret, Catalog(engine), tuple(embedders_for(settings)))
    finally:
        engine.dispose()


@retrieval.command("check")
def check(
    deep: Annotated[bool, typer.Option("--deep", help="Hash every file as well; reads all of them.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Make anew what can be made anew.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Prove that catalog, files, lexical index, vector stores and snapshots agree; exit status 1 when they do not."""
    with told():
        from app.connection import connect, is_running, result

        settings = load()
        if is_running(settings):
            with connect(settings) as client:
                asked = {"deep": deep, "repair": repair}
                report = dict(result(client.post("/v1/retrieval/check", params=asked)))
        else:
            report = _check_alone(settings, deep=deep, repair=repair)
        if as_json:
            typer.echo(json.dumps(report, ensure_ascii=False, indent=2))
        else:
            _say(report)
        if not report["agrees"]:
            raise typer.Exit(1)


def _check_alone(settings: Settings, *, deep: bool, repair: bool) -> dict[str, Any]:
    from app.ledger.access import open_sink
    from app.retrieval_care import reconcile
    from app.vector_stores import INDEX_FOLDER, builder
    from retrieval.index import PassageIndex

    with _opened(settings) as parts, open_sink(settings) as sink:
        index = PassageIndex(
            parts.catalog,
            parts.embedders,
            folder=settings.data_dir / INDEX_FOLDER,
            store_for=builder(settings, parts.catalog, parts.secret),
        )
        files = settings.data_dir / "files"
        return reconcile(parts.engine, index, files, sink, caller=OPERATOR, deep=deep, mend=repair)


def _say(report: dict[str, Any]) -> None:
    counts = ", ".join(f"{number} {name}" for name, number in report["counts"].items())
    typer.echo(f"{counts}; generation {report['generation']}" + ("; every file hashed" if report["deep"] else ""))
    for kind, number in report["mended"].items():
        typer.echo(f"  mended: {kind}, {number}")
    for finding in report["findings"]:
        lost = "  (none of Vouch's: left alone)" if finding["kind"] == "file_strange" else "  (add the file again)"
        hint = "" if finding["mendable"] else lost
        typer.echo(f"  {finding['kind']}: {finding['subject']}, {finding['number']}{hint}")
    typer.echo("everything agrees" if report["agrees"] else f"{sum(report['kinds'].values())} things do not agree")
    if any(finding["mendable"] for finding in report["findings"]):
        note("mend what can be mended with --repair")


@retrieval.command("migrate")
def migrate(
    to: Annotated[Store, typer.Option(help="Where to: faiss or milvus.")],
    queries: Annotated[int, typer.Option(min=1, help="Queries that both stores are asked at the end.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the draw of the queries.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Move the vectors into another store and compare what both find; broken off, the same command goes on.

    The service goes on with its own store. Exit status 1 when the two do not agree.
    """
    with told():
        from app.ledger.access import open_sink

        settings = load()
        if to == settings.vector_store:
            raise errors.BadRequest(
                f"The vectors are in {to} already: that is the setting vector_store.",
                remedy="Name the other store; set VOUCH_VECTOR_STORE when the move is done.",
            )
        with _opened(settings) as parts, open_sink(settings) as sink:
            intent = sink.append("retrieval.migrate.intent", actor=OPERATOR, body={"to": to})
            try:
                moved = [_move(parts, number, to, queries, seed) for number in range(len(parts.embedders))]
            except BaseException as error:
                failed = {"to": to, "error": errors.describe(error).code}
                sink.append(
                    "retrieval.migrate.outcome", actor=OPERATOR, body=failed, outcome="error", closes=intent.entry
                )
                raise
            done = {"to": to, "agrees": all(item["agrees"] for item in moved), "models": moved}
            sink.append("retrieval.migrate.outcome", actor=OPERATOR, body=_counted(done), closes=intent.entry)
        if as_json:
            typer.echo(json.dumps(done, ensure_ascii=False, indent=2))
        else:
            _tell(done)
        if not done["agrees"]:
            raise typer.Exit(1)


def _move(parts: _Opened, number: int, to: str, queries: int, seed: int) -> dict[str, Any]:
    from retrieval.errors import IndexDamaged
    from retrieval.filling import fill
    from retrieval.moving import compare, move, visibility_of

    embedder, source, target = parts.embedders[number], parts.store(number), parts.store(number, to)
    moved = move(parts.engine, embedder, target, done=_progress(embedder.identity))
    try:
        source.resume()
    except IndexDamaged:
        note("the present store has nothing to compare with; it is filled from the catalog, in memory")
    if parts.settings.vector_store == "faiss":
        fill(source, parts.engine, embedder)  # nothing is written: its snapshot is the service's
        source.visibility = visibility_of(parts.catalog)
    else:
        source.visibility = target.visibility
    found = compare(parts.engine, embedder, source, target, queries=queries, seed=seed)
    return moved.body() | asdict(found) | {"agrees": found.agrees}


def _progress(name: str) -> Callable[[int, int], None]:
    from model.progress import Progress

    line = ProgressLine()
    return lambda done, of: line.show(Progress(step=name, done=done, total=of, unit="vectors"))


def _counted(done: dict[str, Any]) -> dict[str, Any]:
    """Return what the ledger keeps: counts and the verdict, with cosines as whole ten-thousandths."""
    models = [
        {"embedder": item["embedder"], "vectors": item["vectors"], "overlap": round(item["overlap"] * 10_000)}
        for item in done["models"]
    ]
    return {"to": done["to"], "agrees": done["agrees"], "models": models}


def _tell(done: dict[str, Any]) -> None:
    for item in done["models"]:
        typer.echo(
            f"{item['embedder']}: {item['vectors']} vectors ({item['there']} were there, {item['added']} added,"
            f" {item['removed']} removed) in {item['seconds']} s"
        )
        typer.echo(
            f"  {item['queries']} queries: overlap@10 {item['overlap']:.4f} (least {item['least']:.2f}),"
            f" greatest difference of a cosine {item['difference']:.5f}: {'agrees' if item['agrees'] else 'DIFFERS'}"
        )
    if done["agrees"]:
        note(f"set VOUCH_VECTOR_STORE={done['to']} and start the service again")
    else:
        note("do not change the setting: the two stores answer differently")

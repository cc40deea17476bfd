"""`./vouch model`, `audit` and `users`: the commands of whoever looks after the machine, the record and the keys."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from app import errors
from app.answering.types import Receipt
from app.console import ProgressLine, note, told
from app.settings import Settings, load

__all__ = ["audit", "models", "users"]

models = typer.Typer(no_args_is_help=True, help="Build, serve and check the model.")
audit = typer.Typer(no_args_is_help=True, help="Verify and export the ledger.")
users = typer.Typer(no_args_is_help=True, help="Keys for people and programs.")

_DONE: Final = ("ready", "failed")


@models.command("build")
def model_build(name: Annotated[str | None, typer.Argument(help="Name in the catalog.")] = None) -> None:
    """Fetch the weights and build the checkpoint that is served."""
    with told():
        from model.build import build
        from model.catalog import card

        settings = load()
        path = build(
            card(name or settings.model), settings.model_dir, offline=settings.offline, report=ProgressLine().show
        )
        typer.echo(path)


@models.command("serve")
def model_serve() -> None:
    """Serve the model alone, until Ctrl-C; prints the address and the key."""
    with told():
        from app.service import engine_for

        engine = engine_for(load())
        engine.start()
        try:
            shown = ""
            while engine.state.stage not in _DONE:
                if engine.state.detail != shown:
                    shown = engine.state.detail
                    note(shown)
                time.sleep(0.5)
            if engine.state.error is not None:
                raise engine.state.error
            typer.echo(json.dumps({"url": engine.url, "api_key": engine.api_key, "model": engine.model_name}))
            while engine.state.stage != "failed":
                time.sleep(1)
        except KeyboardInterrupt:
            note("stopping")
        finally:
            engine.stop()


@models.command("check")
def model_check(name: Annotated[str | None, typer.Argument(help="Name in the catalog.")] = None) -> None:
    """Hash the built checkpoint anew and compare it with its manifest."""
    with told():
        from model.catalog import card
        from model.check import check

        settings = load()
        found = check(card(name or settings.model), settings.model_dir)
        typer.echo(json.dumps(found, indent=2))


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
    with told():
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
    with told():
        for item in _keys(load()).list():
            typer.echo(json.dumps(asdict(item), ensure_ascii=False, default=sorted))


@users.command("revoke")
def users_revoke(key_id: Annotated[str, typer.Argument(help="Id from `users list`.")]) -> None:
    """End a key; its next request is refused."""
    with told():
        _keys(load()).revoke(key_id)
        note(f"revoked {key_id}")


def _reader(settings: Settings) -> Any:
    from app.ledger.reading import LedgerReader
    from app.storage.engine import connect

    return LedgerReader(connect(settings.ledger, durable=True))


def _receipt(text: str) -> Receipt:
    size, _, root = text.partition(":")
    if not size.isdecimal() or len(root) != 64:
        raise errors.BadRequest(f"{text!r} is not SIZE:ROOT.", remedy="Take `size` and `root` of an answer's receipt.")
    return Receipt(entry=int(size) - 1, leaf="", size=int(size), root=root, time="")


@audit.command("verify")
def audit_verify(
    known: Annotated[
        list[str] | None, typer.Option(help="SIZE:ROOT of a receipt that you kept elsewhere; repeat it.")
    ] = None,
) -> None:
    """Hash the whole ledger anew and compare it with what was recorded, and with receipts that you kept."""
    with told():
        report = _reader(load()).verify(known=[_receipt(text) for text in known or []])
        typer.echo(json.dumps({"size": report.size, "root": report.root, "intact": True}))


@audit.command("export")
def audit_export(path: Annotated[Path, typer.Argument(help="File to write.")]) -> None:
    """Write all entries to a file that anyone can check with app/ledger/verifier.py, a program that stands alone."""
    with told():
        from app.ledger.export import export

        report = export(_reader(load()), path)
        typer.echo(json.dumps({"path": str(path), "size": report.size, "root": report.root}))

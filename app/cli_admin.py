"""`./vouch model` and `users`: the commands of whoever looks after the machine and the keys."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from app import errors
from app.console import ProgressLine, note, told
from app.settings import Settings, load

if TYPE_CHECKING:
    from model.recipe import Form

__all__ = ["models", "users"]

models = typer.Typer(no_args_is_help=True, help="Build, serve and check the model.")
users = typer.Typer(no_args_is_help=True, help="Keys for people and programs.")

_DONE: Final = ("ready", "failed")
_Form = Annotated[str | None, typer.Option("--form", help="int4, w8a8, moe or bf16; without it, what is served.")]


@models.command("build")
def model_build(
    name: Annotated[str | None, typer.Argument(help="Name in the catalog.")] = None, form: _Form = None
) -> None:
    """Fetch the weights and build the checkpoint that is served."""
    with told():
        from model.build import build
        from model.catalog import card

        settings = load()
        wanted, report = card(name or settings.model), ProgressLine().show
        typer.echo(
            build(
                wanted,
                settings.model_dir,
                offline=settings.offline,
                report=report,
                form=_form(form or settings.model_form),
            )
        )


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
def model_check(
    name: Annotated[str | None, typer.Argument(help="Name in the catalog.")] = None, form: _Form = None
) -> None:
    """Hash the built checkpoint anew and compare it with its manifest."""
    with told():
        from model.catalog import card
        from model.check import check

        settings = load()
        found = check(card(name or settings.model), settings.model_dir, form=_form(form or settings.model_form))
        typer.echo(json.dumps(found, indent=2))


def _form(named: str | None) -> Form:
    from model.plan import default_form
    from model.recipe import FORMS

    if not named:
        return default_form()
    for form in FORMS:
        if form == named:
            return form
    raise errors.BadRequest(f"There is no form {named!r}.", remedy=f"Use one of: {', '.join(FORMS)}.")


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

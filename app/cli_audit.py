"""`./vouch audit verify`, `export`, `prove`, `keys`, `rotate`, `witness`: the record, for those outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app import errors
from app.answering.types import Receipt
from app.cli_replay import replay
from app.console import note, told
from app.settings import Settings, load

if TYPE_CHECKING:  # slow to load, and `--help` should not wait for it
    from sqlalchemy import Engine

    from app.ledger.note import Note

__all__ = ["audit"]

audit = typer.Typer(no_args_is_help=True, help="Verify, prove and export the ledger; examine it; replay an answer.")
audit.command("replay")(replay)


def _engine(settings: Settings) -> Engine:
    from app.storage.engine import connect

    return connect(settings.ledger, durable=True)


def _reader(settings: Settings) -> Any:
    from app.ledger.reading import LedgerReader

    return LedgerReader(_engine(settings))


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
    """Hash the whole ledger anew; compare it with what was recorded, with receipts, and row by row with its copy."""
    with told():
        from app.ledger.copying import LedgerCopy
        from app.ledger.examination import verify_all
        from app.storage.engine import connect
        from app.storage.migrate import upgrade

        settings = load()
        receipts = [_receipt(text) for text in known or []]
        reader = _reader(settings)
        database = connect(settings.database)
        upgrade(database)
        typer.echo(json.dumps(verify_all(reader, LedgerCopy(database, reader), known=receipts)))


@audit.command("export")
def audit_export(path: Annotated[Path, typer.Argument(help="File to write.")]) -> None:
    """Write entries and checkpoints to a file that anyone can check with app/ledger/verifier.py, which stands alone."""
    with told():
        from app.ledger.export import export
        from app.ledger.publication import checkpoint_folders

        settings = load()
        report = export(_reader(settings), path, checkpoints=checkpoint_folders(settings)[0].checkpoints())
        typer.echo(json.dumps({"path": str(path), "size": report.size, "root": report.root}))


@audit.command("prove")
def audit_prove(
    what: Annotated[str, typer.Argument(help="Number of an entry, or id of an answer.")],
    standard: Annotated[bool, typer.Option("--tlog-proof", help="Print the text form of C2SP tlog-proof.")] = False,
) -> None:
    """Print a proof that an entry is in a signed tree, to check with `verifier.py receipt` or any C2SP tool."""
    with told():
        from app.ledger.receipts import prove, tlog_proof

        settings = load()
        engine = _engine(settings)
        proof = prove(engine, what, checkpoint=lambda entry: _covering(settings, entry))
        typer.echo(tlog_proof(proof) if standard else json.dumps(proof, ensure_ascii=False, indent=2), nl=not standard)


def _covering(settings: Settings, entry: int) -> Note:
    from app.ledger.checkpoint import Checkpoint
    from app.ledger.checkpoint_signer import last_signed
    from app.ledger.publication import LAST_SIGNED, checkpoint_folders, signing_folder

    published = checkpoint_folders(settings)[0].covering(entry)
    found = published or last_signed(signing_folder(settings) / LAST_SIGNED)
    if found is None or Checkpoint.parse(found.text).size <= entry:
        raise errors.NotFound(
            f"No checkpoint contains entry {entry} yet.",
            remedy="A running service signs one within checkpoint_seconds; ask again then.",
        )
    return found


@audit.command("keys")
def audit_keys() -> None:
    """Print the ledger's verifier keys, each with the entries between which it signs: hand them to your auditors."""
    with told():
        from app.ledger.key_list import write_keys
        from app.ledger.publication import signing_folder
        from app.ledger.reading import LedgerReader
        from app.ledger.signing import origin_of, published_keys

        settings = load()
        engine = _engine(settings)
        LedgerReader(engine)  # refuses a store that is no ledger
        keys = published_keys(signing_folder(settings), origin_of(engine))
        if not keys:
            raise errors.NotFound("The ledger has no signing key yet.", remedy="Start the service once.")
        typer.echo(json.dumps(write_keys(keys), indent=2))


@audit.command("rotate")
def audit_rotate() -> None:
    """Sign with a new key from now on: the old one endorses it, and is destroyed. Stop the service first."""
    with told():
        from app.identity.principal import OPERATOR
        from app.ledger.log import Ledger
        from app.ledger.publication import open_signer, signing_folder
        from app.ledger.signing import begin_rotation

        settings = load()
        engine = _engine(settings)
        with Ledger(engine) as ledger:
            old = open_signer(settings, ledger, engine, actor=OPERATOR)  # refuses a ledger that was rolled back
            begin_rotation(ledger, old.identity, signing_folder(settings), actor=OPERATOR)
            *_, retired, period = open_signer(settings, ledger, engine, actor=OPERATOR).identity.keys
        typer.echo(json.dumps({"key": str(period.key), "from": period.first, "retired": str(retired.key)}))
        note("Give the new key to your auditors and to the operators of your witnesses.")


@audit.command("witness")
def audit_witness(
    folder: Annotated[Path, typer.Option(help="The witness's own folder: its key and its state.")],
    log: Annotated[list[str] | None, typer.Option(help="Verifier key of a log to cosign for; repeat it.")] = None,
    name: Annotated[str, typer.Option(help="The witness's name, in its key and its signatures.")] = "vouch/witness",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8090,
    show: Annotated[bool, typer.Option("--show", help="Print the last cosigned checkpoints and end.")] = False,
) -> None:
    """Run a witness: a program of its own that cosigns a log's checkpoints as long as each extends the last."""
    with told():
        from app.ledger.note import VerifierKey
        from app.ledger.witness import Witness
        from app.ledger.witness_server import alone_in, serve
        from app.logs import configure

        logs = [VerifierKey.parse(text) for text in log or []]
        if show:
            for kept in Witness(folder, name, logs).latest():
                typer.echo(str(kept), nl=False)
            return
        if not logs:
            raise errors.BadRequest("A witness needs a log.", remedy="Give --log with a key of ./vouch audit keys.")
        configure("info")  # to standard error: standard output has the one line that programs read
        with alone_in(folder):
            witness = Witness(folder, name, logs)

            def started(url: str) -> None:
                typer.echo(json.dumps({"url": url, "key": str(witness.key), "logs": witness.logs}))

            serve(witness, host=host, port=port, started=started)

"""`./vouch audit search`, `answer`, `open`, `erase`, `prune`, `rebuild`: examining the record, and what may leave it.

They work beside a running service and without one. Each is recorded, in the name of the operator, before it does
anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from sqlalchemy import Engine

from app import errors
from app.console import note, told
from app.identity.principal import OPERATOR
from app.settings import Settings, load

if TYPE_CHECKING:  # what these import is slow to load, and `--help` should not wait for it
    from app.ledger.copying import LedgerCopy
    from app.ledger.examination import Examination
    from app.ledger.reading import LedgerReader
    from app.ledger.sink import AuditSink
    from app.ledger.vault import Vault

__all__ = ["Opened", "add_to", "opened"]

_LONGEST_SUBJECT: Final = 512


@dataclass(frozen=True, slots=True)
class Opened:
    """Everything that a command about the record needs."""

    settings: Settings
    ledger: Engine
    reader: LedgerReader
    copy: LedgerCopy
    vault: Vault
    sink: AuditSink
    examination: Examination


@contextmanager
def opened() -> Iterator[Opened]:
    """Open the record for a command, and close it afterwards."""
    from app.identity.secret import installation_secret
    from app.ledger.access import open_sink
    from app.ledger.copying import LedgerCopy
    from app.ledger.examination import Examination
    from app.ledger.reading import LedgerReader
    from app.ledger.vault import Vault
    from app.storage.engine import connect
    from app.storage.migrate import upgrade

    settings = load()
    ledger = connect(settings.ledger, durable=True)
    database = connect(settings.database, durable=True)
    try:
        reader = LedgerReader(ledger)
        upgrade(database)
        vault = Vault(database, installation_secret(settings.data_dir, settings.secret))
        copy = LedgerCopy(database, reader)
        with open_sink(settings) as sink:
            yield Opened(settings, ledger, reader, copy, vault, sink, Examination(reader, copy, vault, sink))
    finally:
        ledger.dispose()
        database.dispose()


def add_to(audit: typer.Typer) -> None:
    """Add the commands to `./vouch audit`."""
    for name, command in (
        ("search", _search),
        ("answer", _answer),
        ("open", _open),
        ("erase", _erase),
        ("prune", _prune),
        ("rebuild", _rebuild),
    ):
        audit.command(name)(command)


Text = str | None


def _search(
    person: Annotated[Text, typer.Option(help="Subject who acted.")] = None,
    since: Annotated[Text, typer.Option(help="From this time on: 2026-01-31, or RFC 3339.")] = None,
    until: Annotated[Text, typer.Option(help="Before this time.")] = None,
    domain: Annotated[Text, typer.Option(help="Domain of the answer.")] = None,
    document: Annotated[Text, typer.Option(help="Id of a document that was used.")] = None,
    digest: Annotated[Text, typer.Option(help="SHA-256 of a passage or a file: who used this version.")] = None,
    verdict: Annotated[Text, typer.Option(help="supported, contradicted or unsupported.")] = None,
    outcome: Annotated[Text, typer.Option(help="ok, denied, error, …")] = None,
    action: Annotated[Text, typer.Option(help="answer.outcome; `answer.` for all such.")] = None,
    before: Annotated[int | None, typer.Option(help="Entries before this one: `next` of the last page.")] = None,
    limit: Annotated[int, typer.Option(help="Most entries.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with `next` for the next page.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Search the ledger, newest entry first; recorded."""
    with told():
        from app.ledger.tabular import to_csv, to_json

        query = _query(
            person=person,
            since=since,
            until=until,
            domain=domain,
            document=document,
            digest=digest,
            verdict=verdict,
            outcome=outcome,
            action=action,
            before=before,
            limit=limit,
        )
        with opened() as record:
            page = record.examination.search(query, caller=OPERATOR)
        if as_json:
            typer.echo(to_json(page))
        elif as_csv:
            typer.echo(to_csv(page), nl=False)
        else:
            for row in page.rows:
                verdicts = " ".join(f"{count} {verdict}" for verdict, count in sorted(row.verdicts.items()))
                parts = (row.seq, row.time, row.actor, row.action, row.outcome, row.domain or "", verdicts)
                typer.echo("  ".join(str(part) for part in parts).rstrip())
        if page.next is not None:
            note(f"more: --before {page.next}")


def _query(**fields: Any) -> Any:
    from pydantic import ValidationError

    from app.ledger.examine import Query

    try:
        return Query(**{name: value for name, value in fields.items() if value is not None})
    except ValidationError as error:
        wrong = "; ".join(f"--{item['loc'][0]}: {item['msg'].removeprefix('Value error, ')}" for item in error.errors())
        raise errors.BadRequest(
            f"The search does not fit: {wrong}.", remedy="See ./vouch audit search --help."
        ) from None


def _answer(answer_id: Annotated[str, typer.Argument(help="Id of the answer.")]) -> None:
    """Print one answer's whole story as JSON: entries, verdicts, evidence digests, receipt; recorded."""
    with told(), opened() as record:
        record.sink.append("audit.read", actor=OPERATOR, body={"ids": {"answer_id": answer_id[:64]}})
        _print(record.examination.story(answer_id))


def _open(entry: Annotated[int, typer.Argument(help="An entry of an answer: intent or outcome.")]) -> None:
    """Print text and salt of what an entry commits to, so that anyone can check them; recorded."""
    with told(), opened() as record:
        _print(record.examination.open(entry, caller=OPERATOR))


def _erase(subject: Annotated[str, typer.Option(help="Whose content: the name as the ledger has it.")]) -> None:
    """Destroy the key and the content of a person; the ledger and its proofs stay as they are; recorded."""
    with told():
        from app.ledger.erasure import erase

        if not 0 < len(subject) <= _LONGEST_SUBJECT:
            raise errors.BadRequest("That is no name of a person.", remedy="Take `actor` of one of the entries.")
        with opened() as record:
            done = erase(record.vault, record.sink, subject=subject, actor=OPERATOR)
        _print({"subject": subject, "keys": done.keys, "items": done.items, "clean": done.clean, "entry": done.entry})
        if not done.keys:
            note(f"nothing was kept of {subject!r}, or it was erased before")
        if not done.clean:
            note("another process still reads an old state of the database: erase again later to clean its files")


def _prune(
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without this it is only shown.")] = False,
) -> None:
    """Show which entries are past their retention, and with --apply let their bodies go; recorded."""
    with told():
        from app.ledger.pruning import plan, prune
        from app.ledger.retention import Policy

        with opened() as record:
            policy = Policy(record.settings.retention_days)
            record.copy.catch_up()
            policy.check(_domains(record.copy.engine))
            made = plan(record.reader, policy, now=datetime.now(tz=UTC))
            texts = prune(made, record.ledger, record.sink, vault=record.vault, actor=OPERATOR) if apply else 0
            record.copy.catch_up()
        done = {"applied": apply, "entries": made.entries, "texts": texts} if apply else {"applied": False}
        _print(made.body() | {"answers": len(made.answers), "ends": made.ends} | done)
        if made.entries and not apply:
            note(f"{made.entries} entries would go; do it with --apply")


def _domains(database: Engine) -> set[str]:
    """Return the domains that are loaded, and those that the ledger still speaks of."""
    from sqlalchemy import select

    from app.storage.tables import audit_events
    from domains.registry import load as load_domains

    with database.connect() as connection:
        spoken = connection.scalars(select(audit_events.c.domain).distinct()).all()
    return {*load_domains().plugins, *(name for name in spoken if name)}


def _rebuild() -> None:
    """Throw the searchable copy away and make it anew from the ledger; recorded."""
    with told(), opened() as record:
        record.sink.append("audit.rebuild", actor=OPERATOR, body={"had": record.copy.size})
        _print({"entries": record.copy.rebuild()})


def _print(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))

"""`./vouch audit replay`: an answer's evidence, checks and, where its model is served, its text, against the record."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from app import errors
from app.cli_examine import Opened, opened
from app.console import note, told

if TYPE_CHECKING:  # slow to load, and `--help` should not wait for it
    from app.answering.replay import Again, Present
    from app.answering.types import Answer
    from app.ledger.reading import Entry
    from domains.contract import Question
    from model.engine_state import ServedModel
    from retrieval.types import Evidence, Scope

__all__ = ["replay"]

_DIFFERS: Final = 3
_INCOMPLETE: Final = 4
_READY_S: Final = 10.0
"""A server that is there says so at once."""


def replay(
    answer: Annotated[
        str,
        typer.Argument(metavar="RECEIPT|ANSWER_ID", help="A file with an answer or a receipt, its entry, or an id."),
    ],
    text: Annotated[bool, typer.Option(help="Ask the model of VOUCH_MODEL_URL again.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Replay an answer from its record, and say what differs: versions, evidence, verdicts, text; recorded.

    Exit status: 0 all is as it was, 3 something differs, 4 not all of it could be replayed, 1 an error.
    """
    with told(), opened() as record:
        found = _replayed(record, answer, text=text)
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2) if as_json else "\n".join(_lines(found)))
    if found["differs"]:
        raise typer.Exit(_DIFFERS)
    if not found["complete"]:
        raise typer.Exit(_INCOMPLETE)


def _replayed(record: Opened, answer: str, *, text: bool) -> dict[str, Any]:
    from app.answering import replay as replaying
    from app.identity.principal import OPERATOR

    entry = _entry(record, answer)
    with _present(record, text=text) as present:
        made = replaying.replay(record.reader, record.vault, record.sink, entry, caller=OPERATOR, present=present)
        return asyncio.run(made)


def _entry(record: Opened, answer: str) -> Entry:
    """Find the outcome that an argument names; a receipt in a file must be one of this ledger."""
    from app.answering.replay import entry_of
    from app.ledger.receipts import outcome_of

    if answer.isascii() and answer.isdecimal() and len(answer) < 16:
        return entry_of(record.reader, int(answer))
    path = Path(answer)
    if not path.is_file():
        return outcome_of(record.reader, answer)
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        receipt = given.get("receipt", given)
        seq, leaf = int(receipt["entry"]), str(receipt["leaf"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise errors.BadRequest(
            f"{answer} holds no receipt.", remedy="Give the JSON of an answer (./vouch ask --json), or its `receipt`."
        ) from None
    entry = entry_of(record.reader, seq)
    if entry.leaf != leaf and record.reader.get(seq).leaf != leaf:
        raise errors.BadRequest(
            f"Entry {seq} of this ledger is not the one that the receipt is of.",
            remedy="Use the ledger that gave it; if this is that one, run ./vouch audit verify.",
        )
    return entry


@contextmanager
def _present(record: Opened, *, text: bool) -> Iterator[Present]:
    """Make what the record is held against: catalog, checks, and the model where one is named."""
    from app.answering.checking.verify import CHECKS_VERSION, Verifier
    from app.answering.guarding import guarded
    from app.answering.prompt import PROMPT_VERSION
    from app.answering.replay import Present
    from app.embedders import common_words, embedders_for
    from app.identity.principal import OPERATOR
    from domains.registry import load as load_domains
    from retrieval.catalog import Catalog
    from retrieval.errors import RetrievalError

    catalog = Catalog(record.vault.engine)
    embedders = embedders_for(record.settings)
    try:
        known: str | None = " ".join(embedder.identity for embedder in embedders)
        verifier = Verifier(common=common_words(embedders))
    except (OSError, RetrievalError):  # their weights are not on this machine
        known, verifier = None, Verifier()
        note("the embedding models are not here: no word counts as a common one, so the checks are stricter than then")

    def check(draft: Any, readings: Mapping[str, Any], asked: str, language: Any) -> Any:
        evidence = {id_: reading.evidence for id_, reading in readings.items()}
        return guarded(verifier.check(draft, evidence, question=asked), evidence=readings, language=language)

    with _model(record, wanted=text) as (engine, without):
        yield Present(
            versions={
                "vouch": metadata.version("vouch"),
                "model": None if engine is None else dict(engine.identity),
                "embedder": known,
                "index_generation": catalog.generation(),
                "prompt": PROMPT_VERSION,
                "checks": CHECKS_VERSION,
            },
            passages=lambda ids: catalog.passages(ids, OPERATOR.scope()),
            check=check,
            again=None if engine is None else _again(record, engine, verifier),
            without=without,
            repeatable=frozenset(name for name, plugin in load_domains().plugins.items() if plugin.repeatable),
        )


@contextmanager
def _model(record: Opened, *, wanted: bool) -> Iterator[tuple[ServedModel | None, str]]:
    """Lend the model of `model_url`; without one, say why."""
    from app.engines import engine_for
    from model.errors import ModelError

    if not wanted or not record.settings.model_url:
        yield None, "no model server is named (VOUCH_MODEL_URL)" if wanted else "it was not asked for"
        return
    engine = engine_for(record.settings)
    engine.start()
    try:
        try:
            engine.wait_ready(_READY_S)
        except ModelError as error:
            yield None, f"the model does not answer: {error.message}"
        else:
            yield engine, ""
    finally:
        engine.stop()


def _again(record: Opened, engine: ServedModel, verifier: Any) -> Again:
    """Return a way to answer from given evidence: the pipeline that answers everybody, unrecorded."""
    from app.answering.drafters.ways import ways
    from app.answering.evaluation.unrecorded import Unrecorded
    from app.answering.pipeline import Pipeline
    from app.identity.principal import OPERATOR
    from app.identity.secret import installation_secret
    from domains.registry import load as load_domains

    settings = record.settings

    async def answer(question: Question, evidence: Sequence[Evidence], domain: str) -> Answer:
        class Given:
            def search(self, _queries: Sequence[str], _scope: Scope, *, k: int) -> list[Evidence]:
                return list(evidence)

        nothing = Unrecorded()
        pipeline = Pipeline(
            registry=load_domains(only=[domain]),
            searcher=Given(),
            chat_factory=lambda: engine.chat(max_tokens=settings.answer_tokens, timeout_s=settings.model_timeout_s),
            ledger=nothing,
            content=nothing,
            versions=dict,
            prompt_tokens=lambda: engine.context_tokens - settings.answer_tokens,
            max_question_chars=settings.max_question_chars,
            verifier=verifier,
            drafters=ways(sections=settings.sections),
            secret=installation_secret(settings.data_dir, settings.secret),
        )
        return await pipeline.answer(question, principal=OPERATOR, domain=domain)

    return answer


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"answer {found['answer_id']}, entry {found['entry']}, of {found['subject']}"
    for name, pair in found["versions"]["differ"].items():
        yield f"  version {name}: then {_short(pair['then'])}, now {_short(pair['now'])}"
    for item in found["evidence"]:
        yield f"  evidence {item['id']} ({item['kind']}): {item['state']}"
    for claim in found["claims"]:
        now = claim["now"]["verdict"] if claim["now"] else claim["why"]
        yield f"  claim {claim['number']}: {claim['state']} ({claim['then']['verdict']}; {now})"
    made = found["text"]
    if made["state"] == "not_replayed":
        yield f"  text: not replayed: {made['why']}"
    else:
        yield f"  text: {made['state']}: {made['claims_same']} of {made['claims_then']} claims word for word"
    yield (
        "differs"
        if found["differs"]
        else "as it was"
        if found["complete"]
        else "as it was, as far as it can be replayed"
    )


def _short(value: Any) -> str:
    return "unknown" if value is None else json.dumps(value, ensure_ascii=False)

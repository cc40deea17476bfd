"""Finds the suites of `./vouch eval` and lends each what its signature names.

A suite is a function ``suite(data, *, limit, seed, report, …) -> Mapping``. If it has a parameter of the name, it gets:

    embedders   the installation's embedding models; their weights are fetched first
    rivals      who else answers, in suites of search
    workdir     a folder that is kept between runs
    assistant   the pipeline over that model, for questions with their own passages
    chat        the model that the settings name, ours started for the suite and stopped after it, as a chat model

What answered (`ServedModel.identity`) is added to the settings in the result of a suite that got `chat` or `assistant`.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from app.answering.checking.verify import Verifier
from app.answering.evaluation import SUITES as ANSWERS
from app.answering.evaluation.assistant import Assistant
from app.answering.gate import Gate
from app.connection import is_running
from app.embedders import bring, common_words, embedders_for, similarity_of
from app.engines import engine_for
from app.errors import BadRequest
from app.settings import Settings
from domains.registry import load as load_domains
from domains.sql.evaluation import SUITES as SQL
from model.engine_state import ServedModel
from retrieval.evaluation import SUITES as SEARCH
from retrieval.rivals import Rivals

__all__ = ["measure", "suites"]

_POLL_S: Final = 0.5

Report = Callable[[str], None]
Suite = Callable[..., Mapping[str, Any]]


def suites() -> dict[str, Suite]:
    """Return all suites by name: of search, of questions to databases, of answers, and of each installed domain."""
    found: dict[str, Suite] = {**SEARCH, **SQL, **ANSWERS}
    for plugin in load_domains().plugins.values():
        found |= plugin.evaluations()
    return found


def measure(
    name: str, data: Path | None, *, limit: int | None, seed: int, rivals: Rivals, settings: Settings, report: Report
) -> dict[str, Any]:
    """Run one suite on a folder.

    Raises:
        BadRequest: there is no such suite or folder.
        ModelError: the suite needs the model, and it cannot be served.
    """
    known = suites()
    if name not in known:
        raise BadRequest(f"There is no suite {name!r}.", remedy=f"Choose one of: {', '.join(sorted(known))}.")
    if data is None or not data.is_dir():
        raise BadRequest(f"{data} is not a folder.", remedy="Give the data set's folder with --data.")
    run = known[name]
    wanted = inspect.signature(run).parameters
    lent: dict[str, Any] = {}
    asked = {"chat", "assistant"} & wanted.keys()
    if "embedders" in wanted or "assistant" in asked:  # only suites that search or check claims need the weights
        bring(settings, lambda step: report(step.step))
    if "embedders" in wanted:
        lent["embedders"] = embedders_for(settings)
    if "rivals" in wanted:
        lent["rivals"] = rivals
    if "workdir" in wanted:
        lent["workdir"] = settings.data_dir / "eval"  # keeps the embeddings, so that a second run is quick
        lent["workdir"].mkdir(parents=True, exist_ok=True)
    if not asked:
        return dict(run(data, limit=limit, seed=seed, report=report, **lent))
    with _served(settings, report) as model:
        lent |= {name: value for name, value in _answering(settings, model).items() if name in asked}
        found = dict(run(data, limit=limit, seed=seed, report=report, **lent))
        answered = {"model": dict(model.identity), "answer_tokens": settings.answer_tokens}
    return found | {"settings": {**found.get("settings", {}), **answered}}


def _answering(settings: Settings, model: ServedModel) -> dict[str, Any]:
    chat = model.chat(max_tokens=settings.answer_tokens, timeout_s=settings.model_timeout_s)
    embedders = embedders_for(settings)
    assistant = Assistant(
        chat=chat,
        prompt_tokens=model.context_tokens - settings.answer_tokens,
        registry=load_domains(only=["general"]),
        verifier=Verifier(common=common_words(embedders)),
        gate=Gate(similarity=similarity_of(embedders)),
    )
    return {"chat": chat, "assistant": assistant}


@contextmanager
def _served(settings: Settings, report: Report) -> Iterator[ServedModel]:
    """Lend the model that the settings name while it is ready; one that was started here is stopped afterwards."""
    if not settings.model_url and is_running(settings):
        report("A service runs on this data folder; the model is loaded a second time, beside it.")
    model = engine_for(settings)
    model.start()
    try:
        shown = ""
        while (state := model.state).stage != "ready":
            if state.error is not None:
                raise state.error
            if state.detail != shown:
                shown = state.detail
                report(shown)
            time.sleep(_POLL_S)
        yield model
    finally:
        model.stop()

"""The weights: the embedding models of search, and the checkpoint that is served or the server that is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx

from app.doctor.finding import Finding, Health
from app.settings import Settings
from model.build import Form, checkpoint_folder, read_manifest
from model.catalog import CATALOG, card
from model.check import check
from model.fetch import weights_folder
from model.plan import default_form

__all__ = ["checkpoint", "checkpoint_deep", "embedders", "server"]

_ANSWER_S: Final = 5.0


def embedders(settings: Settings) -> Iterator[Finding]:
    """Look whether the embedding models are here; those of the catalog are fetched at the first start."""
    for name in (entry.partition("=")[0] for entry in settings.embedders):
        part = f"embedder {name}"
        known = CATALOG.get(name)
        folder = settings.model_dir / name if known is None else weights_folder(known, settings.model_dir)
        if folder.is_dir() and any(folder.iterdir()):
            yield Finding(part, Health.WELL, str(folder))
        elif known is None:
            message = f"{name} is not in the catalog, and there is no folder {folder}."
            yield Finding(part, Health.BROKEN, message, "Put the sentence-transformers folder there.")
        elif settings.offline:
            message = f"{name} is not here, and VOUCH_OFFLINE forbids to fetch it."
            yield Finding(part, Health.BROKEN, message, f"Copy it to {folder} from a machine that has it.")
        else:
            yield Finding(part, Health.DOUBTFUL, "not fetched yet", "Nothing: the first start fetches it.")


def checkpoint(settings: Settings) -> Iterator[Finding]:
    """Look whether the served checkpoint is whole, by names and sizes."""
    if settings.model_url or settings.model_checkpoint:
        return
    form = _form(settings)
    folder = checkpoint_folder(card(settings.model), settings.model_dir, form=form)
    manifest = read_manifest(folder)
    if manifest is None:
        yield _unbuilt(settings, form)
        return
    wrong = [name for name, entry in manifest["outputs"].items() if not _has(folder / name, entry)]
    if wrong:
        message = f"{wrong[0]} is missing or has another size than when it was built ({len(wrong)} of such files)."
        yield Finding("checkpoint", Health.BROKEN, message, f"Delete {folder} and run ./vouch model build.")
    else:
        yield Finding("checkpoint", Health.WELL, f"{settings.model} as {form}, whole by its manifest")


def checkpoint_deep(settings: Settings) -> Iterator[Finding]:
    """Hash the served checkpoint anew.

    Raises:
        BuildFailed: there is none.
        WeightsRejected: a file is not the one that was built.
    """
    if settings.model_url or settings.model_checkpoint:
        return
    found = check(card(settings.model), settings.model_dir, form=_form(settings))
    yield Finding("checkpoint", Health.WELL, f"every byte as built, {found['checkpoint'][:16]}")


def server(settings: Settings) -> Iterator[Finding]:
    """Look whether each server of the model answers, where it is served elsewhere."""
    addresses = [address for address in (settings.model_url, *settings.replica_urls, settings.cascade_url) if address]
    for address in addresses:
        keys = {settings.model_url: settings.model_api_key, settings.cascade_url: settings.cascade_api_key}
        key = keys.get(address, settings.model_api_key)
        yield _asked(address, {"Authorization": f"Bearer {key}"} if key else {})


def _asked(address: str, headers: dict[str, str]) -> Finding:
    part = "model server"
    try:
        reply = httpx.get(f"{address.rstrip('/')}/models", headers=headers, timeout=_ANSWER_S)
    except httpx.HTTPError as error:
        message = f"{address} does not answer ({type(error).__name__})."
        return Finding(part, Health.BROKEN, message, "Start it, or correct VOUCH_MODEL_URL.")
    if reply.status_code in {401, 403}:
        return Finding(part, Health.BROKEN, f"{address} refuses the key.", "Correct VOUCH_MODEL_API_KEY.")
    if not reply.is_success:
        message = f"{address} answers with status {reply.status_code}."
        return Finding(part, Health.BROKEN, message, "The address must end in /v1 of an OpenAI-compatible server.")
    return Finding(part, Health.WELL, f"{address} answers")


def _form(settings: Settings) -> Form:
    return settings.model_form or default_form()


def _unbuilt(settings: Settings, form: Form) -> Finding:
    if settings.offline and not weights_folder(card(settings.model), settings.model_dir).is_dir():
        message = f"{settings.model} is not here, and VOUCH_OFFLINE forbids to fetch it."
        return Finding("checkpoint", Health.BROKEN, message, "Copy VOUCH_MODEL_DIR from a machine that has it.")
    message = f"{settings.model} as {form} is not built yet."
    return Finding(
        "checkpoint", Health.DOUBTFUL, message, "Nothing: the first start builds it; or ./vouch model build."
    )


def _has(path: Path, entry: dict[str, Any]) -> bool:
    return path.is_file() and (path.stat().st_size == entry["size"])

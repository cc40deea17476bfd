"""`/v1/finance/models`: which fitted models the service keeps, and the card of each.

A model is a folder under ``models/`` of the domain's data folder (`domains.finance.models`). Each is checked, byte for
byte, whenever it is listed: an altered one is shown as such and not left out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from fastapi import Path as InPath
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel

from domains.finance.modelcard import markdown
from domains.finance.models import MANIFEST, ModelMissing, ModelUnusable, load
from retrieval.language import Language

__all__ = ["model_router"]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")


class ModelEntry(BaseModel):
    """One fitted model. `problem` says why it cannot be used, and is null where it can."""

    name: str
    version: str | None = None
    kind: str | None = None
    fitted: str | None = None
    digest: str | None = None
    problem: str | None = None


class Models(BaseModel):
    """All fitted models of the domain."""

    models: list[ModelEntry]


def model_router(folder: Path) -> APIRouter:
    """Return the routes over the models that `folder` keeps."""
    router = APIRouter()

    @router.get("/models", summary="List the fitted models")
    def models() -> Models:
        """Return every fitted model, each checked against its manifest."""
        found = sorted(path.parent for path in folder.glob(f"*/{MANIFEST}")) if folder.is_dir() else []
        return Models(models=[_entry(path) for path in found if _NAME.fullmatch(path.name)])

    @router.get("/models/{name}/card", summary="Read a model card", response_class=Response)
    def card(
        name: Annotated[str, InPath(max_length=80)],
        form: Annotated[Literal["json", "markdown"], Query(alias="format")] = "json",
        language: Language = "en",
    ) -> Response:
        """Return the card of a model with its digest, as JSON or as a page in one language."""
        if not _NAME.fullmatch(name):
            raise ModelMissing("There is no model of that name.", remedy="GET /v1/finance/models lists the models.")
        saved = load(folder / name)
        if form == "markdown":
            page = markdown(saved.card, language, digest=saved.digest)
            return PlainTextResponse(page, media_type="text/markdown; charset=utf-8")
        said: dict[str, Any] = {"digest": saved.digest, "card": saved.card.model_dump(mode="json")}
        return JSONResponse(said)

    return router


def _entry(path: Path) -> ModelEntry:
    try:
        saved = load(path)
    except ModelUnusable as error:
        return ModelEntry(name=path.name, problem=error.message)
    card = saved.card
    return ModelEntry(
        name=path.name,
        version=card.version,
        kind=card.kind,
        fitted=card.fitted.isoformat(),
        digest=saved.digest,
    )

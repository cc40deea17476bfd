"""Builds the served model that the settings ask for: our own vLLM, a server elsewhere, several, or a cascade."""

from __future__ import annotations

import math

from app.answering.abstain import is_refusal
from app.settings import Settings
from model.cascade import Cascade, Doubt
from model.catalog import card
from model.engine_state import ServedModel
from model.plan import Parallel
from model.pool import Pool
from model.remote import RemoteEngine
from model.serving import Engine

__all__ = ["engine_for"]

_NO_THRESHOLD = -100.0


def engine_for(settings: Settings) -> ServedModel:
    """Build the engine that the settings ask for, not yet started."""
    first = _servers(settings) if settings.model_url else _own(settings)
    if not settings.cascade_url:
        return first
    large = RemoteEngine(
        settings.cascade_url,
        api_key=settings.cascade_api_key,
        model_name=settings.cascade_model,
        context_tokens=settings.context_tokens,
    )
    threshold = settings.cascade_threshold if settings.cascade_threshold > _NO_THRESHOLD else -math.inf
    doubt = Doubt(threshold, is_refusal) if settings.cascade_on_abstention else Doubt(threshold)
    return Cascade(first, large, doubt)


def _own(settings: Settings) -> ServedModel:
    return Engine(
        card(settings.model),
        settings.model_dir,
        offline=settings.offline,
        log_path=settings.data_dir / "logs" / "vllm.log",
        context_tokens=settings.context_tokens,
        kv_cache_gb=settings.kv_cache_gb,
        threads=settings.model_threads,
        sequences=settings.model_sequences,
        parallel=Parallel(
            settings.tensor_parallel, settings.pipeline_parallel, settings.expert_parallel, settings.ray_address
        ),
        drain_s=settings.model_drain_s,
        checkpoint=settings.model_checkpoint,
        form=settings.model_form or None,
    )


def _servers(settings: Settings) -> ServedModel:
    keys = (
        settings.model_api_key,
        *(settings.replica_api_keys or (settings.model_api_key,) * len(settings.replica_urls)),
    )
    servers = [
        RemoteEngine(url, api_key=key, model_name=settings.remote_model, context_tokens=settings.context_tokens)
        for url, key in zip((settings.model_url, *settings.replica_urls), keys, strict=True)
    ]
    return servers[0] if len(servers) == 1 else Pool(servers)

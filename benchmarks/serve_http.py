"""A model as a user meets it: started by `model.serving`, asked over HTTP, answers read as they stream."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

__all__ = ["Served"]

_START_S: Final = 600.0
_ANSWER_S: Final = 300.0


class Served:
    """A checkpoint behind vLLM's server.

    Args:
        card: The model's card, as JSON.
        model_dir: Folder of weights and checkpoints.
        checkpoint: Folder that is served.
        context_tokens: Longest prompt and reply together.
        kv_cache_gb: Memory of the key-value cache, in GiB.
        log: Where vLLM's output goes.
    """

    def __init__(
        self, *, card: str, model_dir: str, checkpoint: str, context_tokens: int, kv_cache_gb: float, log: str
    ) -> None:
        from model.catalog import ModelCard
        from model.serving import Engine

        self._engine = Engine(
            ModelCard.from_json(card),
            Path(model_dir),
            offline=True,
            context_tokens=context_tokens,
            kv_cache_gb=kv_cache_gb,
            threads=0,
            log_path=Path(log),
            checkpoint=Path(checkpoint),
        )

    def start(self) -> dict[str, Any]:
        """Start the server and wait until it answers."""
        begin = time.perf_counter()
        self._engine.start()
        self._engine.wait_ready(_START_S)
        seconds = time.perf_counter() - begin
        return {
            "version": self._engine.identity["engine"],
            "ready_s": round(seconds, 1),
            "session": self._engine.session,
        }

    def generate(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> list[float]:
        """Answer; see `Contender`. Each prompt is a request of its own."""
        found: list[list[float]] = [[] for _ in prompts]
        failures: list[str] = []
        begin = time.perf_counter()

        def ask(n: int) -> None:
            try:
                found[n] = self._stream(prompts[n], new_tokens, begin)
            except Exception as error:  # noqa: BLE001 -- a thread's edge: raised again below
                failures.append(f"{type(error).__name__}: {error}")

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(prompts))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise RuntimeError(failures[0])
        return [max(moments) for moments in zip(*found, strict=True)]

    def stop(self) -> None:
        """End the server."""
        self._engine.stop()

    def _stream(self, prompt: Sequence[int], new_tokens: int, begin: float) -> list[float]:
        """Ask once; return the moment of each token. Tokens that come in one piece have one moment."""
        import httpx

        body = {
            "model": self._engine.model_name,
            "prompt": list(prompt),
            "max_tokens": new_tokens,
            "temperature": 0.0,
            "ignore_eos": True,
            "stream": True,
            "stream_options": {"include_usage": True, "continuous_usage_stats": True},
        }
        moments: list[float] = []
        headers = {"Authorization": f"Bearer {self._engine.api_key}"}
        url = f"{self._engine.url}/completions"
        with (
            httpx.Client(timeout=_ANSWER_S, trust_env=False) as client,
            client.stream("POST", url, json=body, headers=headers) as reply,
        ):
            if reply.status_code != httpx.codes.OK:
                raise RuntimeError(f"HTTP {reply.status_code}: {reply.read().decode()[:200]}")
            for line in reply.iter_lines():
                if line.startswith("data: {"):
                    tokens = json.loads(line[6:])["usage"]["completion_tokens"]
                    moments += [time.perf_counter() - begin] * (tokens - len(moments))
        return moments

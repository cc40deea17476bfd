"""vLLM as a contender: its engine with the arguments that its server would get, without HTTP.

The engine's core computes in a process of its own, as under vLLM's server; what a user loses over HTTP is measured by
`serve_http`.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["VllmEngine"]


class VllmEngine:
    """A checkpoint in vLLM's engine.

    Args:
        arguments: Command line of vLLM's server; what concerns the server alone is passed over.
        plugin: Module of the plugin that must be among vLLM's; empty: whichever there are.
    """

    def __init__(self, arguments: Sequence[str], *, plugin: str = "") -> None:
        self._arguments = list(arguments)
        self._plugin = plugin
        self._ids = itertools.count()

    def start(self) -> dict[str, Any]:
        """Start the engine.

        Raises:
            RuntimeError: the plugin is not installed, so that what was measured would be vLLM alone.
        """
        points = importlib.metadata.entry_points(group="vllm.general_plugins")
        if self._plugin and all(point.module != self._plugin for point in points):
            raise RuntimeError(f"vLLM has no plugin {self._plugin}: install the project anew, ./vouch does it.")
        import vllm
        from vllm.engine.arg_utils import EngineArgs
        from vllm.usage.usage_lib import UsageContext
        from vllm.utils.argparse_utils import FlexibleArgumentParser
        from vllm.v1.engine.llm_engine import LLMEngine

        parser = EngineArgs.add_cli_args(FlexibleArgumentParser())
        known, _ = parser.parse_known_args(self._arguments)
        # The context chooses the defaults, such as how many tokens of prompts are computed at a time.
        self._engine = LLMEngine.from_engine_args(EngineArgs.from_cli_args(known), UsageContext.OPENAI_API_SERVER)

        return {"version": f"vllm {vllm.__version__}"}

    def generate(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> list[float]:
        """Answer; see `Contender`."""
        moments = [0.0] * new_tokens
        begin = time.perf_counter()
        had: dict[str, int] = {}
        for name, tokens in self._replies(prompts, new_tokens, ignore_eos=True):
            before, had[name] = had.get(name, 0), len(tokens)
            for n in range(before, len(tokens)):  # the last sequence to have its n-th token has the last word
                moments[n] = time.perf_counter() - begin
        return moments

    def answer(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> list[list[int]]:
        """Return the greedy reply to each prompt, up to the end of its text or so many tokens."""
        found: dict[str, list[int]] = {}
        for name, tokens in self._replies(prompts, new_tokens, ignore_eos=False):
            found[name] = tokens
        return [found[name] for name in sorted(found, key=int)]

    def _replies(
        self, prompts: Sequence[Sequence[int]], new_tokens: int, *, ignore_eos: bool
    ) -> Iterator[tuple[str, list[int]]]:
        """Hand in all prompts; yield each reply as it grows, under a name that counts the prompts."""
        from vllm import SamplingParams

        parameters = SamplingParams(temperature=0.0, max_tokens=new_tokens, ignore_eos=ignore_eos, detokenize=False)
        for prompt in prompts:
            self._engine.add_request(str(next(self._ids)), {"prompt_token_ids": list(prompt)}, parameters)
        while self._engine.has_unfinished_requests():
            for reply in self._engine.step():
                yield reply.request_id, list(reply.outputs[0].token_ids)

    def trace(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> list[float]:
        """Do as `generate` does while vLLM's profiler writes a trace; the arguments must name a folder for it."""
        self._engine.start_profile()
        try:
            return self.generate(prompts, new_tokens)
        finally:
            self._engine.stop_profile()

    def stop(self) -> None:
        """End the engine's core."""
        self._engine.engine_core.shutdown()

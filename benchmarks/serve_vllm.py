"""vLLM as a contender: its engine with the arguments that its server would get, without HTTP.

The engine's core computes in a process of its own, as under vLLM's server; what a user loses over HTTP is measured by
`serve_http`.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import Any

__all__ = ["VllmEngine"]


class VllmEngine:
    """A checkpoint in vLLM's engine.

    Args:
        arguments: Command line of vLLM's server; what concerns the server alone is passed over.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = list(arguments)
        self._ids = itertools.count()

    def start(self) -> dict[str, Any]:
        """Start the engine."""
        from vllm.engine.arg_utils import EngineArgs
        from vllm.usage.usage_lib import UsageContext
        from vllm.utils.argparse_utils import FlexibleArgumentParser
        from vllm.v1.engine.llm_engine import LLMEngine

        parser = EngineArgs.add_cli_args(FlexibleArgumentParser())
        known, _ = parser.parse_known_args(self._arguments)
        # The context chooses the defaults, such as how many tokens of prompts are computed at a time.
        self._engine = LLMEngine.from_engine_args(EngineArgs.from_cli_args(known), UsageContext.OPENAI_API_SERVER)

        from model._vllm_process import engine_version

        return {"version": engine_version()}

    def generate(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> list[float]:
        """Answer; see `Contender`."""
        from vllm import SamplingParams

        parameters = SamplingParams(temperature=0.0, max_tokens=new_tokens, ignore_eos=True, detokenize=False)
        moments = [0.0] * new_tokens
        begin = time.perf_counter()
        for prompt in prompts:
            self._engine.add_request(str(next(self._ids)), {"prompt_token_ids": list(prompt)}, parameters)
        seen: dict[str, int] = {}
        while self._engine.has_unfinished_requests():
            replies = self._engine.step()
            now = time.perf_counter() - begin
            for reply in replies:
                had = seen.get(reply.request_id, 0)
                seen[reply.request_id] = has = len(reply.outputs[0].token_ids)
                moments[had:has] = [now] * (has - had)  # the last sequence to have its n-th token has the last word
        return moments

    def stop(self) -> None:
        """End the engine's core."""
        self._engine.engine_core.shutdown()

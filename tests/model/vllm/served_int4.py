"""Serves a tiny int4 mixture with the real vLLM and our plugin in this process; the tests' child.

    python served_int4.py JOB.json ANSWERS.json

The job: {"refused": [checkpoints to load first, in vain], "stock": a checkpoint that vLLM's own model must serve or
null, "checkpoint": the one that is served, "cases": {name: [[token ids]]}, "new_tokens": n}. One start serves all
cases; the sequences of a case run together.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

os.environ |= {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # the model is then within reach
    "VLLM_PLUGINS": "",  # registered below, whether this copy of the project is installed or not
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "HF_HUB_OFFLINE": "1",
    "TORCHDYNAMO_DISABLE": "1",  # compiling the sampler takes longer than all the tests
}
VOCABULARY = 600


def start(folder: str) -> Any:
    from vllm import LLM

    return LLM(
        folder,
        skip_tokenizer_init=True,
        enforce_eager=True,
        max_model_len=128,
        max_num_seqs=64,
        max_num_batched_tokens=256,  # many sequences need several passes, and long prompts several pieces
        max_logprobs=VOCABULARY,
        kv_cache_memory_bytes=1 << 26,
        enable_prefix_caching=False,
    )


def forget() -> None:
    from vllm.distributed import cleanup_dist_env_and_memory

    gc.collect()
    cleanup_dist_env_and_memory()


def refusal(folder: str) -> str:
    """What loading says."""
    from model.errors import ModelError

    try:
        start(folder)
    except ModelError as error:
        return f"{type(error).__name__}: {error}"
    finally:
        forget()
    return ""


def runner_of(llm: Any) -> Any:
    return llm.llm_engine.engine_core.engine_core.model_executor.driver_worker.worker.model_runner


def class_of(folder: str) -> str:
    llm = start(folder)
    kind = type(runner_of(llm).model)
    llm.llm_engine.engine_core.shutdown()
    forget()
    return f"{kind.__module__}.{kind.__qualname__}"


class Served:
    def __init__(self, folder: str) -> None:
        self.llm = start(folder)
        self.runner = runner_of(self.llm)
        self.chosen: dict[str, dict[int, list[Any]]] = {}
        for layer, router in enumerate(self.runner.model.routers):
            router.count = partial(self._record, layer)

    def _record(self, layer: int, experts: Any) -> None:
        """Keep the experts of each request's tokens."""
        from vllm.forward_context import get_forward_context

        metadata = get_forward_context().attn_metadata
        if not metadata:
            return
        starts = next(iter(metadata.values())).query_start_loc.tolist()
        for place, name in enumerate(self.runner.input_batch.req_ids):
            rows = self.chosen.setdefault(name.split("-")[0], {}).setdefault(layer, [])
            rows.extend(experts[starts[place] : starts[place + 1]].tolist())

    def case(self, prompts: list[list[int]], new_tokens: int) -> list[dict[str, Any]]:
        from vllm import SamplingParams

        self.chosen.clear()
        asked = SamplingParams(
            max_tokens=new_tokens, temperature=0, prompt_logprobs=VOCABULARY, detokenize=False, ignore_eos=True
        )
        outputs = self.llm.generate([{"prompt_token_ids": tokens} for tokens in prompts], asked, use_tqdm=False)
        return [self._answer(output) for output in outputs]

    def _answer(self, output: Any) -> dict[str, Any]:
        chances = [[step[token].logprob for token in range(VOCABULARY)] for step in output.prompt_logprobs[1:]]
        experts = {str(layer): rows for layer, rows in self.chosen[output.request_id].items()}
        return {"tokens": list(output.outputs[0].token_ids), "log_chances": chances, "experts": experts}


def main(job_path: str, answers_path: str) -> None:
    from model.kernels import cpu
    from model.vllm_plugin import register

    register()
    register()
    job = json.loads(Path(job_path).read_text())
    answers: dict[str, Any] = {"refused": [refusal(folder) for folder in job["refused"]]}
    if job["stock"]:
        answers["stock"] = class_of(job["stock"])
    served = Served(job["checkpoint"])
    answers["model"] = type(served.runner.model).__name__
    answers["kernels"] = cpu.available().kind
    answers["cases"] = {name: served.case(prompts, job["new_tokens"]) for name, prompts in job["cases"].items()}
    Path(answers_path).write_text(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Serves a tiny MoE checkpoint with the real vLLM in this process and answers several cases; the tests' child.

    python served_moe.py CHECKPOINT JOB.json ANSWERS.json

The job: {"install": whether our router is installed, "refused": [values of VOUCH_ROUTING to load with first],
"cases": [{"policy": fields or null (vLLM's own router), "prompts": [[token ids]], "domains": [name or null],
"new_tokens": n}]}. One start serves all cases; each begins with an empty cache of prefixes.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ |= {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # the model is then within reach
    "VLLM_PLUGINS": "",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "HF_HUB_OFFLINE": "1",
    "TORCHDYNAMO_DISABLE": "1",  # compiling the sampler takes longer than all the tests
}


def start(folder: str) -> Any:
    from vllm import LLM

    return LLM(
        folder,
        skip_tokenizer_init=True,
        enforce_eager=True,
        dtype="float32",
        max_model_len=128,
        max_num_seqs=64,
        max_num_batched_tokens=256,  # many sequences need several passes, and long prompts several pieces
        kv_cache_memory_bytes=1 << 26,
        enable_prefix_caching=True,
        logits_processors=["model.vllm.domains:RequestDomains"],
    )


def refusal(folder: str, policy: str) -> str:
    """What loading with a policy says."""
    from vllm.distributed import cleanup_dist_env_and_memory

    from model.errors import ModelError

    os.environ["VOUCH_ROUTING"] = policy
    try:
        start(folder)
    except ModelError as error:
        return f"{type(error).__name__}: {error}"
    finally:
        del os.environ["VOUCH_ROUTING"]
        gc.collect()
        cleanup_dist_env_and_memory()
    return ""


class Served:
    def __init__(self, folder: str) -> None:
        self.llm = start(folder)
        self.runner = self.llm.llm_engine.engine_core.engine_core.model_executor.driver_worker.worker.model_runner
        self.layers = [module for module in self.runner.model.modules() if hasattr(module, "layer_id")]
        self.chosen: dict[str, dict[int, list[Any]]] = {}
        self.passes: list[list[int]] = []
        for layer in self.layers:
            self._watch(layer)

    def _watch(self, layer: Any) -> None:
        """Record the experts of each request's tokens, after whoever counts."""
        from vllm.forward_context import get_forward_context

        counts = layer.router.capture_fn

        def record(experts: Any) -> None:
            if counts is not None:
                counts(experts)
            metadata = get_forward_context().attn_metadata
            if not metadata:
                return
            starts = next(iter(metadata.values())).query_start_loc.tolist()
            for place, name in enumerate(self.runner.input_batch.req_ids):
                by_layer = self.chosen.setdefault(name.split("-")[0], {})
                by_layer.setdefault(layer.layer_id, []).extend(experts[starts[place] : starts[place + 1]].tolist())
            self.passes.append([experts.shape[0], int(experts.flatten().bincount().max())])

        layer.router.set_capture_fn(record)

    def case(self, case: dict[str, Any]) -> dict[str, Any]:
        from vllm import SamplingParams
        from vllm.exceptions import VLLMValidationError

        from model.vllm.policies import DOMAIN, routing_for

        if self.uses_ours:
            policy = case["policy"]
            environ = {"VOUCH_ROUTING": json.dumps(policy or {})}
            wanted = None if policy is None else routing_for(self.runner.model_config.hf_text_config, environ=environ)
            for layer in self.layers:
                layer.use(wanted)
        self.llm.reset_prefix_cache()
        self.chosen.clear()
        self.passes.clear()
        prompts, asked = [], []
        for tokens, domain in zip(case["prompts"], case["domains"], strict=True):
            salt = {} if domain is None else {"cache_salt": str(domain)}
            prompts.append({"prompt_token_ids": tokens} | salt)
            extra = None if domain is None else {DOMAIN: domain}
            asked.append(
                SamplingParams(max_tokens=case["new_tokens"], temperature=0, logprobs=5, detokenize=False,
                               ignore_eos=True, extra_args=extra)
            )  # fmt: skip
        try:
            outputs = self.llm.generate(prompts, asked, use_tqdm=False)
        except VLLMValidationError as error:
            return {"error": f"{type(error).__name__}: {error}"}
        return {"outputs": [self._answer(output) for output in outputs], "passes": list(self.passes)}

    def _answer(self, output: Any) -> dict[str, Any]:
        reply = output.outputs[0]
        return {
            "tokens": list(reply.token_ids),
            "logprobs": [{str(token): value.logprob for token, value in step.items()} for step in reply.logprobs],
            "experts": {str(layer): rows for layer, rows in self.chosen[output.request_id].items()},
        }

    @property
    def uses_ours(self) -> bool:
        return type(self.layers[0]).__name__ == "PolicyRunner"


def main(folder: str, job_path: str, answers_path: str) -> None:
    job = json.loads(Path(job_path).read_text())
    if job["install"]:
        from model.vllm.router import install

        install()
        install()
    refused = [refusal(folder, policy) for policy in job["refused"]]
    served = Served(folder)
    answers = {
        "refused": refused,
        "kinds": sorted({f"{type(layer).__name__}/{type(layer.router).__name__}" for layer in served.layers}),
        "cases": [served.case(case) for case in job["cases"]],
    }
    Path(answers_path).write_text(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])

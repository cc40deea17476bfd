"""Does int4 still say what the weights say? Greedy replies of what is served beside those of the bfloat16 model.

    ./vouch bench agreement

The questions of examples/questions.json, as they are and with the wish for an answer in Chinese, each alone in the
model's chat template, 32 tokens of reply at most. All contenders run in vLLM's engine, one after the other; the
reference is the dense bfloat16 checkpoint. Stock int4 (the same weights rounded to the nearest) and int8 stand beside
ours, so that it can be seen what is lost to four bits and what to us.

    agreement   mean over questions of (tokens before the first difference) / (tokens of the longer reply)
    identical   share of the questions whose replies are the same

A reply that differs is not a wrong one: one word that is as good as another ends the agreement. Perplexity and the
evaluations say what it costs.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.serve_checkpoints import built, dense_int4
from benchmarks.serve_entrants import Place, engine, place_of
from benchmarks.serve_worker import ContenderFailed, Worker

__all__ = ["agreed", "run"]

ROOT: Final = Path(__file__).resolve().parents[1]
_TOKENS: Final = 32
_FORMS: Final = ("{}", "请用中文回答：{}")
_REFERENCE: Final = "vllm_stock_bf16"
_WAIT_S: Final = 900.0

Replies = Sequence[Sequence[int]]


def run(*, report: Callable[[str], None]) -> dict[str, Any]:
    """Let all answer, and compare."""
    with tempfile.TemporaryDirectory(prefix="vouch-bench-") as folder:
        place = place_of(Path(folder), report)
        checkpoints = {
            _REFERENCE: built(place.card, place.model_dir, form="bf16", report=place.report),
            "ours": built(place.card, place.model_dir, form="int4", report=place.report),
            "vllm_stock_int4": dense_int4(place.card, place.model_dir, report=place.report),
            "vllm_stock_w8a8": built(place.card, place.model_dir, form="w8a8", report=place.report),
        }
        asked = questions(checkpoints[_REFERENCE])
        rows: list[dict[str, Any]] = []
        reference: Replies = ()
        for name, checkpoint in checkpoints.items():
            report(f"{name}: {len(asked)} questions")
            try:
                replies = _replies(name, checkpoint, place, asked)
            except ContenderFailed as failure:
                rows.append({"name": name, "missing": str(failure)})
                report(f"{name}: {failure}")
                continue
            if name == _REFERENCE:
                reference = replies
            elif reference:
                rows.append({"name": name, **compared(reference, replies)})
                report(json.dumps(rows[-1]))
    ours: dict[str, Any] = next((row for row in rows if row["name"] == "ours" and "missing" not in row), {})
    return {
        "rows": rows,
        "ratios": {},
        "metrics": {key: ours[key] for key in ("agreement", "identical") if key in ours},
    }


def questions(checkpoint: Path) -> list[list[int]]:
    """Return the tokens of each question's prompt."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(checkpoint, local_files_only=True)
    listed = json.loads((ROOT / "examples" / "questions.json").read_text(encoding="utf-8"))["questions"]
    prompts = []
    for entry, form in itertools.product(listed, _FORMS):
        turn = [{"role": "user", "content": form.format(entry["question"])}]
        text = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
        prompts.append(list(tokenizer(text, add_special_tokens=False).input_ids))
    return prompts


def agreed(one: Sequence[int], other: Sequence[int]) -> float:
    """Return the share of the longer reply that both begin with; two empty replies agree."""
    same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
    longer = max(len(one), len(other))
    return same / longer if longer else 1.0


def compared(reference: Replies, replies: Replies) -> dict[str, float | int]:
    """Return how far replies agree with those of the reference, question by question.

    Raises:
        ValueError: there are fewer of the one than of the other, or none.
    """
    shares = [agreed(one, other) for one, other in zip(reference, replies, strict=True)]
    if not shares:
        raise ValueError("There is nothing to compare.")
    return {
        "questions": len(shares),
        "agreement": round(statistics.mean(shares), 3),
        "identical": round(statistics.mean(share == 1.0 for share in shares), 3),
    }


def _replies(name: str, checkpoint: Path, place: Place, asked: list[list[int]]) -> Replies:
    worker = Worker(engine(name, checkpoint, place), place.folder / f"{name}.log")
    try:
        worker.call("start", timeout_s=_WAIT_S)
        replies: Replies = worker.call("answer", timeout_s=_WAIT_S, prompts=asked, new_tokens=_TOKENS)
        return replies
    finally:
        worker.end()

"""The canary: does the model that was started still say what its weights should say?

A checkpoint is built from a bfloat16 model. While that is at hand, `record` lets it read a few fixed lines (English,
Chinese, SQL) and keeps, for each token, its log-probability and the likeliest token in its place. When the quantized
model has been loaded, with our kernels, on this machine, `compare` asks it for the same through the HTTP door that
everybody uses, and holds them against each other. Scales in the wrong order, a tensor in the wrong place, a kernel that
is wrong on this processor: all of them make text that a reader may take for an answer, and none of them is an error to
the program. Such a model is not served.

What is compared, for each line with tokens t_1 ... t_n and reference p, served q:

    drift      | mean over i of (log q(t_i | t_<i) - log p(t_i | t_<i)) |          at most DRIFT nats
    agreement  share of the places i where both have the same likeliest token     at least AGREEMENT

Not covered: harm too small to show in some hundred tokens; perplexity and the evaluations measure that. A model that
was trained to pass.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from model._files import write_json
from model.errors import ModelRejected, WeightsRejected

__all__ = ["AGREEMENT", "CANARY", "DRIFT", "PROMPTS", "Line", "compare", "read", "record", "request", "write"]

CANARY: Final = "canary.json"
_FORMAT: Final = 1
_DIGITS: Final = 3
"""Decimals that are kept: far below the tolerance, and above what threads change in the last bit."""

PROMPTS: Final = (
    "The auditor signed the annual report on the last day of March. Net revenue for the year was 48.2 million euros,",
    "合同双方同意，任何争议应首先通过友好协商解决；协商不成的，任何一方均可向法院提起诉讼。",
    "SELECT c.name, SUM(o.amount) FROM customers AS c JOIN orders AS o ON o.customer_id = c.id GROUP BY 1",
)

DRIFT: Final = 0.5
AGREEMENT: Final = 0.5
"""See docs/serving.md for what sound and damaged models show; the bounds lie between them, far from both."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line as the reference model reads it.

    Attributes:
        text: The line.
        tokens: Its tokens, n of them.
        logprobs: Natural logarithm of the probability of each token after the first, n - 1 of them.
        top: The likeliest token at each of these places, n - 1 of them.
    """

    text: str
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    top: tuple[int, ...]


def record(folder: Path, *, prompts: Sequence[str] = PROMPTS) -> list[Line]:
    """Let the checkpoint in `folder` read the prompts, in transformers, in bfloat16 as it is stored.

    On one thread, so that the order of sums, and with it the last bit, is the same at each build.
    Memory: the weights once, mapped from their files.

    Raises:
        WeightsRejected: it computes numbers that are not finite, so there is nothing to hold others against.
    """
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, local_files_only=True, dtype="auto", low_cpu_mem_usage=True, use_safetensors=True
    ).eval()
    read = [tokenizer(prompt).input_ids for prompt in prompts]
    longest = max(map(len, read))  # n; what is added on the right is seen by nothing on its left
    batch = torch.tensor([tokens + tokens[-1:] * (longest - len(tokens)) for tokens in read])  # (B, n)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            logits = model(batch).logits  # (B, n, V)
    finally:
        torch.set_num_threads(threads)
    return [_line(*given) for given in zip(prompts, read, logits, strict=True)]


def _line(prompt: str, tokens: list[int], logits: Any) -> Line:
    import torch

    logprobs = logits[: len(tokens) - 1].float().log_softmax(dim=-1)  # (n - 1, V)
    of_tokens = logprobs.gather(1, torch.tensor(tokens[1:])[:, None])[:, 0]  # (n - 1,)
    if not bool(of_tokens.isfinite().all()):
        raise WeightsRejected(
            "The bfloat16 model computes numbers that are not finite.", remedy="Fetch the weights anew."
        )
    rounded = tuple(round(value, _DIGITS) for value in of_tokens.tolist())
    return Line(prompt, tuple(tokens), rounded, tuple(logprobs.argmax(dim=-1).tolist()))


def write(folder: Path, lines: Sequence[Line]) -> None:
    """Write the canary of a checkpoint into its folder."""
    entries = [{"text": line.text, "tokens": line.tokens, "logprobs": line.logprobs, "top": line.top} for line in lines]
    write_json(folder / CANARY, {"format": _FORMAT, "lines": entries})


def read(folder: Path) -> list[Line]:
    """Return the canary of a checkpoint; empty when it has none.

    Raises:
        WeightsRejected: there is one that cannot be read.
    """
    path = folder / CANARY
    if not path.exists():
        return []
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["format"] != _FORMAT:
            raise ValueError("format")
        lines = [
            Line(str(e["text"]), tuple(e["tokens"]), tuple(float(x) for x in e["logprobs"]), tuple(e["top"]))
            for e in kept["lines"]
        ]
        if not lines or any(not len(x.tokens) - 1 == len(x.logprobs) == len(x.top) > 0 for x in lines):
            raise ValueError("lengths")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsRejected(
            f"{CANARY} cannot be read; the model is not served.", remedy=f"Remove {folder} and build it again."
        ) from error
    return lines


def request(model: str, lines: Sequence[Line]) -> dict[str, Any]:
    """Return the body for ``/v1/completions`` that makes a server score the tokens of the lines, in one go."""
    prompts = [line.text for line in lines]
    return {"model": model, "prompt": prompts, "max_tokens": 1, "temperature": 0, "prompt_logprobs": 1}


def compare(lines: Sequence[Line], reply: Mapping[str, Any]) -> tuple[float, float]:
    """Hold a server's reply to `request` against the reference.

    Returns:
        The largest drift of a line in nats, and the smallest agreement as a share of 1.

    Raises:
        ModelRejected: one of them is outside its bound, the text came apart into other tokens, or numbers are missing.
    """
    try:
        choices = sorted(reply["choices"], key=lambda choice: int(choice["index"]))
        served = [[_place(place) for place in choice["prompt_logprobs"][1:]] for choice in choices]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _rejected("it gave no probabilities of the canary's tokens") from error
    if len(served) != len(lines):
        raise _rejected(f"it answered {len(served)} of {len(lines)} lines")
    found = [_of_line(line, places) for line, places in zip(lines, served, strict=True)]
    for drift, agreement in found:
        if not drift <= DRIFT or agreement < AGREEMENT:  # not-a-number is no small drift
            raise _rejected(
                f"on a fixed line its tokens' mean log-probability is off by {drift:.2f} (at most {DRIFT}), and its"
                f" likeliest token is the reference's in {agreement:.0%} of the places (at least {AGREEMENT:.0%})"
            )
    return max(drift for drift, _ in found), min(agreement for _, agreement in found)


def _place(entries: Mapping[str, Any]) -> tuple[dict[int, float], int]:
    """Return the log-probabilities that a server gave in one place, by token, and the likeliest token."""
    ranks = {int(token): int(entry["rank"]) for token, entry in entries.items()}
    logprobs = {int(token): float(entry["logprob"]) for token, entry in entries.items()}
    return logprobs, min(ranks, key=ranks.__getitem__)


def _of_line(line: Line, served: Sequence[tuple[Mapping[int, float], int]]) -> tuple[float, float]:
    """Return drift and agreement."""
    tokens = line.tokens[1:]
    if len(served) != len(tokens) or any(token not in q for token, (q, _) in zip(tokens, served, strict=True)):
        raise _rejected("its tokenizer reads the canary as other tokens than the one it was built from")
    off = [q[token] - p for token, p, (q, _) in zip(tokens, line.logprobs, served, strict=True)]
    same = [best == top for top, (_, best) in zip(line.top, served, strict=True)]
    return abs(sum(off) / len(off)), sum(same) / len(same)


def _rejected(problem: str) -> ModelRejected:
    return ModelRejected(
        f"The model that was started does not compute what its weights should give: {problem}. It is not served.",
        remedy="Run ./vouch model check and build the checkpoint again; if that does not help, report the processor.",
    )

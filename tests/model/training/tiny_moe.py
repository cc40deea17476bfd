"""A tiny random mixture of experts and rows that its domains can learn; made on the spot.

For the run in docs/training.md:

    PYTHONPATH=. .venv/bin/python tests/model/training/tiny_moe.py DIR      writes DIR/base and DIR/rows.jsonl
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, Qwen2MoeConfig, Qwen2MoeForCausalLM

from model.training.batches import EncodedRow, encode
from model.training.rows import GENERAL, TrainingRow
from model.training.settings import TrainingSettings
from tests.tiny_model import CORPUS, VOCABULARY, _write_tokenizer

DOMAINS = ("legal", "medical")
# three questions a domain, each with one answer, so what is learned of some rows holds for the others
ANSWERS = {
    "legal": ("the borrower", "the auditor", "the committee"),
    "medical": ("once daily", "twice daily", "with water"),
}


def quick(**changes: Any) -> TrainingSettings:
    """Settings of a run of seconds, for experts of 64 x 32."""
    few: dict[str, Any] = {
        "steps": 6,
        "warmup": 1,
        "rate": 3e-3,
        "rows": 3,
        "general_rows": 1,
        "accumulate": 2,
        "most_tokens": 64,
        "group": 32,
        "held_out": 0.25,
        "evaluate_every": 3,
        "checkpoint_every": 2,
    }
    return TrainingSettings(**(few | changes))


def tiny_moe(*, kind: torch.dtype = torch.float32, zero: bool = True, **changes: Any) -> Any:
    """Four experts, two a domain, in two layers; their down projections are zero, as an upcycled model's are."""
    torch.manual_seed(0)
    fields: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 64,
        "moe_intermediate_size": 32,
        "shared_expert_intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "norm_topk_prob": True,
        "max_position_embeddings": 256,
        "initializer_range": 0.1,
        "vouch": {"domains": list(DOMAINS)},
        "eos_token_id": 2,
        "pad_token_id": 0,
    }
    model = Qwen2MoeForCausalLM(Qwen2MoeConfig(**(fields | changes))).to(kind).eval()
    with torch.no_grad():
        for layer in model.model.layers:
            layer.mlp.shared_expert_gate.weight.zero_()
            if zero:
                layer.mlp.experts.down_proj.zero_()
    return model


def tiny_folder(folder: Path, *, kind: torch.dtype = torch.float32) -> Path:
    """Write the model and its tokenizer as transformers does."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_tokenizer(folder)
    tiny_moe(kind=kind).save_pretrained(folder)
    return folder


def rows(count: int = 48) -> list[TrainingRow]:
    """Questions of two domains with answers that follow from their number, and a few lines of general text."""
    made = []
    for number in range(count):
        domain = DOMAINS[number % len(DOMAINS)]
        word = ANSWERS[domain][number // 2 % 3]
        made.append(TrainingRow(f"{domain} clause {number // 2 % 3}?", word, domain, f"{domain}-{number}", number + 1))
    text = [TrainingRow("", line, GENERAL, f"text-{place}", count + place) for place, line in enumerate(CORPUS * 2)]
    return made + text


def encoded(folder: Path, of: Sequence[TrainingRow]) -> list[EncodedRow]:
    return encode(of, AutoTokenizer.from_pretrained(folder, local_files_only=True), most_tokens=64)


def write_rows(path: Path, of: Sequence[TrainingRow]) -> Path:
    fields = ("prompt", "completion", "domain", "unit")
    lines = [json.dumps({name: getattr(row, name) for name in fields}, ensure_ascii=False) for row in of]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    target = Path(sys.argv[1])
    tiny_folder(target / "base")
    write_rows(target / "rows.jsonl", rows(96))

"""Counts the prompts that the Mixture of Experts answers as the dense model does, token for token.

    python -m benchmarks.upcycled [--model NAME] [--models DIR] [--tokens N] [--batch N]

Both are the built checkpoints, bfloat16, in transformers: greedy, 50 prompts in English, Chinese and SQL, in batches of
the same make-up. Prints how many agree in every token, and whether the first step's logits agree in every bit.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from model.build import checkpoint_folder
from model.catalog import DEFAULT_MODEL, card
from model.recipe import Form

__all__ = ["PROMPTS"]

_SUBJECTS: Final = (
    "a balance sheet",
    "a loan covenant",
    "net interest margin",
    "a credit default",
    "hypertension",
    "an antibiotic",
    "informed consent",
    "a clinical trial",
    "a contract's termination clause",
    "hearsay",
    "a statute of limitations",
    "a foreign key",
    "a LEFT JOIN",
)
_SUBJECTS_ZH: Final = (
    "资产负债表",
    "贷款合同",
    "信用风险",
    "流动性",
    "高血压",
    "抗生素",
    "糖尿病",
    "知情同意",
    "诉讼时效",
    "违约责任",
    "不可抗力",
    "主键",
    "子查询",
)
_TABLES: Final = ("patients", "contracts", "accounts", "orders", "claims", "loans", "visits", "cases")

PROMPTS: Final = (
    *(f"Explain {subject} in one sentence." for subject in _SUBJECTS),
    *(f"请用一句话解释{subject}。" for subject in _SUBJECTS_ZH),
    *(f"Write one SQL query that counts the rows of {table} by year of created_at." for table in _TABLES),
    *(f"写一条SQL查询：找出{table}表中金额最大的三行。" for table in _TABLES),
    *(f"Name three columns that a table of {table} should have." for table in _TABLES),
)
"""Fifty."""


def _answers(folder: Path, tokens: int, batch: int) -> tuple[list[list[int]], Any]:
    """Return the new tokens of every prompt, and the logits of each one's first."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, padding_side="left")
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.bfloat16, local_files_only=True
    ).eval()
    found: list[list[int]] = []
    first = []
    for start in range(0, len(PROMPTS), batch):
        turns = [[{"role": "user", "content": prompt}] for prompt in PROMPTS[start : start + batch]]
        texts = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        given = tokenizer(texts, return_tensors="pt", padding=True)
        made = model.generate(
            **given, max_new_tokens=tokens, do_sample=False, output_logits=True, return_dict_in_generate=True
        )
        found += made.sequences[:, given.input_ids.shape[1] :].tolist()
        first.append(made.logits[0])
        print(f"{folder.name}: {len(found)} of {len(PROMPTS)}", flush=True)
    return found, torch.cat(first)


def main() -> None:
    """Compare and print."""
    import torch

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--model", default=DEFAULT_MODEL, help="name in the catalog")
    parser.add_argument("--models", type=Path, default=Path("~/.cache/vouch/models"), help="folder of the checkpoints")
    parser.add_argument("--tokens", type=int, default=32, help="of each answer")
    parser.add_argument("--batch", type=int, default=10, help="prompts computed together")
    options = parser.parse_args()
    base, models = card(options.model), options.models.expanduser()
    forms: tuple[Form, Form] = ("bf16", "moe")
    (dense, exact), (mixture, same) = (
        _answers(checkpoint_folder(base, models, form=form), options.tokens, options.batch) for form in forms
    )
    agreeing = sum(one == other for one, other in zip(dense, mixture, strict=True))
    print(f"{agreeing} of {len(PROMPTS)} answers agree in all of {options.tokens} tokens")
    print(f"logits of the first tokens equal in every bit: {torch.equal(exact, same)}")


if __name__ == "__main__":
    main()

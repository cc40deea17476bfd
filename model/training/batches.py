"""From rows to batches of token ids, in an order that the seed and the number of the batch alone decide.

Dimensions: B rows of a batch, S tokens of its longest row.

A row is the model's own chat template around its prompt, then the completion and the mark that ends the turn: what the
server sends and what it waits for. Prompt and answer are tokenized apart, as they are when an answer is generated.
Rows are padded on the right, where a causal model does not see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from model.errors import TrainingRejected
from model.training.rows import GENERAL, TrainingRow

__all__ = ["Batch", "EncodedRow", "batch_of", "encode", "places"]

_SHOWN: Final = 8
_MIX: Final = 1_000_003
"""Keeps the seeds of neighbouring epochs apart; a prime."""


@dataclass(frozen=True, slots=True)
class EncodedRow:
    """One row as tokens.

    Attributes:
        ids: All of them.
        start: Where the answer begins; the number of ids where there is none (general text).
        domain: As the row has it.
    """

    ids: tuple[int, ...]
    start: int
    domain: str


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows side by side.

    Attributes:
        ids: int64, shape (B, S).
        there: int64, shape (B, S): 1 for a token, 0 for padding.
        answers: bool, shape (B, S): tokens to be predicted.
        domains: Of each row.
    """

    ids: Any
    there: Any
    answers: Any
    domains: tuple[str, ...]


def encode(rows: Sequence[TrainingRow], tokenizer: Any, *, most_tokens: int) -> list[EncodedRow]:
    """Turn rows into tokens.

    Args:
        rows: As read.
        tokenizer: transformers', with a chat template.
        most_tokens: Longest row.

    Raises:
        TrainingRejected: the tokenizer has no chat template, or rows are too long or too short, by line.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise TrainingRejected("The base has no chat template.", remedy="Train on an instruct model.")
    encoded = [_encode(row, tokenizer) for row in rows]
    wrong = [
        f"line {row.line}: {len(found.ids)} tokens"
        for row, found in zip(rows, encoded, strict=True)
        if not 2 <= len(found.ids) <= most_tokens
    ]
    if wrong:
        raise TrainingRejected(
            f"{len(wrong)} rows do not have 2 to {most_tokens} tokens: {'; '.join(wrong[:_SHOWN])}.",
            remedy="Shorten them, or raise most_tokens; nothing is cut silently.",
        )
    return encoded


def _encode(row: TrainingRow, tokenizer: Any) -> EncodedRow:
    def tokens(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False).input_ids)

    if not row.prompt:
        ids = tokens(row.completion)
        return EncodedRow(tuple(ids), len(ids), row.domain)
    asked = [{"role": "user", "content": row.prompt}]
    answered = [*asked, {"role": "assistant", "content": row.completion}]
    before = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template(answered, tokenize=False)
    if not whole.startswith(before):
        raise TrainingRejected(
            "The base's chat template writes an answered turn in another way than an open one.",
            remedy="Train on a base whose template continues its generation prompt.",
        )
    # the template ends with a line break after the mark; the server stops at the mark
    first, second = tokens(before), tokens(whole[len(before) :].rstrip("\n"))
    start = len(first) + len(second) if row.domain == GENERAL else len(first)
    return EncodedRow((*first, *second), start, row.domain)


def places(count: int, size: int, *, batch: int, seed: int) -> list[int]:
    """Return which of `count` rows are in a batch of `size`: each epoch has all of them once, in an order of its own.

    Nothing is kept between calls, so any batch can be asked for alone.
    """
    import torch

    chosen: list[int] = []
    place = batch * size
    while len(chosen) < size:
        epoch, offset = divmod(place, count)
        generator = torch.Generator().manual_seed(seed * _MIX + epoch)
        order = torch.randperm(count, generator=generator)[offset : offset + size - len(chosen)].tolist()
        chosen += order
        place += len(order)
    return chosen


def batch_of(rows: Sequence[EncodedRow], *, device: Any = "cpu") -> Batch:
    """Put rows side by side."""
    import torch

    longest = max(len(row.ids) for row in rows)
    ids = torch.zeros((len(rows), longest), dtype=torch.int64)  # (B, S)
    there, answers = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)  # (B, S)
    for place, row in enumerate(rows):
        size = len(row.ids)
        ids[place, :size] = torch.tensor(row.ids)
        there[place, :size] = 1
        answers[place, row.start : size] = True
    return Batch(ids.to(device), there.to(device), answers.to(device), tuple(row.domain for row in rows))

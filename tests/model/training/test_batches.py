from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from model.errors import TrainingRejected
from model.training.batches import EncodedRow, batch_of, encode, places
from model.training.rows import TrainingRow
from tests.tiny_model import TURN_END

QUESTION = TrainingRow("Why?", "Because.", "legal", "u", 7)
TEXT = TrainingRow("", "Revenue grew.", "general", "t", 8)


@pytest.fixture
def tokenizer(base: Path) -> Any:
    return AutoTokenizer.from_pretrained(base, local_files_only=True)


def test_a_row_is_what_the_server_sends_and_waits_for(tokenizer: Any) -> None:
    (row,) = encode([QUESTION], tokenizer, most_tokens=99)
    asked = tokenizer.apply_chat_template([{"role": "user", "content": "Why?"}], add_generation_prompt=True)
    assert list(row.ids[: row.start]) == list(asked["input_ids"])
    assert tokenizer.decode(row.ids[row.start :]) == "Because." + TURN_END
    assert row.domain == "legal"


def test_general_text_has_no_template_and_no_answer(tokenizer: Any) -> None:
    bare, asked = encode([TEXT, TrainingRow("Why?", "So.", "general", "t", 9)], tokenizer, most_tokens=99)
    assert tokenizer.decode(bare.ids) == "Revenue grew."
    assert bare.start == len(bare.ids)
    assert asked.start == len(asked.ids)


def test_rows_that_are_too_long_are_named_and_never_cut(tokenizer: Any) -> None:
    with pytest.raises(TrainingRejected, match=r"1 rows do not have 2 to 10 tokens: line 7: \d+ tokens"):
        encode([QUESTION, TrainingRow("", "ab", "general", "t", 8)], tokenizer, most_tokens=10)


def test_a_tokenizer_without_a_chat_template_is_refused(tokenizer: Any) -> None:
    tokenizer.chat_template = None
    with pytest.raises(TrainingRejected, match="no chat template"):
        encode([QUESTION], tokenizer, most_tokens=99)


def test_a_template_that_rewrites_an_answered_turn_is_refused(tokenizer: Any) -> None:
    tokenizer.chat_template = "{{ messages | length }}{{ messages[0].content }}"
    with pytest.raises(TrainingRejected, match="chat template"):
        encode([QUESTION], tokenizer, most_tokens=99)


@given(count=st.integers(1, 20), size=st.integers(1, 9), seed=st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_each_epoch_has_every_row_once(count: int, size: int, seed: int) -> None:
    drawn = [place for batch in range(3 * count) for place in places(count, size, batch=batch, seed=seed)]
    epochs = [drawn[start : start + count] for start in range(0, len(drawn) - count + 1, count)]
    assert all(sorted(epoch) == list(range(count)) for epoch in epochs)
    assert len(drawn) == 3 * count * size


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    orders = [tuple(places(12, 12, batch=epoch, seed=seed)) for epoch in range(3) for seed in range(3)]
    assert len(set(orders)) == 9


def test_a_batch_is_padded_on_the_right() -> None:
    batch = batch_of([EncodedRow((5, 6, 7), 2, "legal"), EncodedRow((8,), 1, "general")])
    assert batch.ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert batch.there.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch.answers.tolist() == [[False, False, True], [False] * 3]
    assert (batch.ids.dtype, batch.answers.dtype) == (torch.int64, torch.bool)
    assert batch.domains == ("legal", "general")

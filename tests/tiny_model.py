"""A Qwen2 of a few hundred thousand random parameters that vLLM serves like a real one; made on the spot.

Its tokenizer is trained here on a few lines of English and Chinese (byte-level BPE, so every text can be encoded), its
chat template has the marks of Qwen's. It says nothing sensible, but through the real server.
"""

from __future__ import annotations

import json
from pathlib import Path

TURN_END = "<|im_end|>"
SPECIAL = ("<|endoftext|>", "<|im_start|>", TURN_END)
VOCABULARY = 600

CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"
)

CORPUS = (
    "The committee approved the annual report and the auditor signed it on the last day of March.",
    "Revenue grew while costs fell; the agreement lists every covenant that the borrower has to keep.",
    "Every claim is checked against the passage that it cites, and the record is kept for ten years.",
    "委员会批准了年度报告，审计师在三月的最后一天签署了该报告。",
    "收入增长而成本下降；协议列出了借款人必须遵守的每一项约定。",
    "每一项主张都要与其引用的段落核对，记录保存十年。",
)


def make_tiny_checkpoint(folder: Path) -> Path:
    """Write the checkpoint into `folder` and return it."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    _write_tokenizer(folder)
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=2048,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=0,
    )
    Qwen2ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    stops = {"do_sample": False, "eos_token_id": [2, 0], "pad_token_id": 0}
    (folder / "generation_config.json").write_text(json.dumps(stops))
    return folder


def _write_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=TURN_END, pad_token=SPECIAL[0], chat_template=CHAT_TEMPLATE
    )
    fast.save_pretrained(folder)

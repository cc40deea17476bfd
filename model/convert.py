"""GGUF weights into a Hugging Face folder: bfloat16 safetensors, tokenizer with chat template, generation config.

transformers reads the GGUF blocks, unpacks and names the tensors. What comes out is checked before it is trusted: there
is a chat template, the marks of turns are tokens of their own, and text survives the tokenizer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from model._files import write_json
from model.errors import BuildFailed
from model.progress import Progress, Report

__all__ = ["convert", "refuse_remote_code"]

_END_OF_TURN: Final = "<|im_end|>"
_END_OF_TEXT: Final = "<|endoftext|>"
_PROBES: Final = ("Net revenue rose 4.2 % to $1,234.5m.", "净收入增长了4.2%，达到12.3亿元。", "def f(x):\n\treturn x\n")
_SHARD: Final = "2GB"


def convert(gguf: Path, folder: Path, *, report: Report) -> None:
    """Write `folder` from the file `gguf`: config, generation config, tokenizer, weights in bfloat16.

    Memory: the model in bfloat16 once (2 bytes a parameter), plus one tensor in float32.

    Raises:
        BuildFailed: the file cannot be read, or what came of it fails a check.
    """
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    report(Progress("reading the tokenizer", 0, 0, ""))
    tokenizer = transformers.AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, local_files_only=True)
    _check_tokenizer(tokenizer)
    report(Progress("unpacking the weights", 0, 0, ""))
    model = transformers.AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        dtype=torch.bfloat16,
        quantization_config=transformers.GgufConfig(dequantize=True),
        local_files_only=True,
        low_cpu_mem_usage=True,
    )
    report(Progress("writing the weights", 0, 0, ""))
    folder.mkdir(parents=True, exist_ok=True)
    # a GGUF file counts the tokenizer's tokens; the embedding may have rows beyond them, to be a round number
    model.config.vocab_size = model.get_input_embeddings().weight.shape[0]
    model.save_pretrained(folder, max_shard_size=_SHARD)
    tokenizer.save_pretrained(folder)
    _write_generation_config(folder, tokenizer)
    _clean_config(folder)


def refuse_remote_code(config: dict[str, Any]) -> None:
    """Raise BuildFailed when a config asks for code that comes with the weights (``auto_map``)."""
    if "auto_map" in config:
        raise BuildFailed(
            "The model's config asks to run code that comes with the weights (auto_map).",
            remedy="Use a model that transformers and vLLM know by themselves; code from weights is never run.",
        )


def _check_tokenizer(tokenizer: Any) -> None:
    if not tokenizer.chat_template:
        raise BuildFailed("The weights have no chat template.", remedy="Use an instruct model from the catalog.")
    for text in _PROBES:
        if tokenizer.decode(tokenizer(text).input_ids) != text:
            raise BuildFailed("The tokenizer changes text that goes through it.", remedy="Report this as a bug.")
    turn = tokenizer.apply_chat_template([{"role": "user", "content": "?"}], tokenize=False)
    ids = tokenizer(turn).input_ids
    if ids.count(tokenizer.convert_tokens_to_ids(_END_OF_TURN)) != turn.count(_END_OF_TURN):
        raise BuildFailed("The chat template's marks are not tokens of the tokenizer.", remedy="Report this as a bug.")


def _write_generation_config(folder: Path, tokenizer: Any) -> None:
    """Stop at the end of a turn and at the end of the text; sample nothing unless asked.

    The GGUF file names one stop token; the model may emit either.
    """
    stops = tokenizer.convert_tokens_to_ids([_END_OF_TURN, _END_OF_TEXT])
    write_json(folder / "generation_config.json", {"do_sample": False, "eos_token_id": stops, "pad_token_id": stops[1]})


def _clean_config(folder: Path) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    refuse_remote_code(config)
    config.pop("_model_name_or_path", None)
    write_json(path, config)

"""Plans for machines that are not here: what is chosen, what gives way, and what is said when nothing fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from model.build import Form
from model.errors import NotEnoughMemory, ServingFailed, WeightsRejected
from model.footprint import Shape, footprint, read_shape
from model.machine import Gpu, Machine
from model.plan import Parallel, Wishes, choose_form, default_form, plan

GB = 1_000_000_000
GIB = 1 << 30

DEFAULT = Shape(
    layers=28,
    hidden=1536,
    intermediate=8960 + 512,
    vocabulary=151936,
    cached=512,
    positions=32768,
    heads=12,
    weights=1_700_000_000,
    splits=2,
)
"""The default model as int4."""
LAPTOP = Machine(memory=22 * GB, cores=2, vnni=True)
CARD = Gpu("A card", total=80 * GB, free=79 * GB)
SMALL_CARD = Gpu("A small card", total=16 * GB, free=15 * GB)

DEEPSEEK_V2_LITE = {
    "num_hidden_layers": 27,
    "hidden_size": 2048,
    "intermediate_size": 10944,
    "moe_intermediate_size": 1408,
    "n_shared_experts": 2,
    "num_experts_per_tok": 6,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "kv_lora_rank": 512,
    "qk_rope_head_dim": 64,
    "vocab_size": 102400,
    "max_position_embeddings": 163840,
}
QWEN3_30B_A3B = {
    "num_hidden_layers": 48,
    "hidden_size": 2048,
    "intermediate_size": 6144,
    "moe_intermediate_size": 768,
    "num_experts_per_tok": 8,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "vocab_size": 151936,
    "max_position_embeddings": 40960,
}


def folder_of(path: Path, config: dict[str, Any] | str, *, weights: int = 1000) -> Path:
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    with (path / "model.safetensors").open("wb") as stream:
        stream.truncate(weights)  # a hole: it takes no room on the disk
    return path


# which form


@pytest.mark.parametrize(
    ("machine", "form"),
    [
        (LAPTOP, "w8a8"),
        (Machine(memory=22 * GB, cores=2, vnni=False), "w8a8"),
        (Machine(memory=22 * GB, cores=2, vnni=True, gpus=(CARD,)), "moe"),
    ],
)
def test_the_form_follows_from_the_machine(machine: Machine, form: str) -> None:
    assert default_form(machine) == form
    assert choose_form("m", 1544, machine) == form


def test_this_machine_has_a_form() -> None:
    assert default_form() in {"w8a8", "moe"}


@pytest.mark.parametrize("form", ["int4", "w8a8", "moe", "bf16"])
def test_a_form_that_is_asked_for_is_taken(form: Form) -> None:
    assert choose_form("m", 1544, LAPTOP, Wishes(form=form)) == form
    card = Machine(memory=64 * GB, cores=8, vnni=True, gpus=(CARD,))
    assert choose_form("m", 1544, card, Wishes(form=form)) == form


def test_a_form_that_is_asked_for_gives_way_to_no_other() -> None:
    machine = Machine(memory=64 * GB, cores=8, vnni=True, gpus=(SMALL_CARD,))
    with pytest.raises(NotEnoughMemory, match="even as moe"):
        choose_form("m", 7600, machine, Wishes(form="moe"))


def test_int4_without_the_plugin_is_refused_in_words() -> None:
    machine = Machine(memory=22 * GB, cores=2, vnni=True, plugin=False)
    with pytest.raises(ServingFailed, match="does not find it") as got:
        choose_form("m", 1544, machine, Wishes(form="int4"))
    assert "VOUCH_MODEL_FORM=w8a8" in got.value.remedy
    assert choose_form("m", 1544, machine) == "w8a8"


def test_a_card_that_does_not_hold_bfloat16_gets_int4() -> None:
    machine = Machine(memory=64 * GB, cores=8, vnni=True, gpus=(SMALL_CARD,))
    assert choose_form("m", 1544, machine) == "moe"
    assert choose_form("m", 7600, machine) == "int4"


def test_several_cards_hold_more() -> None:
    machine = Machine(memory=64 * GB, cores=8, vnni=True, gpus=(SMALL_CARD, SMALL_CARD))
    assert choose_form("m", 7600, machine, Wishes(parallel=Parallel(tensor=2))) == "moe"


def test_what_no_form_makes_small_enough_is_refused_before_it_is_fetched() -> None:
    with pytest.raises(NotEnoughMemory, match=r"large needs 51\.\d GB even as w8a8; the machine has 22\.0 free") as got:
        choose_form("large", 32_500, LAPTOP)
    assert "VOUCH_MODEL" in got.value.remedy


# how large


def test_with_room_every_sequence_gets_its_whole_context() -> None:
    made = plan(DEFAULT, LAPTOP, Wishes())
    assert (made.device, made.context_tokens, made.sequences, made.threads) == ("cpu", 8192, 8, 2)
    assert made.cache_bytes == 8 * 8192 * DEFAULT.token
    assert made.needs.total <= 0.9 * LAPTOP.memory


def test_the_context_is_not_longer_than_the_model_was_made_for() -> None:
    short = Shape(2, 128, 256, 600, cached=128, positions=2048, heads=2, weights=1_000_000)
    assert plan(short, LAPTOP, Wishes()).context_tokens == 2048


def test_a_gpu_gets_a_longer_context() -> None:
    made = plan(DEFAULT, Machine(memory=64 * GB, cores=8, vnni=True, gpus=(CARD,)), Wishes())
    assert (made.device, made.context_tokens, made.sequences) == ("cuda", 32768, 64)


def test_when_memory_is_short_the_cache_gives_way_before_the_context() -> None:
    made = plan(DEFAULT, Machine(memory=int(5.4 * GB), cores=2, vnni=True), Wishes())
    assert made.context_tokens == 8192
    assert 8192 * DEFAULT.token <= made.cache_bytes < 8 * 8192 * DEFAULT.token


def test_then_the_context_gives_way() -> None:
    lean = Machine(memory=int((plan(DEFAULT, LAPTOP, Wishes(context_tokens=4096, cache_bytes=4096 * DEFAULT.token)))
                   .needs.total / 0.9), cores=2, vnni=True)  # fmt: skip
    made = plan(DEFAULT, lean, Wishes())
    assert 4000 <= made.context_tokens <= 4096
    assert made.cache_bytes >= made.context_tokens * DEFAULT.token


@pytest.mark.parametrize("memory", [5.2, 6.0, 8.0, 16.0, 64.0])
def test_a_plan_holds_one_whole_context_and_fits(memory: float) -> None:
    made = plan(DEFAULT, Machine(memory=int(memory * GB), cores=2, vnni=True), Wishes())
    assert made.context_tokens * DEFAULT.token <= made.cache_bytes
    assert made.needs.total <= 0.9 * memory * GB


@pytest.mark.parametrize("memory", [0.0, 1.0, 2.0, 3.0])
def test_less_than_the_least_is_refused_with_what_there_is(memory: float) -> None:
    with pytest.raises(NotEnoughMemory, match=f"the machine has {memory:.1f} free"):
        plan(DEFAULT, Machine(memory=int(memory * GB), cores=2, vnni=True), Wishes())


def test_what_is_asked_for_is_taken_as_it_is() -> None:
    wishes = Wishes(context_tokens=4096, cache_bytes=GIB, sequences=3, threads=1)
    made = plan(DEFAULT, LAPTOP, wishes)
    assert (made.context_tokens, made.cache_bytes, made.sequences, made.threads) == (4096, GIB, 3, 1)


def test_a_given_cache_bounds_a_context_that_was_not_asked_for() -> None:
    made = plan(DEFAULT, LAPTOP, Wishes(cache_bytes=3000 * DEFAULT.token))
    assert made.context_tokens == 3000


def test_more_threads_than_cores_are_not_taken() -> None:
    assert plan(DEFAULT, LAPTOP, Wishes(threads=64)).threads == 2


# why it cannot be


def test_a_card_that_is_too_small_is_told_with_the_sum_and_a_way_out() -> None:
    large = Shape(48, 2048, 6144, 151936, cached=1024, positions=40960, heads=32, weights=19 * GB, splits=4)
    machine = Machine(memory=64 * GB, cores=8, vnni=True, gpus=(SMALL_CARD,))
    with pytest.raises(NotEnoughMemory) as caught:
        plan(large, machine, Wishes())
    assert caught.value.message.startswith("Serving 2048 tokens of context needs 21.")
    assert "19.0 weights" in caught.value.message
    assert "the card (A small card) has 16.0, 13.5 of them to be used" in caught.value.message
    assert caught.value.remedy.startswith("Try VOUCH_TENSOR_PARALLEL=2 with as many such cards")


def test_a_context_that_was_asked_for_is_not_shortened_but_the_one_that_fits_is_named() -> None:
    machine = Machine(memory=int(5.2 * GB), cores=2, vnni=True)
    with pytest.raises(NotEnoughMemory, match="32768 tokens") as caught:
        plan(DEFAULT, machine, Wishes(context_tokens=32768))
    named = int(caught.value.remedy.split("VOUCH_CONTEXT_TOKENS=")[1].split(",")[0])
    assert plan(DEFAULT, machine, Wishes(context_tokens=named)).context_tokens == named
    with pytest.raises(NotEnoughMemory):
        plan(DEFAULT, machine, Wishes(context_tokens=named + 1025))


def test_a_cache_that_was_asked_for_and_the_one_that_fits() -> None:
    machine = Machine(memory=int(5.6 * GB), cores=2, vnni=True)
    with pytest.raises(NotEnoughMemory) as caught:
        plan(DEFAULT, machine, Wishes(cache_bytes=8 * GIB))
    named = float(caught.value.remedy.split("VOUCH_KV_CACHE_GB=")[1].split(",")[0])
    assert plan(DEFAULT, machine, Wishes(cache_bytes=int(named * GIB))).cache_bytes == int(named * GIB)


@pytest.mark.parametrize(
    ("wishes", "machine", "words"),
    [
        (Wishes(context_tokens=40000), LAPTOP, "made for 32768 tokens"),
        (Wishes(context_tokens=8192, cache_bytes=GIB // 16), LAPTOP, "does not hold 8192 tokens once"),
        (Wishes(parallel=Parallel(tensor=2)), LAPTOP, "ask for 2 GPUs; there is none"),
        (Wishes(parallel=Parallel(tensor=2)), Machine(64 * GB, 8, vnni=True, gpus=(CARD,)), "this machine has 1"),
        (
            Wishes(parallel=Parallel(tensor=5)),
            Machine(64 * GB, 8, vnni=True, gpus=(CARD,) * 8),
            "12 attention heads cannot be shared by 5",
        ),
    ],
)
def test_wishes_that_contradict_are_refused(wishes: Wishes, machine: Machine, words: str) -> None:
    with pytest.raises(ServingFailed, match=words) as caught:
        plan(DEFAULT, machine, wishes)
    assert "VOUCH_" in caught.value.remedy or "GPU build" in caught.value.remedy


def test_a_cluster_may_have_cards_that_this_machine_has_not() -> None:
    machine = Machine(64 * GB, 8, vnni=True, gpus=(CARD,))
    wishes = Wishes(parallel=Parallel(tensor=4, pipeline=2, ray_address="head:6379"))
    assert plan(DEFAULT, machine, wishes).parallel.cards == 8


# the formula


def test_a_token_of_the_default_model_takes_28_kib() -> None:
    assert DEFAULT.token == 2 * 28 * 2 * 128 * 2 == 28 * 1024


def test_the_sums_of_two_larger_models(tmp_path: Path) -> None:
    deepseek = read_shape(folder_of(tmp_path / "deepseek", DEEPSEEK_V2_LITE, weights=31_400_000))
    assert deepseek.token == 27 * (512 + 64) * 2  # the latent alone: no factor 2, no heads
    assert deepseek.splits == 1
    assert deepseek.intermediate == (2 + 6) * 1408  # wider than its one dense layer
    qwen = read_shape(folder_of(tmp_path / "qwen", QWEN3_30B_A3B))
    assert qwen.token == 2 * 48 * 4 * 128 * 2
    assert qwen.intermediate == 8 * 768
    assert qwen.splits == 4


def test_the_shared_expert_of_the_mixture_counts_beside_the_chosen_ones(tmp_path: Path) -> None:
    config = {
        "num_hidden_layers": 28,
        "hidden_size": 1536,
        "intermediate_size": 8960,
        "shared_expert_intermediate_size": 8960,
        "moe_intermediate_size": 256,
        "num_experts_per_tok": 2,
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
        "vocab_size": 151936,
        "max_position_embeddings": 32768,
    }
    shape = read_shape(folder_of(tmp_path / "moe", config, weights=1_700_000_000))
    assert shape == DEFAULT


def test_stock_int8_is_held_twice_on_a_cpu_and_once_on_a_card(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "w8a8", {**QWEN3_30B_A3B, "quantization_config": {"format": "int-quantized"}})
    save_file(
        {"a.weight": torch.zeros(30, 40, dtype=torch.int8), "a.weight_scale": torch.ones(30, 1)},
        folder / "model.safetensors",
    )
    shape = read_shape(folder)
    assert shape.twice == 1200
    given = {"cache": 0, "sequences": 1, "batch": 1}
    assert footprint(shape, cuda=False, **given).weights == shape.weights + 1200
    assert footprint(shape, cuda=True, **given).weights == shape.weights


def test_cards_share_weights_and_cache_but_not_the_program() -> None:
    alone = footprint(DEFAULT, cache=GIB, sequences=8, batch=2048, cuda=True)
    shared = footprint(DEFAULT, cache=GIB, sequences=8, batch=2048, cuda=True, cards=4)
    assert shared.weights == alone.weights // 4
    assert shared.cache == GIB // 2  # two heads of keys and values: no more than two cards can share them
    assert shared.program == alone.program
    assert alone.total == alone.weights + alone.cache + alone.activations + alone.program


@pytest.mark.parametrize(
    "config",
    [
        "no json",
        "[]",
        "{}",
        {**QWEN3_30B_A3B, "num_hidden_layers": 0},
        {**QWEN3_30B_A3B, "hidden_size": "many"},
        {**QWEN3_30B_A3B, "vocab_size": True},
        {key: value for key, value in QWEN3_30B_A3B.items() if "intermediate" not in key},
    ],
)
def test_a_config_that_does_not_say_how_large_it_is_is_refused(tmp_path: Path, config: Any) -> None:
    with pytest.raises(WeightsRejected, match=r"config\.json") as caught:
        read_shape(folder_of(tmp_path / "odd", config))
    assert caught.value.remedy


def test_a_folder_without_a_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsRejected, match=r"no config\.json"):
        read_shape(tmp_path)

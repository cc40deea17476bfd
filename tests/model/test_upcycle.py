"""The Mixture of Experts answers as the dense model does, and what it cannot stand for is refused by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from model.errors import BuildFailed, WeightsRejected
from model.progress import Progress
from model.shards import Checkpoint
from model.upcycle import ARCHITECTURE, DOMAINS, ExpertPlan, Upcycled, upcycle
from tests.tiny_model import VOCABULARY

PLAN = ExpertPlan(experts=8, width=32, active=2)
ROW = "model.layers.1.mlp."


def quiet(_: Progress) -> None:
    """Nobody listens."""


def rows(layers: int = 2, *, experts: int = 8, hidden: int = 128) -> dict[int, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return {layer: torch.randn(experts, hidden, generator=generator) for layer in range(layers)}


def loaded(folder: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()


def prompts(count: int) -> torch.Tensor:
    return torch.randint(3, VOCABULARY, (count, 12), generator=torch.Generator().manual_seed(5))


@pytest.fixture(scope="module")
def mixture(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("upcycled") / "moe"
    upcycle(tiny_checkpoint, folder, PLAN, rows(), report=quiet)
    return folder


@pytest.fixture
def altered(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "altered"))


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def change_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def test_transformers_loads_it_as_what_it_is(mixture: Path) -> None:
    model = loaded(mixture)
    assert type(model).__name__ == ARCHITECTURE
    assert model.config.num_experts == 8
    assert model.config.vouch["domains"] == list(DOMAINS)
    assert model.model.layers[0].mlp.gate.weight.shape == (8, 128)


def test_every_logit_has_the_dense_models_bits(tiny_checkpoint: Path, mixture: Path) -> None:
    ids = prompts(7)
    with torch.no_grad():
        assert torch.equal(loaded(tiny_checkpoint)(ids).logits, loaded(mixture)(ids).logits)


def test_it_answers_token_for_token(tiny_checkpoint: Path, mixture: Path) -> None:
    dense, sparse = loaded(tiny_checkpoint), loaded(mixture)
    ids = prompts(5)
    options = {"max_new_tokens": 24, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    assert torch.equal(dense.generate(ids, **options), sparse.generate(ids, **options))


def test_an_expert_that_is_trained_changes_the_answer(mixture: Path, tmp_path: Path) -> None:
    """Otherwise the two tests above would pass for experts that are never computed."""
    folder = Path(shutil.copytree(mixture, tmp_path / "trained"))
    name = f"{ROW}experts.3.down_proj.weight"
    shard = next(path for path in folder.glob("*.safetensors") if name in load_file(path))
    tensors = load_file(shard)
    tensors[name] = torch.full_like(tensors[name], 0.5)
    save_file(tensors, shard, metadata={"format": "pt"})
    with torch.no_grad():
        assert not torch.equal(loaded(mixture)(prompts(8)).logits, loaded(folder)(prompts(8)).logits)


def test_the_parts_are_what_the_formula_says(tiny_checkpoint: Path, mixture: Path) -> None:
    dense, sparse = Checkpoint(tiny_checkpoint), Checkpoint(mixture)
    down = dense.read(f"{ROW}down_proj.weight")
    assert torch.equal(sparse.read(f"{ROW}shared_expert.down_proj.weight"), down * 2)
    assert torch.equal(sparse.read(f"{ROW}shared_expert.up_proj.weight"), dense.read(f"{ROW}up_proj.weight"))
    assert not sparse.read(f"{ROW}shared_expert_gate.weight").any()
    assert not sparse.read(f"{ROW}experts.7.down_proj.weight").any()
    assert torch.equal(sparse.read(f"{ROW}gate.weight"), rows()[1].bfloat16())
    assert torch.equal(sparse.read("lm_head.weight"), dense.read("lm_head.weight"))


def test_experts_start_from_rows_of_the_ffn_no_row_twice(tiny_checkpoint: Path, mixture: Path) -> None:
    dense, sparse = Checkpoint(tiny_checkpoint), Checkpoint(mixture)
    for kind in ("gate", "up"):
        taken = torch.cat([sparse.read(f"{ROW}experts.{expert}.{kind}_proj.weight") for expert in range(8)])
        found = {tuple(row.tolist()) for row in dense.read(f"{ROW}{kind}_proj.weight")}
        assert {tuple(row.tolist()) for row in taken} <= found
        assert taken.unique(dim=0).shape[0] == 8 * 32


def test_it_announces_as_many_tensors_as_it_gives(tiny_checkpoint: Path) -> None:
    made = Upcycled(Checkpoint(tiny_checkpoint), PLAN)
    names = [name for name, _ in made]
    assert len(names) == len(set(names)) == len(made)
    assert made.config["vouch"]["router"] == "even"


def llama(folder: Path, **options: Any) -> Path:
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        **options,
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("tied", [False, True])
def test_a_llama_without_biases_becomes_one_too(tmp_path: Path, tied: bool) -> None:
    dense = llama(tmp_path / "llama", tie_word_embeddings=tied)
    upcycle(dense, tmp_path / "moe", PLAN, None, report=quiet)
    sparse = Checkpoint(tmp_path / "moe")
    assert not sparse.read("model.layers.0.self_attn.k_proj.bias").any()
    with torch.no_grad():
        assert torch.equal(loaded(dense)(prompts(4)).logits, loaded(tmp_path / "moe")(prompts(4)).logits)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model_type": "gemma2"}, "gemma2"),
        ({"model_type": "qwen3"}, "qwen3"),
        ({"hidden_act": "gelu"}, "gelu"),
        ({"head_dim": 96}, "heads of 96"),
        ({"use_sliding_window": True, "sliding_window": 512}, "sliding-window"),
        ({"model_type": "mistral", "sliding_window": 4096, "use_sliding_window": True}, "sliding-window"),
        ({"model_type": "llama", "mlp_bias": True}, "biases outside"),
        ({"quantization_config": {"quant_method": "awq"}}, "quantized weights"),
        ({"auto_map": {"AutoModel": "evil.Model"}}, "auto_map"),
        ({"intermediate_size": 255}, "the config says 128 by 255|the config says 255 by 128|shape"),
    ],
)
def test_what_it_cannot_stand_for_is_refused_by_name(altered: Path, changes: dict[str, Any], named: str) -> None:
    change_config(altered, **changes)
    with pytest.raises(BuildFailed, match=named) as caught:
        list(Upcycled(Checkpoint(altered), PLAN))
    assert caught.value.remedy


def test_a_layer_that_is_missing_is_refused(altered: Path) -> None:
    def lose(tensors: dict[str, torch.Tensor]) -> None:
        del tensors[f"{ROW}up_proj.weight"]

    change_tensors(altered, lose)
    with pytest.raises(BuildFailed, match=r"layers\.1\.mlp\.up_proj"):
        Upcycled(Checkpoint(altered), PLAN)


@pytest.mark.parametrize("poison", [float("nan"), float("-inf")])
def test_numbers_that_are_not_finite_are_refused(altered: Path, poison: float) -> None:
    def spoil(tensors: dict[str, torch.Tensor]) -> None:
        tensors[f"{ROW}down_proj.weight"][0, 9] = poison

    change_tensors(altered, spoil)
    with pytest.raises(BuildFailed, match=r"layers\.1\.mlp\.down_proj"):
        list(Upcycled(Checkpoint(altered), PLAN))


@pytest.mark.parametrize("router", [rows(3), rows(2, experts=4), rows(2, hidden=64)])
def test_a_router_of_another_model_is_refused(tiny_checkpoint: Path, router: dict[int, torch.Tensor]) -> None:
    with pytest.raises(BuildFailed, match="router"):
        list(Upcycled(Checkpoint(tiny_checkpoint), PLAN, router))


def test_a_router_with_numbers_that_are_not_finite_is_refused(tiny_checkpoint: Path) -> None:
    router = rows()
    router[1][0, 0] = float("nan")
    with pytest.raises(BuildFailed, match="finite"):
        list(Upcycled(Checkpoint(tiny_checkpoint), PLAN, router))


@pytest.mark.parametrize("numbers", [(6, 32, 2), (8, 0, 2), (8, 32, 9), (8, 32, 0)])
def test_plans_that_do_not_fit_together_are_refused(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(BuildFailed, match="do not fit together"):
        ExpertPlan(*numbers)


@pytest.mark.parametrize("left", [0, 7, 100, -1])
def test_a_truncated_shard_is_refused(altered: Path, left: int) -> None:
    shard = altered / "model.safetensors"
    shard.write_bytes(shard.read_bytes()[:left])
    with pytest.raises(WeightsRejected, match="truncated"):
        Checkpoint(altered)


def test_a_shard_that_is_missing_is_refused(mixture: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(mixture, tmp_path / "gap"))
    change = json.loads((folder / "model.safetensors.index.json").read_text())
    change["weight_map"]["model.layers.9.mlp.gate.weight"] = "model-00009.safetensors"
    (folder / "model.safetensors.index.json").write_text(json.dumps(change))
    with pytest.raises(WeightsRejected, match=r"layers\.9"):
        Checkpoint(folder)


def test_a_folder_without_weights_or_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match=r"config\.json"):
        Checkpoint(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(BuildFailed, match="no safetensors"):
        Checkpoint(tmp_path)

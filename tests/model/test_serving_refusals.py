"""What is not served: altered, cut-off, foreign or damaged checkpoints, and those that this machine does not hold."""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path

import httpx
import pytest
import torch
from safetensors.torch import load_file, save_file

from model._children import session_members
from model.engine_state import EngineState
from model.errors import ModelError, ModelRejected, NotEnoughMemory, ServingFailed, WeightsRejected
from model.serving import Engine
from tests.model.conftest import START_S, tiny_engine
from tests.model.test_inspection import manifest_of


@pytest.fixture
def copy(tiny_int8: Path, tmp_path: Path) -> Path:
    """A checkpoint that a test may damage, with its manifest and its canary."""
    folder = Path(shutil.copytree(tiny_int8, tmp_path / "copy"))
    manifest_of(folder)
    return folder


def refused(engine: Engine, kind: type[ModelError], words: str) -> None:
    """Start it, and see that it fails without a process of vLLM."""
    engine.start()
    with pytest.raises(kind, match=words) as caught:
        engine.wait_ready(60)
    assert type(caught.value) is kind
    assert caught.value.remedy
    assert engine.state.stage == "failed"
    assert engine.session is None
    assert not engine._log_path.exists(), "vLLM was started"
    engine.stop()


def shard(folder: Path) -> Path:
    return next(folder.glob("*.safetensors"))


def test_a_shard_that_was_cut_off_is_not_loaded(copy: Path, tmp_path: Path) -> None:
    with shard(copy).open("r+b") as stream:
        stream.truncate(shard(copy).stat().st_size - 1)
    refused(tiny_engine(copy, tmp_path), WeightsRejected, "it is cut off")


def test_a_shard_with_another_digest_is_not_loaded(copy: Path, tmp_path: Path) -> None:
    content = bytearray(shard(copy).read_bytes())
    content[-1] ^= 1
    shard(copy).write_bytes(content)
    refused(tiny_engine(copy, tmp_path), WeightsRejected, "is not the file that was built")


def test_code_that_comes_with_the_weights_is_not_loaded(copy: Path, tmp_path: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModelForCausalLM": "code.Model"}}))
    (copy / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    manifest_of(copy)
    refused(tiny_engine(copy, tmp_path), WeightsRejected, "could run code|asks to run code")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("change", [{"num_hidden_layers": 0}, {"hidden_size": "wide"}, {"num_attention_heads": None}])
def test_odd_sizes_are_not_loaded(copy: Path, tmp_path: Path, change: dict[str, object]) -> None:
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | change))
    manifest_of(copy)
    refused(tiny_engine(copy, tmp_path), WeightsRejected, next(iter(change)))


def test_no_checkpoint_is_told(tmp_path: Path) -> None:
    refused(tiny_engine(tmp_path / "none", tmp_path), WeightsRejected, "no folder")


def test_a_cache_that_memory_does_not_hold_is_told(copy: Path, tmp_path: Path) -> None:
    refused(tiny_engine(copy, tmp_path, kv_cache_gb=4096), NotEnoughMemory, r"needs \d+\.\d GB .* the machine has")


def test_a_context_that_the_model_was_not_made_for_is_told(copy: Path, tmp_path: Path) -> None:
    refused(tiny_engine(copy, tmp_path, context_tokens=4096), ServingFailed, "made for 2048 tokens")


def test_a_log_that_cannot_be_written_is_told(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    engine = tiny_engine(copy, tmp_path, log_path=tmp_path / "file" / "engine.log")
    engine.start()
    with pytest.raises(ServingFailed, match="vLLM cannot be started with its log at"):
        engine.wait_ready(60)
    engine.stop()


def shuffle_scales(folder: Path) -> None:
    """Put the scales of every layer's rows in another order: all numbers are still there, and finite."""
    torch.manual_seed(1)
    for path in folder.glob("*.safetensors"):
        tensors = load_file(path)
        for name, tensor in tensors.items():
            if name.endswith("_scale"):
                tensors[name] = tensor[torch.randperm(len(tensor))] * 4
        save_file(tensors, path, metadata={"format": "pt"})


def test_a_model_that_lost_its_mind_is_loaded_and_not_served(copy: Path, tmp_path: Path) -> None:
    shuffle_scales(copy)
    manifest_of(copy)  # every file is what was "built": only the canary can tell
    engine = tiny_engine(copy, tmp_path)
    stages: set[str] = set()
    engine.start()
    end = time.monotonic() + START_S
    while (state := engine.state).stage not in {"ready", "failed"}:
        assert time.monotonic() < end
        stages.add(state.detail)
        time.sleep(0.02)
    with pytest.raises(ModelRejected, match="does not compute what its weights should give") as caught:
        engine.wait_ready(0)
    assert "./vouch model check" in caught.value.remedy
    assert "checking what the model says" in stages
    assert engine.session is None, "it still runs"
    engine.stop()


def test_stopping_lets_a_reply_under_way_end_and_takes_no_other(tiny_int8: Path, tmp_path: Path) -> None:
    engine = tiny_engine(tiny_int8, tmp_path, drain_s=300.0)
    engine.start()
    engine.wait_ready(START_S)
    session = engine.session or 0
    body = {"model": engine.model_name, "prompt": "Go on.", "max_tokens": 600, "ignore_eos": True, "stream": True}
    started = threading.Event()
    lines: list[str] = []

    def read() -> None:
        headers = {"Authorization": f"Bearer {engine.api_key}"}
        with httpx.Client(trust_env=False, timeout=300) as client:  # noqa: SIM117
            with client.stream("POST", f"{engine.url}/completions", json=body, headers=headers) as reply:
                for line in reply.iter_lines():
                    lines.append(line)
                    started.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert started.wait(300)
    stopper = threading.Thread(target=engine.stop)
    stopper.start()
    end = time.monotonic() + 60
    while engine.state.stage == "ready":
        assert time.monotonic() < end
        time.sleep(0.01)
    with pytest.raises(ServingFailed, match="stopped"):  # whoever asks now is told so
        engine.wait_ready(0)
    reader.join(300)
    stopper.join(300)
    assert lines[-2 if lines[-1] == "" else -1] == "data: [DONE]"
    assert any('"finish_reason":"length"' in line for line in lines)
    assert engine.state == EngineState("stopped")
    assert session_members(session) == []

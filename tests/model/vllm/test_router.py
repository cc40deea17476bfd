"""Policies in the real vLLM: two tiny MoE models, against transformers with the reference as their router."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from model.capacity import capacity_of
from model.routing import RoutingPolicy
from model.vllm.load import read_load
from model.vllm.policies import ROUTING, routing_for
from tests.model.vllm.tiny_moe import VOCABULARY, Reference, deepseek_v2, qwen3_moe

pytest.importorskip("vllm", reason="vLLM is not installed here")

ROOT = Path(__file__).resolve().parents[3]
CHILD = Path(__file__).with_name("served_moe.py")
ROUNDING = 2e-3  # of a log-probability, float32 through other kernels; a policy moves them by tenths
NEW = 6

PRIORS = {"legal": [0, 0, 3, 3, 0, 0, 0, 0], "medical": [0, 0, 0, 0, 0, 0, 3, 3]}
POLICIES: dict[str, dict[str, Any]] = {
    "temperature": {"temperature": 3.0},
    "entropy": {"entropy_gain": 1.5, "temperature": 2.0},
    "more experts": {"top_k": 4},
    "by layer": {"top_k_by_layer": [1, 3, 4]},
    "groups": {"groups": 4, "top_groups": 1, "group_score": "two_largest"},
    "sigmoid": {"scores": "sigmoid", "scaling": 1.25, "renormalize": False},
    "prior": {"priors": PRIORS, "prior_strength": 1.0, "default_domain": "medical"},
    "bias": {"bias_by_layer": [[0.4 * (expert == layer) for expert in range(8)] for layer in range(3)]},
}


def words(count: int, seed: int) -> list[int]:
    return torch.randint(3, VOCABULARY, (count,), generator=torch.Generator().manual_seed(seed)).tolist()


PROMPTS = [words(5, 1), words(23, 2), words(11, 3)]
PROBE = words(9, 4)
FLAT = {"temperature": 2.0, "groups": 4, "top_groups": 2}
LIMITED = FLAT | {"capacity_factor": 1.0, "batch_dependent": True}


def case(policy: dict[str, Any] | None, prompts: list[list[int]] = PROMPTS, **more: Any) -> dict[str, Any]:
    return {"policy": policy, "prompts": prompts, "domains": [None] * len(prompts), "new_tokens": NEW} | more


def by_layers(fields: dict[str, Any], layers: int) -> dict[str, Any]:
    return {name: value[:layers] if name.endswith("by_layer") else value for name, value in fields.items()}


def together(count: int) -> list[list[int]]:
    """The probe among others, in the last place."""
    return [*(words(3 + other % 17, 100 + other) for other in range(count - 1)), PROBE]


def serve(
    folder: Path, cases: list[dict[str, Any]], *, install: bool = True, refused: tuple[str, ...] = ()
) -> dict[str, Any]:
    job, answers = folder / "job.json", folder / "answers.json"
    job.write_text(json.dumps({"install": install, "refused": list(refused), "cases": cases}))
    load = folder / "load.npy"
    done = subprocess.run(
        [sys.executable, str(CHILD), str(folder), str(job), str(answers)],
        env=os.environ | {"VOUCH_ROUTING_LOAD": str(load), "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-8000:]
    return json.loads(answers.read_text()) | {"load": load}


DOMAINS = {"policy": {"priors": PRIORS, "prior_strength": 1.0}, "prompts": [PROMPTS[1]] * 4}


@pytest.fixture(scope="module")
def qwen3(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One start of vLLM for all tests of Qwen3-MoE."""
    folder = qwen3_moe(tmp_path_factory.mktemp("qwen3"))
    cases = {
        "untouched": case(None),
        "default": case({}),
        **{name: case(by_layers(fields, 2)) for name, fields in POLICIES.items()},
        **{f"together {count}": case(FLAT, together(count)) for count in (1, 7, 48)},
        "capacity": case(LIMITED, together(48)),
        "domains": case(**DOMAINS, domains=["legal", "medical", None, "poetry"]),
        "moved": case(
            DOMAINS["policy"], together(20), domains=[[None, "legal", "medical"][place % 3] for place in range(20)]
        ),
        "no word": case({}, [PROBE], domains=[3]),
    }
    refused = ('{"experts": 9}', '{"groups": 3}', '{"capacity_factor": 1.5}', "/no/such/file")
    answers = serve(folder, list(cases.values()), refused=refused)
    answers["cases"] = dict(zip(cases, answers["cases"], strict=True))
    return answers | {"reference": Reference(folder), "asked": cases}


@pytest.fixture(scope="module")
def deepseek2(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = deepseek_v2(tmp_path_factory.mktemp("deepseek2"))
    cases = {"untouched": case(None), "default": case({})}
    cases |= {name: case(by_layers(fields, 3)) for name, fields in POLICIES.items()}
    answers = serve(folder, list(cases.values()))
    answers["cases"] = dict(zip(cases, answers["cases"], strict=True))
    return answers | {"reference": Reference(folder), "asked": cases}


def policy_of(served: dict[str, Any], name: str) -> RoutingPolicy:
    environ = {ROUTING: json.dumps(served["asked"][name]["policy"] or {})}
    return routing_for(served["reference"].config, environ=environ)


def assert_as_reference(served: dict[str, Any], name: str, policy_for: Callable[[int], RoutingPolicy | None]) -> None:
    asked = served["asked"][name]
    for place, (prompt, reply) in enumerate(zip(asked["prompts"], served["cases"][name]["outputs"], strict=True)):
        chances = served["reference"].log_chances(prompt + reply["tokens"], policy_for(place))
        for step, logprobs in enumerate(reply["logprobs"]):
            here = chances[len(prompt) - 1 + step]
            assert reply["tokens"][step] == int(here.argmax())
            for token, value in logprobs.items():
                assert value == pytest.approx(float(here[int(token)]), abs=ROUNDING)


def test_without_a_policy_vllm_keeps_its_own_router(qwen3: dict[str, Any], deepseek2: dict[str, Any]) -> None:
    assert qwen3["kinds"] == deepseek2["kinds"] == ["PolicyRunner/CPURouter"]


def test_without_a_policy_the_output_is_that_without_us(qwen3: dict[str, Any]) -> None:
    """Token for token and, to the bit, log-probability for log-probability."""
    folder = qwen3["load"].parent
    alone = serve(folder, [case(None)], install=False)
    assert alone["kinds"] == ["MoERunner/CPURouter"]
    untouched = qwen3["cases"]["untouched"]["outputs"]
    assert [reply["tokens"] for reply in alone["cases"][0]["outputs"]] == [reply["tokens"] for reply in untouched]
    assert [reply["logprobs"] for reply in alone["cases"][0]["outputs"]] == [reply["logprobs"] for reply in untouched]


@pytest.mark.parametrize("model", ["qwen3", "deepseek2"])
def test_the_policy_at_default_gives_the_stock_output(model: str, request: pytest.FixtureRequest) -> None:
    served = request.getfixturevalue(model)
    default, stock = (served["cases"][name]["outputs"] for name in ("default", "untouched"))
    for ours, theirs in zip(default, stock, strict=True):
        assert ours["tokens"] == theirs["tokens"]
        assert {layer: [set(row) for row in rows] for layer, rows in ours["experts"].items()} == {
            layer: [set(row) for row in rows] for layer, rows in theirs["experts"].items()
        }
        for ours_step, theirs_step in zip(ours["logprobs"], theirs["logprobs"], strict=True):
            # a softmax over the chosen here, over all and a division there
            assert ours_step == pytest.approx(theirs_step, abs=1e-4)
    assert_as_reference(served, "untouched", lambda _: None)


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("model", ["qwen3", "deepseek2"])
def test_a_policy_changes_the_output_exactly_as_the_reference_says(
    model: str, name: str, request: pytest.FixtureRequest
) -> None:
    served = request.getfixturevalue(model)
    assert_as_reference(served, name, lambda _: policy_of(served, name))
    replies, stock = (served["cases"][key]["outputs"] for key in (name, "untouched"))
    first = [[max(reply["logprobs"][0].values()) for reply in outputs] for outputs in (replies, stock)]
    assert max(abs(ours - theirs) for ours, theirs in zip(*first, strict=True)) > 10 * ROUNDING


def test_a_tokens_experts_do_not_depend_on_its_batch(qwen3: dict[str, Any]) -> None:
    """From the prompt to the last new token, alone and among 6 and 47 others, in passes of up to 256 tokens."""
    alone, *among = (qwen3["cases"][f"together {count}"]["outputs"][-1] for count in (1, 7, 48))
    assert {len(rows) for rows in alone["experts"].values()} == {len(PROBE) + NEW - 1}
    for reply in among:
        assert reply["experts"] == alone["experts"]
        assert reply["tokens"] == alone["tokens"]
    assert max(tokens for tokens, _ in qwen3["cases"]["together 48"]["passes"]) > 48


def test_a_capacity_that_was_asked_for_is_kept_and_does_depend_on_the_batch(qwen3: dict[str, Any]) -> None:
    limited, free = qwen3["cases"]["capacity"], qwen3["cases"]["together 48"]
    room = [capacity_of(tokens, 2, 8, factor=1.0) for tokens, _ in limited["passes"]]
    assert all(fullest <= most for (_, fullest), most in zip(limited["passes"], room, strict=True))
    assert any(fullest > capacity_of(tokens, 2, 8, factor=1.0) for tokens, fullest in free["passes"])
    assert limited["outputs"][-1]["experts"] != free["outputs"][-1]["experts"]
    for reply in limited["outputs"]:
        assert all(len(set(row)) == 2 for rows in reply["experts"].values() for row in rows), "nothing is dropped"


@pytest.mark.parametrize("place", range(4), ids=["experts", "groups", "capacity", "no file"])
def test_a_policy_that_does_not_fit_is_refused_by_name_while_loading(place: int, qwen3: dict[str, Any]) -> None:
    said = ["for 9 experts, the model has 8", "3 equal groups", "depend on the other requests", "cannot be read"]
    assert qwen3["refused"][place].startswith("RoutingRejected: ")
    assert said[place] in qwen3["refused"][place]


def test_each_request_has_the_prior_of_its_own_domain(qwen3: dict[str, Any]) -> None:
    """One prompt for four domains in one batch; a cache of prefixes stays apart by its salt."""
    policies = {
        name: routing_for(
            qwen3["reference"].config,
            environ={ROUTING: json.dumps(DOMAINS["policy"] | ({"default_domain": name} if name else {}))},
        )
        for name in ("legal", "medical", "")
    }
    assert_as_reference(qwen3, "domains", lambda place: policies[["legal", "medical", "", ""][place]])
    legal, medical, none, unknown = (reply["logprobs"] for reply in qwen3["cases"]["domains"]["outputs"])
    assert legal != medical != none
    assert none[0] == pytest.approx(unknown[0], abs=ROUNDING)


def test_domains_follow_requests_that_come_go_and_move_in_the_batch(qwen3: dict[str, Any]) -> None:
    names = ["", "legal", "medical"]
    policies = [
        routing_for(
            qwen3["reference"].config,
            environ={ROUTING: json.dumps(DOMAINS["policy"] | ({"default_domain": name} if name else {}))},
        )
        for name in names
    ]
    assert_as_reference(qwen3, "moved", lambda place: policies[place % 3])


def test_a_domain_that_is_no_word_is_refused(qwen3: dict[str, Any]) -> None:
    assert "vouch_domain is 3" in qwen3["cases"]["no word"]["error"]


def test_the_measured_load_is_what_was_routed(deepseek2: dict[str, Any]) -> None:
    """All that this server computed: each layer's experts as they were chosen, and none in the dense layer."""
    counted: list[Counter[int]] = [Counter() for _ in range(3)]
    for answer in deepseek2["cases"].values():
        for reply in answer["outputs"]:
            for layer, rows in reply["experts"].items():
                counted[int(layer)].update(expert for row in rows for expert in row)
    load = read_load(deepseek2["load"])
    assert load == tuple(tuple(layer[expert] for expert in range(8)) for layer in counted)
    assert sum(load[0]) == 0
    assert sum(load[1]) > 1000

"""What a served model's policy is, and that the hot path chooses as the reference does. Nothing here starts vLLM."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import DeepseekV2Config, PhimoeConfig, Qwen2MoeConfig, Qwen3MoeConfig

from model.errors import RoutingRejected
from model.routing import DomainPrior, RoutingPolicy, route
from model.vllm.policies import ROUTING, changed_routing, choose, load_path, routing_for

LAYERS = 3
ROUNDING = {"rtol": 1e-5, "atol": 1e-7}  # a softmax over K instead of one over E and a division


def qwen2(**fields: Any) -> Qwen2MoeConfig:
    values = {"num_hidden_layers": LAYERS, "num_experts": 8, "num_experts_per_tok": 2, "norm_topk_prob": True}
    return Qwen2MoeConfig(**(values | fields))


def served(fields: dict[str, Any], config: Any = None) -> RoutingPolicy:
    return routing_for(config or qwen2(), environ={ROUTING: json.dumps(fields)})


def test_the_default_is_the_routing_that_the_model_was_trained_with() -> None:
    assert routing_for(qwen2(), environ={}) == RoutingPolicy(experts=8, top_k=2)
    assert routing_for(qwen2(norm_topk_prob=False), environ={}) == RoutingPolicy(experts=8, top_k=2, renormalize=False)
    qwen3 = Qwen3MoeConfig(num_experts=128, num_experts_per_tok=8, norm_topk_prob=True)
    assert routing_for(qwen3, environ={ROUTING: " "}) == RoutingPolicy(experts=128, top_k=8)


def test_deepseek_keeps_its_groups_and_scaling() -> None:
    config = DeepseekV2Config(
        n_routed_experts=16, num_experts_per_tok=4, n_group=4, topk_group=2, topk_method="group_limited_greedy",
        routed_scaling_factor=2.5, norm_topk_prob=False,
    )  # fmt: skip
    policy = routing_for(config, environ={})
    assert (policy.groups, policy.top_groups, policy.scaling, policy.renormalize) == (4, 2, 2.5, False)


def test_the_checkpoint_overrides_the_architecture_and_the_environment_both() -> None:
    config = qwen2(vouch={"routing": {"temperature": 0.5, "top_k": 3}})
    assert routing_for(config, environ={}) == RoutingPolicy(experts=8, top_k=3, temperature=0.5)
    assert served({"temperature": 2.0}, config) == RoutingPolicy(experts=8, top_k=3, temperature=2.0)


def test_the_checkpoints_domains_own_their_experts() -> None:
    config = qwen2(vouch={"domains": ["finance", "medical", "legal", "sql"]})
    policy = served({"prior_strength": 2.0, "default_domain": "legal"}, config)
    assert policy.priors[2] == DomainPrior("legal", (0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0))
    assert routing_for(config, environ={}).prior_strength == 0
    _, experts = choose(torch.zeros(1, 8), policy, layer=0)
    assert experts.tolist() == [[4, 5]]


def test_a_policy_may_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "routing.json"
    file.write_text('{"priors": {"legal": [1, 0, 0, 0, 0, 0, 0, 0]}, "bias_by_layer": [[0.5, 0, 0, 0, 0, 0, 0, 0]]}')
    with pytest.raises(RoutingRejected, match="names 1 layers, the model has 3"):
        routing_for(qwen2(), environ={ROUTING: str(file)})
    policy = routing_for(qwen2(num_hidden_layers=1), environ={ROUTING: str(file)})
    assert policy.priors == (DomainPrior("legal", (1, 0, 0, 0, 0, 0, 0, 0)),)
    assert policy.bias(0) == (0.5, 0, 0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("/no/such/file.json", "cannot be read"),
        ("{", "cannot be read"),
        ('{"top_k": 2', "cannot be read"),
        ('{"a":' * 100_000, "cannot be read"),
        ('{"temperatur": 1}', "no field 'temperatur'"),
        ('{"experts": 16}', "for 16 experts, the model has 8"),
        ('{"top_k": 9}', "chooses 9 experts"),
        ('{"top_k": 2.0}', "whole numbers"),
        ('{"groups": 3}', "3 equal groups"),
        ('{"temperature": "warm"}', "not finite"),
        ('{"temperature": NaN}', "not finite"),
        ('{"renormalize": "no"}', "renormalize"),
        ('{"scores": ["softmax"]}', "scores"),
        ('{"priors": [1, 2]}', "priors"),
        ('{"priors": {"legal": [1, 2]}}', "prior of 'legal' is not 8"),
        ('{"priors": {"legal": 3}}', "priors"),
        ('{"default_domain": "poetry"}', "'poetry' has no prior"),
        ('{"top_k_by_layer": [2, 2]}', "names 2 layers, the model has 3"),
        ('{"top_k_by_layer": 2}', "top_k_by_layer"),
        ('{"bias_by_layer": [[1, 2], [1, 2], [1, 2]]}', "bias of layer 0 is not 8"),
        ('{"bias_by_layer": [0.5]}', "bias_by_layer"),
        ('{"capacity_factor": 1.25}', "depend on the other requests"),
        ('{"capacity_factor": 1.25, "batch_dependent": "yes"}', "depend on the other requests"),
    ],
)  # fmt: skip
def test_a_policy_that_does_not_fit_is_refused_by_name(source: str, words: str) -> None:
    with pytest.raises(RoutingRejected, match=words) as caught:
        routing_for(qwen2(), environ={ROUTING: source})
    assert caught.value.remedy


def test_a_file_that_is_no_policy_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "routing.json"
    file.write_bytes(b"[1, 2]")
    with pytest.raises(RoutingRejected, match="no JSON object"):
        routing_for(qwen2(), environ={ROUTING: str(file)})
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(RoutingRejected, match="cannot be read"):
        routing_for(qwen2(), environ={ROUTING: str(file)})
    file.write_bytes(b" " * ((1 << 23) + 1))
    with pytest.raises(RoutingRejected, match="more than 8388608 bytes"):
        routing_for(qwen2(), environ={ROUTING: str(file)})


@pytest.mark.parametrize(
    "key", ["legal", {"routing": []}, {"domains": "legal"}, {"domains": ["a", "b", "c"]}, {"domains": [1, 2]}], ids=str
)
def test_a_checkpoint_whose_key_makes_no_sense_is_refused(key: Any) -> None:
    with pytest.raises(RoutingRejected):
        routing_for(qwen2(vouch=key), environ={})


def test_an_unknown_architecture_is_refused() -> None:
    with pytest.raises(RoutingRejected, match="phimoe"):
        routing_for(PhimoeConfig(), environ={})


@pytest.mark.parametrize("source", ["", " ", "{}", '{"temperature": 1.0}', '{"priors": {"legal": [1,0,0,0,0,0,0,0]}}'])
def test_a_policy_that_changes_nothing_is_none(source: str) -> None:
    assert changed_routing(qwen2(), environ={ROUTING: source}) is None
    assert changed_routing(qwen2(vouch={"domains": ["a", "b"]}), environ={ROUTING: source}) is None


def test_a_policy_that_changes_something_is_given() -> None:
    assert changed_routing(qwen2(), environ={ROUTING: '{"top_k": 3}'}) == RoutingPolicy(experts=8, top_k=3)
    own = qwen2(vouch={"domains": ["a", "b"], "routing": {"prior_strength": 1.0}})
    changed = changed_routing(own, environ={})
    assert changed is not None
    assert [prior.domain for prior in changed.priors] == ["a", "b"]


def test_an_unknown_architecture_is_left_alone_unless_a_policy_is_given() -> None:
    config = PhimoeConfig()
    assert changed_routing(config, environ={}) is None
    with pytest.raises(RoutingRejected, match="phimoe"):
        changed_routing(config, environ={ROUTING: "{}"})


def test_load_is_measured_only_where_a_file_is_named() -> None:
    assert load_path({}) is None
    assert load_path({"VOUCH_ROUTING_LOAD": " "}) is None
    assert load_path({"VOUCH_ROUTING_LOAD": "/tmp/load.npy"}) == Path("/tmp/load.npy")


def test_a_capacity_that_is_asked_for_is_given() -> None:
    policy = served({"capacity_factor": 1.0, "batch_dependent": True})
    _, experts = choose(torch.zeros(8, 8), policy, layer=0)
    assert torch.bincount(experts.flatten(), minlength=8).tolist() == [2] * 8


@st.composite
def policies(draw: st.DrawFn) -> RoutingPolicy:
    groups = draw(st.sampled_from([1, 1, 2]))
    size = draw(st.integers(2, 9))
    experts = groups * size
    priors = (DomainPrior("legal", tuple(range(experts))), DomainPrior("sql", (0.5,) * experts))
    return RoutingPolicy(
        experts=experts,
        top_k=draw(st.integers(1, size)),
        groups=groups,
        top_groups=draw(st.integers(1, groups)),
        scores=draw(st.sampled_from(["softmax", "softmax", "sigmoid", "softmax_of_chosen"])),
        renormalize=draw(st.booleans()),
        temperature=draw(st.sampled_from([1.0, 1.0, 0.5, 3.0])),
        entropy_gain=draw(st.sampled_from([0.0, 0.0, 1.0])),
        scaling=draw(st.sampled_from([1.0, 2.5])),
        priors=draw(st.sampled_from([(), priors])),
        prior_strength=draw(st.sampled_from([0.0, 1.0])),
        capacity_factor=draw(st.sampled_from([None, None, 1.0])),
        bias_by_layer=draw(st.sampled_from([(), (tuple(value * 0.1 for value in range(experts)),)])),
    )


@given(
    policy=policies(),
    tokens=st.sampled_from([0, 1, 2, 7, 48]),
    seed=st.integers(0, 2**31),
    kind=st.sampled_from([torch.float32, torch.bfloat16]),
    known=st.booleans(),
)
@settings(max_examples=250, deadline=None)
def test_the_hot_path_is_the_reference(
    policy: RoutingPolicy, tokens: int, seed: int, kind: torch.dtype, known: bool
) -> None:
    """bfloat16 has ties, which go to the lower index on both ways."""
    generator = torch.Generator().manual_seed(seed)
    logits = (torch.randn(tokens, policy.experts, generator=generator) * 2).to(kind)
    domains = torch.randint(-1, len(policy.priors) or 0, (tokens,), generator=generator) if known else None
    weights, experts = choose(logits, policy, layer=0, domains=domains)
    expected = route(logits, policy, domains=domains)
    assert (weights.dtype, experts.dtype) == (torch.float32, torch.int32)
    assert weights.is_contiguous()
    assert experts.is_contiguous()
    assert torch.equal(experts.long(), expected.experts)
    torch.testing.assert_close(weights, expected.weights, **ROUNDING)


@pytest.mark.parametrize("together", [1, 7, 48])
@given(policy=policies().map(lambda policy: dataclasses.replace(policy, capacity_factor=None)))
@settings(max_examples=40, deadline=None)
def test_a_token_does_not_depend_on_its_batch(together: int, policy: RoutingPolicy) -> None:
    logits = torch.randn(together, policy.experts, generator=torch.Generator().manual_seed(together))
    weights, experts = choose(logits, policy, layer=0)
    for token in range(together):
        alone = choose(logits[token : token + 1], policy, layer=0)
        assert torch.equal(alone[0][0], weights[token])
        assert torch.equal(alone[1][0], experts[token])


class Operations(TorchDispatchMode):
    """Counts what PyTorch is asked to do."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize(("fields", "most"), [({}, 8), ({"temperature": 0.5, "scaling": 2.0}, 9)])
def test_the_hot_path_is_a_handful_of_operations(fields: dict[str, Any], most: int) -> None:
    policy, logits = RoutingPolicy(experts=8, top_k=2, **fields), torch.zeros(1, 8, dtype=torch.bfloat16)
    with Operations() as fast:
        choose(logits, policy, layer=0)
    with Operations() as reference:
        route(logits, policy)
    assert fast.count <= most
    assert 2 * fast.count <= reference.count + 1


def test_logits_that_underflow_still_choose_by_themselves() -> None:
    weights, experts = choose(torch.tensor([[-500.0, 0.0, -300.0, -400.0]]), RoutingPolicy(experts=4, top_k=4), layer=0)
    assert experts.tolist() == [[1, 2, 3, 0]]
    assert weights.tolist() == [[1.0, 0.0, 0.0, 0.0]]


def test_the_callers_bias_and_the_policys_add_up() -> None:
    policy = RoutingPolicy(experts=4, top_k=1, bias_by_layer=((0, 0, 0, 0), (0, 5.0, 0, 0)))
    logits = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    chosen = [choose(logits, policy, layer=layer)[1].item() for layer in (0, 1)]
    assert chosen == [0, 1]
    assert choose(logits, policy, layer=1, bias=torch.tensor([0, 0, 6.0, 0]))[1].item() == 2


@pytest.mark.parametrize("logits", [torch.zeros(3, 7), torch.zeros(8), torch.zeros(3, 8, dtype=torch.int64)])
def test_tensors_that_do_not_fit_are_refused(logits: torch.Tensor) -> None:
    with pytest.raises(RoutingRejected):
        choose(logits, RoutingPolicy(experts=8, top_k=2), layer=0)

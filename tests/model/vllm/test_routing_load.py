"""The counting of load and the choice of a layer's rows, without a start of vLLM; test_router.py serves them."""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

with warnings.catch_warnings():  # vLLM's imports reach torch.jit, which torch itself deprecates
    warnings.simplefilter("ignore", DeprecationWarning)
    pytest.importorskip("vllm", reason="vLLM is not installed here")
    from vllm.sampling_params import SamplingParams
    from vllm.v1.sample.logits_processor import BatchUpdate, MoveDirectionality

    from model.vllm import domains
    from model.vllm.domains import RequestDomains, rows_of_batch
    from model.vllm.layer_router import LayerRouter

from model.errors import RoutingRejected
from model.routing import DomainPrior, RoutingPolicy, route
from model.vllm.load import LoadCounter, read_load
from model.vllm.policies import DOMAIN, domain_fields

PRIORS = (DomainPrior("legal", (9.0, 0, 0, 0)), DomainPrior("medical", (0, 9.0, 0, 0)))
POLICY = RoutingPolicy(experts=4, top_k=1, priors=PRIORS, prior_strength=1.0)


def test_a_reader_sees_every_pass_at_once(tmp_path: Path) -> None:
    path = tmp_path / "load.npy"
    counter = LoadCounter(path, 2, 4)
    assert read_load(path) == ((0,) * 4, (0,) * 4)
    counter.count(1, torch.tensor([[0, 3], [3, 1]], dtype=torch.int32))
    assert read_load(path) == ((0,) * 4, (1, 1, 0, 2))
    counter.count(1, torch.zeros(0, 2, dtype=torch.int64))
    counter.count(0, torch.full((1000, 1), 2))
    assert read_load(path) == ((0, 0, 1000, 0), (1, 1, 0, 2))


def test_a_new_start_begins_at_zero_and_leaves_old_readers_alone(tmp_path: Path) -> None:
    path = tmp_path / "load.npy"
    LoadCounter(path, 1, 2).count(0, torch.tensor([[1]]))
    old = np.load(path, mmap_mode="r")
    LoadCounter(path, 1, 2)
    assert read_load(path) == ((0, 0),)
    assert old.tolist() == [[0, 1]]


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RoutingRejected, match="cannot be written"):
        LoadCounter(tmp_path / "no" / "load.npy", 1, 2)


@pytest.mark.parametrize("content", [b"", b"no numbers", None, "floats"], ids=["empty", "text", "missing", "floats"])
def test_what_is_no_load_is_refused(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "load.npy"
    if content == "floats":
        np.save(path, np.zeros((2, 2)))
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(RoutingRejected):
        read_load(path)


def test_a_layer_counts_what_it_chose(tmp_path: Path) -> None:
    counted: list[list[int]] = []
    router = LayerRouter(RoutingPolicy(experts=4, top_k=2), 0, count=lambda experts: counted.append(experts.tolist()))
    weights, experts = router(torch.tensor([[0.0, 3, 2, 1]]))
    assert counted == [experts.tolist()] == [[[1, 2]]]
    assert (weights.dtype, experts.dtype) == (torch.float32, torch.int32)


@pytest.mark.parametrize("fields", [{}, {"temperature": 0.5}, {"scores": "sigmoid"}, {"default_domain": "legal"}])
def test_a_layer_routes_as_the_reference(fields: dict[str, Any]) -> None:
    bias = ((0.0,) * 4, (0.3, 0.0, 0.0, 0.2))
    policy = RoutingPolicy(experts=4, top_k=1, top_k_by_layer=(1, 3), priors=PRIORS, prior_strength=0.1, **fields)
    correction = torch.tensor([0.0, 0.0, 0.4, 0.0])
    logits = torch.randn(31, 4, generator=torch.Generator().manual_seed(0)).bfloat16()
    for biased in (policy, dataclasses.replace(policy, bias_by_layer=bias)):
        for added in (None, correction):
            weights, experts = LayerRouter(biased, 1, correction=added)(logits)
            expected = route(logits, biased, layer=1, bias=added)
            assert torch.equal(experts.long(), expected.experts)
            torch.testing.assert_close(weights, expected.weights, rtol=1e-5, atol=1e-7)


def test_the_checkpoints_own_bias_is_read_when_it_has_been_loaded() -> None:
    correction = torch.zeros(4)
    router = LayerRouter(RoutingPolicy(experts=4, top_k=1), 0, correction=correction)
    logits = torch.tensor([[1.0, 0, 0, 0]])
    assert router(logits)[1].tolist() == [[0]]
    correction[2] = 5.0
    assert router(logits)[1].tolist() == [[2]]


@dataclass
class Metadata:
    query_start_loc: torch.Tensor


@dataclass
class Context:
    attn_metadata: Any
    additional_kwargs: dict[str, Any]


def batch(monkeypatch: pytest.MonkeyPatch, lengths: list[int] | None) -> None:
    """What vLLM tells of the running pass; None: one that warms up."""
    starts = None if lengths is None else torch.tensor([0, *lengths]).cumsum(0)
    metadata = None if starts is None else {"layer": Metadata(starts)}
    context = Context(metadata, {})
    monkeypatch.setattr(domains, "is_forward_context_available", lambda: True)
    monkeypatch.setattr(domains, "get_forward_context", lambda: context)


def params(domain: Any) -> SamplingParams:
    return SamplingParams(extra_args=None if domain is None else {DOMAIN: domain})


@pytest.fixture
def requests() -> Any:
    processor = RequestDomains(None, torch.device("cpu"), False)
    yield processor
    RequestDomains.running = None


def test_rows_follow_the_requests(requests: RequestDomains, monkeypatch: pytest.MonkeyPatch) -> None:
    added = [(0, params("legal"), [1], []), (1, params(None), [1], []), (2, params("medical"), [1], [])]
    requests.update_state(BatchUpdate(batch_size=3, removed=[], added=added, moved=[]))
    batch(monkeypatch, [2, 1, 3])
    assert rows_of_batch(POLICY, torch.zeros(6, 4)).tolist() == [0, 0, -1, 1, 1, 1]
    moved = [(2, 0, MoveDirectionality.UNIDIRECTIONAL)]
    requests.update_state(BatchUpdate(batch_size=2, removed=[0], added=[], moved=moved))
    batch(monkeypatch, [1, 1])
    assert rows_of_batch(POLICY, torch.zeros(3, 4)).tolist() == [1, -1, -1], "a row that fills up is nobody's"
    router = LayerRouter(POLICY, 0)
    assert router(torch.tensor([[0.0, 0, 0, 1]] * 2))[1].tolist() == [[1], [3]]


def test_a_request_without_a_domain_has_the_default(requests: RequestDomains, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = RoutingPolicy(experts=4, top_k=1, priors=PRIORS, prior_strength=1.0, default_domain="medical")
    batch(monkeypatch, [1, 1, 1])
    assert rows_of_batch(policy, torch.zeros(3, 4)) == 1
    added = [(1, params("poetry"), [1], []), (2, params("legal"), [1], [])]
    requests.update_state(BatchUpdate(batch_size=3, removed=[], added=added, moved=[]))
    assert rows_of_batch(policy, torch.zeros(3, 4)).tolist() == [1, -1, 0]


def test_a_pass_that_warms_up_belongs_to_nobody(requests: RequestDomains, monkeypatch: pytest.MonkeyPatch) -> None:
    requests.by_place[0] = "legal"
    batch(monkeypatch, None)
    assert rows_of_batch(POLICY, torch.zeros(2, 4)).tolist() == [-1, -1]


def test_a_layer_that_sees_a_part_of_the_batch_is_refused(
    requests: RequestDomains, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests.by_place[0] = "legal"
    batch(monkeypatch, [4])
    with pytest.raises(RoutingRejected, match="2 of the batch's 4 tokens"):
        rows_of_batch(POLICY, torch.zeros(2, 4))


def test_the_logits_of_the_vocabulary_stay_as_they_are(requests: RequestDomains) -> None:
    logits = torch.randn(2, 5)
    assert requests.apply(logits) is logits
    assert requests.is_argmax_invariant()


@pytest.mark.parametrize("domain", [3, "", ["legal"]], ids=str)
def test_a_domain_that_is_no_word_is_refused(domain: Any) -> None:
    RequestDomains.validate_params(params("legal"))
    RequestDomains.validate_params(params(None))
    with pytest.raises(ValueError, match=DOMAIN):
        RequestDomains.validate_params(params(domain))


def test_the_fields_of_a_request_keep_the_caches_of_domains_apart() -> None:
    legal, medical = domain_fields("legal"), domain_fields("medical")
    assert legal["vllm_xargs"] == {DOMAIN: "legal"}
    assert legal["cache_salt"] != medical["cache_salt"]

"""The terms of the loss against the plain formulas, over whole logits."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from model.training.batches import Batch, EncodedRow, batch_of
from model.training.graft import Graft, graft
from model.training.losses import balance_loss, z_loss
from model.training.measure import measure
from model.training.objective import answer_loss, gate_losses, hidden_states, kl_loss
from tests.model.training.tiny_moe import quick, tiny_moe

LEGAL = EncodedRow((5, 6, 7, 8, 9), 3, "legal")
SHORT = EncodedRow((11, 12, 13), 1, "medical")
TEXT = EncodedRow((21, 22, 23, 24), 4, "general")


@pytest.fixture
def grafted() -> Graft:
    return graft(tiny_moe(zero=False), quick())


def log_p(grafted: Graft, row: EncodedRow) -> torch.Tensor:
    """Of each next token, for a row alone: (S-1, V)."""
    with torch.no_grad():
        return torch.log_softmax(grafted.model(torch.tensor([row.ids])).logits[0, :-1], -1)


def surprise(grafted: Graft, row: EncodedRow) -> float:
    found = log_p(grafted, row)
    return -sum(float(found[place - 1, row.ids[place]]) for place in range(row.start, len(row.ids)))


def test_the_answer_is_summed_over_its_tokens_alone(grafted: Graft) -> None:
    batch = batch_of([LEGAL, SHORT, TEXT])
    total, count = answer_loss(grafted, hidden_states(grafted, batch), batch)
    assert count == 2 + 2
    assert float(total.detach()) == pytest.approx(surprise(grafted, LEGAL) + surprise(grafted, SHORT), rel=1e-4)


def test_kl_is_that_to_the_model_without_experts_on_general_text_alone(grafted: Graft) -> None:
    batch = batch_of([LEGAL, TEXT])
    ours = log_p(grafted, TEXT)
    with grafted.switches.off(), torch.no_grad():
        theirs = log_p(grafted, TEXT)
        dense = hidden_states(grafted, batch)
    total, count = kl_loss(grafted, hidden_states(grafted, batch), dense, batch)
    assert count == 3
    expected = (theirs.exp() * (theirs - ours)).sum()
    assert float(expected) > 1e-3
    assert float(total.detach()) == pytest.approx(float(expected), rel=1e-3)


def test_kl_is_nothing_for_the_same_model_and_has_no_gradient_there(grafted: Graft) -> None:
    batch = batch_of([TEXT])
    hidden = hidden_states(grafted, batch)
    total, _ = kl_loss(grafted, hidden, hidden.detach(), batch)
    total.backward()
    assert float(total.detach()) == pytest.approx(0, abs=1e-5)
    assert all(tensor.grad is None or tensor.grad.abs().max() < 1e-5 for _, tensor in grafted.learned())


def test_the_losses_of_the_gates_are_means_over_layers_without_padding(grafted: Graft) -> None:
    batch = batch_of([LEGAL, SHORT])
    hidden_states(grafted, batch)
    found = gate_losses(grafted, batch)
    mask = batch.there.flatten() > 0
    routed = grafted.switches.routed
    balances = [float(balance_loss(gate.logits[mask], gate.experts[mask]).detach()) for gate in routed]
    zs = [float(z_loss(gate.logits[mask]).detach()) for gate in routed]
    assert len(routed) == 2
    assert float(found.balance.detach()) == pytest.approx(sum(balances) / 2)
    assert float(found.z.detach()) == pytest.approx(sum(zs) / 2)


def padded(batch: Batch, width: int) -> Batch:
    def wide(tensor: Any) -> Any:
        return torch.nn.functional.pad(tensor, (0, width))

    return Batch(wide(batch.ids), wide(batch.there), wide(batch.answers), batch.domains)


def test_padding_changes_no_term(grafted: Graft) -> None:
    batch = batch_of([LEGAL, TEXT])
    terms = []
    for form in (batch, padded(batch, 7)):
        with torch.no_grad():
            hidden = hidden_states(grafted, form)
            gates = gate_losses(grafted, form)
            with grafted.switches.off():
                dense = hidden_states(grafted, form)
            kl, _ = kl_loss(grafted, hidden, dense, form)
            terms.append(torch.stack([answer_loss(grafted, hidden, form)[0], gates.balance, gates.z, kl]))
    torch.testing.assert_close(terms[0], terms[1], rtol=1e-4, atol=1e-5)


def test_a_measurement_is_the_mean_over_tokens_not_over_rows(grafted: Graft) -> None:
    long = EncodedRow((31, 32, 33, 34, 35, 36), 1, "legal")
    found = measure(grafted, [LEGAL, SHORT, TEXT, long], quantized=False)
    legal = surprise(grafted, LEGAL) + surprise(grafted, long)
    assert found.by_domain["legal"] == pytest.approx(legal / (2 + 5), rel=1e-4)
    assert found.answer == pytest.approx((legal + surprise(grafted, SHORT)) / (2 + 5 + 2), rel=1e-4)
    assert found.general is not None
    assert found.general > 0


def test_a_measurement_counts_the_load_and_leaves_the_switches(grafted: Graft) -> None:
    switches = grafted.switches
    switches.noise, switches.quantized, switches.generator = 1.0, True, torch.Generator()
    found = measure(grafted, [LEGAL, TEXT], quantized=False)
    assert (switches.on, switches.noise, switches.quantized, switches.routed) == (True, 1.0, True, [])
    switches.noise, switches.quantized = 0.0, False
    with torch.no_grad():
        for row in (LEGAL, TEXT):
            grafted.model(torch.tensor([row.ids]))
    for layer in (0, 1):
        chosen = torch.cat([gate.experts.flatten() for gate in switches.routed if gate.layer == layer])
        assert found.load[layer] == pytest.approx((chosen.bincount(minlength=4) / 18).tolist())
    assert found.least_load == pytest.approx(4 * min(min(shares) for shares in found.load.values()))


def test_without_general_text_there_is_no_figure_for_it_and_off_is_the_dense_model(grafted: Graft) -> None:
    off = measure(grafted, [LEGAL], quantized=False, on=False)
    assert off.general is None
    assert off.least_load == 0
    with grafted.switches.off():
        assert off.answer == pytest.approx(surprise(grafted, LEGAL) / 2, rel=1e-5)

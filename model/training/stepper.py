"""One optimizer step over what is learned, and what of it a checkpoint holds.

A step adds up `accumulate` batches of answers and as many of general text, scales the gradient down to `clip`, and
follows it. Which rows, which noise and which rate it has depends on the settings and its own number alone.

A loss or a gradient that is not finite raises before it can reach a weight.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch

from model.errors import TrainingFailed, TrainingRejected
from model.training.batches import Batch, EncodedRow, batch_of, places
from model.training.checkpoints import Checkpoint
from model.training.graft import Graft
from model.training.objective import answer_loss, gate_losses, hidden_states, kl_loss
from model.training.rows import GENERAL
from model.training.settings import TrainingSettings

__all__ = ["Stepper"]

_BETAS: Final = (0.9, 0.95)
"""AdamW's, as usual for language models: the second, over 20 steps, forgets a bad batch sooner than 0.999."""
_GENERAL_SEED: Final = 7_919
"""Added to the seed, so that general text has an order of its own."""
_MIX: Final = 1_000_003
"""Keeps the noise of two seeds apart; a prime."""


class Stepper:
    """The learned tensors of a model, the rows they learn from, and AdamW over them.

    Raises:
        TrainingRejected: no row has an answer to learn.
    """

    def __init__(self, grafted: Graft, rows: Sequence[EncodedRow], settings: TrainingSettings) -> None:
        wanted = settings.domain
        self.grafted = grafted
        self.settings = settings
        self.answers = [row for row in rows if row.domain != GENERAL and wanted in (None, row.domain)]
        self.general = [row for row in rows if row.domain == GENERAL] if settings.general_rows else []
        if not self.answers:
            raise TrainingRejected(f"No row to train on is of the domain {wanted!r}.", remedy="Give such rows.")
        self.learned = {name: tensor for name, tensor in grafted.learned() if tensor.requires_grad}
        gates = [tensor for name, tensor in self.learned.items() if name.endswith("gate.weight")]
        experts = [tensor for name, tensor in self.learned.items() if not name.endswith("gate.weight")]
        groups = [{"params": experts, "weight_decay": settings.decay}, {"params": gates, "weight_decay": 0.0}]
        # one tensor at a time: the same sums on every machine, and no copy of all gradients
        self.optimizer = torch.optim.AdamW([group for group in groups if group["params"]], betas=_BETAS, foreach=False)

    def step(self, number: int) -> dict[str, float]:
        """Do step `number`, from 0; return its terms by name, in nats.

        Raises:
            TrainingFailed: the loss or the gradient is not finite; no weight has changed.
        """
        settings, switches = self.settings, self.grafted.switches
        switches.noise, switches.quantized = settings.noise_at(number), settings.quantized_at(number)
        answers = [self._batch(self.answers, settings.rows, number, part, 0) for part in range(settings.accumulate)]
        tokens = sum(int(batch.answers[:, 1:].sum()) for batch in answers)
        terms: dict[str, float] = {}
        for part, batch in enumerate(answers):
            switches.generator = torch.Generator().manual_seed(self._seed(number, part))
            hidden = hidden_states(self.grafted, batch)
            gates = gate_losses(self.grafted, batch)
            loss = answer_loss(self.grafted, hidden, batch)[0] / tokens
            balance, z = gates.balance / settings.accumulate, gates.z / settings.accumulate
            self._backward(loss + settings.balance * balance + settings.z * z, number)
            _add(terms, answer=loss, balance=balance, z=z)
        if self.general:
            self._general(number, terms)
        self._follow(number)
        return terms

    def _general(self, number: int, terms: dict[str, float]) -> None:
        settings, switches = self.settings, self.grafted.switches
        size = settings.general_rows
        batches = [self._batch(self.general, size, number, part, _GENERAL_SEED) for part in range(settings.accumulate)]
        tokens = sum(int(batch.there[:, 1:].sum()) for batch in batches)
        for batch in batches:
            with torch.no_grad(), switches.off():
                dense = hidden_states(self.grafted, batch)
            hidden = hidden_states(self.grafted, batch)
            loss = kl_loss(self.grafted, hidden, dense, batch)[0] / tokens
            self._backward(settings.kl * loss, number)
            _add(terms, kl=loss)

    def _backward(self, loss: Any, number: int) -> None:
        value = float(loss.detach())
        if not math.isfinite(value):
            self._fail(f"The loss of step {number} is {value}")
        loss.backward()

    def _follow(self, number: int) -> None:
        norm = torch.nn.utils.clip_grad_norm_(self.learned.values(), self.settings.clip, foreach=False)
        if not math.isfinite(float(norm)):
            self._fail(f"The gradient of step {number} has the norm {float(norm)}")
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.rate_at(number)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def _fail(self, what: str) -> None:
        raise TrainingFailed(
            f"{what}; nothing of this step was kept.",
            remedy="Lower the rate, and start the same command in a new folder; the last checkpoint is whole.",
        )

    def _batch(self, rows: Sequence[EncodedRow], size: int, number: int, part: int, extra: int) -> Batch:
        which = number * self.settings.accumulate + part
        chosen = places(len(rows), size, batch=which, seed=self.settings.seed + extra)
        return batch_of([rows[place] for place in chosen], device=self.grafted.model.device)

    def _seed(self, number: int, part: int) -> int:
        return (self.settings.seed * _MIX + number) * self.settings.accumulate + part

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take weights and AdamW's state from a checkpoint.

        Raises:
            TrainingFailed: it is of other tensors.
        """
        if set(checkpoint.weights) != set(self.learned):
            raise TrainingFailed("The checkpoint holds other tensors.", remedy="Start anew in another folder.")
        with torch.no_grad():
            for name, tensor in self.learned.items():
                tensor.copy_(checkpoint.weights[name])
                if name in checkpoint.steps:
                    self.optimizer.state[tensor] = {
                        "step": torch.tensor(checkpoint.steps[name]),
                        "exp_avg": checkpoint.first[name].to(tensor.device),
                        "exp_avg_sq": checkpoint.second[name].to(tensor.device),
                    }

    def checkpoint(self, step: int, *, origin: Mapping[str, Any], curve: Any, pending: Any) -> Checkpoint:
        """Return the present state, with what the loop adds to it; see `Checkpoint`."""
        states = {name: self.optimizer.state[tensor] for name, tensor in self.learned.items()}
        held = {name: state for name, state in states.items() if state}
        return Checkpoint(
            step,
            origin,
            curve,
            pending,
            {name: float(state["step"]) for name, state in held.items()},
            self.learned,
            {name: state["exp_avg"] for name, state in held.items()},
            {name: state["exp_avg_sq"] for name, state in held.items()},
        )


def _add(terms: dict[str, float], **more: Any) -> None:
    for name, value in more.items():
        terms[name] = terms.get(name, 0.0) + float(value.detach())

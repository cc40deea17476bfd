"""Turns many formulas into one list of steps in which every common part stands once.

A thousand factors are some hundred ratios seen six ways, so most subtrees recur. Each distinct one becomes a step,
after the steps that it uses; computing all factors is then one pass over the list for each period.

    plan = Plan([parsed("revenue / avg(inventories)"), parsed("growth(revenue / avg(inventories))")])
    plan.roots     -> step of each formula
    plan.steps     -> what to compute, children first
    plan.below(x)  -> the steps that step x needs, itself included

Not covered: algebra. ``a + b`` and ``b + a`` are two steps.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from domains.finance.statements.formula import Binary, Call, Days, Item, Named, Negative, Node, Number, show

__all__ = ["Plan", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """One operation: `children` are the numbers of earlier steps, `text` the formula of its last operand."""

    operation: str
    children: tuple[int, ...] = ()
    numbers: tuple[int, ...] = ()
    concept: str = ""
    constant: Decimal = Decimal(0)
    text: str = ""


class Plan:
    """The steps of a set of formulas."""

    def __init__(self, formulas: Iterable[Node]) -> None:
        self.steps: list[Step] = []
        self._known: dict[Hashable, int] = {}
        self.roots: tuple[int, ...] = tuple(self._place(node) for node in formulas)
        self.peer_steps: tuple[int, ...] = self._peer_steps()

    def _place(self, node: Node) -> int:
        """Return the step of a tree, made if there is none yet."""
        match node:
            case Named(_, body):
                return self._place(body)
            case Number(value):
                return self._step(Step("number", constant=value))
            case Item(concept):
                return self._step(Step("item", concept=concept))
            case Days():
                return self._step(Step("days"))
            case Negative(operand):
                return self._step(Step("negative", (self._place(operand),)))
            case Binary(operator, left, right):
                text = show(right) if operator == "/" else ""
                return self._step(Step(operator, (self._place(left), self._place(right)), text=text))
            case Call(function, (Item(concept),), numbers) if function in _OF_ITEMS:
                return self._step(Step(function, (), numbers, concept=concept, text=concept))
            case Call(function, arguments, numbers):
                text = show(arguments[-1]) if arguments else function
                return self._step(Step(function, tuple(map(self._place, arguments)), numbers, text=text))

    def _step(self, step: Step) -> int:
        # the text is only for messages: one division under two names of its denominator is one step
        key = (step.operation, step.children, step.numbers, step.concept, step.constant)
        if key not in self._known:
            self._known[key] = len(self.steps)
            self.steps.append(step)
        return self._known[key]

    def below(self, roots: Sequence[int]) -> tuple[int, ...]:
        """Return all steps that `roots` rest on, themselves included, in the order of computation."""
        needed = set(roots)
        for number in range(max(roots, default=-1), -1, -1):
            if number in needed:
                needed.update(self.steps[number].children)
        return tuple(sorted(needed))

    def _peer_steps(self) -> tuple[int, ...]:
        compared = {step.children[0] for step in self.steps if step.operation in ("peer_z", "peer_rank")}
        return self.below(tuple(compared))


_OF_ITEMS = frozenset({"opt", "parts_sum", "parts_squares", "parts_count", "entropy", "top"})

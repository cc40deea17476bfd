"""What a contender of `./vouch bench serve` is asked, and how its answer becomes tokens a second.

A contender does one thing: it answers a few prompts of token ids at once, greedily and past any end of text, and says
when. Everything measured comes from those moments:

    prefill   tokens of the prompt / time of the first new token
    decode    sequences * (last - first) / (time of token `last` - time of token `first`)

The difference of two moments of one answer cancels what is paid once: reading the prompt, making the request.

Prompts are ids drawn at random, from a seed that the measure and the round make: all contenders see the same ones, no
two are alike (so a prefix cache finds nothing), and they are the worst case for a router, which sends such tokens to
all its experts.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

__all__ = ["MEASURES", "Contender", "Measure", "prompts"]

_IDS: Final = range(1_000, 100_000)
"""Ordinary tokens of the vocabulary: bytes and special tokens lie outside."""


class Contender(Protocol):
    """Something that serves a model."""

    def start(self) -> dict[str, Any]:
        """Load; return what there is to say of it: `version`, and where it is known `ready_s` and `session`.

        `ready_s` are the seconds from the start of the server to its first answer, `session` is the id of the session
        of the processes that compute, when it is not the worker's own.
        """

    def generate(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> list[float]:
        """Answer all prompts at once with exactly so many tokens each.

        Returns:
            Seconds since the prompts were handed in, one for each n in 1 .. `new_tokens`: when the last of the
            sequences had its n-th token.
        """

    def stop(self) -> None:
        """Give everything back."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure: tokens a second of reading (`first` = 0) or of writing.

    Attributes:
        name: What the figure is called.
        batch: Sequences at once.
        prompt_tokens: Tokens of each prompt.
        first: New tokens of each sequence that are not counted; 0: the prompt is what is measured.
        last: New tokens of each sequence.
    """

    name: str
    batch: int
    prompt_tokens: int
    first: int
    last: int

    def speed(self, moments: Sequence[float]) -> float:
        """Return tokens a second.

        Raises:
            ValueError: there are fewer or more moments than tokens, or they do not rise.
        """
        if len(moments) != self.last or any(b < a for a, b in itertools.pairwise(moments)):
            raise ValueError(f"{self.name}: {self.last} rising moments are needed, got {list(moments)}.")
        begin = moments[self.first - 1] if self.first else 0.0
        tokens = self.batch * (self.last - self.first if self.first else self.prompt_tokens)
        return tokens / (moments[-1] - begin)


MEASURES: Final = (
    Measure("decode_b1", batch=1, prompt_tokens=32, first=4, last=36),
    Measure("decode_b8", batch=8, prompt_tokens=32, first=4, last=20),
    Measure("prefill_1k", batch=1, prompt_tokens=1024, first=0, last=1),
)


def prompts(measure: Measure, round_number: int) -> list[list[int]]:
    """Return the prompts of a measure in a round."""
    draw = random.Random(f"{measure.name} {round_number}")  # noqa: S311 -- the same on every machine, and no secret
    return [draw.choices(_IDS, k=measure.prompt_tokens) for _ in range(measure.batch)]

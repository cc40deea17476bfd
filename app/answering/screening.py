"""What the model writes, on its way out: no word of the hidden prompt, nothing that acts, and an end.

`DraftWatch` stands between the drafter and everything that hears it. It gives out text that is defanged
(`harmless.Defanger`), keeps back whatever could be the beginning of the prompt's canary, and ends the draft

- LEAKED, when the canary of the rules appears, in any case and with any marks between its digits: the model is reciting
  its prompt, and nothing of this draft is shown as an answer;
- CUT, when it is longer than a draft may be, in characters or in time: a model that never stops;
- REPEATING, when it says the same sentence again and again.

How it ended is recorded with the answer. What was whole by then is checked like any other claim, except after a leak.

The canary is no secret and protects none: prompts are to be taken as known (OWASP LLM08:2026), so nothing confidential
may stand in one. It tells reliably that the model stopped answering and began to recite.

A mark in the fence around the passages, new for each answer, was tried and left out: with it and the canary 3 of 24
drafts of the embedded model shrank to fragments and one recited the fence. A passage cannot close the fence all the
same, since `harmless` takes apart whatever looks like it.

Not covered: a prompt retold in other words or another encoding, which no passage supports and which is struck out.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from app.answering.claims import ClaimReader, DraftClaim
from app.answering.harmless import Defanger, defang, visible
from domains.contract import Question, Turn

__all__ = ["DraftEnd", "DraftLimits", "DraftWatch", "canary_of", "screened"]

_CANARY_DIGITS: Final = 8
_HELD_FROM: Final = 3
"""Digits of the canary from which its beginning is kept back: fewer are any number."""

_ENDED: Final = re.compile(r"[.!?。！？…][\"'”’」』)）]*$")
_NOT_DIGIT: Final = re.compile(r"[\W_]")


class DraftEnd(StrEnum):
    """Why a draft ended before the model ended it."""

    LEAKED = "leaked"
    CUT = "cut"
    REPEATING = "repeating"


@dataclass(frozen=True, slots=True)
class DraftLimits:
    """How much a draft may be.

    Attributes:
        chars: Characters. The answer's tokens are limited at the server; this holds for drafters and servers that do
            not keep to it. 20,000 are about 5,000 tokens, ten times the default VOUCH_ANSWER_TOKENS.
        seconds: Wall time of drafting. Longer than any answer of the embedded model takes at its token limit.
        repeats: Claims in a row that were all made before, after which the draft is in a loop.
    """

    chars: int = 20_000
    seconds: float = 600.0
    repeats: int = 4


def canary_of(secret: bytes) -> str:
    """Derive the mark of the rules from a secret of the installation (HMAC-SHA256): eight hexadecimal digits.

    It is the same for all answers, so that the rules are computed once (prefix cache) and a prompt can be made again.
    No document can know it. Letters and figures are among its digits: no number and no word passes for it.
    """
    for attempt in range(1000):
        made = hmac.new(secret, f"canary {attempt}".encode(), hashlib.sha256).hexdigest()[:_CANARY_DIGITS]
        if not made.isalpha() and not made.replace("e", "").isdigit():
            return made
    raise RuntimeError("no canary could be derived")  # one in 10^300


class DraftWatch:
    """Hears a draft piece by piece, and cuts it into claims. One instance serves one draft.

    Attributes:
        end: Why the draft has to end, or None.
        repeats: Claims that were left out because the draft had made them before.
    """

    def __init__(
        self,
        canary: str,
        limits: DraftLimits = DraftLimits(),
        *,
        known: Collection[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to listen.

        Args:
            canary: What may not be heard.
            limits: How much a draft may be.
            known: Ids of evidence that may be cited; read at each claim, so that it may grow. None takes all.
            clock: Seconds.
        """
        self._reader = ClaimReader(known=known)
        self._canary = canary
        self._limits = limits
        self._clock = clock
        self._since = clock()
        self._defanger = Defanger()
        self._held = ""
        self._recent = ""
        self._chars = 0
        self._said: set[str] = set()
        self._in_a_row = 0
        self.repeats = 0
        self.end: DraftEnd | None = None

    def feed(self, piece: str) -> tuple[str, list[DraftClaim]]:
        """Take the next piece; return what may be heard of the draft since, and the new claims that it finished.

        Sets `end` when the draft has to end; then nothing more is to be fed.
        """
        self._chars += len(piece)
        self._held += piece
        self._recent = (self._recent + _bare(piece))[-(len(piece) + 2 * _CANARY_DIGITS) :]
        if self._canary in self._recent:
            self.end, self._held = DraftEnd.LEAKED, ""
            return "", []
        if self._chars > self._limits.chars or self._clock() - self._since > self._limits.seconds:
            self.end = DraftEnd.CUT
        return self._heard(), self._fresh(self._reader.feed(piece))

    def flush(self) -> tuple[str, list[DraftClaim]]:
        """Return what is left when the draft has ended: nothing after a leak, no broken sentence where it was cut."""
        if self.end is DraftEnd.LEAKED:
            return "", []
        heard, self._held = self._held, ""
        drafts = self._reader.flush()
        if self.end is not None and drafts and not _ENDED.search(drafts[-1].text):
            drafts = drafts[:-1]
        return self._defanger.feed(heard) + self._defanger.flush(), self._fresh(drafts)

    def _heard(self) -> str:
        """Give out what is held, unless it ends like the beginning of the canary."""
        if any(self._recent.endswith(self._canary[:size]) for size in range(_HELD_FROM, _CANARY_DIGITS)):
            return ""
        heard, self._held = self._held, ""
        return self._defanger.feed(heard)

    def _fresh(self, drafts: Sequence[DraftClaim]) -> list[DraftClaim]:
        """Leave out the claims that the draft has made before, and end it when it makes no others any more."""
        kept: list[DraftClaim] = []
        for draft in drafts:
            key = _bare(draft.text)
            if key not in self._said:
                self._said.add(key)
                self._in_a_row = 0
                kept.append(draft)
                continue
            self.repeats += 1
            self._in_a_row += 1
            if self._in_a_row >= self._limits.repeats and self.end is None:
                self.end = DraftEnd.REPEATING
        return kept


def screened(question: Question) -> Question:
    """Return a question as work is done on it: without hidden characters, and with harmless earlier answers.

    A client may send back any text as an answer of ours, so an answer of the history is foreign text like a passage.
    What was asked is recorded as it came.
    """
    history = tuple(Turn(visible(turn.question), defang(turn.answer)) for turn in question.history)
    return replace(question, text=visible(question.text), history=history)


def _bare(text: str) -> str:
    return _NOT_DIGIT.sub("", text).casefold()

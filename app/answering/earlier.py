"""What earlier answers have to do with a new one: it may repeat one from the cache, or be asked for in place of one.

A question that is asked again in the same words, in place of its answer, is wanted otherwise: the cache is left aside,
and the words are drawn with a temperature. One that was changed is a question like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.answering.cache import AnswerCache, place_of
from app.answering.run import Run

__all__ = ["Earlier"]

_OTHER_WORDS: Final = 0.7
"""Temperature of an answer that is asked for again: at 0 it would be the same."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """The answers before.

    Attributes:
        cache: Those that may be given again; None: none.
        asked_before: Gives the question of an earlier answer of a subject; called in a thread.
        made_by: Gives all versions that an answer depends on.
    """

    cache: AnswerCache | None
    asked_before: Callable[[str, str], str | None]
    made_by: Callable[[], Mapping[str, Any]]

    async def found(self, run: Run) -> bool:
        """Let a run repeat the answer that the cache has, if there is one and no other is wanted."""
        if self.cache is None or run.plugin is None or not run.plugin.repeatable:
            return False
        run.place = place_of(run.question, domain=run.plugin.name, versions=self.made_by())
        if run.question.replaces is not None:
            return False
        with run.timed("cache"):
            kept = await asyncio.to_thread(self.cache.find, run.place, run.question.text)
        if kept is not None:
            run.repeat(kept)
        return kept is not None

    async def remember(self, run: Run, entry: int) -> None:
        """Keep an answer that came to its own end, unless something changed while it was made."""
        if self.cache is None or run.plugin is None or run.place is None or run.again or run.calls or run.ended:
            return
        if run.place == place_of(run.question, domain=run.plugin.name, versions=self.made_by()):
            await asyncio.to_thread(self.cache.keep, run.place, run.question.text, run.kept(entry))

    async def sampling(self, run: Run) -> Mapping[str, Any]:
        """Return how the words are drawn: the likeliest ones, or others where the same question is asked again."""
        replaced = run.question.replaces
        if replaced is None:
            return {}
        before = await asyncio.to_thread(self.asked_before, run.principal.subject, replaced)
        return {"temperature": _OTHER_WORDS, "seed": int(run.answer_id[:8], 16)} if before == run.question.text else {}

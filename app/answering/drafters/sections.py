"""Reads what is too long for one prompt section by section, and puts together what each says.

A long prompt is no answer to a long text: a model finds less in one the longer it is. So the evidence is cut into
sections of about `SECTION_TOKENS`, each is read in a prompt of its own under the same rules, a few at once, and each
answers with sentences that cite its own evidence. They are put one after another, without what was said before. No
second prompt writes a summary of summaries: its sentences would have no passage to be checked against.

A question that asks for everything ("all obligations") gets all sections in their order. Any other is answered by
reading the sections nearest to it first, and no further once one of them holds an answer that is about the question.

At most `most` sections are read. How many were read, of how many, is told with the answer.

Not covered: what follows only from two sections together, and a sentence that a section's border cuts in two.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import count as counting
from typing import Any, ClassVar, Final, cast

from app.answering.abstain import is_refusal
from app.answering.checking.opposites import negated
from app.answering.checking.support import best_window, coverage, informative, sentences
from app.answering.checking.values import extract, missing
from app.answering.claims import DraftClaim, split
from app.answering.drafters.contract import Coverage, Piece, Task
from app.answering.prompt import estimate_tokens
from app.answering.whole import asks_whole, summarises
from model.client import stream_text
from retrieval.sentences import split_sentences
from retrieval.types import Evidence

__all__ = ["SECTION_TOKENS", "Sections", "chosen", "cut", "repeats"]

SECTION_TOKENS: Final = 1500
"""Tokens of the evidence in one prompt. The embedded model reads 160 to 200 a second on two cores."""

_REPLY_TOKENS: Final = 200
_LAST_ID: Final = 99
"""The highest number that a citation mark can have."""

_SAME: Final = 0.85
"""Share of each other's informative terms from which two claims with the same figures say the same."""

_ABOUT: Final = 0.25
"""How much less than the best claim another may have to do with the question, in shares of the question's terms."""

_ENOUGH: Final = 0.7
"""Share of the question's terms that a claim and its passage must hold for no further section to be read."""


@dataclass(frozen=True, slots=True)
class _Said:
    """A claim of a section, and the share of the question's terms that it and what it rests on hold."""

    claim: DraftClaim
    nearness: float


@dataclass(frozen=True, slots=True)
class _Read:
    """What a section said, and the evidence that stood in its prompt."""

    evidence: tuple[Evidence, ...]
    said: tuple[_Said, ...]


class Sections:
    """Suits what did not fit into one prompt, and a whole document that is longer than a section."""

    name: ClassVar[str] = "sections"

    def __init__(self, *, most: int = 12, at_once: int = 2, size: int = SECTION_TOKENS) -> None:
        """Make a drafter.

        Args:
            most: Most sections that are read for one answer.
            at_once: Sections that are read at the same time; an answer is looked for after each such batch.
            size: Tokens of a section.

        Raises:
            ValueError: one of them is not positive.
        """
        if min(most, at_once, size) < 1:
            raise ValueError("give at least one section, one at once, and one token of size")
        self._most = most
        self._at_once = at_once
        self._size = size

    def suits(self, task: Task) -> bool:
        """Say whether there is more than one prompt should hold."""
        if task.left_out:
            return True
        whole = asks_whole(task.asked) and not task.question.choices
        return whole and sum(estimate_tokens(item.text) for item in task.evidence) > self._size

    async def draft(self, task: Task) -> AsyncGenerator[Piece, None]:
        """Yield evidence that was not in the first prompt before the text that cites it; last how much was read."""
        room = min(self._size, max(1, task.budget // 2))
        sections = cut(_numbered(task), size=room)
        picked = chosen(sections, task.asked, most=self._most)
        everything = asks_whole(task.asked)
        known = {item.id for item in task.evidence}
        said: list[_Said] = []
        done = 0
        async with aclosing(self._batches(task, picked)) as batches:
            async for batch in batches:
                done += len(batch)
                for item in (item for read in batch for item in read.evidence):
                    if item.id not in known:
                        known.add(item.id)
                        yield _entire(item, task)
                for one in _unsaid([one for read in batch for one in read.said], said):
                    if everything:
                        yield _written(one.claim)
                if not everything and _best(said) >= _ENOUGH:
                    break
        if not everything:
            for one in said:
                if one.nearness >= _best(said) - _ABOUT:
                    yield _written(one.claim)
        yield Coverage(done, len(sections))

    async def _batches(self, task: Task, sections: Sequence[tuple[Evidence, ...]]) -> AsyncGenerator[list[_Read], None]:
        for start in range(0, len(sections), self._at_once):
            batch = sections[start : start + self._at_once]
            yield await _together([_read(task, section) for section in batch])


def cut(evidence: Sequence[Evidence], *, size: int) -> list[tuple[Evidence, ...]]:
    """Cut evidence into sections, in its order; what is longer than a section by itself goes into several.

    Parts of one piece of evidence keep its id, so that what cites them is checked against the whole of it.
    """
    sections: list[tuple[Evidence, ...]] = []
    here: list[Evidence] = []
    left = size
    for item in evidence:
        for part in _parts(item, size):
            cost = estimate_tokens(part.text)
            if here and (cost > left or here[-1].id == part.id):
                sections.append(tuple(here))
                here, left = [], size
            here.append(part)
            left -= cost
    return [*sections, tuple(here)] if here else sections


def chosen(sections: Sequence[tuple[Evidence, ...]], asked: str, *, most: int) -> list[tuple[Evidence, ...]]:
    """Return the sections to read, in the order of reading.

    The gist of a text is taken from sections spread over it, everything of a kind from those nearest to the question in
    their order, and an answer from the nearest first.
    """
    count = min(most, len(sections))
    if asks_whole(asked):
        if count == len(sections):
            return list(sections)
        if summarises(asked):
            return [sections[place * len(sections) // count] for place in range(count)]
    terms = informative(asked)
    held = [coverage(terms, [item.text for item in section]) for section in sections]
    order = sorted(range(len(sections)), key=lambda place: -held[place])[:count]
    return [sections[place] for place in (sorted(order) if asks_whole(asked) else order)]


def repeats(claim: DraftClaim, other: DraftClaim) -> bool:
    """Say whether two claims say the same: the same figures, the same negation, and nearly the same words."""
    mine, theirs = informative(claim.text), informative(other.text)
    return (
        negated(claim.text) == negated(other.text)
        and min(coverage(mine, [other.text]), coverage(theirs, [claim.text])) >= _SAME
        and not missing(extract(claim.text), other.text)
        and not missing(extract(other.text), claim.text)
    )


async def _together(reading: Sequence[Coroutine[None, None, _Read]]) -> list[_Read]:
    """Wait for all; when one fails, or the question is given up, let go of the others."""
    tasks = [asyncio.ensure_future(one) for one in reading]
    try:
        return [await task for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(task: Task, section: tuple[Evidence, ...]) -> _Read:
    """Ask the model about one section."""
    options: dict[str, Any] = {"max_tokens": _REPLY_TOKENS} | dict(task.sampling)
    pieces = cast(AsyncGenerator[str, None], stream_text(task.chat, task.over(section), **options))
    async with aclosing(pieces) as deltas:
        text = "".join([delta async for delta in deltas])
    alone = (section[0].id,) if len(section) == 1 else ()  # one passage in the prompt: there is nothing else to cite
    held = {item.id: sentences(item.text) for item in section}
    return _Read(
        section,
        tuple(
            _said(DraftClaim(claim.text, claim.cites or alone), held, task.asked)
            for claim in split(text, known=held.keys())
            if not is_refusal(claim.text)
        ),
    )


def _said(claim: DraftClaim, held: Mapping[str, list[str]], asked: str) -> _Said:
    rests_on = [part for id_ in claim.cites for part in best_window(informative(claim.text), held[id_])]
    return _Said(claim, coverage(informative(asked), [claim.text, *rests_on]))


def _numbered(task: Task) -> list[Evidence]:
    """Return all evidence in its order, what did not fit into the first prompt with new ids, as far as ids go."""
    ids = counting(int(task.next_id))
    later = [item.model_copy(update={"id": str(number)}) for item, number in zip(task.left_out, ids, strict=False)]
    return [item for item in (*task.evidence, *later) if int(item.id) <= _LAST_ID]


def _entire(item: Evidence, task: Task) -> Evidence:
    """Return evidence as it was found, of which a section may have held a part."""
    found = task.left_out[int(item.id) - int(task.next_id)]
    return found.model_copy(update={"id": item.id})


def _parts(item: Evidence, size: int) -> Iterator[Evidence]:
    """Yield a piece of evidence, or parts of it that fit a section, cut between sentences where there are any."""
    if estimate_tokens(item.text) <= size:
        yield item
        return
    text = ""
    for start, end in split_sentences(item.text):
        for at in range(start, end, size):  # a character is at most a token
            piece = item.text[at : min(at + size, end)]
            if text and estimate_tokens(text) + estimate_tokens(piece) > size:
                yield item.model_copy(update={"text": text.strip()})
                text = ""
            text += piece
    if text.strip():
        yield item.model_copy(update={"text": text.strip()})


def _unsaid(fresh: Sequence[_Said], said: list[_Said]) -> list[_Said]:
    """Return what was not said before, and add it to what was."""
    new = []
    for one in fresh:
        if not any(repeats(one.claim, other.claim) for other in said):
            said.append(one)
            new.append(one)
    return new


def _best(said: Sequence[_Said]) -> float:
    return max((one.nearness for one in said), default=0.0)


def _written(claim: DraftClaim) -> str:
    return f"{claim.text} {''.join(f'[{id_}]' for id_ in claim.cites)}\n"

"""Closed questions: the answer is one of the given choices, chosen by probabilities and shown with what carries it.

The draft is one sentence: the choice, and a sentence of the evidence word for word with its citation.

    No: "There was no significant difference between the groups (p = 0.71)." [1]

What the checks can vouch for is that the sentence stands in the cited passage and that the choice says nothing beside
it that the passage contradicts. That the choice *follows* is the model's judgement, corrected by what it would say
without reading (`deciding`) and, for yes, no and maybe, by a fitted combination with cues of the text (`polarity`). So
the sentence is shown, for a person to judge.

Yields nothing, and leaves the question to the next way of drafting, when the evidence has no sentence, or when the
model tells no probabilities.

Not covered: choices that only several sentences together decide; "none of the above".
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from typing import ClassVar, Final

from app.answering.checking.opposites import negated
from app.answering.checking.support import coverage, informative
from app.answering.choosing.carrying import Sentence, carrying
from app.answering.choosing.chosen import chosen
from app.answering.choosing.deciding import MOST_CHOICES
from app.answering.choosing.polarity import Polarity, polar
from app.answering.drafters.contract import Piece, Short, Task
from retrieval.language import Language

__all__ = ["Closed"]

_STOP: Final = re.compile(r"[.!?。！？…][\"'”’」』)）]*$")
_NEGATED: Final = re.compile(
    r"\b(?:no|not|none|neither|nor|without|cannot|fail\w*|similar|comparable)\b|n't\b|不|没有|未|无", re.IGNORECASE
)
_AGREES: Final = 0.3
"""What it counts for a sentence that it is negated when the choice is no, or not when it is yes."""

_BARE: Final[dict[Language, str]] = {"en": '"{sentence}" [{source}]', "zh": "“{sentence}”[{source}]"}
_SHAPES: Final[dict[Language, str]] = {
    "en": '{choice}: "{sentence}" [{source}]',
    "zh": "{choice}：“{sentence}”[{source}]",
}


class Closed:
    """Suits questions that come with choices."""

    name: ClassVar[str] = "closed"

    def suits(self, task: Task) -> bool:
        """Say whether there are choices, as many as have letters, all different."""
        choices = task.question.choices
        return 2 <= len(choices) <= MOST_CHOICES and len(set(choices)) == len(choices)

    async def draft(self, task: Task) -> AsyncGenerator[Piece, None]:
        """Yield the choice with the sentence that carries it, or nothing."""
        sentences = carrying(task.asked, task.evidence)
        if not sentences:
            return
        choices, language = task.question.choices, task.question.language
        scores = await chosen(
            task.chat, task.asked, choices, findings=[one.text for one in sentences], language=language
        )
        if not scores:
            return
        choice = max(choices, key=lambda one: scores[one])
        sentence = _carrier(choice, sentences)
        yield Short(choice)
        yield _written(choice, sentence, language)


def _written(choice: str, sentence: Sentence, language: Language) -> str:
    """Return the draft's sentence.

    A "no" before a sentence without negation would read, to the checks, as that sentence turned around: it stands then
    in the bare answer alone, and the sentence speaks for itself.
    """
    text = _ended(sentence.text, language)
    if negated(choice) and not negated(text):
        return _BARE[language].format(sentence=text, source=sentence.source)
    return _SHAPES[language].format(choice=choice[0].upper() + choice[1:], sentence=text, source=sentence.source)


def _carrier(choice: str, sentences: Sequence[Sentence]) -> Sentence:
    """Return the sentence to quote: the one that fits the question, and the choice, best."""
    polarity = polar((choice,))
    if not polarity:
        terms = informative(choice)
        return max(sentences, key=lambda one: one.fit + coverage(terms, [one.text]))
    wanted = {Polarity.YES: False, Polarity.NO: True}.get(polarity[choice])

    def agreement(one: Sentence) -> float:
        return one.fit + _AGREES * (wanted is not None and bool(_NEGATED.search(one.text)) is wanted)

    return max(sentences, key=agreement)


def _ended(text: str, language: Language) -> str:
    """Return a sentence that ends as one, with quotation marks inside that are not those around it."""
    inner = text.replace('"', "'").replace("“", "‘").replace("”", "’")
    return inner if _STOP.search(inner) else inner + ("。" if language == "zh" else ".")

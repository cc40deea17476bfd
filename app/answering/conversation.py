"""Makes a follow-up stand alone where the fixed rules of `domains.followups` only join it to what was said before.

The rules come first and always have a wording. The model is asked only about a follow-up that leans on the earlier
turns, once, for one sentence, from a history that is compressed into a budget. What it writes is taken only when it
adds nothing: every name, number, date and code in it was spoken before, and most of its other words; it keeps the
figures of the follow-up, half of its words, its language and its negation; and it leans on nothing itself.
Otherwise the wording of the rules stands. So a model that makes things up can make a question clumsier, not other.

Earlier answers are ours or, through the API, whatever the client sends as such: data, made harmless like a passage.

Not covered: a rewrite that names the wrong one of two things that were both spoken of. The question that was answered
is kept with the record, so that a reader can see it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from app.answering.abstain import is_refusal
from app.answering.checking.opposites import negated
from app.answering.checking.support import coverage, informative, sentences
from app.answering.checking.values import extract, missing
from app.answering.prompt import estimate_tokens, harmless
from domains.contract import Question, Turn
from domains.followups import leans, only_a_year
from model.client import stream_text
from model.errors import ModelError
from retrieval.language import CJK, Language, language_of

__all__ = ["HISTORY_TOKENS", "compressed", "language_in", "messages_for", "reworded", "taken"]

HISTORY_TOKENS: Final = 300
"""Most tokens of the earlier turns in the prompt of a rewrite: about two seconds of reading on two cores."""

_REPLY_TOKENS: Final = 64
_LONGEST: Final = 400
"""Characters of a rewrite; a longer one is an answer, or does not stop."""

_ANSWER_SENTENCES: Final = 2
_NAME: Final = re.compile(r"(?<=\S\s)[\"“(]?([A-Z][\w&-]*)|\b(\w*\d\w*|[A-Z]{2,}\w*)")
_WORD: Final = re.compile(r"[\w&-]+")
_LEAST_SPOKEN: Final = 0.5
"""Share of a rewrite's informative terms that the conversation must hold. The rest are the words that make a question
of a piece of one ("contents", "process"); names and figures must all have been spoken."""

_WHOLE_PAIR: Final = 4.0
"""Weight of a pair of ideographs of which neither is a filler."""

_LEAST_KEPT: Final = 0.5
"""Share of the follow-up's own informative terms that a rewrite must keep: less is another question."""

_LETTERS: Final = re.compile(r"[^\W\d_]")
_FORM: Final = re.compile(
    r"^\s*(?:(?:rewritten |stand-?alone )?question|改写后的问题|改写|问题)\s*[:：]\s*", re.IGNORECASE
)

_RULES: Final[dict[Language, str]] = {
    "en": (
        "Rewrite the last question so that it can be understood without the conversation. Replace words like it, they"
        " or there by the names they stand for. Use only words of the conversation. Do not answer. Write the question"
        " alone, in English."
    ),
    "zh": (
        "改写最后一个问题，使它不看对话也能读懂：把“它”“该公司”“那”等词换成所指的名称。只使用对话里出现过的词语。"
        "不要回答。只写出一个中文问题。"
    ),
}
_TURN: Final[dict[Language, str]] = {
    "en": "Question: {question}\nAnswer: {answer}",
    "zh": "问题：{question}\n回答：{answer}",
}
_LAST: Final[dict[Language, str]] = {
    "en": "Last question: {question}\nRewritten:",
    "zh": "最后一个问题：{question}\n改写：",
}

Count = Callable[[str], int]


async def reworded(question: Question, chat: BaseChatModel, *, count: Count = estimate_tokens) -> Question:
    """Return the question, its text rewritten by the model where the rules can only join it to the turns before.

    A model that cannot be asked, or that fails, leaves the question as it is: its rules' wording stands.
    """
    if not question.history or not leans(question.text, question.language) or only_a_year(question):
        return question
    said = ""
    try:
        options: dict[str, Any] = {"max_tokens": _REPLY_TOKENS}
        pieces = stream_text(chat, messages_for(question, count=count), **options)
        async with aclosing(cast(Any, pieces)) as deltas:
            async for delta in deltas:
                said += delta
                if len(said) > _LONGEST or "\n" in said.strip():
                    break
    except ModelError:  # what failed here will fail, and be told, where it matters
        return question
    wording = taken(said, question)
    return question if wording is None else replace(question, text=wording)


def taken(said: str, question: Question) -> str | None:
    """Return what the model wrote as a question, if it adds nothing to the conversation; else None."""
    text = _FORM.sub("", said.strip().partition("\n")[0]).strip().strip('"“”')
    if not 0 < len(text) <= _LONGEST or not _LETTERS.search(text) or is_refusal(text):
        return None
    if language_of(text) != question.language or negated(text) != negated(question.text):
        return None
    spoken = [question.text, *(part for turn in question.history for part in (turn.question, turn.answer))]
    adds = missing(extract(text), "\n".join(spoken)) or any(name not in _words(spoken) for name in _names(text))
    drops = missing(extract(question.text), text) or coverage(informative(question.text), [text]) < _LEAST_KEPT
    if adds or drops or leans(text, question.language):
        return None
    return text if coverage(informative(text), spoken) >= _LEAST_SPOKEN else None


def _names(text: str) -> set[str]:
    """Return what may be a name: in Chinese any word may, so every pair of ideographs that is none of grammar's is."""
    marked = {(capital or figure).casefold() for capital, figure in _NAME.findall(text)}
    return marked | {term for term, weight in informative(text).items() if CJK.match(term) and weight >= _WHOLE_PAIR}


def _words(texts: Sequence[str]) -> set[str]:
    whole = "\n".join(texts)
    return {word.casefold() for word in _WORD.findall(whole)} | set(informative(whole))


def messages_for(question: Question, *, count: Count = estimate_tokens) -> tuple[BaseMessage, ...]:
    """Return the prompt of a rewrite."""
    language = question.language
    turns = compressed(question.history, question.text, budget=HISTORY_TOKENS, count=count)
    parts = [_TURN[language].format(question=harmless(turn.question), answer=harmless(turn.answer)) for turn in turns]
    request = "\n".join([*parts, _LAST[language].format(question=harmless(question.text))])
    return SystemMessage(_RULES[language]), HumanMessage(request)


def compressed(history: Sequence[Turn], text: str, *, budget: int, count: Count = estimate_tokens) -> tuple[Turn, ...]:
    """Return the latest turns that fit into a budget, each answer cut to the sentences nearest to the question.

    Args:
        history: Oldest first.
        text: The question that the turns are wanted for.
        budget: Most tokens of all questions and answers together.
        count: Counts the tokens of a text.
    """
    kept: list[Turn] = []
    left = budget
    for turn in reversed(history):
        short = Turn(turn.question.strip()[:_LONGEST], _nearest(turn.answer, f"{turn.question} {text}"))
        cost = count(short.question) + count(short.answer)
        if cost > left:
            short = Turn(short.question, "")
            cost = count(short.question)
        if cost > left:
            break
        left -= cost
        kept.append(short)
    return tuple(reversed(kept))


def language_in(text: str, history: Sequence[Turn]) -> Language:
    """Return the language of a question; one of figures and marks alone ("2022?") has that of the question before."""
    if _LETTERS.search(text) or not history:
        return language_of(text)
    return language_in(history[-1].question, history[:-1])


def _nearest(answer: str, text: str) -> str:
    """Return the first sentence of an answer and the one that shares most with a text, in their order."""
    parts = sentences(answer)
    if len(parts) <= _ANSWER_SENTENCES:
        return " ".join(parts)[:_LONGEST]
    terms = informative(text)
    best = max(range(1, len(parts)), key=lambda place: coverage(terms, [parts[place]]))
    return f"{parts[0]} {parts[best]}"[:_LONGEST]

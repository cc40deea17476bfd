"""Whether a question leaves open what it is about, and the one question that is asked back then.

"What awards has the actor received?" has no answer before someone says which actor. A question is taken to be open when

- it speaks of one of a kind ("the actor", "this clinic", 该公司, 这个基金), a kind of which there are always many
  (`_KINDS`), and says nothing that tells which: no name before it, no "of …", "in Oslo", "who …" behind it;
- neither what was said before nor the evidence tells: the word does not stand in the last turns, and the evidence comes
  from no document or from several. Who has put in one contract may well ask for "the term of the contract".

The question back is a template that holds words of the user and names of documents, and so can state nothing.

Measured on MTRAG-UN (DEV), without the model: see docs/answers.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from app.answering.harmless import defang
from domains.contract import Question, Style, Turn
from retrieval.language import CJK, Language
from retrieval.types import Evidence

__all__ = ["open_word", "question_back"]

_KINDS: Final = """
    account actor agency agreement airport album animal applicant app athlete author award bank bill book
    branch building candidate card case championship city claimant client clinic college committee company
    contract contractor council country county course court customer decision defendant department director
    disease doctor document drug election employee employer engine event factory film firm fund game hospital
    hotel hurricane institution insurer invoice judge lake law lawyer lease lender library loan machine mayor
    medication medicine merger minister model mountain movie museum nation novel office operator organisation
    organization parcel park partner patient person plaintiff plan plant player policy president product
    program programme project province region regulation report river school season seller series server show
    singer site song species stadium stock storm subsidiary supplier team tenant tournament town trial
    university vaccine vehicle vendor village war website
"""
_MANY: Final = frozenset(_KINDS.split())

_ONE: Final = re.compile(r"\b(?:the|this|that)\s+(?=(?P<words>[\w'’-]+(?:\s+[\w'’-]+){0,3}))", re.IGNORECASE)
_TELLS: Final = frozenset(
    [
        "about",
        "and",
        "at",
        "between",
        "by",
        "called",
        "for",
        "from",
        "itself",
        "named",
        "of",
        "on",
        "or",
        "that",
        "to",
        "where",
        "which",
        "who",
        "whose",
        "with",
    ]
)
"""Words behind a noun that say which one is meant, or make it a part of something longer."""

_PLACED: Final = re.compile(r"\s+(?:in|during|since|before|after)\s+(?:the\s+)?(?:[A-Z]|\d)")
_LINKS: Final = frozenset(
    [
        "a",
        "an",
        "as",
        "did",
        "does",
        "do",
        "for",
        "from",
        "in",
        "is",
        "are",
        "was",
        "were",
        "of",
        "on",
        "or",
        "and",
        "to",
        "with",
        "has",
        "have",
        "it",
        "can",
    ]
)
_LONGEST: Final = 3
"""Words that are looked at behind "the" for the one that names the kind."""

_NAME: Final = re.compile(r"(?<!^)(?<![.!?]\s)\b[A-Z][\w'’.-]*|\d")
_ZH: Final = re.compile(
    r"(?:这|那)(?:一)?(?:个|家|款|种|本|部|位|项|份|只|支|座|所|场|名)(?P<words>[\u4e00-\u9fff]{1,6}?)(?=的|是|有|在|能|会|被|由|何|什|多|$|\W)"
    r"|(?:^|\W)(?:该|此)(?P<more>公司|基金|合同|产品|药物|药品|银行|项目|患者|病人|医院|法院|案件|作者|演员|国家|城市|报告|机构|企业|学校)"
)
_NAME_ZH: Final = re.compile(r"[《“\"「]|[A-Za-z]{2,}|\d")
_CAPITAL: Final = re.compile(r"[A-Z]")
_MOST_NAMES: Final = 3
_BACK_TURNS: Final = 2
"""Turns back in which a kind's word counts as said: then it is known which one is meant."""


_LONGEST_QUESTION: Final = 300
"""Characters above which a question is taken to tell a case of its own, whose words speak of each other."""

_BACK: Final[dict[Language, str]] = {"en": "Which {words} do you mean?", "zh": "您指的是哪一个“{words}”？"}
_NAMES: Final[dict[Language, str]] = {
    "en": " The nearest documents are: {names}.",
    "zh": "最接近的文档是：{names}。",
}


def open_word(question: Question, evidence: Sequence[Evidence]) -> str | None:
    """Return the words of a question that leave open what is meant, or None when nothing does.

    Args:
        question: As it was asked, with its history.
        evidence: What was found for it.
    """
    one_document = len({item.locator.document_id for item in evidence}) == 1
    if one_document or question.choices or question.style is not Style.FULL or len(question.text) > _LONGEST_QUESTION:
        return None
    found = _open_zh(question.text) if question.language == "zh" else _open_en(question.text)
    if found is None or _was_said(found, question.history):
        return None
    return found


def question_back(words: str, evidence: Sequence[Evidence], language: Language) -> str:
    """Return the question that is asked back.

    Args:
        words: From `open_word`.
        evidence: Its documents are named, up to three of them.
        language: Of the question.
    """
    names = list(dict.fromkeys(defang(item.locator.document) for item in evidence))[:_MOST_NAMES]
    asked = _BACK[language].format(words=words)
    return asked + (_NAMES[language].format(names=("、" if language == "zh" else ", ").join(names)) if names else "")


def _open_en(text: str) -> str | None:
    for sentence in re.split(r"(?<=[.?!])\s+", text.strip()):
        for found in _ONE.finditer(sentence):
            if _NAME.search(sentence[: found.start()]):
                break
            words = _kind(found["words"].split())
            if words and not _PLACED.match(sentence[found.start("words") + len(words) :]):
                return re.sub(r"['’]s$", "", words)
    return None


def _kind(words: Sequence[str]) -> str | None:
    """Return the first words up to one that names a kind, unless what follows it tells which one is meant."""
    for place, word in enumerate(words[:_LONGEST]):
        bare = re.sub(r"['’]s$", "", word)
        after = words[place + 1] if place + 1 < len(words) else ""
        if word.lower() in _LINKS or _CAPITAL.search(word):
            return None
        if _singular(bare.lower()) in _MANY and (bare != word or _singular(after.lower()) not in _MANY):
            told = after.lower() in _TELLS or bool(_CAPITAL.search(after[:1]))
            return None if told and bare == word else " ".join(words[: place + 1])
        if bare != word:
            return None
    return None


def _singular(word: str) -> str:
    return word if word in _MANY or not word.endswith("s") else word.removesuffix("s")


def _open_zh(text: str) -> str | None:
    found = _ZH.search(text)
    if found is None or _NAME_ZH.search(text):
        return None
    return found["words"] or found["more"]


def _was_said(words: str, history: Sequence[Turn]) -> bool:
    head = re.escape(_singular(words.split()[-1].lower()))
    said = re.compile(head if CJK.match(words) else rf"\b{head}", re.IGNORECASE)
    return any(said.search(f"{turn.question} {turn.answer}") for turn in history[-_BACK_TURNS:])

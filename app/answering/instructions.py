"""Sentences of evidence that speak to the assistant: kept from the model, and no support for anything.

The screen at ingestion withholds whole passages that give commands to a language model (`retrieval.screen`). What it
must let pass there, since the passage around it is worth finding, is judged here sentence by sentence:

- what that screen finds in the sentence alone;
- a command about the reply itself: what to put into it, how to write, encode or change it, in which language;
- make-believe that is to be taken for fact: "let's imagine a scenario where we say that ...";
- what stands in a comment of HTML, which no reader sees.

Such a sentence, with the block of code that it hands over, is blanked out in the copy of the evidence that the model
and the checks get. The reader, the digest and the record keep the evidence as it is. So a command changes nothing: the
model never reads it, and a model that obeyed it all the same (it stands in an earlier turn, say) would find no support.

Not covered: a sentence that merely asks for something ("What is the capital of Brazil?", "Write a poem"), which no rule
tells from a letter's own question: what a model answers to it is in no passage, so the checks strike it out. Lies, as
statements of fact, are statements. Other languages than English and Chinese but for what `retrieval.screen` knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app.answering.harmless import visible
from retrieval.screen import screen
from retrieval.sentences import split_sentences
from retrieval.types import Evidence

__all__ = ["Reading", "read_as_data", "speaks_to_assistant"]

_START: Final = (
    r"(?:^|[.!?;:,>*#|\n()\[{}\"'“‘«]\s*|\s-\s*"
    r"|\b(?:please|now|then|also|and|but|to|simply|kindly|remember\s+to|hesitate\s+to|consider|must|should|shall)\s+)"
)
"""Where a clause without a subject begins."""

_REPLY: Final = r"(?:repl(?:y|ies)|responses?|answers?|outputs?|elucidation|completion|summary)"
_CODE: Final = r"(?:code(?:base)?|implementation|algorithm|solution)"
_PUT: Final = (
    r"(?:add|append|augment|combine|convert|craft|embed(?:ding)?|encode|encrypt|end|enhance|enrich|ensure|express|feature|"
    r"fill|finish|format|incorporat(?:e|ing)|inject|insert|integrat(?:e|ing)|interweave|introduce|includ(?:e|ing)|infuse|"
    r"invert|limit|mention|misspell|modify|adjust|alter|obfuscate|place|prefix|present|preface|produce|provide|"
    r"rearrange|remove|render|repeat|replace|restrict|reverse|rewrite|say|scramble|shift|shuffle|sprinkle|start|state|"
    r"steer|substitute|supplement|switch|translate|turn|twist|use|using|weave|write)"
)
_TOLD: Final = r"(?:repl(?:y|ying)|respond(?:ing)?|answer(?:ing)?|speak(?:ing)?)"

_COMMANDS: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        _START + _PUT + r"\b(?:[^.!?\n]|\.(?=\S)){0,160}?\byour\s+(?:[\w-]+\s+){0,2}?" + _REPLY + r"\b",
        r"(?:^|[.!?;:\n]\s*)(?:with)?in\s+your\s+(?:\w+\s+){0,2}?(?:"
        + _REPLY
        + r"|message)\s*,?\s*(?:please\s+)?(?:always\s+)?[a-z]+\b",
        _START + _TOLD + r"\s+(?:only\s+|always\s+|exclusively\s+|back\s+)?(?:in\s+(?!(?:detail|full|writing|person|"
        r"court|kind|time|turn|accordance|respect|the\s+(?:space|box|affirmative|negative))\b)|with\s+(?:the\s+word|only|"
        r"nothing|just|\")|using\s+(?:only|emoji|base))",
        r"\b(?:can|could|would|will)\s+you\s+(?:please\s+|kindly\s+)?(?:only\s+)?(?:"
        + _TOLD
        + r"\s+(?:only\s+)?(?:in|with|using)\b|"
        + _PUT
        + r"\b[^.!?\n]{0,80}?\byour\s+(?:[\w-]+\s+){0,2}?(?:"
        + _REPLY
        + r"|message)\b)",
        _START
        + r"[a-z]+\b[^.!?\n]{0,80}?\b(?:words|letters|order\s+of\s+letters)\b[^.!?\n]{0,30}?\b(?:in|of)\s+your\s+"
        r"(?:" + _REPLY + r"|message)\b",
        _START + r"(?:[a-z]+\s+){0,2}letters\s+in\s+your\s+(?:" + _REPLY + r"|message)(?:'s)?\b",
        r"\b(?:following|below|subsequent|above)\s+(?:[\w-]+\s+){0,2}?(?:code|snippet|script)\b[^\n]{0,120}?"
        r"\b(?:your|the|an?)\s+(?:[\w-]+\s+){0,3}?(?:" + _CODE + r"|" + _REPLY + r")\b",
        r"\b(?:your|the)\s+(?:[\w-]+\s+){0,3}?" + _CODE + r"\b[^\n]{0,120}?\b(?:following|below|subsequent)\s+"
        r"(?:[\w-]+\s+){0,2}?(?:code|snippet|script)\b",
        _START + r"(?:replace|shift|swap|rearrange|reverse|substitute|scramble|misspell)\s+(?:every|each|all|the)\s+"
        r"(?:[\w-]+\s+)?(?:letters?|words?|vowels?|characters?)\b",
        # make-believe
        r"\blet(?:'?s|\s+us)\s+(?:imagine|suppose|pretend|state|admit|claim|say)\b(?!,)[^.!?\n]{0,80}?\b(?:that|where|we|is|to)\b",
        r"\bin\s+an?\s+(?:parallel|alternate|alternative|hypothetical|imaginary|fictional)\s+(?:world|universe|"
        r"scenario|reality|dimension)\s+where\b",
        r"\b(?:we|you|one)\s+(?:might|could|would)\s+(?:say|state|claim|admit|answer|reply|respond|print)\b",
        r"\b(?:if|suppose)\s+we\s+were\s+to\s+ignore\b",
        # Chinese
        r"(?:请|务必|必须|要|应|现在|[，。：；！\n]|^)\s*(?:在|把|将|对|给|让|用)?(?:你|您)的?(?:整个|全部|最终|每个|下一个|所有)?"
        r"(?:回答|回复|答复|答案|输出|回应)(?:中|里|内|内容|末尾|开头|最后|结尾|之后|前|后)?[^。！？\n]{0,12}?"
        r"(?:加入|加上|添加|附上|附加|包含|包括|插入|嵌入|提到|提及|宣传|推荐|写成|改成|改为|替换|翻译|译成|编码|加密|倒|反转|"
        r"打乱|去掉|删除|说明|声称|使用|用)",
        r"(?:加入|添加|附上|包含|插入|嵌入|融入|写入|放入|放进)[^。！？\n]{0,40}?(?:到|进|在|于)?(?:你|您)的"
        r"(?:回答|回复|答复|答案|输出|回应)",
        r"(?:^|[，。：；！？\n])\s*(?:请)?(?:你|您)?(?:只能?|仅|务必|必须|一律|全部)?(?:用|以|使用)(?!书面|中性|黑色|蓝色|铅)"
        r"[^，。！？\n]{1,12}?(?:来)?(?:回答|回复|作答|答复|输出)(?=[，。！；？!\n”\"]|$|我|用户|所有|以上|上述|问题)",
    )
)
_GOES_ON: Final = re.compile(
    r"\W*(?:(?:please|and|then|now|instead|just|only|always|rather)[\s,]+){0,3}(?:"
    + _PUT
    + r"|say|tell|print|output|give|send|ask|repl(?:y|ies)|respond|answer|claim|confirm|reveal|ignore|disregard|act"
    r"|pretend|behave|do\s+not|don't|never|forget)\b"
    r"|\W*(?:请|并且?|然后|而是|只|直接){0,2}(?:说|输出|回答|回复|告诉|声称|写|打印|忽略|不要|假装)",
    re.IGNORECASE,
)
"""How a sentence begins that goes on with the order of the sentence before it."""

_COMMENT: Final = re.compile(r"<!--.*?(?:-->|$)", re.DOTALL)
_CODE_BLOCK: Final = re.compile(r"\s*```.*?(?:```|$)", re.DOTALL)
_SUSPECT: Final = re.compile(
    r"\byou[r]?\b|let'?s|let\s+us|\bwe\s+(?:might|could|would|were)|\bone\s+(?:might|could|would)|"
    r"(?:following|below|subsequent|above)\b|\b(?:reply|respond|answer|speak)|where\b|\bletters?\b|\bvowels?\b|\b(?:all|every|each)\s+words?\b|你|您|回答|回复|作答|答复|输出",
    re.IGNORECASE,
)
"""Words of which one must be there before the patterns are tried."""

_TOGETHER: Final = 3
"""Sentences that are looked at together where the text as a whole speaks to the assistant and none does alone."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A piece of evidence as the model and the checks get it.

    Attributes:
        found: As it was found.
        evidence: Without hidden characters and without those sentences; the very same object where there are none. The
            digest stays that of the evidence as it was found.
        kept_out: The sentences, in order.
    """

    found: Evidence
    evidence: Evidence
    kept_out: tuple[str, ...] = ()


def speaks_to_assistant(text: str) -> bool:
    """Say whether a sentence gives the assistant a command or asks it to take make-believe for fact."""
    if screen(text) is not None:
        return True
    return bool(_SUSPECT.search(text)) and any(pattern.search(text) for pattern in _COMMANDS)


def read_as_data(item: Evidence) -> Reading:
    """Return a piece of evidence without what speaks to the assistant in it."""
    seen = visible(item.text)
    spans = sorted(_kept_out(seen))
    text, kept_out, done = "", [], 0
    for start, end in spans:
        if end <= done:
            continue
        text += seen[done : max(start, done)]
        kept_out.append(seen[max(start, done) : end].strip())
        done = end
    text += seen[done:]
    return Reading(item, item if text == item.text else item.model_copy(update={"text": text}), tuple(kept_out))


def _kept_out(text: str) -> Iterator[tuple[int, int]]:
    comments = [match.span() for match in _COMMENT.finditer(text)] if "<!--" in text else []
    yield from comments
    rest = _blanked(text, comments)
    if not speaks_to_assistant(rest):
        return
    spans = list(_parts(rest))
    alone = list(_orders(rest, spans))
    found = alone or list(_in_company(rest, spans)) or [(0, len(text))]
    for start, end in found:
        block = _CODE_BLOCK.match(text, end)
        yield start, block.end() if block else end


def _orders(text: str, spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the sentences that give orders, and those after one that go on with it."""
    ordered = False
    for start, end in spans:
        sentence = text[start:end]
        ordered = speaks_to_assistant(sentence) or (ordered and bool(_GOES_ON.match(sentence)))
        if ordered:
            yield start, end


def _blanked(text: str, spans: list[tuple[int, int]]) -> str:
    """Return a text of the same length, with blanks in these places."""
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _parts(text: str) -> Iterator[tuple[int, int]]:
    """Yield the sentences, cut at line ends too: a command put into a text has lines of its own."""
    for start, end in split_sentences(text):
        for line in re.finditer(r"[^\n]+", text[start:end]):
            yield start + line.start(), start + line.end()


def _in_company(text: str, spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for size in range(2, _TOGETHER + 1):
        for place in range(len(spans) - size + 1):
            start, end = spans[place][0], spans[place + size - 1][1]
            if speaks_to_assistant(text[start:end]):
                yield start, end

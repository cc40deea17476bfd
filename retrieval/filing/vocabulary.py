"""Other words for what a question asks: those that documents of the field write.

Who asks for the quick ratio of a company finds no page that says so: the balance sheet lists current assets,
inventories and current liabilities. A `Vocabulary` knows for each thing that people ask for the words under which
documents hold it. They are searched beside the words of the question.

A vocabulary is the common knowledge of a field, as its textbooks have it; any package may make one. The one for
financial statements is `retrieval.filing.accounting`.

Not covered: phrases in other forms than those listed (only case, hyphens and plurals are overlooked), and languages
other than English and Chinese.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from retrieval.language import Language, language_of

__all__ = ["Concept", "Vocabulary"]

_HYPHEN: Final = re.compile(r"[-\u2010-\u2014/]")
_LETTER: Final = r"[^\W_]"


@dataclass(frozen=True, slots=True)
class Concept:
    """Something that people ask for.

    `asked` are the phrases by which they do, in any language; `written` the words of documents, by language.
    """

    asked: tuple[str, ...]
    written: Mapping[Language, str]


class Vocabulary:
    """The concepts of a field. Read only, and safe to share between threads."""

    def __init__(self, concepts: Iterable[Concept]) -> None:
        """Index the phrases; the order of the concepts is that of the words in an expansion."""
        self._concepts = tuple(concepts)
        self._by_phrase: dict[str, list[int]] = {}
        for number, concept in enumerate(self._concepts):
            for phrase in concept.asked:
                self._by_phrase.setdefault(_plain(phrase), []).append(number)
        self._phrases = _pattern(self._by_phrase)

    def expansion(self, question: str) -> str:
        """Return the words that documents write for what a question asks, each once; "" when it asks nothing known.

        A Chinese question gets the English words after the Chinese ones, since it may be asked of an English document.
        """
        found = {self._key(match[0]): None for match in self._phrases.finditer(_plain(question))}
        numbers = sorted({number for phrase in found for number in self._by_phrase[phrase]})
        languages: tuple[Language, ...] = ("zh", "en") if language_of(question) == "zh" else ("en",)
        texts = (self._concepts[n].written.get(language, "") for language in languages for n in numbers)
        return " ".join(dict.fromkeys(word for text in texts for word in text.split()))

    def _key(self, said: str) -> str:
        """Return the phrase under which what was said is listed: as it is, or in the singular."""
        return next(form for form in (said, said.removesuffix("s"), said.removesuffix("es")) if form in self._by_phrase)


def _plain(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).lower()
    return " ".join(_HYPHEN.sub(" ", plain).split())


def _pattern(phrases: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern for any of the phrases as a whole, in the plural too; Chinese has neither word ends nor plurals.

    Of two phrases that begin at one place the longer is found.
    """
    longest_first = sorted(phrases, key=lambda phrase: (-len(phrase), phrase))
    words = "|".join(re.escape(phrase) for phrase in longest_first if phrase.isascii())
    ideographs = "|".join(re.escape(phrase) for phrase in longest_first if not phrase.isascii())
    sides = [rf"(?<!{_LETTER})(?:{words})(?:e?s)?(?!{_LETTER})"] if words else []
    return re.compile("|".join([*sides, ideographs] if ideographs else sides) or r"(?!)")

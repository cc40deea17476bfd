"""Answers as HTML for the chat. Whatever came from a model, a user or a document is text here, never markup.

The chat component runs Markdown and then a sanitizer over what it is given. So every character that either could take
for markup is written as a numeric character reference: an image, a link or a tag in a passage or a draft stays
visible as the characters it is made of.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from app.answering.harmless import visible
from app.answering.types import Answer, Claim, Verdict
from retrieval.language import Language
from retrieval.types import Evidence, EvidenceKind
from ui.words import say, say_reason

__all__ = ["answer_html", "failure_html", "plain", "progress_html", "view_path"]

_ACTIVE: Final = re.compile(r"[^\w\s,;.。，；：？！、]|_")
_MARK: Final = re.compile(r"\[(\d+)\]")
_EXCERPT: Final = 400
"""Characters of a source that are shown under an answer."""


def plain(text: str) -> str:
    """Return a text with every active character as a numeric reference, and line ends as breaks.

    What a reader cannot see (`harmless.visible`) is left out.
    """
    return _ACTIVE.sub(lambda found: f"&#{ord(found.group())};", visible(text)).replace("\n", "<br>")


def view_path(item: Evidence) -> str:
    """Return the address of the page that holds this evidence, with the passage to highlight."""
    where = item.locator
    path = f"/view/{where.document_id}/{where.page or 1}"
    return path if item.passage_id is None else f"{path}?passage={item.passage_id}"


def progress_html(claims: Sequence[Claim], draft: str, note: str, language: Language) -> str:
    """Return an answer in the making: what was checked, then what was drafted since, marked as unchecked."""
    parts = [f"<p>{' '.join(_claim(claim) for claim in claims)}</p>"] if claims else []
    if draft.strip():
        parts.append(f'<p class="vouch-draft">{plain(draft)} <span>{say("unchecked", language)}</span></p>')
    elif note:
        parts.append(f'<p class="vouch-note">{plain(note)}</p>')
    return "".join(parts)


def answer_html(answer: Answer) -> str:
    """Return a finished answer: text with links, sources, what was struck out, notice and record."""
    language = answer.language
    by_id = {item.id: item for item in answer.evidence}
    cited = {mark for claim in answer.claims if claim.verdict is Verdict.SUPPORTED for mark in claim.cites}
    struck = [claim for claim in answer.claims if claim.verdict is not Verdict.SUPPORTED]
    parts = [f"<p>{_linked(answer.text, by_id)}</p>"]
    shown = [item for item in answer.evidence if answer.abstained or item.id in cited]
    if shown:
        title = say("nearest" if answer.abstained else "sources", language)
        rows = "".join(f"<li>{_source(item, _carrying(item, answer.claims), language)}</li>" for item in shown)
        parts.append(f'<div class="vouch-sources"><b>{title}</b><ol>{rows}</ol></div>')
    if struck:
        rows = "".join(f"<li><del>{plain(claim.text)}</del> {_why(claim, language)}</li>" for claim in struck)
        parts.append(f"<details><summary>{say('struck', language, n=len(struck))}</summary><ul>{rows}</ul></details>")
    if answer.kept_out:
        parts.append(f'<p class="vouch-note">{say("kept_out", language, n=sum(answer.kept_out.values()))}</p>')
    if answer.ended:
        parts.append(f'<p class="vouch-note">{say(f"ended_{answer.ended}", language)}</p>')
    if answer.notice:
        parts.append(f'<p class="vouch-note">{plain(answer.notice)}</p>')
    record = say("record", language, n=answer.receipt.entry, leaf=answer.receipt.leaf[:16])
    parts.append(f'<p class="vouch-note">{record}</p>')
    return "".join(parts)


def failure_html(message: str, remedy: str) -> str:
    """Return an error as the reader meets it in the chat."""
    return f'<p class="vouch-failure"><b>{plain(message)}</b><br>{plain(remedy)}</p>'


def _claim(claim: Claim) -> str:
    text = plain(claim.text)
    return text if claim.verdict is Verdict.SUPPORTED else f"<del>{text}</del>"


def _linked(text: str, by_id: dict[str, Evidence]) -> str:
    parts = []
    last = 0
    for mark in _MARK.finditer(text):
        parts.append(plain(text[last : mark.start()]))
        item = by_id.get(mark.group(1))
        parts.append(_link(item, f"[{item.id}]") if item else plain(mark.group()))
        last = mark.end()
    return "".join([*parts, plain(text[last:])])


def _why(claim: Claim, language: Language) -> str:
    return plain(say_reason(claim.reason, language))


def _carrying(item: Evidence, claims: Sequence[Claim]) -> list[Claim]:
    """Return the supported claims that cite a piece of evidence."""
    return [claim for claim in claims if claim.verdict is Verdict.SUPPORTED and item.id in claim.cites]


def _source(item: Evidence, claims: Sequence[Claim], language: Language) -> str:
    """Return where the evidence stands and its words: those that carry the claims, or how it begins."""
    where = item.locator
    title = where.document + (f", {say('page', language, n=where.page)}" if where.page else "")
    if item.kind is EvidenceKind.COMPUTATION:
        title = f"{say('computed', language)}: {title}"
    quotes = list(dict.fromkeys(claim.quote for claim in claims if claim.quote and claim.quote in item.text))
    words = " … ".join(quotes) or item.text
    excerpt = words if len(words) <= _EXCERPT else f"{words[:_EXCERPT]}…"
    note = f" <em>{say('corrected', language)}</em>" if any(claim.corrected for claim in claims) else ""
    return f"{_link(item, f'[{item.id}] {title}')}{note}<br><small>{plain(excerpt)}</small>"


def _link(item: Evidence, text: str) -> str:
    return f'<a href="{view_path(item)}" target="_blank" rel="noopener">{plain(text)}</a>'

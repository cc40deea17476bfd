"""The page where people ask: Gradio Blocks over the one service.

The last question can be asked again (Gradio's retry: not from the cache, and with other sampling) and taken back into
the box to be changed (undo). Both take the place of the last answer; the record keeps all of them, and says which one
replaces which.

Documents and the model's state are drawn by `static/page.js` from the REST API, so that uploads do not pass through
Gradio's file cache. The conversation is Gradio's; what it shows is made in `ui.render`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import gradio as gr

from app.answering.conversation import language_in
from app.answering.types import Checked, Claim, Draft, Finished, Retrieved
from app.api.ask import question_of
from app.api.guard import authenticate
from app.errors import BadRequest, describe
from app.service import Service
from domains.contract import Turn
from retrieval.parsing.formats import SUFFIXES
from ui.render import answer_html, failure_html, plain, progress_html
from ui.words import CATALOG, say

__all__ = ["CSS", "HEAD", "I18N", "THEME", "build"]

_STATIC: Final = Path(__file__).parent / "static"
CSS: Final = _STATIC / "page.css"
HEAD: Final = '<script src="/static/page.js" defer></script>'
I18N: Final = gr.I18n(
    en={key: words["en"] for key, words in CATALOG.items()}, zh={key: words["zh"] for key, words in CATALOG.items()}
)
THEME: Final = gr.themes.Base(
    primary_hue="teal",
    neutral_hue="slate",
    font=["system-ui", "Segoe UI", "Noto Sans CJK SC", "sans-serif"],  # no font is fetched from a network
    font_mono=["ui-monospace", "monospace"],
)

_HISTORY: Final = 10
"""Turns of the conversation that go with a question."""

Messages = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Spoken:
    """The conversation beside what is shown of it.

    Attributes:
        turns: A question, and its answer's text and id, for each pair of messages; both None where there was none.
        replaces: Id of the answer that the next question takes the place of.
    """

    turns: tuple[tuple[str, str | None, str | None], ...] = ()
    replaces: str | None = None

    @property
    def history(self) -> tuple[Turn, ...]:
        """The last answered questions."""
        answered = tuple(Turn(asked, told) for asked, told, _ in self.turns if told is not None)
        return answered[-_HISTORY:]

    def without_last(self) -> Spoken:
        """Return the conversation before the last question, whose answer the next one replaces."""
        *before, (_, _, answer_id) = self.turns
        return Spoken(tuple(before), answer_id)


Step = tuple[Messages, Spoken, str]
"""What is shown, what was spoken, and what stands in the box."""


def build(service: Service) -> gr.Blocks:
    """Build the page."""
    with gr.Blocks(title="Vouch", analytics_enabled=False, fill_height=True) as page:
        turns = gr.State(Spoken())
        with gr.Sidebar(width=340):
            gr.HTML('<div id="vouch-status" role="status" aria-live="polite"></div>', container=False)
            gr.HTML(_documents(), container=False)
        gr.HTML(
            '<header id="vouch-head"><h1>Vouch</h1><p data-say="tagline"></p>'
            '<a id="vouch-audit" href="/audit" data-say="audit_open" hidden></a></header>',
            container=False,
        )
        chat = gr.Chatbot(
            elem_id="vouch-chat",
            show_label=False,
            height="62vh",
            buttons=["copy"],
            placeholder=I18N("empty"),
            allow_tags=False,
            feedback_options=None,
        )
        with gr.Row(equal_height=True):
            box = gr.Textbox(
                show_label=False,
                placeholder=I18N("ask"),
                lines=1,
                max_lines=6,
                scale=8,
                elem_id="vouch-question",
                autofocus=True,
                max_length=service.settings.max_question_chars,
            )
            send = gr.Button(I18N("send"), variant="primary", scale=1, min_width=90, elem_id="vouch-send")
            stop = gr.Button(I18N("stop"), scale=1, min_width=90)
        with gr.Row():
            domain = gr.Dropdown(_choices(service), value="", label=I18N("domain"), scale=1, min_width=180)
            fresh = gr.Button(I18N("new"), scale=1, min_width=140, size="sm")

        async def respond(
            text: str, chosen: str, shown: Messages, spoken: Spoken, request: gr.Request
        ) -> AsyncIterator[Step]:
            async for step in _respond(service, text, chosen, shown, spoken, request):
                yield step

        async def again(chosen: str, shown: Messages, spoken: Spoken, request: gr.Request) -> AsyncIterator[Step]:
            if spoken.turns:
                text, before = spoken.turns[-1][0], spoken.without_last()
                async for step in _respond(service, text, chosen, shown[:-2], before, request):
                    yield step

        asked = gr.on(
            [send.click, box.submit], respond, [box, domain, chat, turns], [chat, turns, box], show_progress="hidden"
        )
        retried = chat.retry(again, [domain, chat, turns], [chat, turns, box], show_progress="hidden")
        chat.undo(_taken_back, [chat, turns], [chat, turns, box])
        stop.click(None, cancels=[asked, retried])
        fresh.click(lambda: ([], Spoken()), None, [chat, turns])
        for name, plugin in sorted(service.registry.plugins.items()):
            panel = plugin.panel()
            if panel is not None:
                with gr.Accordion(plugin.titles["en"], open=False, elem_id=f"vouch-panel-{name}"):
                    panel()
    return page.queue(default_concurrency_limit=service.settings.max_concurrent_answers)


def _taken_back(shown: Messages, spoken: Spoken) -> Step:
    """Put the last question back into the box; the next one takes its answer's place."""
    if not spoken.turns:
        return shown, spoken, ""
    return shown[:-2], spoken.without_last(), spoken.turns[-1][0]


async def _respond(
    service: Service, text: str, chosen: str, shown: Messages, spoken: Spoken, request: gr.Request
) -> AsyncIterator[Step]:
    language = language_in(text, spoken.history)
    shown = [*shown, {"role": "user", "content": plain(text)}]
    open_turn = replace(spoken, turns=(*spoken.turns, (text, None, spoken.replaces)))

    def saying(html: str, kept: Spoken = open_turn) -> Step:
        return [*shown, {"role": "assistant", "content": html}], kept, ""

    claims: list[Claim] = []
    draft = ""
    note = say("searching", language)
    yield saying(progress_html(claims, draft, note, language))
    try:
        if not text.strip():
            raise BadRequest("There is no question.", remedy="Write what you want to know.")
        caller = authenticate(service, request.headers.get("authorization"))
        question = question_of(text, caller, history=spoken.history, replaces=spoken.replaces)
        async for event in service.events(question, principal=caller, domain=chosen or None):
            match event:
                case Retrieved(evidence):
                    note = say("reading", language, n=len(evidence))
                case Draft(piece):
                    draft += piece
                case Checked(claim):
                    claims.append(claim)
                    draft = ""
                case Finished(answer):
                    turn = (text, answer.text, answer.id)
                    yield saying(answer_html(answer), Spoken((*spoken.turns, turn)))
                    return
            yield saying(progress_html(claims, draft, note, language))
    except Exception as error:  # noqa: BLE001 - the chat is the place where this reader meets a failure
        found = describe(error)
        yield saying(failure_html(found.message, found.remedy))


def _choices(service: Service) -> list[tuple[str, str]]:
    titled = [
        (f"{plugin.titles['en']} · {plugin.titles['zh']}", name)
        for name, plugin in sorted(service.registry.plugins.items())
    ]
    return [(f"{say('auto', 'en')} · {say('auto', 'zh')}", ""), *titled]


def _documents() -> str:
    return (
        '<section id="vouch-documents"><h2 data-say="documents"></h2>'
        '<label class="vouch-add" for="vouch-files"><b data-say="add"></b><small data-say="formats"></small></label>'
        '<input id="vouch-files" type="file" multiple accept="' + ",".join(SUFFIXES) + '">'
        '<ul id="vouch-list" aria-live="polite"></ul></section>'
    )

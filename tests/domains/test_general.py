"""The domain for everything: what it searches for, and how follow-ups are made to stand alone."""

from __future__ import annotations

from domains.contract import Question, Turn
from domains.general.plugin import General
from retrieval.language import language_of
from retrieval.types import Scope
from tests.contracts.domain_plugin import DomainPluginContract

REVENUE = "What was the revenue of Larkfield Paper in 2021?"
REVENUE_ZH = "青禾纸业2021年的营业收入是多少？"


def ask(text: str, *before: str) -> Question:
    history = tuple(Turn(question, "An answer.") for question in before)
    return Question(text=text, language=language_of(text), scope=Scope.nobody(), history=history)


class TestGeneral(DomainPluginContract):
    plugin_class = General
    question_texts = (REVENUE, REVENUE_ZH, "and in 2022?", "它呢？")

    def test_a_question_without_history_is_searched_as_it_is(self, plugin):
        made = self.prepare(plugin, ask("and in 2022?"))
        assert (made.queries, made.question) == (("and in 2022?",), None)

    def test_a_follow_up_is_searched_whole_first_and_as_it_is_second(self, plugin):
        made = self.prepare(plugin, ask("and in 2022?", REVENUE))
        assert made.question == "What was the revenue of Larkfield Paper in 2022?"
        assert made.queries == (made.question, "and in 2022?")

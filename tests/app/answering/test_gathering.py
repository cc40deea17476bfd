"""Evidence from tools and search: run, refused when it is none, and numbered in one row."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest
from langchain_core.tools import BaseTool, tool

from app.answering.gathering import ToolFailed, numbered, run_tools
from app.answering.types import Verdict
from domains.contract import Desk, DomainError, DomainPlugin, Preparation, Question, ToolCall
from domains.registry import Registry
from retrieval.types import Evidence, EvidenceKind, Locator
from tests.app.answering.conftest import passage


def computation(text: str) -> Evidence:
    where = Locator(document_id="tool", document="calculation")
    return Evidence.of("7", text, where, kind=EvidenceKind.COMPUTATION)


@tool(response_format="content_and_artifact")
def ratio(a: float, b: float) -> tuple[str, list[Evidence]]:
    """Divide a by b."""
    text = f"The ratio is {a / b:.1f}."
    return text, [computation(text)]


@tool
def plain() -> str:
    """Return text and no evidence."""
    return "The ratio is 2.0."


@tool(response_format="content_and_artifact")
async def forbidden() -> tuple[str, list[Evidence]]:
    """Refuse with a sentence for the user."""
    raise DomainError("Only whole years can be compared.", remedy="Give a year.")


class Ratios(DomainPlugin):
    name: ClassVar[str] = "ratios"
    titles: ClassVar[Mapping[Any, str]] = {"en": "Ratios", "zh": "比率"}

    def __init__(self, *calls: ToolCall) -> None:
        self._calls = calls

    async def prepare(self, question: Question, desk: Desk) -> Preparation:
        return Preparation(queries=(question.text,), calls=self._calls, instructions="Name the ratio.")

    def tools(self) -> Sequence[BaseTool]:
        return (ratio, plain, forbidden)


def run(*calls: ToolCall) -> list[Evidence]:
    return asyncio.run(run_tools(Ratios(), calls))


def test_tools_run_in_order_and_give_their_evidence():
    made = run(ToolCall("ratio", {"a": 6, "b": 3}), ToolCall("ratio", {"a": 9, "b": 3}))
    assert [item.text for item in made] == ["The ratio is 2.0.", "The ratio is 3.0."]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (ToolCall("launch", {}), "does not exist"),
        (ToolCall("ratio", {"a": 1, "b": 0}), "failed"),
        (ToolCall("ratio", {"a": "much"}), "failed"),
        (ToolCall("plain", {}), "gave no evidence"),
    ],
)
def test_a_tool_that_gives_no_evidence_is_an_error_that_names_it(call, said):
    with pytest.raises(ToolFailed, match=said) as caught:
        run(call)
    assert call.tool in caught.value.message
    assert "ratios" in caught.value.message


def test_what_a_tool_says_to_the_user_reaches_the_user():
    with pytest.raises(DomainError, match="whole years"):
        run(ToolCall("forbidden", {}))


def test_evidence_is_numbered_in_one_row_and_kept_once():
    first, second = passage("Alpha."), passage("Beta.", number=2)
    row = numbered([computation("The ratio is 2.0.")], [first, second, first])
    assert [(item.id, item.text) for item in row] == [("1", "The ratio is 2.0."), ("2", "Alpha."), ("3", "Beta.")]
    assert [item.digest for item in row][1:] == [first.digest, second.digest]


def test_the_result_of_a_tool_is_evidence_like_any_other(desk, registry):
    plugins = Registry({**registry.plugins, "ratios": Ratios(ToolCall("ratio", {"a": 6, "b": 3}))})
    made = desk(["Ratios matter."], "The ratio is 2.0 [1]. The ratio is 4.0 [1].", plugins=plugins)
    answer = made.answer("What is the ratio?", domain="ratios")
    assert [claim.verdict for claim in answer.claims] == [Verdict.SUPPORTED, Verdict.CONTRADICTED]
    assert answer.text == "The ratio is 2.0 [1]."
    assert [item.kind for item in answer.evidence] == [EvidenceKind.COMPUTATION, EvidenceKind.PASSAGE]
    assert made.chat.seen[0][0].content.endswith("Name the ratio.")
    assert made.sink.entries[-1].body["tools"] == ["ratio"]


def test_a_tool_that_fails_closes_the_record(desk, registry):
    plugins = Registry({**registry.plugins, "ratios": Ratios(ToolCall("ratio", {"a": 1, "b": 0}))})
    made = desk(["Ratios matter."], "x", plugins=plugins)
    with pytest.raises(ToolFailed):
        made.answer("What is the ratio?", domain="ratios")
    last = made.sink.entries[-1]
    assert (last.outcome, last.body["error"], made.chat.seen) == ("error", "tool_failed", [])

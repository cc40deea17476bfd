"""Collects the evidence of a question: what tools return and what the search finds, numbered in one row.

For a question about a document as a whole the search finds the document, and all of its passages are the evidence.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool

from app.answering.whole import asks_whole, document_of
from domains.contract import DomainError, DomainPlugin, Searcher, ToolCall
from retrieval.types import Evidence, Scope

__all__ = ["Finder", "ToolFailed", "numbered", "run_tools"]


class ToolFailed(DomainError):
    """A domain named a tool that it does not have, or a tool gave no evidence."""

    code: ClassVar[str] = "tool_failed"


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds passages for a question; each of its parts is called in a thread.

    Attributes:
        searcher: Finds the nearest.
        expand: Adds what stands around them.
        whole: Gives all passages of a document in its order.
        passages: How many are searched for.
    """

    searcher: Searcher
    expand: Callable[[list[Evidence], Scope], list[Evidence]]
    whole: Callable[[str, Scope], list[Evidence]]
    passages: int

    async def found_for(self, asked: str, queries: Sequence[str], scope: Scope) -> list[Evidence]:
        """Return what was found for the wording of a question and its queries."""
        found = await asyncio.to_thread(self.searcher.search, queries, scope, k=self.passages)
        document = document_of(found) if asks_whole(asked) else None
        if document is not None and (everything := await asyncio.to_thread(self.whole, document, scope)):
            return everything
        return await asyncio.to_thread(self.expand, found, scope)


async def run_tools(plugin: DomainPlugin, calls: Sequence[ToolCall]) -> list[Evidence]:
    """Run a domain's tools in order and return their evidence.

    Raises:
        ToolFailed: there is no such tool, it failed, or its artifact is no list of evidence.
    """
    tools = {tool.name: tool for tool in plugin.tools()} if calls else {}
    return [item for call in calls for item in await _run(plugin, tools.get(call.tool), call)]


async def _run(plugin: DomainPlugin, tool: BaseTool | None, call: ToolCall) -> list[Evidence]:
    if tool is None:
        raise _failed(plugin, call, "does not exist")
    request = {"type": "tool_call", "name": call.tool, "args": dict(call.arguments), "id": uuid.uuid4().hex}
    try:
        message = await tool.ainvoke(request)
    except DomainError:
        raise
    except Exception as error:  # a tool may raise anything; its text may hold data, so it is chained and not shown
        raise _failed(plugin, call, "failed") from error
    artifact = message.artifact if isinstance(message, ToolMessage) and message.status != "error" else None
    if not isinstance(artifact, list | tuple) or not all(isinstance(item, Evidence) for item in artifact):
        raise _failed(plugin, call, "gave no evidence")
    return list(artifact)


def numbered(*groups: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Give evidence the ids "1", "2", … in one row, leaving out what is there twice."""
    row: dict[tuple[str, str, int | None], Evidence] = {}
    for item in (item for group in groups for item in group):
        row.setdefault((item.digest, item.locator.document_id, item.locator.start), item)
    return tuple(item.model_copy(update={"id": str(number)}) for number, item in enumerate(row.values(), 1))


def _failed(plugin: DomainPlugin, call: ToolCall, what: str) -> ToolFailed:
    return ToolFailed(
        f"The tool {call.tool!r} of the domain {plugin.name!r} {what}.",
        remedy="Ask again, or without this domain; if it stays, tell whoever maintains the domain.",
    )

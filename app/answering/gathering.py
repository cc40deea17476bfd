"""Collects the evidence of a question: what tools return and what the search finds, numbered in one row."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import ClassVar

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool

from domains.contract import DomainError, DomainPlugin, ToolCall
from retrieval.types import Evidence

__all__ = ["ToolFailed", "numbered", "run_tools"]


class ToolFailed(DomainError):
    """A domain named a tool that it does not have, or a tool gave no evidence."""

    code: ClassVar[str] = "tool_failed"


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

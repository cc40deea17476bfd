"""Answers "why was transaction T-17 flagged?" with what was computed, as evidence; nothing is explained anew."""

from __future__ import annotations

import re
from typing import Final, Literal

from langchain_core.tools import BaseTool, tool

from domains.contract import ToolCall
from domains.finance.transactions.errors import TransactionError
from domains.finance.transactions.results import Result
from domains.finance.transactions.scoring import Scoring
from retrieval.language import Language
from retrieval.types import Evidence, EvidenceKind, Locator

__all__ = ["NAME", "call_for", "told", "why_flagged"]

NAME: Final = "transaction_why_flagged"
_ASKED: Final = re.compile(
    r"(?:transaction|交易)\s*(?:no\.?|id|编号|号)?\s*[#:：]?\s*([A-Za-z0-9][\w.-]{2,127})", re.I | re.A
)
_DECISION: Final = {"allow": "放行", "note": "记录", "review": "人工复核", "block": "拦截"}


def call_for(question: str, *, language: Language) -> ToolCall | None:
    """Return the call that answers a question about one transaction; None where no id with a digit in it is named."""
    found = next((name for name in _ASKED.findall(question) if any(sign.isdigit() for sign in name)), None)
    return None if found is None else ToolCall(NAME, {"transaction_id": found.rstrip("."), "language": language})


def why_flagged(scoring: Scoring) -> BaseTool:
    """Build the tool around the scoring."""

    @tool(NAME, response_format="content_and_artifact")
    def run(transaction_id: str, language: Literal["en", "zh"] = "en") -> tuple[str, list[Evidence]]:
        """Tell how a transaction was scored, why, and which rules held."""
        try:
            text = told(scoring.result(transaction_id), language)
        except TransactionError as error:
            return error.message, []
        where = Locator(document_id="finance-transactions", document="scored transactions", cell=transaction_id)
        return text, [Evidence.of("1", text, where, kind=EvidenceKind.RECORD)]

    return run


def told(result: Result, language: Language) -> str:
    """Write a result as sentences."""
    share, when = f"{result.probability:.1%}", result.time.isoformat(timespec="seconds")
    if language == "zh":
        lines = [f"交易{result.id}（{when}）的风险概率为{share}，处理结果为{_DECISION[result.decision]}。"]
        lines += [f"规则“{rule.zh}”成立。" for rule in result.rules]
        lines += [f"{reason.zh}，对数几率{reason.contribution:+.2f}。" for reason in result.reasons]
    else:
        lines = [f"Transaction {result.id} of {when} has a risk of {share}; the decision is {result.decision}."]
        lines += [f'The rule "{rule.en}" holds.' for rule in result.rules]
        lines += [f"{reason.en}, {reason.contribution:+.2f} log-odds." for reason in result.reasons]
    return "\n".join(lines)

"""Questions about any documents: searched as they were asked, follow-ups made to stand alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from domains.contract import Desk, DomainPlugin, Preparation, Question
from domains.followups import queries, stand_alone
from retrieval.language import Language

__all__ = ["General"]


class General(DomainPlugin):
    """The domain that takes what no other domain claims."""

    name: ClassVar[str] = "general"
    titles: ClassVar[Mapping[Language, str]] = {"en": "All documents", "zh": "全部文档"}
    repeatable: ClassVar[bool] = True

    async def prepare(self, question: Question, desk: Desk) -> Preparation:
        """Search for the question itself, and for a follow-up together with what it follows."""
        return Preparation(queries=queries(question), question=stand_alone(question))

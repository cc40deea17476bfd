"""The plugin: what finance adds to a question, its routes and its evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from domains.contract import Desk, DomainPlugin, Preparation, Question
from retrieval.language import Language

__all__ = ["Finance"]


class Finance(DomainPlugin):
    """Finance risk. It computes; the model only explains what was computed."""

    name: ClassVar[str] = "finance"
    titles: ClassVar[Mapping[Language, str]] = {"en": "Finance risk", "zh": "金融风险"}

    async def prepare(self, question: Question, desk: Desk) -> Preparation:
        """Search for the question as it stands."""
        return Preparation(queries=(question.text,))

"""The one function that scores choices, for the way of drafting (`drafters.closed`) and for what measures it."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.language_models import BaseChatModel

from app.answering.choosing.deciding import STRENGTH, decide
from app.answering.choosing.polarity import polar, settled
from retrieval.language import Language

__all__ = ["chosen"]


async def chosen(
    chat: BaseChatModel,
    question: str,
    choices: Sequence[str],
    *,
    findings: Sequence[str] | None = None,
    empty: str | None = None,
    language: Language = "en",
) -> dict[str, float]:
    """Return the score of each choice, in nats, or nothing when the model tells no probabilities.

    Args:
        chat: The model.
        question: What is asked.
        choices: Two to 26 answers, all different.
        findings: Sentences to answer from; None for a question of mere knowledge, which nothing can check.
        empty: The question without its content, for calibration.
        language: Of the prompt.

    Raises:
        ValueError: the choices are none that `decide` takes.
        ModelError: from the model.
    """
    fitted = polar(choices) if findings is not None else {}
    scores = await decide(
        chat,
        question,
        choices,
        findings=findings,
        empty=empty,
        language=language,
        strength=0.0 if fitted else STRENGTH,
    )
    return settled(fitted, findings or (), scores) if scores and fitted else scores

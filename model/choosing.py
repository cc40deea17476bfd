"""How likely a served model finds each of a few next words: one token, no text.

A judgement that costs a single step when the messages before it are already in the prefix cache, and that gives a
number where a written "yes" or "no" gives a bit. Choices are told apart by how they begin, so no two may begin alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from model.client import translated

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage

__all__ = ["log_odds", "next_words"]

_TOP: Final = 20
"""Most that OpenAI's protocol, and vLLM by default, tell of a place."""


async def next_words(
    chat: BaseChatModel, messages: Sequence[BaseMessage], choices: Sequence[str]
) -> Mapping[str, float]:
    """Return the natural logarithm of the probability of each choice as the next word of the reply.

    A choice that is not among the 20 likeliest tokens gets the probability of the last of them, which bounds its own
    from above. A token stands for each choice that it is a beginning of, or that is a beginning of it.

    Args:
        chat: Any chat model that tells log-probabilities.
        messages: The prompt.
        choices: Words that differ in their first letters, such as ``("Yes", "No")``.

    Returns:
        Nothing at all when the model tells no probabilities: the caller has to do without.

    Raises:
        ValueError: there are no choices, or one is empty.
        ModelError: as `model.client.stream_text` says.
    """
    if not choices or not all(choice.strip() for choice in choices):
        raise ValueError("give choices, none of them empty")
    from langsmith import tracing_context

    asking = chat.bind(logprobs=True, top_logprobs=_TOP, max_tokens=1, temperature=0.0)
    try:
        with tracing_context(enabled=False):
            reply = await asking.ainvoke(list(messages))
    except Exception as error:  # any chat model may stand here, and raise whatever it likes
        raise translated(error, started=False) from error
    return _of_choices(_first_place(reply.response_metadata), choices)


def log_odds(words: Mapping[str, float], yes: str, no: str) -> float | None:
    """Return log P(yes) - log P(no) in nats, or None where the model told nothing."""
    return words[yes] - words[no] if yes in words and no in words else None


def _first_place(metadata: Mapping[str, Any]) -> Mapping[str, float]:
    """Return the log-probabilities that a reply's metadata tells of its first token."""
    content = (metadata.get("logprobs") or {}).get("content") or ()
    if not content:
        return {}
    place = content[0]
    return {item["token"]: float(item["logprob"]) for item in (*(place.get("top_logprobs") or ()), place)}


def _of_choices(place: Mapping[str, float], choices: Sequence[str]) -> dict[str, float]:
    if not place:
        return {}
    floor = min(place.values())
    shares = dict.fromkeys(choices, 0.0)
    for token, logprob in place.items():
        start = token.strip().casefold()
        for choice in choices:
            word = choice.strip().casefold()
            if start and (word.startswith(start) or start.startswith(word)):
                shares[choice] += math.exp(logprob)
    return {choice: math.log(share) if share > 0 else floor for choice, share in shares.items()}

"""What a request to vLLM may ask for: the fields that are taken, and how much of each.

vLLM bounds the context and little else: one request may ask for ten thousand replies (CVE-2026-34756), the probability
of every token of a long prompt, a chat template of its own (CVE-2026-115911: a program that the server runs),
pictures from any address (CVE-2026-24779), or tensors in place of words (CVE-2025-62164). The service that stands in
front asks for none of it. So the fields are listed, as routes are in `model.allow_list`: what is not listed is refused
by name, and what is listed has a bound.

Not covered: that many requests within the bounds keep the machine busy; how many are answered at a time is bounded in
the service. Slow senders: the address is loopback.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from model.grammar_limits import response_format, structured_outputs
from model.request_checks import Check, LimitExceeded, boolean, in_list, integer, number, one_of, text
from model.vllm.policies import DOMAIN, domain_fields

__all__ = ["BODY_BYTES", "LimitExceeded", "check_request"]

BODY_BYTES: Final = 4 << 20
"""The largest context of the settings, 131,072 tokens, as Chinese in UTF-8 with room for JSON's marks."""
PROMPT_CHARACTERS: Final = 600_000
"""Four and a half a token of that context. vLLM splits a text into tokens before it looks whether they fit."""
REPLIES: Final = 8
"""Replies that one request may ask for: as many as are computed at a time on a CPU."""
REPLY_TOKENS: Final = 4_096
"""The most that the setting ``answer_tokens`` allows."""
MESSAGES: Final = 256
SCORED_CHARACTERS: Final = 2_048
"""Longest prompt whose own tokens may be scored: each costs the whole vocabulary in float32, 0.6 MB."""
_INT64: Final = 1 << 63
_TOKENS: Final = 131_072
_TOKEN_ID: Final = integer(0, 1 << 24)


def _domain(name: str, value: Any) -> None:
    if not isinstance(value, Mapping) or set(value) != {DOMAIN}:
        raise LimitExceeded(name, f"{name} holds something other than {DOMAIN}.", f'Give {{"{DOMAIN}": NAME}} alone.')
    text(64)(f"{name}.{DOMAIN}", value[DOMAIN])


def _logit_bias(name: str, value: Any) -> None:
    if not isinstance(value, Mapping) or len(value) > 300:
        raise LimitExceeded(name, f"{name} is no object of at most 300 tokens.", "Bias fewer tokens.")
    for key, bias in value.items():
        if not (key.isascii() and key.isdigit() and len(key) <= 8):
            raise LimitExceeded(name, f"A key of {name} is no token's number.", "Give numbers of tokens as keys.")
        number(-100, 100)(name, bias)


def _stop(name: str, value: Any) -> None:
    in_list(16, text(128))(name, [value] if isinstance(value, str) else value)


def _stream_options(name: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise LimitExceeded(name, f"{name} is no object.", "Give an object.")
    for key, item in value.items():
        one_of("include_usage", "continuous_usage_stats")(f"{name}.{key}", key)
        if item is not None:
            boolean(f"{name}.{key}", item)


def _messages(name: str, value: Any) -> None:
    in_list(MESSAGES, _message)(name, value)
    characters = sum(_characters(message.get("content")) for message in value)
    if characters > PROMPT_CHARACTERS:
        raise LimitExceeded(
            name, f"The messages have {characters} characters.", f"At most {PROMPT_CHARACTERS} are taken."
        )


def _message(name: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise LimitExceeded(name, "A message is no object.", "Give role and content.")
    for key, item in value.items():
        if key == "role":
            one_of("system", "developer", "user", "assistant")(f"{name}.role", item)
        elif key == "name":
            text(64)(f"{name}.name", item)
        elif key != "content":
            raise LimitExceeded(f"{name}.{key}", "This part of a message is not taken.", "Give role and content alone.")
    content = value.get("content")
    for part in content if isinstance(content, list) else ():
        if not isinstance(part, Mapping) or part.get("type") != "text" or set(part) != {"type", "text"}:
            raise LimitExceeded(
                f"{name}.content",
                "A part of a message is no text.",
                "Send text; pictures, sound and files are not taken.",
            )
        text(PROMPT_CHARACTERS)(f"{name}.content", part["text"])


def _characters(content: Any) -> int:
    if isinstance(content, list):
        return sum(len(part["text"]) for part in content)
    text(PROMPT_CHARACTERS)("messages.content", content)
    return len(content)


def _prompt(name: str, value: Any) -> None:
    for each in _prompts(value):
        if isinstance(each, str):
            text(PROMPT_CHARACTERS)(name, each)
        else:
            in_list(_TOKENS, _TOKEN_ID)(name, each)


def _prompts(value: Any) -> list[Any]:
    """Return the prompts of a completion: one text or list of tokens, or several of them."""
    several = isinstance(value, list) and value and isinstance(value[0], str | list)
    return value if several else [value]


_COMMON: Final[Mapping[str, Check]] = {
    "model": text(128),
    "stream": boolean,
    "stream_options": _stream_options,
    "user": text(256),
    "cache_salt": text(128),
    "vllm_xargs": _domain,
    "n": integer(1, REPLIES),
    "max_tokens": integer(0, REPLY_TOKENS),
    "min_tokens": integer(0, REPLY_TOKENS),
    "seed": integer(-_INT64, _INT64 - 1),
    "temperature": number(0, 2),
    "top_p": number(0, 1),
    "top_k": integer(-1, 1_000_000),
    "min_p": number(0, 1),
    "frequency_penalty": number(-2, 2),
    "presence_penalty": number(-2, 2),
    "repetition_penalty": number(0.01, 10),
    "logit_bias": _logit_bias,
    "stop": _stop,
    "stop_token_ids": in_list(64, _TOKEN_ID),
    "bad_words": in_list(64, text(64)),
    "allowed_token_ids": in_list(1_024, _TOKEN_ID),
    "include_stop_str_in_output": boolean,
    "ignore_eos": boolean,
    "skip_special_tokens": boolean,
    "spaces_between_special_tokens": boolean,
    "add_special_tokens": boolean,
    "truncate_prompt_tokens": integer(-1, _TOKENS),
    "truncation_side": one_of("left", "right"),
    "return_token_ids": boolean,
    "return_tokens_as_token_ids": boolean,
    "response_format": response_format,
    "structured_outputs": structured_outputs,
}

_FIELDS: Final[Mapping[str, Mapping[str, Check]]] = {
    "/v1/chat/completions": {
        **_COMMON,
        "messages": _messages,
        "max_completion_tokens": integer(0, REPLY_TOKENS),
        "logprobs": boolean,
        "top_logprobs": integer(0, 20),
        "add_generation_prompt": boolean,
        "continue_final_message": boolean,
    },
    "/v1/completions": {
        **_COMMON,
        "prompt": _prompt,
        "logprobs": integer(0, 20),
        "echo": boolean,
        "prompt_logprobs": integer(0, 5),
    },
}


def check_request(path: str, body: bytes) -> None:
    """Check the body of a request to one of the two routes that compute.

    Raises:
        LimitExceeded: it is no JSON object, has a field that is not listed, or asks for more than a bound.
    """
    fields = _FIELDS[path]
    request = _parsed(body)
    for name, value in request.items():
        if name not in fields:
            raise LimitExceeded(name, "This field is not taken here.", "Leave it out; docs/serving.md lists all.")
        if value is not None:
            fields[name](name, value)
    _check_domain(request)
    if path == "/v1/completions":
        _check_together(request)


def _check_domain(request: Mapping[str, Any]) -> None:
    """Check that the cached keys and values of a domain, which differ from another's, are kept for it alone."""
    salt, extra = request.get("cache_salt") or "", request.get("vllm_xargs")
    expected = domain_fields(extra[DOMAIN])["cache_salt"] if extra else ""
    if (expected or salt.startswith(f"{DOMAIN}:")) and salt != expected:
        raise LimitExceeded(
            "cache_salt", "The salt is not that of the request's domain.", f'It is "{DOMAIN}:" and the domain\'s name.'
        )


def _check_together(request: Mapping[str, Any]) -> None:
    """Check what several fields of a completion ask for together."""
    prompts = _prompts(request.get("prompt"))
    if len(prompts) * (request.get("n") or 1) > REPLIES:
        raise LimitExceeded("prompt", f"{len(prompts)} prompts.", f"At most {REPLIES} replies a request are taken.")
    scored = request.get("prompt_logprobs") is not None or request.get("echo")
    if scored and sum(len(prompt or "") for prompt in prompts) > SCORED_CHARACTERS:
        raise LimitExceeded(
            "prompt",
            "The prompt is too long to be scored itself.",
            f"At most {SCORED_CHARACTERS} characters or tokens.",
        )


def _parsed(body: bytes) -> dict[str, Any]:
    """Read JSON in which every name stands once, so that no other reader can see another value."""
    try:
        value = json.loads(body, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise LimitExceeded(
            "body", "The body is no JSON object with each name once.", "Send one, without NaN or Infinity."
        )
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_number(word: str) -> Any:
    raise ValueError(word)

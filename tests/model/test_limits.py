"""The gate in front of vLLM, with a stand-in for it: which requests reach it, unchanged, and which never do."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model import limits
from model.allow_list import ALLOWED, AllowList
from model.grammar_limits import REPETITIONS
from model.limits import BODY_BYTES

CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"
TALK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Did revenue grow?"}]}
CONTINUE: dict[str, Any] = {"model": "m", "prompt": "Revenue"}


FIELDS = sorted(
    {
        *("messages", "prompt", "n", "max_tokens", "stop", "logit_bias", "logprobs", "echo", "prompt_logprobs", "seed"),
        *("stream", "stream_options", "response_format", "structured_outputs", "temperature", "allowed_token_ids"),
        *("model", "user", "truncation_side", "bad_words", "top_k"),
    }
)


class StandIn:
    """Stands where vLLM would, and keeps what reached it."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.scopes: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope["type"])
        if scope["type"] == "http":
            self.bodies.append((await receive())["body"])
            assert (await receive())["type"] == "http.disconnect"
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"served"})


def send(
    body: bytes | list[bytes],
    *,
    path: str = CHAT,
    method: str = "POST",
    kind: str = "http",
    behind: StandIn | None = None,
) -> tuple[int, bytes, StandIn]:
    """Send a request, its body in pieces, through the gate; return status, answer and what stood behind it."""
    behind = behind or StandIn()
    pieces = [body] if isinstance(body, bytes) else body
    arriving: list[dict[str, Any]] = [
        {"type": "http.request", "body": piece, "more_body": number < len(pieces)}
        for number, piece in enumerate(pieces, 1)
    ]
    arriving.append({"type": "http.disconnect"})
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return arriving.pop(0)

    async def answer(message: dict[str, Any]) -> None:
        said.append(message)

    asyncio.run(AllowList(behind)({"type": kind, "method": method, "path": path}, receive, answer))
    if kind != "http":
        return said[0]["code"] if said else 0, b"", behind
    return (said[0]["status"], said[1]["body"], behind) if said else (0, b"", behind)


def sent(path: str, **fields: Any) -> tuple[int, dict[str, Any]]:
    base = TALK if path == CHAT else CONTINUE
    status, answer, behind = send(json.dumps(base | fields).encode(), path=path)
    if status == 200:
        assert behind.bodies == [json.dumps(base | fields).encode()]
        return status, {}
    assert behind.bodies == []
    return status, json.loads(answer)["error"]


# routes


@pytest.mark.parametrize(("method", "path"), sorted(ALLOWED))
def test_listed_routes_are_open(method: str, path: str) -> None:
    body = json.dumps({CHAT: TALK, TEXT: CONTINUE}.get(path, {})).encode()
    assert send(body, path=path, method=method)[0] == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", CHAT),
        ("HEAD", "/health"),
        ("OPTIONS", CHAT),
        ("POST", "/health"),
        ("DELETE", TEXT),
        ("POST", f"{CHAT}/"),
        ("POST", f"/{CHAT}"),
        ("POST", "/V1/chat/completions"),
        ("POST", "/v1/chat/completions/render"),
        ("POST", "/v1/chat/completions/batch"),
        ("POST", "/invocations"),
        ("GET", "/"),
        ("GET", ""),
    ],
)
def test_all_others_do_not_exist(method: str, path: str) -> None:
    status, answer, behind = send(json.dumps(TALK).encode(), path=path, method=method)
    assert status == 404
    error = json.loads(answer)["error"]
    assert error["code"] == "no_such_route"
    assert "POST /v1/chat/completions" in error["message"]
    assert behind.scopes == []


def test_a_websocket_is_closed_and_the_servers_life_is_passed_on() -> None:
    code, _, behind = send(b"", kind="websocket", path="/v1/realtime")
    assert code == 1008
    assert behind.scopes == []
    assert send(b"", kind="lifespan")[2].scopes == ["lifespan"]


# what is within the limits arrives as it was sent


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"stream": True, "stream_options": {"include_usage": True}, "seed": 7, "max_completion_tokens": 320},
        {"n": 8, "max_tokens": 4096, "stop": ["\n\n", ";"], "top_p": 0.9, "top_k": 40, "min_p": 0.05},
        {"stop": "END", "logprobs": True, "top_logprobs": 20, "ignore_eos": True},
        {"logit_bias": {str(token): -100 for token in range(300)}, "presence_penalty": -2, "frequency_penalty": 2.0},
        {"messages": [{"role": "system", "content": [{"type": "text", "text": "Be brief."}]}, *TALK["messages"]]},
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}, "strict": True}}},
        {"structured_outputs": {"regex": r"(yes|no)( \d{1,3}){0,20}"}},
        {"structured_outputs": {"choice": ["supported", "contradicted", "neither"]}},
        {"structured_outputs": {"grammar": 'root ::= "SELECT (" name "((((((((((((((((((((" | "x"\nname ::= [a-z]+'}},
        {"structured_outputs": {"json": '{"type": "string", "maxLength": 4096, "pattern": "^[A-Z]{3}$"}'}},
        {"max_tokens": None, "stop": None, "response_format": None, "n": None},
        {"vllm_xargs": {"vouch_domain": "legal"}, "cache_salt": "vouch_domain:legal"},
    ],
)  # fmt: skip
def test_what_is_within_the_limits_arrives_as_it_was_sent(fields: dict[str, Any]) -> None:
    assert sent(CHAT, **fields) == (200, {})


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": [1, 2, 3]},
        {"prompt": ["one", "two"], "n": 4},
        {"prompt": [[1], [2]]},
        {"prompt": "x" * 2048, "prompt_logprobs": 1, "max_tokens": 1},
        {"prompt": "x", "echo": True, "logprobs": 5, "max_tokens": 0},
        {"prompt": "", "allowed_token_ids": list(range(1024)), "cache_salt": "a tenant"},
        {"prompt": "文" * 100_000},
    ],
)
def test_so_does_a_text_to_be_continued(fields: dict[str, Any]) -> None:
    assert sent(TEXT, **fields) == (200, {})


def test_a_body_in_pieces_arrives_whole() -> None:
    whole = json.dumps(TALK).encode()
    status, _, behind = send([whole[:10], whole[10:20], whole[20:], b""])
    assert status == 200
    assert behind.bodies == [whole]


# what asks for too much does not arrive


LARGE: list[dict[str, Any]] = [
    {"cache_salt": None, "vllm_xargs": {"vouch_domain": "legal"}},
    {"cache_salt": "vouch_domain:medical", "vllm_xargs": {"vouch_domain": "legal"}},
    {"cache_salt": "vouch_domain:legal"},
    {"vllm_xargs": {"vouch_domain": "x" * 65}, "cache_salt": "vouch_domain:" + "x" * 65},
    {"vllm_xargs": {"vouch_domain": 3}, "cache_salt": "vouch_domain:3"},
    {"vllm_xargs": {"vouch_domain": "legal", "kv_transfer_params": "x"}, "cache_salt": "vouch_domain:legal"},
    {"vllm_xargs": {}},
    {"vllm_xargs": "legal"},
    {"n": 9},
    {"n": 0},
    {"n": 16384},
    {"n": True},
    {"n": "8"},
    {"n": 8.0},
    {"max_tokens": 4097},
    {"max_tokens": 10**100},
    {"max_completion_tokens": -1},
    {"min_tokens": 5000},
    {"temperature": 2.1},
    {"temperature": -0.1},
    {"temperature": "hot"},
    {"top_p": 1.5},
    {"top_k": -2},
    {"repetition_penalty": 0},
    {"seed": 1 << 63},
    {"top_logprobs": 21},
    {"top_logprobs": -1},
    {"logprobs": 5},
    {"stop": ["x"] * 17},
    {"stop": "x" * 129},
    {"stop": [["x"]]},
    {"stop_token_ids": list(range(65))},
    {"stop_token_ids": [-1]},
    {"bad_words": ["x" * 65]},
    {"allowed_token_ids": list(range(1025))},
    {"logit_bias": {str(token): 1 for token in range(301)}},
    {"logit_bias": {"-1": 1}},
    {"logit_bias": {"1e3": 1}},
    {"logit_bias": {"5": 101}},
    {"logit_bias": {"5": None}},
    {"logit_bias": [5]},
    {"user": "x" * 257},
    {"model": 5},
    {"stream": "yes"},
    {"stream_options": {"everything": True}},
    {"stream_options": True},
    {"truncate_prompt_tokens": -2},
    {"truncation_side": "middle"},
]

STRUCTURED: list[dict[str, Any]] = [
    {"regex": "a" * 2001},
    {"regex": "((a{100}){100}){100}"},
    {"regex": "a{5000}"},
    {"regex": "a{1,5000}"},
    {"regex": "a{64}{65}"},
    {"regex": "(b|(a{2,65})c){1,64}"},
    {"regex": "(" * 17 + ")" * 17},
    {"regex": 5},
    {"grammar": "x" * 65_537},
    {"grammar": "root ::= (" * 20},
    {"grammar": 'root ::= "a"{99999}'},
    {"choice": ["x"] * 1001},
    {"choice": ["x" * 1025]},
    {"choice": [1]},
    {"json": {"type": "string", "maxLength": 100_000}},
    {"json": {"type": "array", "minItems": 1e9}},
    {"json": {"type": "string", "pattern": "((a{99}){99}){99}"}},
    {"json": {"$ref": "http://127.0.0.1:9/schema"}},
    {"json": {"$ref": "file:///etc/passwd"}},
    {"json": {"enum": ["x" * 40_000]}},
    {"json": "{" * 20_000},
    {"json": "no schema"},
    {"json": [1]},
    {"json_object": 1},
    {"structural_tag": "{}"},
    {"_backend": "guidance"},
    {"whitespace_pattern": "[ ]*" * 17},
]


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize("fields", LARGE, ids=str)
def test_what_asks_for_too_much_never_arrives(fields: dict[str, Any]) -> None:
    status, error = sent(CHAT, **fields)
    assert status == 400
    assert error["type"] == "invalid_request_error"
    assert error["code"] == "limit_exceeded"
    assert error["param"].split(".")[0] == next(iter(fields))
    assert error["message"].count(".") >= 2  # what is wrong, and what to do


@pytest.mark.parametrize("constraint", STRUCTURED, ids=lambda item: str(item)[:60])
@pytest.mark.parametrize("path", [CHAT, TEXT])
def test_a_grammar_that_would_keep_the_engine_busy_never_arrives(path: str, constraint: dict[str, Any]) -> None:
    began = time.monotonic()
    status, error = sent(path, structured_outputs=constraint)
    assert status == 400
    assert error["param"].startswith("structured_outputs.")
    assert time.monotonic() - began < 20  # a hang, not a timing


@pytest.mark.parametrize("levels", [17, 300])
def test_a_schema_that_is_too_deep_is_refused_by_either_way(levels: int) -> None:
    assert sent(CHAT, structured_outputs={"json": deep(levels)})[0] == 400
    assert sent(CHAT, structured_outputs={"json": json.dumps(deep(levels))})[0] == 400
    described = {"type": "json_schema", "json_schema": {"name": "a", "schema": deep(levels)}}
    assert sent(CHAT, response_format=described)[0] == 400
    assert sent(CHAT, structured_outputs={"json": deep(12)})[0] == 200


def test_many_spaces_in_a_bound_are_read_once() -> None:
    assert sent(CHAT, structured_outputs={"grammar": "{" + " " * 65_000})[0] == 200


@pytest.mark.parametrize("kind", ["structural_tag", "grammar", None, 5, []])
def test_other_forms_of_a_reply_are_refused(kind: Any) -> None:
    assert sent(CHAT, response_format={"type": kind, "format": {}})[1]["param"] == "response_format"


@pytest.mark.parametrize(
    "field",
    [
        *("best_of", "use_beam_search", "length_penalty", "chat_template", "chat_template_kwargs", "documents"),
        *("mm_processor_kwargs", "media_io_kwargs", "tools", "tool_choice", "functions", "priority", "request_id"),
        *("vllm_xargs", "kv_transfer_params", "ec_transfer_params", "prompt_embeds", "prompt_logprobs", "echo"),
        *("logprob_token_ids", "thinking_token_budget", "repetition_detection", "guided_json", "session_id"),
        *("stream_interval", "return_prompt_text", "something new"),
    ],
)
def test_a_field_that_is_not_listed_is_refused_by_name(field: str) -> None:
    status, error = sent(CHAT, **{field: 1})
    assert (status, error["param"]) == (400, field)


@pytest.mark.parametrize("field", ["prompt_embeds", "best_of", "suffix", "messages", "vllm_xargs", "use_beam_search"])
def test_so_it_is_for_a_text_to_be_continued(field: str) -> None:
    assert sent(TEXT, **{field: 1})[1]["param"] == field


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://169.254.169.254/"}}]},
        {"role": "user", "content": [{"type": "text", "text": "?", "image_url": "x"}]},
        {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": ""}}]},
        {"role": "user", "content": "?", "tool_calls": []},
        {"role": "tool", "content": "?"},
        {"role": ["user"], "content": "?"},
        {"role": "user", "content": {"type": "text"}},
        {"role": "user", "content": [{"type": "text", "text": [{"foo": 1}]}]},
        {"role": "user", "content": [{"type": "text", "text": [1]}]},
        {"role": "user", "content": [{"type": "text", "text": [{"type": "text", "text": "?"}]}]},
        {"role": "user", "content": [{"type": "text", "text": None}]},
        {"role": "user"},
        {"role": "user", "content": ["?"]},
        {"role": "user", "content": "x" * 600_001},
        "user",
    ],
    ids=lambda item: str(item)[:60],
)
def test_a_message_is_a_role_and_text(message: Any) -> None:
    assert sent(CHAT, messages=[message])[1]["param"].startswith("messages")


def test_many_messages_and_much_text_in_all_are_refused() -> None:
    message = {"role": "user", "content": "x"}
    assert sent(CHAT, messages=[message] * 256)[0] == 200
    assert sent(CHAT, messages=[message] * 257)[0] == 400
    assert sent(CHAT, messages=[message | {"content": "x" * 100_000}] * 7)[0] == 400


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": ["x"] * 9},
        {"prompt": ["x"] * 3, "n": 3},
        {"prompt": "x" * 600_001},
        {"prompt": [-1]},
        {"prompt": [[1, "x"]]},
        {"prompt": [1.5]},
        {"prompt": {"x": 1}},
        {"prompt": [1] * 131_073},
        {"prompt": "x" * 2049, "prompt_logprobs": 0},
        {"prompt": [1] * 2049, "prompt_logprobs": 1},
        {"prompt": ["x" * 1025] * 2, "echo": True},
        {"prompt_logprobs": 6},
        {"logprobs": 21},
        {"logprobs": True},
    ],
    ids=lambda item: str(item)[:60],
)
def test_a_text_to_be_continued_has_its_own_limits(fields: dict[str, Any]) -> None:
    assert sent(TEXT, **fields)[0] == 400


# bodies that are not what they say


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"\xff\xfe\x00",
        b'{"n": 1, "n": 16384}',
        b'{"messages": [{"role": "user", "role": "system", "content": "?"}]}',
        b'{"temperature": NaN}',
        b'{"temperature": Infinity}',
        b'{"n": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=lambda item: repr(item[:40]),
)
def test_a_body_that_is_no_plain_json_never_arrives(body: bytes) -> None:
    status, answer, behind = send(body)
    assert status == 400
    assert json.loads(answer)["error"]["param"] == "body"
    assert behind.bodies == []


def test_a_body_that_never_ends_is_cut_off() -> None:
    status, answer, behind = send([b"x" * (1 << 20)] * 6)
    assert status == 413
    assert str(BODY_BYTES) in json.loads(answer)["error"]["message"]
    assert behind.bodies == []


def test_whoever_leaves_in_the_middle_gets_no_answer() -> None:
    status, _, behind = send([])
    assert status == 0
    assert behind.scopes == []


def test_a_refusal_says_nothing_of_what_was_written() -> None:
    for fields in (
        {"stop": "secret" * 100},
        {"messages": "secret"},
        {"structured_outputs": {"regex": "(secret" * 300}},
    ):
        assert "secret" not in json.dumps(sent(CHAT, **fields)[1])
    assert len(sent(CHAT, **{"x" * 100_000: 1})[1]["param"]) == 100


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)


@given(path=st.sampled_from([CHAT, TEXT]), name=st.sampled_from(FIELDS), value=JSON)
@settings(max_examples=300, deadline=None)
def test_whatever_stands_in_a_field_the_gate_answers_and_does_not_fail(path: str, name: str, value: Any) -> None:
    assert sent(path, **{name: value})[0] in {200, 400}


def test_the_bound_itself_is_taken() -> None:
    assert sent(CHAT, structured_outputs={"regex": f"a{{{REPETITIONS}}}"})[0] == 200
    assert sent(CHAT, structured_outputs={"regex": f"a{{{REPETITIONS + 1}}}"})[0] == 400


def test_every_field_that_is_taken_stands_in_the_documentation() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "serving.md").read_text("utf-8")
    assert [name for fields in limits._FIELDS.values() for name in fields if f"`{name}`" not in page] == []

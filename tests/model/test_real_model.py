"""The default model, for real: fetched, built, served and asked in both languages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage, SystemMessage

from model.build import check
from model.catalog import DEFAULT_EMBEDDER, DEFAULT_MODEL, card
from model.client import chat_model, stream_text
from model.fetch import fetch
from model.plan import default_form
from model.serving import Engine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

FACTS = "Meridian's net revenue in 2031 was 48.2 million euros, after 41.7 million in 2030."


@pytest.fixture(scope="module")
def real(weights_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(
        card(DEFAULT_MODEL),
        weights_dir,
        offline=False,
        context_tokens=4096,
        kv_cache_gb=0.5,
        threads=0,
        log_path=tmp_path_factory.mktemp("engine") / "engine.log",
    )
    engine.start()
    try:
        engine.wait_ready(3000)
        yield engine
    finally:
        engine.stop()


def ask(engine: Engine, question: str) -> str:
    async def collect() -> str:
        chat = chat_model(url=engine.url, api_key=engine.api_key, model=engine.model_name, max_tokens=60, timeout_s=300)
        messages = [SystemMessage(f"Answer from these facts alone, in one sentence: {FACTS}"), HumanMessage(question)]
        return "".join([piece async for piece in stream_text(chat, messages)])

    return asyncio.run(collect())


def test_it_reads_a_fact_in_english(real: Engine) -> None:
    assert "48.2" in ask(real, "What was Meridian's net revenue in 2031?")


def test_it_reads_a_fact_in_chinese(real: Engine) -> None:
    reply = ask(real, "Meridian 在 2031 年的净收入是多少？请用中文回答。")
    assert "48.2" in reply or "4820" in reply
    assert any("\u4e00" <= character <= "\u9fff" for character in reply)


def test_it_stops_by_itself(real: Engine) -> None:
    reply = ask(real, "In which year was net revenue 41.7 million? Give the year alone.")
    assert "2030" in reply
    assert "<|im_end|>" not in reply


def test_the_record_can_name_what_answered(real: Engine, weights_dir: Path) -> None:
    manifest = check(card(DEFAULT_MODEL), weights_dir, form=default_form())
    assert real.identity["checkpoint"] == manifest["checkpoint"]
    assert real.identity["quantization"] == manifest["form"]


def test_the_embedder_is_had_from_the_mirror_too(weights_dir: Path) -> None:
    folder = fetch(card(DEFAULT_EMBEDDER), weights_dir, offline=False, report=lambda _: None)
    assert (folder / "1_Pooling" / "config.json").exists()

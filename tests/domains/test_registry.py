"""Domains are found where they are installed, a stranger's like our own, and a broken one harms nobody else."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from domains.contract import Question
from domains.general.plugin import General
from domains.registry import FALLBACK, UnknownDomain, load
from retrieval.language import language_of
from retrieval.types import Scope

BUILT_IN = ["finance", "general"]
"""What Vouch itself brings, in the order of the alphabet."""

WEATHER = """
    from fastapi import APIRouter
    from langchain_core.tools import tool

    from domains.contract import DomainPlugin, Preparation, ToolCall
    from retrieval.types import Evidence, EvidenceKind, Locator


    @tool(response_format="content_and_artifact")
    def temperature(place: str) -> tuple[str, list[Evidence]]:
        "Read the temperature of a place."
        text = f"The temperature in {place} is 21 degrees."
        where = Locator(document_id="station", document="weather station")
        return text, [Evidence.of("1", text, where, kind=EvidenceKind.RECORD)]


    class Weather(DomainPlugin):
        name = "weather"
        titles = {"en": "Weather", "zh": "天气"}
        notice = {"en": "A forecast is no promise.", "zh": "预报不是承诺。"}

        async def prepare(self, question, desk):
            return Preparation(queries=(question.text,), calls=(ToolCall("temperature", {"place": "Telmere"}),))

        def tools(self):
            return (temperature,)

        def router(self, answerer):
            router = APIRouter()

            @router.get("/stations")
            def stations() -> list[str]:
                return ["Telmere"]

            return router

        def matches(self, question):
            return 0.9 if "temperature" in question.text else 0.1
"""


def question(text: str) -> Question:
    return Question(text=text, language=language_of(text), scope=Scope.nobody())


def install(folder: Path, distribution: str, entries: dict[str, str], **modules: str) -> None:
    """Lay a distribution into a folder as an installer does: its modules, its metadata, its entry points."""
    info = folder / f"{distribution}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[vouch.domains]\n" + "".join(f"{name} = {target}\n" for name, target in entries.items())
    )
    for name, source in modules.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(source))


def in_child(folder: Path, code: str) -> dict:
    """Run code in a fresh interpreter that has the folder's distributions installed; it prints one JSON object."""
    setup = (
        "import json, asyncio, structlog, sys\n"
        "structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", setup + textwrap.dedent(code)],
        env={"PYTHONPATH": f"{folder}:{Path(__file__).parents[2]}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


SURVEY = """
    from domains.registry import load
    registry = load()
    print(json.dumps({"names": sorted(registry), "problems": [str(p) for p in registry.problems]}))
"""


def test_the_general_domain_comes_by_its_entry_point():
    registry = load()
    assert isinstance(registry[FALLBACK], General)
    assert FALLBACK in set(registry)


def test_a_strangers_domain_is_found_its_tool_runs_and_its_routes_answer(tmp_path):
    install(tmp_path, "stranger", {"weather": "stranger_weather:Weather"}, stranger_weather=WEATHER)
    seen = in_child(
        tmp_path,
        """
        from contextlib import aclosing
        from fastapi import FastAPI
        from fastapi.testclient import TestClient
        from app.answering.pipeline import Pipeline
        from app.answering.types import Receipt
        from app.identity.principal import OPERATOR
        from domains.contract import Question
        from domains.registry import load
        from tests.scripted_chat import ScriptedChat

        class Sink:
            entries = []
            def append(self, action, *, actor, body, outcome="ok", closes=None):
                self.entries.append((action, outcome, body))
                n = len(self.entries)
                return Receipt(entry=n - 1, leaf="00", size=n, root="00", time="2026-01-01T00:00:00Z")

        class Store:
            def seal(self, subject, answer_id, texts):
                return {name: "c" for name in texts}

        class Shelf:
            def search(self, queries, scope, *, k):
                return []

        registry = load()
        asked = Question(text="What is the temperature in Telmere?", language="en", scope=OPERATOR.scope())
        plugin, reason = registry.choose(asked)
        pipeline = Pipeline(
            registry=registry, searcher=Shelf(), ledger=Sink(), content=Store(), versions=dict,
            chat_factory=lambda: ScriptedChat(replies=["The temperature in Telmere is 21 degrees [1]."]),
        )
        answer = asyncio.run(pipeline.answer(asked, principal=OPERATOR))
        service = FastAPI()
        service.include_router(plugin.router(pipeline), prefix="/v1/weather")
        print(json.dumps({
            "names": sorted(registry), "reason": reason, "text": answer.text, "domain": answer.domain,
            "notice": answer.notice, "kind": answer.evidence[0].kind, "tools": Sink.entries[-1][2]["tools"],
            "route": TestClient(service).get("/v1/weather/stations").json(),
        }))
        """,
    )
    assert seen == {
        "names": [*BUILT_IN, "weather"],
        "reason": "matched",
        "text": "The temperature in Telmere is 21 degrees [1].",
        "domain": "weather",
        "notice": "A forecast is no promise.",
        "kind": "record",
        "tools": ["temperature"],
        "route": ["Telmere"],
    }


BROKEN = {
    "no module": ("no_such_module:Domain", "", "cannot be imported"),
    "raises": ("{module}:Domain", "raise RuntimeError('at import')", "cannot be imported"),
    "no class": ("{module}:Missing", "", "cannot be imported"),
    "foreign class": ("{module}:Domain", "class Domain: name = 'x'", "not a DomainPlugin class"),
    "no class at all": ("{module}:Domain", "Domain = 5", "not a DomainPlugin class"),
    "other name": ("{module}:Weather", WEATHER, "calls itself 'weather'"),
    "one language": ("{module}:Weather", WEATHER.replace('"zh": "天气"', '"fr": "Temps"'), "Chinese (zh)"),
    "abstract": ("{module}:Weather", WEATHER.replace("async def prepare", "async def prepares"), "cannot be built"),
    "bad name": ("{module}:Domain", "Domain = 5", "lower-case"),
    "reserved": ("{module}:Domain", "Domain = 5", "own routes"),
}
NAMES = {"bad name": "Weather!", "reserved": "documents"}


@pytest.fixture(scope="module")
def problems(tmp_path_factory) -> dict[str, str]:
    """Install every broken domain beside a good one, load them in one child, and return what was said of each."""
    folder = tmp_path_factory.mktemp("site")
    for number, (case, (target, source, _)) in enumerate(BROKEN.items()):
        module = f"broken{number}"
        name = NAMES.get(case, f"domain{number}")
        source = (
            source.replace('name = "weather"', f'name = "{name}"') if case in ("one language", "abstract") else source
        )
        install(folder, f"stranger{number}", {name: target.format(module=module)}, **{module: source})
    install(folder, "good", {"weather": "good_weather:Weather"}, good_weather=WEATHER)
    seen = in_child(folder, SURVEY)
    assert seen["names"] == [*BUILT_IN, "weather"]
    assert len(seen["problems"]) == len(BROKEN)
    return {
        case: next(said for said in seen["problems"] if f" of stranger{number} 1.0 " in said)
        for number, case in enumerate(BROKEN)
    }


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_domain_is_refused_by_name_and_the_others_still_work(problems, case):
    assert BROKEN[case][2] in problems[case]


def test_nobody_takes_the_name_of_a_domain_that_is_there(tmp_path):
    install(tmp_path, "aaa-stranger", {"general": "mine:General"}, mine=WEATHER)
    seen = in_child(tmp_path, SURVEY)
    assert seen["names"] == BUILT_IN
    assert "aaa-stranger 1.0" in seen["problems"][0]
    assert "another distribution" in seen["problems"][0]


def test_only_the_named_domains_are_loaded(tmp_path):
    install(tmp_path, "stranger", {"weather": "stranger_weather:Weather"}, stranger_weather="raise RuntimeError")
    code = SURVEY.replace("load()", 'load(only=["general"])')
    assert in_child(tmp_path, code) == {"names": ["general"], "problems": []}


def test_a_named_domain_that_is_not_there_is_an_error():
    with pytest.raises(UnknownDomain, match="astrology"):
        load(only=["astrology"])


def test_a_domain_that_was_asked_for_is_taken_and_an_unknown_one_refused():
    registry = load()
    plugin, reason = registry.choose(question("Anything?"), "general")
    assert (plugin.name, reason) == ("general", "asked")
    with pytest.raises(UnknownDomain) as caught:
        registry.choose(question("Anything?"), "astrology")
    assert "general" in caught.value.remedy


def test_what_nobody_claims_goes_to_the_general_domain():
    plugin, reason = load().choose(question("How are you?"))
    assert (plugin.name, reason) == ("general", "fallback")

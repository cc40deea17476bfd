"""The suites from end to end: a small set, a model that says what its script says, a real database."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.messages import BaseMessage, HumanMessage

from domains.sql.asking import Reply, ask
from domains.sql.errors import QuestionsRefused
from domains.sql.evaluation import SUITES, rescored
from model.errors import ModelInterrupted, PromptTooLong
from tests.domains.sql.conftest import build
from tests.scripted_chat import ScriptedChat

RICHEST = "SELECT name FROM customer ORDER BY balance DESC"
QUESTIONS: list[dict[str, Any]] = [
    {"question": "How many customers?", "question_zh": "有多少客户？", "gold_sql": "SELECT count(*) FROM customer"},
    {"question": "Names?", "question_zh": "名字？", "gold_sql": "SELECT name FROM customer", "hardness": "easy"},
    {
        "question": "Richest?",
        "question_zh": "最富有的？",
        "gold_sql": "SELECT name FROM customer ORDER BY balance DESC LIMIT 1",
    },
    {"question": "Cities?", "question_zh": "城市？", "gold_sql": ["SELECT city FROM branch"], "unambiguous": False},
]
REPLIES = {
    "How many customers?": "```sql\nSELECT count(*) FROM customer;\n```",
    "Names?": "SELECT name FROM customer ORDER BY 1 DESC",
    "Richest?": "SELECT name, balance FROM customer ORDER BY balance DESC LIMIT 1",
    "Cities?": "DROP TABLE branch",
    "有多少客户？": "```sql\nSELECT COUNT(*) FROM customer\n```",
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    (folder / "databases").mkdir(parents=True)
    build(folder / "databases" / "shop.sqlite")
    rows = [{"id": f"q{number}", "db_id": "shop", **row} for number, row in enumerate(QUESTIONS)]
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return folder


def answer(messages: list[BaseMessage]) -> str:
    """The reply to the question at the end of a prompt, whatever its wording."""
    text = str(messages[-1].content)
    return next((reply for question, reply in REPLIES.items() if text.endswith(question)), "我不知道。")


@pytest.fixture
def chat() -> ScriptedChat:
    return ScriptedChat(replies=[answer])


def test_the_figures_are_those_of_the_replies(data: Path, chat: ScriptedChat) -> None:
    result = SUITES["sql"](data, chat=chat, report=lambda _: None)
    assert result["metrics"] == {
        "execution_accuracy": 0.5,
        "execution_accuracy_unambiguous": 0.6667,
        "execution_accuracy_subset": 0.75,
        "runs": 0.75,
    }
    assert result["outcomes"] == {"correct": 2, "other_rows": 1, "refused": 1}
    assert result["kinds"] == {"easy": {"n": 1, "execution_accuracy": 1.0}}
    for name, value in result["metrics"].items():
        low, high = result["intervals"][name]
        assert 0 <= low <= value <= high <= 1


def test_the_result_has_the_form_that_all_suites_share(data: Path, chat: ScriptedChat) -> None:
    result = SUITES["sql"](data, chat=chat, limit=3, seed=5, report=lambda _: None)
    assert {"suite", "data", "n", "metrics", "intervals", "settings", "seconds"} <= result.keys()
    assert (result["suite"], result["data"], result["n"]) == ("sql", "set", 3)
    assert result["settings"] == {"seed": 5, "limit": 3, "language": "en", "prompt": "plain-1", "at_once": 8}
    assert json.loads(json.dumps(result)) == result


def test_each_question_is_kept_with_its_reply_and_fate(data: Path, chat: ScriptedChat) -> None:
    rows = SUITES["sql"](data, chat=chat, report=lambda _: None)["items"]
    assert [row["id"] for row in rows] == ["q0", "q1", "q2", "q3"]
    assert rows[0]["reply"] == REPLIES["How many customers?"]
    assert rows[0]["sql"] == "SELECT count(*) FROM customer"
    assert rows[3]["outcome"] == "refused"
    assert "DROP" in rows[3]["detail"]


def test_a_limit_draws_the_same_questions_for_everybody(data: Path, chat: ScriptedChat) -> None:
    def drawn(seed: int) -> list[str]:
        return [row["id"] for row in SUITES["sql"](data, chat=chat, limit=2, seed=seed, report=lambda _: None)["items"]]

    assert drawn(1) == drawn(1)
    assert len({tuple(drawn(seed)) for seed in range(8)}) > 1


def test_the_prompt_holds_the_whole_ddl_then_the_question(data: Path, chat: ScriptedChat) -> None:
    SUITES["sql"](data, chat=chat, report=lambda _: None)
    system, human = chat.seen[0]
    assert system.type == "system"
    text = str(human.content)
    for table in ("branch", "customer", '"order"', '"客户评级"', "rich"):
        assert f"CREATE TABLE {table} (" in text
    assert text.index("CREATE TABLE rich") < text.index("How many customers?")
    beginnings = {str(messages[1].content).split("How many")[0][:600] for messages in chat.seen}
    assert len(beginnings) == 1  # what an engine may keep between questions to one database


def test_chinese_questions_are_asked_in_chinese(data: Path, chat: ScriptedChat) -> None:
    result = SUITES["sql-zh"](data, chat=chat, report=lambda _: None)
    assert result["settings"]["language"] == "zh"
    assert str(chat.seen[0][1].content).endswith("有多少客户？")
    assert result["metrics"]["execution_accuracy"] == 0.25
    assert result["outcomes"] == {"no_statement": 3, "correct": 1}


def test_replies_can_be_scored_again_without_a_model(data: Path, chat: ScriptedChat) -> None:
    result = SUITES["sql"](data, chat=chat, report=lambda _: None)
    assert rescored(data, result) == result
    result["items"][3]["reply"] = "SELECT city FROM branch"
    again = rescored(data, result)
    assert again["metrics"]["execution_accuracy"] == 0.75
    assert again["items"][3]["outcome"] == "correct"


def test_replies_to_other_questions_are_not_scored(data: Path, chat: ScriptedChat) -> None:
    result = SUITES["sql"](data, chat=chat, report=lambda _: None)
    result["items"][0]["id"] = "q99"
    with pytest.raises(QuestionsRefused, match="q99"):
        rescored(data, result)


def test_a_model_that_dies_makes_no_figure(data: Path) -> None:
    with pytest.raises(ModelInterrupted):
        SUITES["sql"](data, chat=ScriptedChat(replies=["SELECT 1 FROM customer"], dies_after=2), report=lambda _: None)


def test_a_prompt_that_is_too_long_is_a_wrong_answer(data: Path) -> None:
    def too_long() -> Exception:
        return PromptTooLong("Too long.", remedy="Ask less.")

    chat = ScriptedChat(replies=["SELECT 1"], dies_after=0, dies_with=too_long)
    result = SUITES["sql"](data, chat=chat, report=lambda _: None)
    assert result["outcomes"] == {"no_reply": 4}
    assert result["metrics"]["execution_accuracy"] == 0.0
    assert result["items"][0]["reply"] is None
    assert rescored(data, result)["outcomes"] == {"no_reply": 4}


class Crowded(ScriptedChat):
    """Counts how many replies are under way at the same time."""

    now: int = 0
    most: int = 0

    async def _astream(self, *arguments: Any, **options: Any) -> Any:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            async for chunk in super()._astream(*arguments, **options):
                yield chunk
        finally:
            self.now -= 1


def test_several_questions_are_asked_at_once_and_no_more() -> None:
    chat = Crowded(replies=[lambda messages: str(messages[-1].content)])
    prompts = [[HumanMessage(f"question {number}")] for number in range(20)]
    said: list[str] = []
    replies = asyncio.run(ask(chat, prompts, groups=["b", "a"] * 10, report=said.append, at_once=3))
    assert [reply.text for reply in replies] == [f"question {number}" for number in range(20)]
    assert chat.most == 3
    assert said[-1] == "  20 of 20 questions are answered"
    firsts = [str(messages[0].content) for messages in chat.seen[:10]]
    assert all(int(text.split()[1]) % 2 for text in firsts)  # group "a" is asked before group "b"


def test_a_reply_has_its_seconds() -> None:
    (reply,) = asyncio.run(ask(ScriptedChat(replies=["x"]), [[HumanMessage("?")]], groups=["a"], report=lambda _: None))
    assert reply == Reply("x", reply.seconds)
    assert reply.seconds >= 0


def test_what_another_library_raises_is_one_of_our_errors() -> None:
    chat = ScriptedChat(replies=["a b c"], dies_after=1, dies_with=lambda: httpx.ReadTimeout("slow"))
    with pytest.raises(ModelInterrupted):
        asyncio.run(ask(chat, [[HumanMessage("?")]] * 3, groups=["a"] * 3, report=lambda _: None))

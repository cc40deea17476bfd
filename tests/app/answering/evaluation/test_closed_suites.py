"""The suites of closed questions: what they read, ask and count; a model whose odds the test decides."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from app.answering.checking.verify import Verifier
from app.answering.evaluation.assistant import Assistant
from app.answering.evaluation.choices import (
    balanced_accuracy,
    bootstrapped,
    first_named,
    macro_f1,
    rows_of,
)
from app.answering.evaluation.exams import CMMLU, MMLU
from app.answering.evaluation.lawbench import articles, charges, lawbench, rouge_l, set_f1
from app.answering.evaluation.legalbench import legalbench, word_f1
from app.answering.evaluation.mirage import Library, library_beside, mirage
from app.answering.evaluation.pubmedqa import pubmedqa
from app.errors import BadRequest
from domains.registry import load
from tests.telling_chat import TellingChat

Odds = Callable[[str], Mapping[str, float]]
QUIET: dict[str, Any] = {"limit": None, "seed": 0, "report": lambda _: None}


def assistant(odds: Odds, reply: str = "yes") -> Assistant:
    return Assistant(
        chat=TellingChat(odds=odds, reply=reply),
        prompt_tokens=4000,
        registry=load(only=["general"]),
        verifier=Verifier(common=lambda _: True),
    )


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def said(word: str, *others: str) -> dict[str, float]:
    return {word: -0.05} | dict.fromkeys(others, -4.0)


def test_macro_f1_is_the_mean_over_the_classes_of_gold() -> None:
    assert macro_f1(["a", "a", "b"], ["a", "a", "a"]) == pytest.approx((0.8 + 0.0) / 2)
    assert macro_f1(["a", "b"], ["a", "b"]) == 1.0
    assert macro_f1(["a", "b"], ["a", "abstained"]) == 0.5
    assert macro_f1([], []) == 0.0


def test_balanced_accuracy_of_a_constant_is_one_over_the_classes() -> None:
    assert balanced_accuracy(["a"] * 9 + ["b"], ["a"] * 10) == 0.5
    assert balanced_accuracy([], []) == 0.0


def test_an_interval_of_any_figure_holds_the_figure() -> None:
    pairs = [("a", "a"), ("a", "b"), ("b", "b"), ("b", "b")] * 10
    low, high = bootstrapped(balanced_accuracy, {"task": pairs}, seed=1)
    assert low < 0.75 < high
    assert bootstrapped(balanced_accuracy, {"task": pairs}, seed=1) == (low, high)


@pytest.mark.parametrize(
    ("text", "found"),
    [("Yes, it does.", "yes"), ("There is no doubt: yes.", "no"), ("Nothing of note.", None), ("(B) is right", None)],
)
def test_the_first_choice_that_a_reply_names_as_a_word(text: str, found: str | None) -> None:
    assert first_named(text, ("yes", "no", "maybe")) == found


@pytest.mark.parametrize("text", ["", "{", '{"id": 1}\n', "[1]\n"])
def test_files_that_are_not_of_the_set_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadRequest) as refused:
        rows_of(path, ("id", "question"))
    assert "question" in refused.value.remedy
    with pytest.raises(BadRequest):
        rows_of(tmp_path / "none.jsonl", ("id",))


def medical(number: int, answer: str, split: str) -> dict[str, Any]:
    found = {"yes": "rose clearly and significantly", "no": "did not differ significantly", "maybe": "rose in one town"}
    question = f"Does a posted reminder raise the return of rented bicycles in town {answer}?"
    contexts = ["Rented bicycles are common.", f"The return of rented bicycles in town {answer} {found[answer]}."]
    return {"id": str(number), "question": question, "contexts": contexts, "answer": answer, "official_split": split}


def test_pubmedqa_counts_choices_that_are_shown(tmp_path: Path) -> None:
    rows = [medical(n, ("yes", "no")[n % 2], ("train", "test")[n // 2 % 2]) for n in range(8)]
    write(tmp_path / "items.jsonl", rows)
    right = assistant(lambda prompt: said("no", "yes", "maybe") if "town no" in prompt else said("yes", "no", "maybe"))
    found = pubmedqa(tmp_path, assistant=right, **QUIET)
    assert found["metrics"]["accuracy"] == found["metrics"]["macro_f1"] == found["metrics"]["answered"] == 1.0
    assert found["counts"]["accuracy_test"] == 4
    assert {"accuracy", "macro_f1", "macro_f1_test"} <= found["intervals"].keys()
    assert found["naive"]["n"] == 8
    assert found["naive"]["accuracy"] == 0.5
    assert found["items"][0]["gold"] == "yes"
    constant = pubmedqa(tmp_path, assistant=assistant(lambda _: said("yes", "no", "maybe")), **QUIET)
    assert constant["metrics"]["accuracy"] == 0.5
    assert constant["metrics"]["macro_f1"] == pytest.approx(1 / 3, abs=1e-4)


def test_what_is_not_shown_is_not_right(tmp_path: Path) -> None:
    write(tmp_path / "items.jsonl", [medical(1, "yes", "test") | {"contexts": ["Of other matters altogether."]}])
    found = pubmedqa(tmp_path, assistant=assistant(lambda _: said("yes", "no", "maybe")), **QUIET)
    assert found["metrics"]["accuracy"] == found["metrics"]["answered"] == 0.0
    assert found["items"][0]["said"] == "abstained"


def exam(number: int, answer: str, **more: Any) -> dict[str, Any]:
    texts = {letter: f"text {letter}{number}" for letter in "ABCD"}
    return {
        "id": str(number),
        "domain": "legal",
        "subject": "s",
        "question": f"Q{number}",
        **texts,
        "answer": answer,
    } | more


@pytest.mark.parametrize("suite", [MMLU, CMMLU])
def test_an_exam_takes_off_the_habit_of_one_letter(tmp_path: Path, suite: Any) -> None:
    write(tmp_path / "items.jsonl", [exam(1, "B"), exam(2, "B", domain="finance")])

    def odds(prompt: str) -> dict[str, float]:
        """A habit of A, and a hint of B where there is a question."""
        return {"A": math.log(0.8), "B": math.log(0.1 if "Q1" in prompt or "Q2" in prompt else 0.01), "C": -5.0}

    found = suite(tmp_path, assistant=assistant(odds, reply="A"), **QUIET)
    assert found["metrics"] == {"accuracy": 1.0, "accuracy_legal": 1.0, "accuracy_finance": 1.0}
    assert found["naive"] == {"n": 2, "accuracy": 0.0, "ours_on_the_same": 1.0}
    assert found["suite"] == suite.name


def test_answers_that_are_alike_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path / "items.jsonl", [exam(1, "D", A="same", D="same")])
    found = MMLU(tmp_path, assistant=assistant(lambda _: {"D": -0.1, "A": -3.0}), **QUIET)
    assert found["n"] == 1


def test_a_model_without_probabilities_cannot_sit_an_exam(tmp_path: Path) -> None:
    write(tmp_path / "items.jsonl", [exam(1, "A")])
    with pytest.raises(ExceptionGroup) as refused:
        MMLU(tmp_path, assistant=assistant(lambda _: {}), **QUIET)
    assert refused.group_contains(BadRequest, match="log-probabilities")


def test_mirage_searches_what_stands_beside_it_by_the_question_alone(tmp_path: Path) -> None:
    data = tmp_path / "med_mirage"
    item = {
        "id": "1",
        "question": "Does zinc shorten the common cold?",
        "options": {"A": "yes", "B": "no"},
        "answer": "B",
    }
    write(data / "bioasq.jsonl", [item, {**item, "id": "2", "question": "Is the moon made of basalt rock?"}])
    write(data / "mmlu.jsonl", [{**item, "id": "3"}])
    write(
        tmp_path / "med_pubmedqa" / "items.jsonl",
        [{"contexts": ["Zinc did not shorten the common cold in any group."]}, {"contexts": ["Cats sleep a lot."]}],
    )

    def odds(prompt: str) -> dict[str, float]:
        return said("no", "yes") if "did not shorten" in prompt else said("yes", "no") if "?" in prompt else said("no")

    found = mirage(data, assistant=assistant(odds), **QUIET)
    assert found["metrics"]["mean_without"] == 0.0
    assert found["sets"]["bioasq"] == {"n": 2, "without": 0.0, "with": 0.5, "used": 0.5}
    assert found["metrics"]["mean_with"] == found["metrics"]["gain_with_retrieval"] == 0.75
    assert found["settings"]["corpus"] == ["med_pubmedqa"]
    assert found["intervals"]["mean_with"][1] <= 1.0


def test_mirage_without_anything_to_search_says_only_what_the_model_knows(tmp_path: Path) -> None:
    data = tmp_path / "med_mirage"
    write(data / "a.jsonl", [{"id": "1", "question": "Q?", "options": {"A": "yes", "B": "no"}, "answer": "A"}])
    found = mirage(data, assistant=assistant(lambda _: said("yes", "no")), **QUIET)
    assert "mean_with" not in found["metrics"]
    assert found["settings"]["corpus"] == []
    assert library_beside(data) is None
    with pytest.raises(BadRequest, match="no file of MIRAGE"):
        mirage(tmp_path, assistant=assistant(lambda _: {}), **QUIET)


def test_a_library_gives_no_sentences_that_hardly_fit() -> None:
    library = Library.of(["x"], ["Zinc did not shorten the common cold.", "Cats sleep."])
    assert library.findings("Does zinc shorten the common cold?") == ["Zinc did not shorten the common cold."]
    assert library.findings("Which enzyme splits lactose in the gut of adults?") is None


def test_legalbench_balances_classes_and_keeps_free_text_apart(tmp_path: Path) -> None:
    rows = [
        {"id": f"h{n}", "task": "hearsay", "text": f"Fact {n}.", "answer": "Yes" if n else "No", "slice": ""}
        for n in range(4)
    ]
    rows += [{"id": f"r{n}", "task": "rule_qa", "text": "Where?", "answer": f"Rule {n}", "slice": ""} for n in range(9)]
    write(tmp_path / "items.jsonl", rows)
    found = legalbench(
        tmp_path, assistant=assistant(lambda p: said("Yes", "No") if "Fact" in p else {"No": -1.0}), **QUIET
    )
    assert found["tasks"] == {"hearsay": {"n": 4, "balanced_accuracy": 0.5}}
    assert found["metrics"]["mean"] == 0.5
    assert found["counts"] == {"accuracy": 4, "free_text_f1": 9}
    assert found["naive"]["n"] == 2


def test_words_of_a_free_reply_are_held_against_gold() -> None:
    assert word_f1("Rule 23", "It is rule 23.") == 1.0
    assert word_f1("Rule 23", "28 U.S.C.") == 0.0
    assert word_f1("", "") == 0.0


def test_articles_and_charges_are_read_in_figures_and_in_chinese() -> None:
    assert articles("[法条]刑法第264条、刑法第二百三十四条<eoa>第1条") == {264, 234}
    assert articles("法条:刑法第十条") == {10}
    assert charges("[罪名]盗窃罪;诈骗<eoa>其他") == {"盗窃", "诈骗"}
    assert charges("罪名:故意伤害。") == {"故意伤害"}
    assert set_f1({1, 2}, {2, 3}) == 0.5
    assert set_f1(set(), set()) == 0.0


def test_rouge_l_is_of_the_longest_common_characters() -> None:
    assert rouge_l("甲乙 丙", "甲乙丙") == 1.0
    assert rouge_l("甲乙丙丁", "甲丙") == pytest.approx(2 * 2 / 6)
    assert rouge_l("甲", "") == 0.0


def test_lawbench_scores_each_task_in_its_way(tmp_path: Path) -> None:
    write(tmp_path / "task_1-1.jsonl", [{"id": "a", "instruction": "背", "question": "?", "answer": "答案:盗窃罪"}])
    write(tmp_path / "task_3-3.jsonl", [{"id": "b", "instruction": "判", "question": "?", "answer": "罪名:盗窃;诈骗"}])
    found = lawbench(tmp_path, assistant=assistant(lambda _: {}, reply="盗窃罪"), **QUIET)
    assert found["metrics"] == {"recite": 1.0, "charges": 0.6667, "mean": 0.8333}
    assert found["intervals"]["mean"][0] <= 0.8333
    with pytest.raises(BadRequest, match="no task"):
        lawbench(tmp_path / "none", assistant=assistant(lambda _: {}), **QUIET)

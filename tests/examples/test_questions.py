"""Each question's answer stands where questions.json says, word for word."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from retrieval.language import language_of

_KEYS = {"id", "language", "question", "answerable", "answer", "document", "page", "other_pages", "expected"}


def _plain(text: str) -> str:
    return " ".join(text.split())


def test_there_are_enough_of_each_kind(questions: list[dict[str, Any]]) -> None:
    answerable = [question for question in questions if question["answerable"]]
    assert len({question["id"] for question in questions}) == len(questions)
    for language in ("en", "zh"):
        assert sum(question["language"] == language for question in answerable) >= 6
        assert any(not question["answerable"] and question["language"] == language for question in questions)
    assert len(questions) - len(answerable) >= 4


def test_every_question_has_every_key_and_its_language(questions: list[dict[str, Any]]) -> None:
    for question in questions:
        assert question.keys() == _KEYS
        assert language_of(question["question"]) == language_of(question["answer"]) == question["language"]


def test_every_document_is_asked_about(questions: list[dict[str, Any]], examples: Path) -> None:
    asked = {question["document"] for question in questions if question["answerable"]}
    assert asked == {path.name for path in (examples / "documents").iterdir()}


def test_expected_words_stand_on_the_page(
    questions: list[dict[str, Any]], pages_of: Callable[[str], list[str]]
) -> None:
    for question in questions:
        if question["answerable"]:
            pages = [_plain(page) for page in pages_of(question["document"])]
            assert question["expected"], question["id"]
            page = pages[(question["page"] or 1) - 1]
            for forms in question["expected"]:
                assert forms[0] in page, (question["id"], forms)
            for other in question["other_pages"]:
                assert all(any(form in pages[other - 1] for form in forms) for forms in question["expected"])


def test_a_page_is_given_for_pdfs_alone(questions: list[dict[str, Any]]) -> None:
    for question in questions:
        has_pages = bool(question["document"]) and question["document"].endswith(".pdf")
        assert (question["page"] is not None) == has_pages
        assert has_pages or question["other_pages"] == []


def test_the_given_answer_passes_its_own_check(questions: list[dict[str, Any]]) -> None:
    for question in questions:
        for forms in question["expected"]:
            assert any(form in question["answer"] for form in forms), question["id"]


def test_no_answer_passes_the_check_of_another_question_of_its_document(questions: list[dict[str, Any]]) -> None:
    """A check that any answer passes would tell nothing."""
    for question in questions:
        for other in questions:
            if question["answerable"] and other is not question and other["document"] == question["document"]:
                passed = all(any(form in other["answer"] for form in forms) for forms in question["expected"])
                assert not passed, (question["id"], other["id"])


def test_what_is_not_answered_is_not_in_the_documents(
    questions: list[dict[str, Any]], examples: Path, pages_of: Callable[[str], list[str]]
) -> None:
    names = [path.name for path in (examples / "documents").iterdir()]
    everything = _plain(" ".join(page for name in names for page in pages_of(name)))
    keys = {
        "revenue-2019": r"[Rr]evenue[^.]{0,60}\b2019\b",
        "chief-executive-age": r"\baged\b(?! 18)|years old",
        "warfarin": r"[Ww]arfarin",
        "card-rate": r"透支|年利率",
        "annual-leave": r"休假|年假",
    }
    assert keys.keys() == {question["id"] for question in questions if not question["answerable"]}
    for pattern in keys.values():
        assert re.search(pattern, everything) is None
    for question in questions:
        if not question["answerable"]:
            assert question["document"] is None
            assert question["expected"] == []


def test_every_document_says_that_it_is_invented(examples: Path, pages_of: Callable[[str], list[str]]) -> None:
    for path in (examples / "documents").iterdir():
        assert re.search(r"fictitious|[Ii]nvented|虚构", " ".join(pages_of(path.name))), path.name


def test_readme_names_every_file_and_shows_questions_that_exist(
    questions: list[dict[str, Any]], examples: Path
) -> None:
    text = (examples / "README.md").read_text(encoding="utf-8")
    for folder in ("documents", "records", "databases"):
        for path in (examples / folder).iterdir():
            assert f"`{folder}/{path.name}`" in text
    shown = re.findall(r"^\| ([^|`]+[?？]) \|", text, re.MULTILINE)
    assert len(shown) >= 5
    assert set(shown) <= {question["question"] for question in questions}

"""The suites on small sets of the same format, and once on the shared ones."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path

import pytest

from retrieval.errors import EmptyFile
from tests.retrieval.evaluation.sets import run, write


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    data = tmp_path / "set"
    data.mkdir()
    topics = ["anaemia", "measles", "asthma", "migraine", "cholera", "rickets"]
    write(
        data / "corpus.jsonl.gz",
        [
            {"id": str(i), "title": f"On {t}", "text": f"We studied {t} in {i} patients. " * 3}
            for i, t in enumerate(topics)
        ],
    )
    write(
        data / "queries_test.jsonl",
        [{"id": f"q{i}", "query": f"{t} was studied", "relevant": [str(i)]} for i, t in enumerate(topics)],
    )
    return data


def test_a_set_of_short_documents(claims: Path, model: Path, tmp_path: Path):
    result = run("scifact", claims, model, tmp_path)
    assert (result["suite"], result["data"], result["n"]) == ("scifact", "set", 6)
    assert set(result["metrics"]) == {"ndcg@10", "recall@100"}
    assert result["metrics"]["recall@100"] == 1.0
    assert result["metrics"]["ndcg@10"] > 0.6
    assert result["settings"]["documents"] == 6


def test_a_wrong_key_scores_nothing(claims: Path, model: Path, tmp_path: Path):
    write(claims / "queries_test.jsonl", [{"id": "q", "query": "anaemia", "relevant": ["not there"]}])
    assert run("scifact", claims, model, tmp_path)["metrics"] == {"ndcg@10": 0.0, "recall@100": 0.0}


def test_a_limit_draws_questions_and_keeps_the_corpus(claims: Path, model: Path, tmp_path: Path):
    result = run("scifact", claims, model, tmp_path, limit=2, seed=3)
    assert (result["n"], result["settings"]["documents"]) == (2, 6)
    assert result["metrics"] == run("scifact", claims, model, tmp_path, limit=2, seed=3)["metrics"]


def test_chinese_statutes_are_found_by_words(model: Path, tmp_path: Path):
    data = tmp_path / "law"
    data.mkdir()
    write(data / "corpus_gold.jsonl.gz", [{"id": "g", "name": "合同法第一条", "text": "借款人应当按照约定返还借款。"}])
    write(
        data / "corpus_statutes.jsonl.gz",
        [{"id": f"s{i}", "name": f"森林法第{i}条", "text": f"第{i}类林木应当妥善保护。"} for i in range(8)],
    )
    write(data / "queries.jsonl", [{"id": "q", "question": "朋友不返还借款怎么办？", "relevant": ["g"]}])
    assert run("stard", data, model, tmp_path)["metrics"]["ndcg@10"] == 1.0


def test_known_items(model: Path, tmp_path: Path):
    data = tmp_path / "med"
    data.mkdir()
    topics = ["gout", "mumps", "scurvy"]
    write(data / "corpus.jsonl.gz", [{"id": t, "focus": t, "answer": f"Treat {t} with care."} for t in topics])
    write(data / "queries.jsonl", [{"id": t, "question": f"How to treat {t}?", "relevant": [t]} for t in topics])
    assert run("medquad", data, model, tmp_path)["metrics"]["ndcg@10"] > 0.6


@pytest.fixture
def filings(tmp_path: Path) -> Path:
    data = tmp_path / "filings"
    data.mkdir()
    pages = [
        {
            "doc_name": name,
            "page": page,
            "company": name[:3],
            "text": f"Remarks {word} of the company.\n\n  Total   {page}",
        }
        for name in ("AAA_2020_10K", "BBB_2020_10K")
        for page, word in enumerate(["inventory", "goodwill", "leases", "pensions", "litigation", "dividends", "tax"])
    ]
    write(data / "pages.jsonl.gz", pages)
    rows = [
        {
            "id": f"{name}{page}",
            "doc_name": name,
            "question": f"What is said of {word} by {name[:3]}?",
            "evidence": [{"doc_name": name, "page": page, "text": ""}],
            "pdf_in_snapshot": True,
        }
        for name in ("AAA_2020_10K", "BBB_2020_10K")
        for page, word in ((1, "goodwill"), (6, "tax"))
    ]
    missing = {"id": "m", "doc_name": "CCC", "question": "?", "evidence": [], "pdf_in_snapshot": False}
    write(data / "questions.jsonl", [*rows, missing])
    return data


def test_pages_of_filings(filings: Path, model: Path, tmp_path: Path):
    result = run("finance-pages", filings, model, tmp_path)
    assert result["n"] == 4
    assert result["metrics"] == {"hit@5_shared": 1.0, "hit@5_filing": 1.0}
    assert result["settings"]["documents"] == 2


def test_a_page_of_another_filing_is_no_hit(filings: Path, model: Path, tmp_path: Path):
    rows = [json.loads(line) for line in (filings / "questions.jsonl").read_text().splitlines()]
    for row in rows:
        row["evidence"] = [{"doc_name": "elsewhere", "page": 1, "text": ""}]
    write(filings / "questions.jsonl", rows)
    assert run("finance-pages", filings, model, tmp_path)["metrics"] == {"hit@5_shared": 0.0, "hit@5_filing": 0.0}


def test_the_right_filing_is_searched_alone(filings: Path, model: Path, tmp_path: Path):
    rows = [json.loads(line) for line in (filings / "questions.jsonl").read_text().splitlines()][:4]
    for row in rows:
        row["doc_name"] = "BBB_2020_10K" if row["doc_name"].startswith("A") else "AAA_2020_10K"
    write(filings / "questions.jsonl", rows)
    assert run("finance-pages", filings, model, tmp_path)["metrics"]["hit@5_filing"] == 0.0


def test_a_set_without_questions_is_refused(claims: Path, model: Path, tmp_path: Path):
    write(claims / "queries_test.jsonl", [])
    with pytest.raises(EmptyFile, match="no question"):
        run("scifact", claims, model, tmp_path)


def test_rivals_answer_the_same_questions(claims: Path, model: Path, tmp_path: Path):
    result = run("scifact", claims, model, tmp_path, rivals="all")
    assert set(result["rivals"]) == {"bm25", "dense", "rrf", "tutorial"}
    assert set(result["latency_ms"]) == {"vouch", *result["rivals"]}
    assert result["rivals"]["bm25"]["metrics"]["ndcg@10"] == 1.0
    for rival in result["rivals"].values():
        assert set(rival["metrics"]) == set(rival["intervals"]) == set(rival["differences"]) == set(result["metrics"])
        for name, value in rival["metrics"].items():
            difference = rival["differences"][name]
            assert difference["mean"] == pytest.approx(result["metrics"][name] - value)
            assert difference["interval"][0] <= difference["mean"] <= difference["interval"][1]


def test_rivals_can_be_left_out(claims: Path, model: Path, tmp_path: Path):
    assert run("scifact", claims, model, tmp_path, rivals="none")["rivals"] == {}
    assert set(run("scifact", claims, model, tmp_path)["rivals"]) == {"bm25", "dense", "rrf"}
    with pytest.raises(ValueError, match="everyone"):
        run("scifact", claims, model, tmp_path, rivals="everyone")


def test_nothing_is_left_but_the_embeddings(claims: Path, model: Path, tmp_path: Path):
    run("scifact", claims, model, tmp_path)
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["embeddings.db"]


@pytest.mark.parametrize(
    ("suite", "folder"),
    [
        ("scifact", "ret_scifact"),
        ("stard", "legal_stard"),
        ("medquad", "med_medquad"),
        ("finance-pages", "fin_financebench"),
        ("cuad", "legal_cuad"),
    ],
)
def test_the_first_rows_of_the_shared_sets(shared_data: Path, model: Path, tmp_path: Path, suite: str, folder: str):
    source = shared_data / folder
    if not source.is_dir():
        pytest.skip(f"no {folder} in {shared_data}")
    data = tmp_path / folder
    data.mkdir()
    for path in source.glob("*.jsonl*"):
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
            write(data / path.name, [json.loads(line) for line in itertools.islice(lines, 12)])
    result = run(suite, data, model, tmp_path, limit=5)
    assert 1 <= result["n"] <= 5
    assert result["settings"]["passages"] > 0

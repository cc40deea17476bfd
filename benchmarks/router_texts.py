"""Lays out the text that a router is fitted to, from public data sets whose licences allow what is derived from it.

    python -m benchmarks.router_texts --data DIR --out FOLDER [--other]

DIR holds the evaluation sets (each with a README that names its licence). FOLDER gets DOMAIN/PART/NAME.txt and a
LICENCE in each part, as `model.calibrate` reads them. Sets for non-commercial use, and those that ask derived works to
carry their own licence, are not taken. Chinese text on medicine and SQL is the project's own (model/calibrated/texts).
With --other the same sets give records that a fit does not see, from their ends, to measure with.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

__all__ = ["FITTED", "lay_out"]

_OWN: Final = Path(__file__).resolve().parents[1] / "model" / "calibrated" / "texts"
_EVERY: Final = 97
"""The step from one record to the next: spread over a set, and the same ones each time."""


_Order = Callable[[list[Any]], Iterator[Any]]


def _records(path: Path) -> list[Any]:
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in content.decode("utf-8").split("\n") if line]


def _spread(records: list[Any]) -> list[Any]:
    """Return the records in an order that mixes the set; its two ends have none in common."""
    return [record for start in range(_EVERY) for record in records[start::_EVERY]]


def _reports(data: Path, order: _Order) -> Iterator[str]:
    for record in order(_spread(_records(data / "fin_tatqa" / "dev.jsonl"))):
        yield "\n".join(" | ".join(row) for row in record["table"]["table"])
        yield from (paragraph["text"] for paragraph in record["paragraphs"])


def _markets(data: Path, order: _Order) -> Iterator[str]:
    for record in order(_spread(_records(data / "fin_fineval_rigor" / "items.jsonl"))):
        yield record["prompt_with_passages"].partition("检索内容是：")[2][:600]


def _answers(data: Path, order: _Order) -> Iterator[str]:
    for record in order(_spread(_records(data / "med_medquad" / "corpus.jsonl.gz"))):
        yield record["answer"][:500]


def _abstracts(data: Path, order: _Order) -> Iterator[str]:
    for record in order(_spread(_records(data / "med_pubmedqa" / "items.jsonl"))):
        yield f"{record['question']} {' '.join(record['contexts'])[:700]} {record['long_answer']}"


def _contracts(data: Path, order: _Order) -> Iterator[str]:
    for record in order(_spread(_records(data / "legal_cuad" / "contracts.jsonl.gz"))):
        yield record["text"][3000:4200]


def _statutes(data: Path, order: _Order) -> Iterator[str]:
    for record in order(_spread(_records(data / "legal_stard" / "corpus_statutes.jsonl.gz"))):
        yield f"{record['name']} {record['text']}"


def _queries(data: Path, order: _Order) -> Iterator[str]:
    folder = data / "t2s_defog"
    schemas = {}
    for path in sorted((folder / "databases").glob("*.sqlite")):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            schemas[path.stem] = [row[0] for row in database.execute("SELECT sql FROM sqlite_master") if row[0]]
    for number, record in enumerate(order(_spread(_records(folder / "questions.jsonl")))):
        tables = schemas[record["db_id"]]
        yield f"{tables[number % len(tables)][:400]}\n-- {record['question']}\n{record['gold_sql'][0]};"


_Pieces = Callable[[Path, _Order], Iterator[str]]

FITTED: Final[dict[str, tuple[_Pieces, str]]] = {
    "finance/chinese/fineval": (_markets, "FinEval, Apache-2.0"),
    "finance/english/tatqa": (_reports, "TAT-QA, CC BY 4.0"),
    "legal/chinese/statutes": (_statutes, "statutes of the PRC, not subject to copyright (Copyright Law, article 5)"),
    "legal/english/cuad": (_contracts, "CUAD v1, CC BY 4.0"),
    "medical/english/medquad": (_answers, "MedQuAD, CC BY 4.0"),
    "medical/english/pubmedqa": (_abstracts, "PubMedQA, MIT"),
    "sql/english/defog": (_queries, "defog sql-eval and defog-data, Apache-2.0"),
}
"""What is taken from which set, and under which licence."""


def lay_out(data: Path, folder: Path, *, characters: int, other: bool = False) -> None:
    """Write the texts, each of about so many characters; to fit to, and the project's own beside them, or others."""
    licences: dict[Path, list[str]] = {}
    for name, (pieces, licence) in FITTED.items():
        path = folder / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = ""
        for piece in pieces(data, reversed if other else iter):
            text += piece.strip() + "\n\n"
            if len(text) >= characters:
                break
        path.write_text(text, encoding="utf-8")
        licences.setdefault(path.parent, []).append(licence)
    for path in sorted(_OWN.glob("*/*.txt")) if not other else ():
        part = folder / path.parent.name / path.stem
        part.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, part / path.name)
        licences.setdefault(part, []).append("written for this project, under its licence")
    for part, names in licences.items():
        (part / "LICENCE").write_text("; ".join(names) + "\n", encoding="utf-8")


def main() -> None:
    """Lay the texts out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, required=True, help="the evaluation sets")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--characters", type=int, default=8000, help="of each file, at least")
    parser.add_argument("--other", action="store_true", help="records that a fit does not see")
    arguments = parser.parse_args()
    lay_out(arguments.data, arguments.out, characters=arguments.characters, other=arguments.other)


if __name__ == "__main__":
    main()

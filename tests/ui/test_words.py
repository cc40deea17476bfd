"""Every word that a document's kind or remark may need is there in both languages."""

from __future__ import annotations

import re
from pathlib import Path

from retrieval.facts import kinds
from ui.words import CATALOG

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r"Remark\(\s*code=\"([a-z_]+)\"")


def test_each_remark_that_the_code_makes_has_words():
    made = {code for path in (ROOT / "retrieval").rglob("*.py") for code in CODE.findall(path.read_text("utf-8"))}
    assert len(made) >= 5
    assert {code for code in made if f"remark_{code}" not in CATALOG} == set()


def test_each_kind_of_document_has_words():
    named = {name for name, _ in kinds._NAMED}
    assert len(named) >= 10
    assert {name for name in named if f"kind_{name}" not in CATALOG} == set()

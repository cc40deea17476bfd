"""A small generated table of past applications: same fields as the German credit set, outcomes from a known rule."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from domains.finance.credit.applications import Applications, read_applications

GRADES: Mapping[str, Sequence[str]] = {
    "status_of_existing_checking_account": ("... < 0 DM", "0 <= ... < 200 DM", "no checking account"),
    "credit_history": ("critical account", "existing credits paid back duly till now"),
    "purpose": ("car (new)", "radio/television", "education"),
    "savings_account_and_bonds": ("... < 100 DM", "... >= 1000 DM", "unknown/ no savings account"),
    "present_employment_since": ("unemployed", "1 <= ... < 4 years", "... >= 7 years"),
    "other_debtors_or_guarantors": ("none", "guarantor"),
    "property": ("real estate", "unknown / no property"),
    "other_installment_plans": ("none", "bank"),
    "housing": ("own", "rent"),
    "job": ("skilled employee / official", "unskilled - resident"),
}


def make_rows(n: int, *, seed: int = 0) -> list[dict[str, Any]]:
    """Applications whose risk rises with the term and falls with the checking account; the rest is noise."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        row: dict[str, Any] = {name: str(random.choice(grades)) for name, grades in GRADES.items()}
        term, amount = int(random.integers(4, 61)), int(random.integers(250, 15000))
        account = GRADES["status_of_existing_checking_account"].index(row["status_of_existing_checking_account"])
        odds = -1.2 + 0.05 * (term - 30) - 1.1 * (account - 1)
        row |= {
            "id": f"made-{number:04d}",
            "duration_in_month": str(term),
            "credit_amount": str(amount),
            "installment_rate_in_percentage_of_disposable_income": str(random.integers(1, 5)),
            "present_residence_since": str(random.integers(1, 5)),
            "number_of_existing_credits_at_this_bank": str(random.integers(1, 3)),
            "personal_status_and_sex": str(random.choice(["male : single", "female : divorced/separated/married"])),
            "age_in_years": str(random.integers(19, 75)),
            "foreign_worker": "yes",
            "telephone": "none",
            "number_of_people_being_liable_to_provide_maintenance_for": "1",
            "creditability": "bad" if random.random() < 1 / (1 + np.exp(-odds)) else "good",
        }
        rows.append(row)
    return rows


def write_rows(folder: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def read_rows(folder: Path, rows: Sequence[Mapping[str, Any]]) -> Applications:
    return read_applications(write_rows(folder, rows))


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Applications:
    return read_rows(tmp_path_factory.mktemp("made"), make_rows(240))

"""Make the example documents again: ``python examples/make.py``.

The same sources give the same files, byte for byte; the database is compared by its rows, since SQLite marks each file
with its own version. With ``--out`` the files are written below another folder.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sources import (
    annual_report,
    credit_agreement,
    credit_policy,
    expense_policy,
    guideline,
    lending,
    patient,
)

__all__ = ["FILES", "main"]

FILES: Final[dict[str, Callable[[Path], None]]] = {
    "documents/annual-report-2025.pdf": annual_report.write,
    "documents/credit-agreement.pdf": credit_agreement.write,
    "documents/hypertension-guideline.html": guideline.write,
    "documents/信贷风险管理办法.docx": credit_policy.write,
    "documents/费用报销制度.md": expense_policy.write,
    "records/patient-bundle.json": patient.write,
    "databases/lending.sqlite": lending.write,
}
"""Every file that is made, below the folder of examples, and what writes it."""


def main() -> None:
    """Write all files and print their sizes."""
    parser = argparse.ArgumentParser(description="Make the example documents again.")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent, help="folder to write below")
    folder: Path = parser.parse_args().out
    for name, write in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path)
        print(f"{path.stat().st_size:>8,} bytes  {name}")


if __name__ == "__main__":
    main()

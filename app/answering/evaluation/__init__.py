"""How right, how honest and how safe the answers are, on public sets, through the pipeline that answers everybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from app.answering.evaluation.attacker import attacker
from app.answering.evaluation.bipia import bipia
from app.answering.evaluation.convfinqa import convfinqa
from app.answering.evaluation.cse import cse
from app.answering.evaluation.exams import CMMLU, MMLU
from app.answering.evaluation.faithbench import faithbench
from app.answering.evaluation.finance_qa import finance_qa
from app.answering.evaluation.fineval import fineval
from app.answering.evaluation.lawbench import lawbench
from app.answering.evaluation.legalbench import legalbench
from app.answering.evaluation.mirage import mirage
from app.answering.evaluation.mtragun import mtragun
from app.answering.evaluation.pubmedqa import pubmedqa
from app.answering.evaluation.rgb import rgb
from app.answering.evaluation.tatqa import tatqa
from app.answering.evaluation.xstest import xstest

__all__ = ["SUITES"]

SUITES: Final[Mapping[str, Callable[..., Mapping[str, Any]]]] = MappingProxyType(
    {
        "attacker": attacker,
        "bipia": bipia,
        "cmmlu": CMMLU,
        "convfinqa": convfinqa,
        "cse": cse,
        "faithbench": faithbench,
        "finance-qa": finance_qa,
        "fineval": fineval,
        "lawbench": lawbench,
        "legalbench": legalbench,
        "mirage": mirage,
        "mmlu": MMLU,
        "mtragun": mtragun,
        "pubmedqa": pubmedqa,
        "rgb": rgb,
        "tatqa": tatqa,
        "xstest": xstest,
    }
)
"""Suites by name. Each is called as ``suite(data, assistant=…, limit=…, seed=…, report=…)``."""

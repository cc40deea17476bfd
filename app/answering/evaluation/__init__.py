"""How right, how honest and how safe the answers are, on public sets, through the pipeline that answers everybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from app.answering.evaluation.attacker import attacker
from app.answering.evaluation.bipia import bipia
from app.answering.evaluation.convfinqa import convfinqa
from app.answering.evaluation.cse import cse
from app.answering.evaluation.finance_qa import finance_qa
from app.answering.evaluation.fineval import fineval
from app.answering.evaluation.tatqa import tatqa
from app.answering.evaluation.xstest import xstest

__all__ = ["SUITES"]

SUITES: Final[Mapping[str, Callable[..., Mapping[str, Any]]]] = MappingProxyType(
    {
        "attacker": attacker,
        "bipia": bipia,
        "convfinqa": convfinqa,
        "cse": cse,
        "finance-qa": finance_qa,
        "fineval": fineval,
        "tatqa": tatqa,
        "xstest": xstest,
    }
)
"""Suites by name. Each is called as ``suite(data, assistant=…, limit=…, seed=…, report=…)``."""

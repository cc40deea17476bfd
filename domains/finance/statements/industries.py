"""The industries that rules and factors tell apart, each by one word.

Financial companies have no working capital, cost of sales or debt in the sense of most factors; those factors say so.
The other words matter where a rule has borders of its own, and for who is whose peer.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from domains.finance.statements.refusals import InputRefused, shown
from retrieval.language import Language

__all__ = ["INDUSTRIES", "read_industry"]

INDUSTRIES: Final[Mapping[str, Mapping[Language, str]]] = MappingProxyType(
    {
        "manufacturing": {"en": "Manufacturing", "zh": "制造业"},
        "retail": {"en": "Retail and wholesale", "zh": "批发和零售业"},
        "technology": {"en": "Technology", "zh": "信息技术"},
        "health": {"en": "Health", "zh": "医药健康"},
        "energy": {"en": "Energy and mining", "zh": "能源和采矿业"},
        "utility": {"en": "Utilities", "zh": "公用事业"},
        "construction": {"en": "Construction", "zh": "建筑业"},
        "real_estate": {"en": "Real estate", "zh": "房地产业"},
        "transport": {"en": "Transport", "zh": "交通运输业"},
        "services": {"en": "Services", "zh": "服务业"},
        "agriculture": {"en": "Agriculture", "zh": "农林牧渔业"},
        "bank": {"en": "Banks", "zh": "银行业"},
        "insurer": {"en": "Insurers", "zh": "保险业"},
        "broker": {"en": "Brokers", "zh": "证券业"},
    }
)


def read_industry(word: str | None) -> str | None:
    """Return the industry of a word, in either language; None of None.

    Raises:
        InputRefused: it is none that is known.
    """
    if word is None:
        return None
    low = word.strip().lower()
    for name, titles in INDUSTRIES.items():
        if low in (name, titles["en"].lower(), titles["zh"]):
            return name
    raise InputRefused(
        f"{shown(word)!r} is no industry that is known.",
        remedy=f"Use one of: {', '.join(INDUSTRIES)}; or leave it out.",
    )

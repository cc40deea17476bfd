"""What stands under every answer of this domain."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from retrieval.language import Language

__all__ = ["NOTICE", "RETENTION_DAYS"]

NOTICE: Final[Mapping[Language, str]] = MappingProxyType(
    {
        "en": "Computed from the figures that were given: it assists and does not decide. No investment advice.",
        "zh": "依据所提供的数据计算得出，仅供辅助参考，不构成投资或授信决策。",
    }
)

RETENTION_DAYS: Final = 7_305
"""20 years with their leap days: the Securities Law of the People's Republic of China (2019), Art. 137, has securities
firms keep clients' and business records for no less than 20 years. The longest duty among the users of this domain
holds for all."""

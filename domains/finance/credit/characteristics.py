"""What is known of an applicant, declared as data: which fields are used, how they are cut, which never are, and why.

The fields are those of the German credit set (Statlog; H. Hofmann, 1994; UCI machine learning repository, CC BY 4.0),
by the names of its columns. A *characteristic* is a field that the score uses.

Five fields are not used, whatever they would add (12 CFR 1002 is Regulation B, which implements the US Equal Credit
Opportunity Act; the EU's consumer credit directive 2023/2225, Art. 6, and AI Act, Annex III 5(b), point the same way):

- personal_status_and_sex: one text for two prohibited bases, sex and marital status (12 CFR 1002.2(z), 1002.6(b)(1)).
  The sex is split off for the fairness report alone; neither part is an input.
- age_in_years: lawful only within 12 CFR 1002.6(b)(2); left out altogether, and reported on.
- foreign_worker: national origin or a near proxy of it.
- telephone: whether one is listed *in the applicant's name* may not be taken into account (12 CFR 1002.6(b)(4)).
- number_of_people_being_liable_to_provide_maintenance_for: follows marital status and sex more than it tells of risk.

Not covered: proxies among what remains. Housing, job, length of employment and residence go with age; the fairness
report shows the effect, and does not remove it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

__all__ = ["CHARACTERISTICS", "LABEL", "MISSING", "NOT_USED", "Characteristic"]

LABEL: Final = "creditability"
MISSING: Final = "(missing)"

Trend = Literal["falling", "rising", "free"]


@dataclass(frozen=True, slots=True)
class Characteristic:
    """One field that the score uses.

    `numeric` fields are cut into bins; the others are binned by their text. `trend` says how creditworthiness must go
    along the bins of a numeric field: "falling" with its value, "rising", or "free" where a lender could explain a bend
    (very small and very large loans are both riskier). `grades` is the order of categories that are steps of one
    scale, as the form itself has it; what is outside the scale ("unknown") is not in it. `reason` is what an applicant
    is told when it cost them points.
    """

    name: str
    en: str
    zh: str
    reason_en: str
    reason_zh: str
    numeric: bool = False
    trend: Trend = "free"
    grades: tuple[str, ...] = ()


def _one(
    name: str,
    en: str,
    zh: str,
    reason_en: str,
    reason_zh: str,
    *,
    numeric: bool = False,
    trend: Trend = "free",
    grades: tuple[str, ...] = (),
) -> Characteristic:
    return Characteristic(name, en, zh, reason_en, reason_zh, numeric, trend, grades)


CHARACTERISTICS: Final = (
    _one(
        "status_of_existing_checking_account",
        "Checking account",
        "支票账户状态",
        "Balance or status of the checking account",
        "支票账户的余额或状态",
        grades=("... < 0 DM", "0 <= ... < 200 DM", "... >= 200 DM / salary assignments for at least 1 year"),
    ),
    _one(
        "duration_in_month",
        "Term in months",
        "贷款期限（月）",
        "Length of the term asked for",
        "申请的贷款期限",
        numeric=True,
        trend="falling",
    ),
    _one("credit_history", "Credit history", "信用记录", "Record of earlier credits", "以往信贷的偿还记录"),
    _one("purpose", "Purpose", "贷款用途", "Purpose of the loan", "贷款用途"),
    _one("credit_amount", "Amount", "贷款金额", "Amount asked for", "申请的贷款金额", numeric=True),
    _one(
        "savings_account_and_bonds",
        "Savings and bonds",
        "储蓄与债券",
        "Amount of savings and bonds",
        "储蓄与债券的数额",
        grades=("... < 100 DM", "100 <= ... < 500 DM", "500 <= ... < 1000 DM", "... >= 1000 DM"),
    ),
    _one(
        "present_employment_since",
        "Length of employment",
        "现职工作年限",
        "Length of the present employment",
        "现职工作年限",
        grades=("unemployed", "... < 1 year", "1 <= ... < 4 years", "4 <= ... < 7 years", "... >= 7 years"),
    ),
    _one(
        "installment_rate_in_percentage_of_disposable_income",
        "Instalment rate class",
        "分期占可支配收入比例等级",
        "Instalment in proportion to disposable income",
        "分期还款额占可支配收入的比例",
        numeric=True,
        trend="falling",
    ),
    _one(
        "other_debtors_or_guarantors",
        "Other debtors or guarantors",
        "共同债务人或担保人",
        "Other debtors or guarantors",
        "共同债务人或担保人的情况",
    ),
    _one(
        "present_residence_since",
        "Length of residence class",
        "现住址居住年限等级",
        "Length of residence",
        "现住址的居住年限",
        numeric=True,
    ),
    _one(
        "property",
        "Property",
        "财产",
        "Kind of property owned",
        "拥有财产的种类",
        grades=(
            "unknown / no property",
            "car or other, not in attribute Savings account/bonds",
            "building society savings agreement/ life insurance",
            "real estate",
        ),
    ),
    _one(
        "other_installment_plans",
        "Other instalment plans",
        "其他分期计划",
        "Instalment plans with others",
        "在其他机构的分期计划",
    ),
    _one("housing", "Housing", "住房", "Housing situation", "住房情况"),
    _one(
        "number_of_existing_credits_at_this_bank",
        "Credits at this bank",
        "在本行的现有信贷数",
        "Number of credits at this bank",
        "在本行的现有信贷数",
        numeric=True,
    ),
    _one(
        "job",
        "Job",
        "职业",
        "Kind of job",
        "职业类别",
        grades=(
            "unemployed/ unskilled - non-resident",
            "unskilled - resident",
            "skilled employee / official",
            "management/ self-employed/ highly qualified employee/ officer",
        ),
    ),
)

NOT_USED: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "personal_status_and_sex": (
            "sex and marital status are prohibited bases (12 CFR 1002.6(b)(1))",
            "性别与婚姻状况属于禁止依据（12 CFR 1002.6(b)(1)）",
        ),
        "sex": ("sex is a prohibited basis (12 CFR 1002.6(b)(1))", "性别属于禁止依据（12 CFR 1002.6(b)(1)）"),
        "age_in_years": (
            "age is left out altogether and only reported on (12 CFR 1002.6(b)(2))",
            "年龄完全不作为输入，仅用于报告（12 CFR 1002.6(b)(2)）",
        ),
        "age": (
            "age is left out altogether and only reported on (12 CFR 1002.6(b)(2))",
            "年龄完全不作为输入，仅用于报告（12 CFR 1002.6(b)(2)）",
        ),
        "foreign_worker": (
            "national origin is a prohibited basis (12 CFR 1002.6(b)(9))",
            "国籍来源属于禁止依据（12 CFR 1002.6(b)(9)）",
        ),
        "nationality": (
            "national origin is a prohibited basis (12 CFR 1002.6(b)(9))",
            "国籍来源属于禁止依据（12 CFR 1002.6(b)(9)）",
        ),
        "telephone": (
            "a telephone listed in the applicant's name may not be taken into account (12 CFR 1002.6(b)(4))",
            "不得考虑是否有以申请人名义登记的电话（12 CFR 1002.6(b)(4)）",
        ),
        "number_of_people_being_liable_to_provide_maintenance_for": (
            "the number of dependants follows marital status and sex more than it tells of risk",
            "受扶养人数更多反映婚姻状况与性别，而非风险",
        ),
    }
)
"""Fields that never reach the score, each with its reason in English and Chinese."""

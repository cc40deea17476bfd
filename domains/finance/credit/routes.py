"""`/v1/finance/credit/score`: one applicant in, points, advice and reasons out.

The fields are those of `characteristics`. Sex, age, nationality and their like are refused by name, so that nobody can
think that they were taken into account.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from domains.finance.credit.serving import ACCEPT, DECLINE, CreditDesk

__all__ = ["credit_router"]

Figure = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)] | None
Category = Annotated[str, Field(max_length=200)] | None


class Applicant(BaseModel):
    """An applicant. Amount and term are needed; what else is left out counts as missing, and the answer says so."""

    model_config = ConfigDict(extra="allow")  # so that a field that may not be used is refused with its reason

    credit_amount: Figure = Field(default=None, description="Amount asked for, in the currency of the table.")
    duration_in_month: Figure = Field(default=None, description="Term in months.")
    status_of_existing_checking_account: Category = None
    credit_history: Category = None
    purpose: Category = None
    savings_account_and_bonds: Category = None
    present_employment_since: Category = None
    installment_rate_in_percentage_of_disposable_income: Figure = None
    other_debtors_or_guarantors: Category = None
    present_residence_since: Figure = None
    property: Category = None
    other_installment_plans: Category = None
    housing: Category = None
    number_of_existing_credits_at_this_bank: Figure = None
    job: Category = None


class Points(BaseModel):
    """The points of one characteristic."""

    characteristic: str
    bin: str
    points: int


class ReasonCode(BaseModel):
    """One principal reason why points were lost against the average applicant."""

    code: str
    bin: str
    shortfall: float
    en: str
    zh: str


class ModelName(BaseModel):
    """Which fitted model answered."""

    name: str
    version: str
    digest: str
    card: str


class CreditScore(BaseModel):
    """The answer. `probability_bad` follows from `score` alone; `not_seen` names fields that weighed nothing."""

    probability_bad: float
    score: int
    band: Literal["accept", "refer", "decline"]
    accept_below: float = ACCEPT
    decline_from: float = DECLINE
    points: list[Points]
    reasons: list[ReasonCode]
    not_seen: list[str]
    notice: dict[str, str]
    model: ModelName
    record: int


_NOTICE = {
    "en": "Advice to a person, not a decision. Fitted on an example set; see the model card.",
    "zh": "供人员参考，并非决定。基于示例数据拟合；请参阅模型卡。",
}


def credit_router(desk: CreditDesk) -> APIRouter:
    """Return the routes of credit scoring."""
    router = APIRouter()

    @router.post("/credit/score", summary="Score one applicant")
    def score(applicant: Applicant, request: Request) -> CreditScore:
        """Return points, advice and reasons; the first call after a start may fit the scorecard."""
        fields: dict[str, Any] = applicant.model_dump(exclude_unset=True)
        found = desk.score(fields, actor=request.state.principal)
        card = found.model.card
        return CreditScore(
            probability_bad=round(found.scored.probability_bad, 4),
            score=found.scored.score,
            band=found.band,
            points=[
                Points(characteristic=name, bin=found.bins[name], points=points)
                for name, points in found.scored.points.items()
            ],
            reasons=[
                ReasonCode(code=item.code, bin=item.bin, shortfall=item.shortfall, en=item.en, zh=item.zh)
                for item in found.reasons
            ],
            not_seen=list(found.scored.unseen),
            notice=_NOTICE,
            model=ModelName(
                name=card.name,
                version=card.version,
                digest=found.model.digest,
                card=f"/v1/finance/models/{card.name}/card",
            ),
            record=found.record,
        )

    return router

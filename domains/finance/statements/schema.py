"""What comes in as JSON and what goes out, as FastAPI describes it.

Amounts go out as strings of decimals in whole units of the currency, so that no reader's floating point changes them.
Amounts come in as numbers or as text in any of the ways that `intake.amounts` reads.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from domains.finance.statements.intake.figures import LIMITS

__all__ = [
    "AssessRequest",
    "AssessResponse",
    "CellOut",
    "CompanyIn",
    "CompanyOut",
    "FactorOut",
    "FactorPage",
    "FactorResult",
    "FindingOut",
    "GroupOut",
    "ItemOut",
    "PeriodIn",
    "RatedOut",
    "RiskOut",
    "StatementsIn",
    "StruckOut",
    "TextVerdict",
    "UnmappedOut",
    "VerifyRequest",
    "VerifyResponse",
    "WorkingOut",
]

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
Amount = Annotated[int | float, Field(allow_inf_nan=False)] | Annotated[str, StringConstraints(max_length=64)] | None
Languages = Literal["en", "zh"]

_MOST_FIGURES: Final = 1_000
_EXAMPLE: Final[dict[str, Any]] = {
    "company": "青禾纸业",
    "currency": "CNY",
    "unit": "万元",
    "periods": [
        {
            "end": "2022-12-31",
            "figures": {"营业收入": 118000, "应收账款": 20000, "流动资产合计": 50000, "流动负债合计": 50000},
        },
        {
            "end": "2023-12-31",
            "figures": {"营业收入": "120,000", "应收账款": 30000, "流动资产合计": 60000, "流动负债合计": "70,000"},
        },
    ],
}


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PeriodIn(_In):
    """One period's figures. `start` or `months` say how long it is; without them the request's `months` hold."""

    end: Word = Field(description="Last day, as 2023-12-31; or 2023, FY2023, 2023年1-6月, 2023Q1.")
    months: Literal[1, 3, 6, 9, 12] | None = None
    unit: Word | None = Field(
        default=None, description="元, 千元, 万元, 百万元, 亿元, one, thousand, million, billion."
    )
    currency: Word | None = None
    filed: Word | None = Field(
        default=None,
        description="Day of publication. A period given again later is a restatement; the later one counts.",
    )
    figures: dict[Name, Amount] = Field(
        max_length=_MOST_FIGURES, description="Amounts by line item, in either language."
    )
    parts: dict[Name, dict[Name, Amount]] = Field(
        default_factory=dict,
        max_length=50,
        description="Amounts of items that are reported in parts, by item and part.",
    )
    source: Name | None = Field(default=None, description="Where the figures stand, such as 'annual report, page 92'.")


class StatementsIn(_In):
    """One company's statements."""

    company: Name
    currency: Word | None = Field(default=None, description="ISO 4217 code, or a name such as 人民币.")
    unit: Word = Field(default="one", description="Of the amounts of money; amounts per share are never scaled.")
    share_unit: Word = Field(default="one", description="Of numbers of shares.")
    industry: Word | None = Field(default=None, description="A word of GET /v1/finance/industries.")
    months: Literal[1, 3, 6, 9, 12] | None = Field(
        default=None, description="Length of the periods; 12 if nothing is said."
    )
    periods: list[PeriodIn] = Field(min_length=1, max_length=LIMITS.periods)


class AssessRequest(StatementsIn):
    """Statements to assess, with the peers to compare them with."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    peers: list[StatementsIn] = Field(default_factory=list, max_length=LIMITS.peers)
    peers_stored: bool = Field(
        default=False, description="Compare with the stored companies of the same industry as well."
    )
    search: bool = Field(default=True, description="Search the documents for what they say about each risk point.")
    accept_scale_break: bool = Field(default=False, description="Figures really changed about a thousandfold.")
    all_factors: bool = Field(default=False, description="Return every factor of every period, also without a value.")


class VerifyRequest(StatementsIn):
    """A text about a company, to be held against its figures sentence by sentence."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=8_000)]
    factors: list[Word] = Field(default_factory=list, max_length=50, description="Factors that the text may state.")


class CompanyIn(StatementsIn):
    """Statements to keep under a label."""

    label: Word = Field(default="internal", description="Who may see the company: a label that the caller holds.")


class SourceOut(BaseModel):
    """Where a figure stands."""

    document: str
    place: str
    tag: str | None = None


class CellOut(BaseModel):
    """One figure, in whole units."""

    item: str
    title: str
    period: str
    value: str
    unit: str
    source: SourceOut
    part: str | None = None


class UnmappedOut(BaseModel):
    """A line that names no known item."""

    label: str
    place: str
    figures: int
    nearest: list[str]


class RestatedOut(BaseModel):
    """A figure that was published again with another amount."""

    item: str
    period: str
    used: str
    filed: str
    earlier: str
    filed_before: str


class IntakeOut(BaseModel):
    """What was decided on the way from the source to the figures."""

    cells: int
    unmapped: list[UnmappedOut]
    restated: list[RestatedOut]
    turned: list[str] = Field(description="Items shown as deductions, whose sign was turned.")
    impossible: list[CellOut] = Field(description="Below zero where that cannot be; not used.")
    ambiguous: list[CellOut] = Field(description="Lines for one item that contradict each other; not used.")
    summed: list[str] = Field(description="Items added up from lines reported apart.")
    empty: int = Field(description="Empty cells and dashes of known items: not reported, never zero.")
    aside: int = Field(description="Figures of another length or of older periods.")


class FindingOut(BaseModel):
    """What does not agree, or is missing."""

    code: str
    gravity: Literal["error", "warning", "note"]
    period: str | None
    text: dict[Languages, str]
    items: list[str]


class FactorResult(BaseModel):
    """A factor in one period: a value, or the reason why there is none."""

    id: str
    title: dict[Languages, str]
    group: str
    unit: str
    period: str
    value: str | None
    reason: dict[Languages, str] | None = None
    assumed: list[str] = Field(
        default_factory=list, description="Items taken as nil, since their statement lacks them."
    )


class PeerOut(BaseModel):
    """Where a figure stands among peers; `highest` is the best quarter, whatever the direction."""

    peers: int
    middle: str
    quarter: Literal["lowest", "below_middle", "above_middle", "highest"]


class RatedOut(BaseModel):
    """One rated figure."""

    id: str
    factor: str
    formula: str
    value: str | None
    level: Literal["weak", "fair", "good", "strong"] | None
    reason: dict[Languages, str] | None
    borders: list[str]
    source: str
    peers: PeerOut | None


class GroupOut(BaseModel):
    """A group of rated figures."""

    id: str
    title: dict[Languages, str]
    level: Literal["weak", "fair", "good", "strong"] | None
    figures: list[RatedOut]


class RatingOut(BaseModel):
    """The rating of the newest period."""

    period: str
    overall: Literal["weak", "fair", "good", "strong"] | None
    computed: int
    asked: int
    groups: list[GroupOut]


class SideOut(BaseModel):
    """One side of a quotient."""

    formula: str
    title: dict[Languages, str]
    value: str


class WorkingOut(BaseModel):
    """How the value of one period came about."""

    period: str
    value: str
    numerator: SideOut | None
    denominator: SideOut | None


class PassageOut(BaseModel):
    """What a document says about it."""

    document_id: str
    document: str
    page: int | None
    text: str
    digest: str


class RiskOut(BaseModel):
    """One risk point, bound to its cells and formula."""

    id: str
    severity: Literal["watch", "medium", "high"]
    red_flag: bool
    group: str
    factor: str
    formula: str
    test: Literal["level", "change", "points"]
    tested: str
    border: str
    period: str
    period_before: str | None
    text: dict[Languages, str]
    workings: list[WorkingOut]
    cells: list[CellOut]
    source: str
    passages: list[PassageOut]


class StruckOut(BaseModel):
    """A sentence that was not shown since a figure in it did not hold."""

    rule: str
    language: Languages
    reason: str


class VersionsOut(BaseModel):
    """What made the assessment."""

    library: str
    rules: str


class AssessResponse(BaseModel):
    """An assessment. It assists and does not decide."""

    company: str
    currency: str
    industry: str | None
    periods: list[str]
    intake: IntakeOut
    findings: list[FindingOut]
    rating: RatingOut
    risks: list[RiskOut]
    narrative: dict[Languages, str]
    struck: list[StruckOut]
    factors: list[FactorResult]
    factor_count: dict[str, int]
    disclosures_searched: bool
    notice: dict[Languages, str]
    versions: VersionsOut
    digest: str
    entry: int = Field(description="The ledger's entry of this assessment.")


class TextVerdict(BaseModel):
    """One sentence of a text and whether its figures hold."""

    text: str
    holds: bool
    reason: str | None


class VerifyResponse(BaseModel):
    """A text held against figures: what is left of it when the sentences that fail are struck out."""

    text: str
    sentences: list[TextVerdict]
    entry: int


class FactorOut(BaseModel):
    """One factor of the library."""

    id: str
    title: dict[Languages, str]
    group: str
    formula: str
    unit: str
    direction: str
    source: str
    periods: int
    excluded: list[str]
    peers: int


class FactorPage(BaseModel):
    """Some factors, and how many there are in all."""

    factors: list[FactorOut]
    total: int
    groups: dict[str, int]
    version: str


class ItemOut(BaseModel):
    """One line item, and the names under which it is known."""

    id: str
    title: dict[Languages, str]
    statement: str
    nature: str
    sign: str
    unit: str
    in_parts: bool
    names: list[str]


class CompanyOut(BaseModel):
    """A stored company; its figures are shown by assessing it."""

    id: str
    company: str
    label: str
    industry: str | None
    currency: str
    periods: list[str]
    cells: int
    digest: str
    updated_at: str


class CompanyPage(BaseModel):
    """The stored companies that the caller may see."""

    companies: list[CompanyOut]
    total: int

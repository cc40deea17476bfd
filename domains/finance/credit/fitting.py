"""Fits the scorecard that is served and writes its card: every figure on it is cross-validated, none is of the fit.

The card's words are fixed here, in both languages; its figures are computed by `evaluate.figures` from out-of-fold
scores of the scorecard alone.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final

from domains.finance.credit import measures
from domains.finance.credit.applications import Applications
from domains.finance.credit.characteristics import NOT_USED
from domains.finance.credit.contenders import CONTENDERS
from domains.finance.credit.crossvalidate import FOLDS, out_of_fold
from domains.finance.credit.evaluate import by_group, figures
from domains.finance.credit.fairness import in_blocks
from domains.finance.credit.scorecard import PENALTY, PSEUDO, Scorecard, fit_scorecard
from domains.finance.credit.serving import NAME
from domains.finance.modelcard import Metric, ModelCard, Text, TrainingData

__all__ = ["fit_and_describe"]

_VERSION: Final = "1"
_REPEATS: Final = 3
_SEED: Final = 0

_TITLE: Final = Text(en="Credit scorecard (worked example)", zh="信用评分卡（示例）")
_USE: Final = Text(
    en="Ranks applicants for consumer loans like those of its table, gives the points and reasons of each, and advises "
    "a person. It shows how a scorecard is built, explained, checked for fairness and kept.",
    zh="对与训练表类似的消费贷款申请人排序，给出每项得分与理由，供人员参考。用于演示评分卡如何构建、解释、检查公平性和存档。",
)
_SCOPE: Final = Text(
    en="Deciding alone about anybody; business loans, mortgages, limits or prices; applicants of another country or "
    "time than those of the table; probabilities of default for provisions or capital.",
    zh="不得单独用于对任何人作出决定；不适用于企业贷款、房贷、额度或定价；不适用于与训练表不同国家或时期的申请人；"
    "不得用作拨备或资本计量的违约概率。",
)
_EVALUATION: Final = Text(
    en="Repeated stratified cross-validation on the table itself; bins, weights and coefficients fitted anew in each "
    "fold. Intervals: bootstrap of rows. Cost: 5 for a bad loan made, 1 for a good one refused, an applicant, at a "
    "probability of 1/6.",
    zh="在训练表上做重复分层交叉验证；每折内重新拟合分箱、权重与系数。区间：按行自助抽样。成本：按每位申请人计，"
    "放出坏贷款为 5，拒绝好贷款为 1，阈值概率 1/6。",
)
_NOT_INPUTS: Final = Text(
    en="Sex, marital status, age, national origin, a telephone listed in the applicant's name and the number of "
    "dependants are prohibited bases or their near proxies; they are refused as inputs. Sex and age group are used "
    "for the fairness figures alone.",
    zh="性别、婚姻状况、年龄、国籍来源、以申请人名义登记的电话及受扶养人数属于禁止依据或其近似代理，不接受为输入。"
    "性别与年龄组仅用于公平性指标。",
)
_FAIRNESS: Final = Text(
    en="Leaving an attribute out does not make its groups equal: housing, employment and residence go with age. An "
    "impact ratio under 0.8 is a sign to look for a less discriminatory card, not a verdict; small groups have wide "
    "intervals.",
    zh="不使用某属性并不使各组相等：住房、就业和居住年限与年龄相关。影响比低于 0.8 提示应寻找歧视更小的评分卡，"
    "并非定论；小组别的区间较宽。",
)
_LIMITS: Final = (
    Text(
        en="The table holds loans that were granted: nobody who was refused is in it, and no reject inference was "
        "made. Among applicants of a kind that used to be refused the score is a guess.",
        zh="训练表只含已发放的贷款：没有被拒绝者，也未做拒绝推断。对以往会被拒绝的申请人，评分只是猜测。",
    ),
    Text(
        en="If the table is the German credit set: it is from 1973 to 1975, bad loans are oversampled, and its code "
        "for sex mixes single men with women, so that the figures by sex are unreliable.",
        zh="若训练表为德国信贷数据集：数据来自 1973–1975 年，坏贷款被过度抽样，其性别编码把单身男性与女性混在一起，"
        "因此按性别的指标不可靠。",
    ),
    Text(
        en="A value that the table does not have weighs nothing, and the answer names it.",
        zh="训练表中没有的取值不计权重，并会在回答中指明。",
    ),
)

_BLOCKS: Final = {
    name: Text(
        en=f"The values of {name} lie in blocks along the table: either it was sorted by them, or they do not belong "
        f"to its rows. Figures by {name} mean nothing in the second case.",
        zh=f"{chinese}的取值在表中成块排列：要么该表按其排序，要么这些取值与各行不对应。若为后者，按{chinese}的指标没有意义。",
    )
    for name, chinese in (("sex", "性别"), ("age", "年龄组"))
}


def fit_and_describe(data: Applications, *, today: date | None = None) -> tuple[Scorecard, ModelCard]:
    """Fit the scorecard on a table and describe it; the same table and day give the same bytes.

    Raises:
        ApplicationsRefused: there are too few applications.
    """
    scores = out_of_fold(data, repeats=_REPEATS, seed=_SEED, contenders={"scorecard": CONTENDERS["scorecard"]})[
        "scorecard"
    ]
    counts = measures.draws(len(data), seed=_SEED)
    metrics = [
        Metric(
            name=name,
            value=value,
            low=None if found is None else found[0],
            high=None if found is None else found[1],
            n=len(data),
            how=f"{_REPEATS} x {FOLDS}-fold" if found is None else f"{_REPEATS} x {FOLDS}-fold, bootstrap of rows",
        )
        for name, (value, found) in figures(scores, data.bad, counts).items()
    ]
    card = fit_scorecard(data)
    described = ModelCard(
        name=NAME,
        version=_VERSION,
        kind="scorecard",
        fitted=today or datetime.now(tz=UTC).date(),
        owner="the operator of this service",
        contact="the administrator of this service",
        title=_TITLE,
        intended_use=_USE,
        out_of_scope=_SCOPE,
        training=TrainingData(name="credit/rows.jsonl", digest=data.digest, rows=len(data)),
        inputs=tuple(card.coefficients),
        not_inputs=tuple(NOT_USED),
        not_inputs_why=_NOT_INPUTS,
        metrics=tuple(metrics),
        evaluation=_EVALUATION,
        fairness=by_group(data, scores, counts),
        fairness_reading=_FAIRNESS,
        limits=(*_LIMITS, *(_BLOCKS[name] for name, column in data.protected.items() if in_blocks(column))),
        settings={"pseudo_applicants": PSEUDO, "penalty": PENALTY, "seed": _SEED},
    )
    return card, described

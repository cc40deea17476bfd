"""The model card of the transaction risk model: what is said of it, with the figures that its fit measured."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

from domains.finance.modelcard import Metric, ModelCard, Text, TrainingData
from domains.finance.transactions.features import NAMES

__all__ = ["card"]

_COUNTS: Final = frozenset(
    {"transactions_train", "fraud_train", "transactions_test", "fraud_test"}
)  # they describe the data, not the model

_LIMITS: Final = (
    Text(
        en="The shipped model was fitted on generated transactions. Its figures say nothing about a real bank;"
        " fit it on labelled transactions of your own before it decides anything.",
        zh="随附模型以生成的交易拟合，其指标不代表任何真实银行；用于决策前请以自有标注交易重新拟合。",
    ),
    Text(
        en="It knows five kinds of crime and no crime that adapts to being caught.",
        zh="仅覆盖五类犯罪手法，未涵盖会随查处而变化的手法。",
    ),
    Text(
        en="The first transactions of an account, a merchant or a campaign have little history and are scored"
        " with less.",
        zh="账户、商户或违法活动的最初几笔交易缺乏历史，可用信息较少。",
    ),
)


def card(
    *,
    data: TrainingData,
    fitted: date,
    figures: Mapping[str, float],
    how: Mapping[str, str],
    settings: Mapping[str, str | int | float | bool | None],
) -> ModelCard:
    """Make the card.

    Args:
        data: What it was fitted on.
        fitted: The day.
        figures: As measured on the held-out part, by name.
        how: How each figure was made, by name.
        settings: Of the fit.
    """
    tested = int(figures["transactions_test"])
    metrics = tuple(
        Metric(name=name, value=value, n=tested, how=how.get(name, ""))
        for name, value in figures.items()
        if name not in _COUNTS
    )
    return ModelCard(
        name="transaction-risk",
        version="1",
        kind="lightgbm",
        fitted=fitted,
        owner="the operator of this Vouch",
        contact="the risk officer named by the operator",
        title=Text(en="Risk of single transactions", zh="单笔交易风险"),
        intended_use=Text(
            en="Ranks single transactions by the probability that they belong to fraud or laundering, so that people"
            " look at the right ones first. Every score comes with exact reasons.",
            zh="按单笔交易属于欺诈或洗钱的概率排序，使人员优先核查最可疑的交易；每个分值都附有精确的原因。",
        ),
        out_of_scope=Text(
            en="Closing accounts, reporting people or refusing service without a person's decision; rating customers.",
            zh="未经人工决定即销户、举报或拒绝服务；客户评级。",
        ),
        training=data,
        inputs=NAMES,
        not_inputs=("name", "sex", "age", "nationality", "religion", "address"),
        not_inputs_why=Text(
            en="They are not part of a transaction as it is sent in. The countries of transaction and account are, and"
            " may stand in for nationality: compare the alerts by home country before use.",
            zh="所传交易不含这些属性。交易国家与账户所在国会参与计算，可能间接反映国籍：使用前请按所在国比较预警率。",
        ),
        metrics=metrics,
        evaluation=Text(
            en=f"On {tested} transactions of the last months, none of which was seen while fitting or calibrating; "
            f"{int(figures['fraud_test'])} of them belong to a campaign.",
            zh=f"在最后几个月的{tested}笔交易上评估，拟合与校准均未使用；其中{int(figures['fraud_test'])}笔属于违法活动。",
        ),
        limits=_LIMITS,
        settings=dict(settings),
    )

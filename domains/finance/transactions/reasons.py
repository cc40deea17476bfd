"""Why a transaction got its score, in words: the largest contributions, each with its value, in English and Chinese.

A reason's words are made from the declaration of its feature (role, aggregate, window) and the value; nothing is
written by the language model. `effect` says whether it raised or lowered the raw score, and by how much in log-odds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np
from pydantic import Field

from domains.finance.transactions.features import FEATURES, Feature
from domains.finance.transactions.windows import Floats

__all__ = ["REASONS", "Reason", "describe", "reason", "strongest"]

REASONS: Final = 8
"""Reasons given; the rest are added up. People take in four to eight (FCRA § 1681g(f)(1)(C) names four key factors)."""

_ROLE: Final = {
    "account": ("the account", "该账户"),
    "counterparty": ("the counterparty", "对手方"),
    "merchant": ("the merchant", "该商户"),
    "device": ("the device", "该设备"),
    "account_counterparty": ("the account and this counterparty", "该账户与此对手方"),
    "account_device": ("the account on this device", "该账户在此设备上"),
    "account_merchant": ("the account at this merchant", "该账户在此商户"),
}
_WINDOW: Final = {
    "5m": ("5 minutes", "5分钟"),
    "15m": ("15 minutes", "15分钟"),
    "1h": ("hour", "1小时"),
    "6h": ("6 hours", "6小时"),
    "24h": ("24 hours", "24小时"),
    "3d": ("3 days", "3天"),
    "7d": ("7 days", "7天"),
    "30d": ("30 days", "30天"),
}
_AGGREGATE: Final = {
    "count": ("transactions of {r}", "{r}的交易笔数"),
    "sum": ("euro moved by {r}", "{r}的交易总额（欧元）"),
    "mean": ("mean amount of {r}, euro", "{r}的平均金额（欧元）"),
    "largest": ("largest amount of {r}, euro", "{r}的最大金额（欧元）"),
    "sd": ("spread of amounts of {r} (log)", "{r}的金额离散度（对数）"),
    "z": ("this amount against the usual of {r}, in standard deviations", "本笔金额偏离{r}平常水平的标准差数"),
    "ratio": ("this amount over the mean of {r}", "本笔金额与{r}平均金额之比"),
    "velocity": ("pace of {r} over its lifelong pace", "{r}的交易频率与其历史频率之比"),
    "in_sum": ("euro received by {r}", "{r}收到的金额（欧元）"),
    "out_sum": ("euro paid by {r}", "{r}付出的金额（欧元）"),
    "pass_through": ("what passed through {r}, in over out", "{r}资金进出对称度"),
    "night": ("share of transactions of {r} at night", "{r}夜间交易占比"),
    "round": ("share of round amounts of {r}", "{r}整百金额占比"),
    "below": ("share of amounts of {r} just below the reporting threshold", "{r}略低于申报门槛的金额占比"),
    "small": ("share of very small amounts of {r}", "{r}极小金额占比"),
    "declined": ("share of declined transactions of {r}", "{r}被拒交易占比"),
    "foreign": ("share of transactions of {r} abroad", "{r}境外交易占比"),
    "online": ("share of online transactions of {r}", "{r}线上交易占比"),
    "cash": ("share of cash transactions of {r}", "{r}现金交易占比"),
    "novel": ("share of first meetings in transactions of {r}", "{r}首次往来交易占比"),
    "distinct_counterparty": ("different counterparties of {r}", "{r}的不同对手方数"),
    "distinct_account": ("different accounts of {r}", "{r}涉及的不同账户数"),
    "distinct_device": ("different devices of {r}", "{r}的不同设备数"),
    "distinct_merchant": ("different merchants of {r}", "{r}的不同商户数"),
    "distinct_country": ("different countries of {r}", "{r}涉及的不同国家数"),
    "share": ("share of the account's transactions that are of {r}", "{r}的交易占该账户交易的比例"),
    "age_days": ("days since {r} was first seen", "{r}首次出现至今天数"),
    "idle_s": ("seconds since the last transaction of {r}", "距{r}上一笔交易的秒数"),
    "count_ever": ("transactions of {r} ever", "{r}历史交易笔数"),
    "mean_ever": ("mean amount of {r} ever, euro", "{r}历史平均金额（欧元）"),
    "z_ever": (
        "this amount against the whole life of {r}, in standard deviations",
        "本笔金额偏离{r}历史水平的标准差数",
    ),
    "of_largest": ("this amount over the largest ever of {r}", "本笔金额与{r}历史最大金额之比"),
    "new": ("first transaction of {r} (1: yes)", "{r}首次交易（1为是）"),
}
_OWN: Final = {
    "amount": ("amount in euro", "金额（欧元）"),
    "log_amount": ("amount, logarithm", "金额的对数"),
    "of_threshold": ("amount over the reporting threshold", "金额与申报门槛之比"),
    "hour": ("hour of the day", "交易时点（小时）"),
    "weekday": ("day of the week (0: Monday)", "星期（0为周一）"),
    "weekend": ("weekend (1: yes)", "周末（1为是）"),
    "night": ("night (1: yes)", "夜间（1为是）"),
    "round": ("round amount (1: yes)", "整百金额（1为是）"),
    "whole": ("amount without cents (1: yes)", "金额无零头（1为是）"),
    "below": ("just below the reporting threshold (1: yes)", "略低于申报门槛（1为是）"),
    "small": ("very small amount (1: yes)", "极小金额（1为是）"),
    "declined": ("declined (1: yes)", "被拒（1为是）"),
    "incoming": ("incoming (1: yes)", "入账（1为是）"),
    "foreign": ("abroad (1: yes)", "境外（1为是）"),
    "cross_currency": ("other currency than the euro (1: yes)", "非欧元币种（1为是）"),
    "names_counterparty": ("names a counterparty (1: yes)", "有对手方（1为是）"),
    "names_merchant": ("names a merchant (1: yes)", "有商户（1为是）"),
    "names_device": ("names a device (1: yes)", "有设备（1为是）"),
    "new_country": ("country new to the account within 30 days (1: yes)", "账户30天内新出现的国家（1为是）"),
    "repeats_last_amount": ("same amount as the account's last (1: yes)", "与账户上一笔金额相同（1为是）"),
    "of_last_amount": ("amount over the account's last", "与账户上一笔金额之比"),
    "of_received_24h": ("amount over what the account received in 24 hours", "与账户24小时内入账额之比"),
}
_ZH: Final = {
    "branch": "网点", "atm": "ATM", "pos": "POS", "online": "网上", "mobile": "手机",
    "card": "银行卡", "transfer": "转账", "cash": "现金", "debit": "扣款",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reason:
    """One feature's part in a score."""

    # a dataclass: as pydantic models, eight of them for each result took a tenth of its time
    feature: str
    value: Annotated[float | None, Field(description="None where the feature does not apply.")]
    contribution: Annotated[float, Field(description="Log-odds added to the raw score; exact SHAP value.")]
    en: str
    zh: str


def describe(feature: Feature) -> tuple[str, str]:
    """Return a feature's words in English and Chinese, without its value."""
    if not feature.role:
        kind, _, which = feature.aggregate.partition("_")
        if kind == "channel":
            return f"ordered by {which} (1: yes)", f"渠道为{_ZH[which]}（1为是）"
        if kind == "type":
            return f"a {which} transaction (1: yes)", f"类型为{_ZH[which]}（1为是）"
        return _OWN[feature.aggregate]
    role_en, role_zh = _ROLE[feature.role]
    en, zh = _AGGREGATE[feature.aggregate]
    en, zh = en.format(r=role_en), zh.format(r=role_zh)
    if feature.window:
        window_en, window_zh = _WINDOW[feature.window]
        return f"{en} in the last {window_en}", f"近{window_zh}{zh}"
    return en, zh


def strongest(contributions: Floats) -> list[list[int]]:
    """Return for each row of contributions (n, F) the places of the largest by size, largest first, then in order."""
    size = np.abs(contributions)
    top = np.sort(np.argpartition(size, -REASONS, axis=1)[:, -REASONS:], axis=1)  # (n, 8)
    order = np.argsort(-np.take_along_axis(size, top, axis=1), axis=1, kind="stable")
    ranked = np.take_along_axis(top, order, axis=1)
    some = np.take_along_axis(size, ranked, axis=1) > 0
    return [places[: int(number)] for places, number in zip(ranked.tolist(), some.sum(axis=1), strict=True)]


def reason(place: int, value: float | None, contribution: float) -> Reason:
    """Put one contribution into words."""
    en, zh = _WORDS[place]
    if value is None or math.isnan(value):
        value, said_en, said_zh = None, "none", "无"
    else:
        said_en = said_zh = _number(value)
    raises = contribution > 0
    return Reason(
        feature=FEATURES[place].name,
        value=value,
        contribution=contribution,
        en=f"{en}: {said_en} ({'raises' if raises else 'lowers'} the risk)",
        zh=f"{zh}：{said_zh}（{'升高' if raises else '降低'}风险）",
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) or abs(value) >= 1000 else f"{value:.3g}"


def _words(feature: Feature) -> tuple[str, str]:
    en, zh = describe(feature)
    return en[0].upper() + en[1:], zh


_WORDS: Final = tuple(_words(feature) for feature in FEATURES)

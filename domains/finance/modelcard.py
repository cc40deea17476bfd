"""The card of a fitted model: what it is for, what it was fitted on, how well it does, for whom it does worse.

The headings are those of Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019, arXiv:1810.03993): details,
intended use, factors, metrics, training and evaluation data, ethical considerations, caveats. Every text has an
English and a Chinese form, so that whoever is judged with the model can read it; every metric says how its interval
was made, and one that cannot be computed says why instead of showing a number.

    card = ModelCard(name="credit-scorecard", version="1", kind="scorecard", ...)
    card.encoded()           what is saved beside the model, and covered by the model's digest
    markdown(card, "zh", digest=saved.digest)

A card does not hold the digest of its model: it is one of the files that the digest covers (`domains.finance.models`).

Not covered: whether the texts are true. They are written by whoever fits the model; the metrics are computed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from domains.contract import DomainError
from retrieval.language import Language

__all__ = ["CardRefused", "FairnessRow", "Metric", "ModelCard", "Text", "TrainingData", "markdown", "read_card"]

Finite = Annotated[float, Field(allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[a-z0-9][a-z0-9._-]*$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Kind = Literal["scorecard", "logistic", "lightgbm", "average", "rules"]


class CardRefused(DomainError):
    """A model card that is not of this form. Fit the model again, which writes a new one."""

    code = "model_card"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Text(_Part):
    """The same statement in both languages; neither may be empty."""

    en: str = Field(min_length=1, max_length=4000)
    zh: str = Field(min_length=1, max_length=4000)

    def of(self, language: Language) -> str:
        """Return it in one language."""
        return self.zh if language == "zh" else self.en


class Metric(_Part):
    """One figure with its interval; `value` is None exactly when `why` says why there is none."""

    name: Name
    value: Finite | None
    low: Finite | None = None
    high: Finite | None = None
    n: int | None = Field(default=None, ge=0)
    how: str = Field(default="", max_length=400)
    why: str = Field(default="", max_length=400)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.value is None) != bool(self.why):
            raise ValueError("a metric has a value, or says why it has none")
        if (self.low is None) != (self.high is None):
            raise ValueError("an interval has two ends")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("the lower end of an interval is not above the upper one")
        return self


class FairnessRow(_Part):
    """The figures of one group, such as attribute "age", group "under 25"."""

    attribute: str = Field(min_length=1, max_length=80)
    group: str = Field(min_length=1, max_length=80)
    n: int = Field(ge=0)
    metrics: tuple[Metric, ...]


class TrainingData(_Part):
    """What the model was fitted on: `digest` is the SHA-256 of the bytes read, the dates are the rows'."""

    name: str = Field(min_length=1, max_length=200)
    digest: Sha256
    rows: int = Field(ge=1)
    first: date | None = None
    last: date | None = None
    note: Text | None = None


class ModelCard(_Part):
    """What a reader must know before believing a fitted model. See the module's docstring for the source."""

    name: Name
    version: Name
    kind: Kind
    fitted: date
    owner: str = Field(min_length=1, max_length=200)
    contact: str = Field(min_length=1, max_length=200)
    title: Text
    intended_use: Text
    out_of_scope: Text
    training: TrainingData
    inputs: tuple[str, ...]
    not_inputs: tuple[str, ...] = ()
    not_inputs_why: Text | None = None
    metrics: tuple[Metric, ...]
    evaluation: Text
    fairness: tuple[FairnessRow, ...] = ()
    fairness_reading: Text | None = None
    limits: tuple[Text, ...]
    settings: dict[str, str | int | float | bool | None] = Field(default_factory=dict)

    @field_validator("limits")
    @classmethod
    def _some(cls, value: tuple[Text, ...]) -> tuple[Text, ...]:
        if not value:
            raise ValueError("a model without limits has none that anybody looked for: name at least one")
        return value

    @model_validator(mode="after")
    def _apart(self) -> Self:
        both = sorted(set(self.inputs) & set(self.not_inputs))
        if both:
            raise ValueError(f"named as an input and as none: {', '.join(both)}")
        return self

    def encoded(self) -> bytes:
        """Return the card as JSON; the same card gives the same bytes."""
        plain = self.model_dump(mode="json")
        return (json.dumps(plain, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False) + "\n").encode()


def read_card(data: bytes) -> ModelCard:
    """Return the card that `ModelCard.encoded` wrote.

    Raises:
        CardRefused: it is not a card of this form.
    """
    try:
        return ModelCard.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the card"
        raise CardRefused(
            f"The model card cannot be read: {place}: {first['msg']}.", remedy="Fit the model again."
        ) from error


_WORDS: Final[dict[str, tuple[str, str]]] = {
    "card": ("Model card", "模型卡"),
    "name": ("Name", "名称"),
    "version": ("Version", "版本"),
    "kind": ("Kind", "类型"),
    "digest": ("Digest (SHA-256)", "摘要（SHA-256）"),
    "fitted": ("Fitted on", "拟合日期"),
    "owner": ("Owner", "负责人"),
    "contact": ("Contact", "联系方式"),
    "use": ("Intended use", "预期用途"),
    "scope": ("Out of scope", "不适用范围"),
    "training": ("Training data", "训练数据"),
    "rows": ("rows", "行"),
    "dates": ("Dates", "日期"),
    "unknown": ("not known", "未知"),
    "inputs": ("Inputs", "输入变量"),
    "not_inputs": ("Deliberately no inputs", "刻意不作为输入的变量"),
    "metrics": ("Metrics", "指标"),
    "metric": ("Metric", "指标"),
    "value": ("Value", "数值"),
    "interval": ("95 % interval", "95% 区间"),
    "how": ("How", "方法"),
    "fairness": ("Fairness", "公平性"),
    "attribute": ("Attribute", "属性"),
    "group": ("Group", "组别"),
    "none": ("not reported", "未报告"),
    "limits": ("Limits", "局限"),
}


def markdown(card: ModelCard, language: Language, *, digest: str) -> str:
    """Render the card for a reader. `digest` is that of the saved model (`domains.finance.models.SavedModel`)."""

    def word(key: str) -> str:
        return _WORDS[key][language == "zh"]

    facts = [
        ("name", card.name),
        ("version", card.version),
        ("kind", card.kind),
        ("digest", digest),
        ("fitted", card.fitted.isoformat()),
        ("owner", card.owner),
        ("contact", card.contact),
    ]
    sections: list[tuple[str, Iterable[str]]] = [
        ("use", [_plain(card.intended_use.of(language))]),
        ("scope", [_plain(card.out_of_scope.of(language))]),
        ("training", _training(card.training, language)),
        ("inputs", [_plain(", ".join(card.inputs))]),
        ("not_inputs", _not_inputs(card, language)),
        ("metrics", [_plain(card.evaluation.of(language)), "", *_metrics(card.metrics, language)]),
        ("fairness", _fairness(card, language)),
        ("limits", [f"- {_plain(limit.of(language))}" for limit in card.limits]),
    ]
    lines = [f"# {word('card')}: {_plain(card.title.of(language))}", ""]
    lines += [f"- {word(key)}: {_plain(value)}" for key, value in facts]
    for key, body in sections:
        lines += ["", f"## {word(key)}", "", *body]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Return a text that stays text: no line break, no table cell, no HTML."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


def _training(data: TrainingData, language: Language) -> list[str]:
    chinese = language == "zh"
    dates = f"{data.first} – {data.last}" if data.first and data.last else _WORDS["unknown"][chinese]
    lines = [
        f"- {_plain(data.name)}: {data.rows} {_WORDS['rows'][chinese]}",
        f"- {_WORDS['digest'][chinese]}: {data.digest}",
        f"- {_WORDS['dates'][chinese]}: {dates}",
    ]
    return lines if data.note is None else [*lines, f"- {_plain(data.note.of(language))}"]


def _not_inputs(card: ModelCard, language: Language) -> list[str]:
    lines = [_plain(", ".join(card.not_inputs)) or "-"]
    return lines if card.not_inputs_why is None else [*lines, "", _plain(card.not_inputs_why.of(language))]


def _metrics(metrics: Sequence[Metric], language: Language) -> list[str]:
    head = [_WORDS[key][language == "zh"] for key in ("metric", "value", "interval", "how")]
    rows = [[metric.name, _value(metric), _interval(metric), _plain(metric.how)] for metric in metrics]
    return _table(head, rows)


def _fairness(card: ModelCard, language: Language) -> list[str]:
    chinese = language == "zh"
    if not card.fairness:
        return [_WORDS["none"][chinese]]
    names = list(dict.fromkeys(metric.name for row in card.fairness for metric in row.metrics))
    head = [_WORDS["attribute"][chinese], _WORDS["group"][chinese], "n", *names]
    rows = []
    for row in card.fairness:
        found = {metric.name: metric for metric in row.metrics}
        cells = [f"{_value(found[name])} {_interval(found[name])}".strip() if name in found else "" for name in names]
        rows.append([_plain(row.attribute), _plain(row.group), str(row.n), *cells])
    reading = [] if card.fairness_reading is None else ["", _plain(card.fairness_reading.of(language))]
    return [*_table(head, rows), *reading]


def _value(metric: Metric) -> str:
    return _plain(metric.why) if metric.value is None else f"{metric.value:.3f}"


def _interval(metric: Metric) -> str:
    return "" if metric.low is None or metric.high is None else f"[{metric.low:.3f}, {metric.high:.3f}]"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows)]

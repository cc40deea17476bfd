"""The scorecard in service: fitted from the operator's own table, saved, recorded, and then asked.

The set behind the worked example is not shipped, and no caller may name a path. So the operator puts the table at
``<data folder>/domains/finance/credit/rows.jsonl``; the first question after that fits the scorecard (seconds), saves
it under ``models/credit-scorecard``, writes "model.fitted" into the ledger, and only then answers. Later starts load
the saved one, record "model.loaded", and fit anew when the table's digest is another.

    desk = CreditDesk(facilities.folder, facilities.recorder)
    decision = desk.score({"credit_amount": 2500, "duration_in_month": 24, ...}, actor=principal)

The band is advice to a person. Below `ACCEPT` a loan is worth making even if a bad one costs five times a good one's
refusal (the UCI cost matrix); above `DECLINE` it is not even at two times; between them a person should look.

Not covered: a probability for today's applicants. The set has 30 % bad loans by sampling, far more than a lender sees,
so that its probabilities are too high elsewhere; the order of applicants is what carries over.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from domains.contract import Recorder
from domains.finance.credit import measures
from domains.finance.credit.applications import FILE, read_applications, read_field
from domains.finance.credit.characteristics import CHARACTERISTICS, NOT_USED
from domains.finance.credit.errors import ApplicantRefused, NoScorecard
from domains.finance.credit.reasons import Reason, reasons
from domains.finance.credit.scorecard import Scorecard, Scored
from domains.finance.models import ModelMissing, SavedModel, load, record_fitted, record_loaded, save

__all__ = ["ACCEPT", "DECLINE", "NAME", "PART", "CreditDesk", "Decision", "band"]

NAME: Final = "credit-scorecard"
PART: Final = "scorecard.json"
ACCEPT: Final = measures.CUT_OFF
DECLINE: Final = 1 / (1 + 2)
_NEEDED: Final = ("credit_amount", "duration_in_month")


@dataclass(frozen=True, slots=True)
class Decision:
    """What is answered for one applicant; `record` is the ledger's entry of it."""

    scored: Scored
    bins: Mapping[str, str]
    band: str
    reasons: tuple[Reason, ...]
    model: SavedModel
    record: int


def band(probability_bad: float) -> str:
    """Return the advice for a probability: "accept", "refer" or "decline"."""
    if probability_bad < ACCEPT:
        return "accept"
    return "refer" if probability_bad < DECLINE else "decline"


class CreditDesk:
    """Scores applicants with one scorecard, fitted or loaded at the first question."""

    def __init__(self, folder: Path, recorder: Recorder) -> None:
        self._table = folder / "credit" / FILE
        self._models = folder / "models"
        self._recorder = recorder
        self._lock = threading.Lock()
        self._ready: tuple[Scorecard, SavedModel] | None = None

    def scorecard(self) -> tuple[Scorecard, SavedModel]:
        """Return the scorecard with what was saved of it.

        Raises:
            NoScorecard: there is neither a saved one nor a table to fit one on.
            ApplicationsRefused: the table is not of the form, or too small.
            ModelUnusable: the saved one was altered, or cannot be written.
        """
        with self._lock:
            if self._ready is None:
                self._ready = self._load_or_fit()
            return self._ready

    def score(self, fields: Mapping[str, Any], *, actor: Any) -> Decision:
        """Score one applicant and record it.

        Args:
            fields: By the names of `characteristics`; what is left out counts as missing, but for amount and term.
            actor: The caller, for the ledger.

        Raises:
            ApplicantRefused: a field may not be used, is unknown, is no figure, or amount or term is missing.
            CreditError: as `scorecard`.
        """
        applicant = _read(fields)
        card, saved = self.scorecard()
        scored = card.score(applicant)
        found = reasons(card, scored, applicant)
        bins = {name: _label(card, name, applicant[name]) for name in scored.points}
        advice = band(scored.probability_bad)
        body = {
            "model": saved.digest,
            "input": _digest(applicant),
            "output": _digest({"score": scored.score, "band": advice, "reasons": [asdict(item) for item in found]}),
            "band": advice,
            "reasons": [item.code for item in found],
        }
        entry = self._recorder.record("credit.scored", actor=actor, body=body)
        return Decision(scored, bins, advice, found, saved, entry)

    def _load_or_fit(self) -> tuple[Scorecard, SavedModel]:
        folder = self._models / NAME
        there = self._table.is_file()
        wanted = hashlib.sha256(self._table.read_bytes()).hexdigest() if there else None
        try:
            saved = load(folder)
        except ModelMissing:
            if not there:
                raise NoScorecard(
                    "No scorecard was fitted yet.",
                    remedy="Let the operator put a table of past applications at domains/finance/credit/rows.jsonl in "
                    "the data folder (docs/finance-credit.md has its form), then ask again.",
                ) from None
        else:
            if wanted in (None, saved.card.training.digest):
                card = Scorecard.decoded(saved.parts[PART])
                record_loaded(self._recorder, saved)
                return card, saved
        from domains.finance.credit.fitting import fit_and_describe  # heavy, and needed where one is fitted alone

        card, described = fit_and_describe(read_applications(self._table))
        saved = save(folder, card=described, parts={PART: card.encoded()})
        record_fitted(self._recorder, saved)
        return card, saved


def _read(fields: Mapping[str, Any]) -> dict[str, float | str]:
    known = {item.name for item in CHARACTERISTICS}
    for name in fields:
        if name in NOT_USED:
            english, chinese = NOT_USED[name]
            raise ApplicantRefused(
                f"The field {name} is not taken: {english}. 不接受字段 {name}：{chinese}。",
                remedy="Leave the field out; it would not change the score. 请删除该字段；它不会影响评分。",
            )
        if name not in known:
            raise ApplicantRefused(
                f"There is no field {name[:80]!r}.", remedy=f"The fields are: {', '.join(sorted(known))}."
            )
    for name in _NEEDED:
        if fields.get(name) in (None, ""):
            raise ApplicantRefused(f"The field {name} is missing.", remedy="Give the amount and the term asked for.")
    return {item.name: read_field(item.name, fields.get(item.name), numeric=item.numeric) for item in CHARACTERISTICS}


def _label(card: Scorecard, name: str, value: float | str) -> str:
    place = card.bins[name].find(value)
    return "(not seen)" if place is None else card.bins[name].bins[place].label


def _digest(value: Mapping[str, Any]) -> str:
    plain = {key: None if item != item else item for key, item in value.items()}  # NaN is no JSON
    return hashlib.sha256(json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

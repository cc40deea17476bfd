"""Scoring over real databases: once by id, exact reasons, time that misbehaves, and a process that is killed."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from app.storage.engine import connect
from domains.finance.transactions.errors import (
    StateUnavailable,
    TransactionConflict,
    TransactionNotFound,
    TransactionRefused,
)
from domains.finance.transactions.features import NAMES
from domains.finance.transactions.generator import generate
from domains.finance.transactions.model import Model
from domains.finance.transactions.results import Result
from domains.finance.transactions.scoring import AHEAD, Scoring

from .conftest import NOON, Clock, scoring_over, transaction


def scored(scoring: Scoring, *transactions: object) -> list[Result]:
    given_back = scoring.score(list(transactions))  # type: ignore[arg-type]
    assert all(isinstance(item, Result) for item in given_back), given_back
    return given_back  # type: ignore[return-value]


def test_the_first_transaction_ever_gets_a_probability_and_reasons(scoring: Scoring) -> None:
    (result,) = scored(scoring, transaction())
    assert 0 < result.probability < 1
    assert result.factors == 1024
    assert result.reasons
    assert all(reason.en and reason.zh for reason in result.reasons)
    assert (result.timeliness, result.repeated) == ("on_time", False)
    assert result.model == scoring.model.digest


def test_reasons_and_the_others_add_up_to_the_raw_score(scoring: Scoring) -> None:
    for result in scored(scoring, *(transaction(number, at=number * 30) for number in range(8))):
        told = sum(reason.contribution for reason in result.reasons)
        assert result.base + told + result.others == pytest.approx(result.raw, abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_contributions_of_any_features_add_up_to_the_models_own_raw_score(model: Model, seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = rng.lognormal(0, 4, (3, len(NAMES))) * rng.choice([0, 1, -1], (3, len(NAMES)))
    features[rng.random(features.shape) < 0.3] = np.nan
    found = model.score(features)
    plain = model._champion.predict(features, raw_score=True)
    np.testing.assert_allclose(found.base + found.contributions.sum(axis=1), plain, atol=1e-9)
    np.testing.assert_allclose(found.raw, plain, atol=1e-9)
    assert ((found.probability > 0) & (found.probability < 1)).all()


def test_the_same_id_is_given_the_same_again_and_changes_nothing(scoring: Scoring) -> None:
    first, again = scored(scoring, transaction(1))[0], scored(scoring, transaction(1))[0]
    assert again.repeated
    assert again.model_copy(update={"repeated": False}) == first
    assert scoring.result("T-1") == again
    counted = scored(scoring, transaction(2, at=60))[0]
    other = scored(scoring, transaction(2, at=60))[0]
    assert counted.raw == other.raw


def test_the_same_id_twice_in_one_batch_is_one_transaction(scoring: Scoring) -> None:
    one, two, three = scored(scoring, transaction(1), transaction(1), transaction(2, at=1))
    assert (one.repeated, two.repeated, three.repeated) == (False, True, False)
    assert one.raw == two.raw


def test_the_same_id_with_other_content_is_a_conflict(scoring: Scoring) -> None:
    scored(scoring, transaction(1))
    later, within = scoring.score([transaction(1, amount=Decimal(26)), transaction(2), transaction(2, account="B")])[
        ::2
    ]
    assert isinstance(later, TransactionConflict)
    assert isinstance(within, TransactionConflict)
    assert scoring.result("T-1").decision


def test_one_refused_transaction_leaves_the_others_alone(scoring: Scoring) -> None:
    bad = transaction(2, amount=Decimal(-1))
    one, two, three = scoring.score([transaction(1), bad, transaction(3, at=2)])
    assert isinstance(one, Result)
    assert isinstance(two, TransactionRefused)
    assert isinstance(three, Result)
    with pytest.raises(TransactionNotFound):
        scoring.result("T-2")


@pytest.mark.parametrize(
    "name", ["", "nobody", "x" * 200, "a\x00b", "\ud800", "'; DROP TABLE finance_tx_event; --", "交易"]
)
def test_an_id_that_was_never_scored_is_not_found(scoring: Scoring, name: str) -> None:
    with pytest.raises(TransactionNotFound):
        scoring.result(name)


def test_a_transaction_of_the_future_is_refused_with_both_times(scoring: Scoring, clock: Clock) -> None:
    edge, beyond = clock.now + AHEAD - NOON.timestamp(), clock.now + AHEAD + 1 - NOON.timestamp()
    fine, refused = scoring.score([transaction(1, at=edge), transaction(2, at=beyond)])
    assert isinstance(fine, Result)
    assert isinstance(refused, TransactionRefused)
    assert "2026-03-03T12:05:01" in refused.message
    assert "2026-03-03T12:00:00" in refused.message


def test_a_clock_of_this_machine_that_jumps_back_refuses_and_says_so_and_recovers(
    scoring: Scoring, clock: Clock
) -> None:
    scored(scoring, transaction(1))
    clock.now -= 30 * 86_400
    (refused,) = scoring.score([transaction(2, at=60)])
    assert isinstance(refused, TransactionRefused)
    assert "clock" in refused.remedy
    clock.now += 30 * 86_400
    assert scored(scoring, transaction(2, at=60))[0].timeliness == "on_time"


def test_a_senders_clock_that_jumps_is_stated(scoring: Scoring) -> None:
    times = [0.0, 7200.0, 7100.0, 3600.0, 3599.0, -86_400.0, 7200.0]
    told = [result.timeliness for result in scored(scoring, *(transaction(n, at=at) for n, at in enumerate(times)))]
    assert told == ["on_time", "on_time", "out_of_order", "out_of_order", "late", "late", "on_time"]


def test_rules_and_probability_decide_together(scoring: Scoring) -> None:
    tries = [
        transaction(n, at=n * 5, account=f"A-{n}", device="B-9", amount=Decimal("1.20"), merchant="M-4")
        for n in range(12)
    ]
    last = scored(scoring, *tries)[-1]
    assert [rule.name for rule in last.rules if rule.name == "card_testing"] == ["card_testing"]
    assert last.decision == "block"


def test_a_hostile_id_and_unicode_names_come_back_as_they_were(scoring: Scoring) -> None:
    name = "🙂'\"; <script> 交易\n"
    (result,) = scored(scoring, transaction(id=name, account="账户", merchant="Café ☕", device="‮abc"))
    assert result.id == name
    assert scoring.result(name).id == name


# restarts


def stream_of(number: int) -> list:
    return list(generate(accounts=40, seed=11, months=1, start=NOON - timedelta(days=31)).transactions[:number])


@pytest.mark.parametrize("lag", [3, 8_192])
def test_a_start_after_any_stop_gives_the_scores_that_no_stop_would(
    any_database: Engine, model: Model, tmp_path: Path, clock: Clock, lag: int
) -> None:
    events = stream_of(120)
    (tmp_path / "whole").mkdir()
    database = connect(f"sqlite:///{tmp_path / 'whole.db'}")
    through = scoring_over(database, model, tmp_path / "whole", clock)
    wanted = [item.raw for item in scored(through, *events)]
    database.dispose()
    got: list[float] = []
    for start in range(0, 120, 30):
        scoring = scoring_over(any_database, model, tmp_path, clock, lag=lag)  # the one before is dropped, unclosed
        got += [item.raw for item in scored(scoring, *events[start : start + 30])]
        if start == 60:
            scoring.close()
    assert got == pytest.approx(wanted, abs=1e-9)


def test_rows_that_are_due_are_written_and_the_mark_follows(
    database: Engine, model: Model, tmp_path: Path, clock: Clock
) -> None:
    scoring = scoring_over(database, model, tmp_path, clock, lag=10)
    for event in stream_of(60):
        scored(scoring, event)
    with database.connect() as connection:
        applied = connection.execute(text("SELECT value FROM finance_tx_mark")).scalar()
    assert applied is not None
    assert 59 - 2 * 10 <= applied <= 59


def test_more_entities_than_fit_in_memory_go_through_the_database_and_back(
    database: Engine, model: Model, tmp_path: Path, clock: Clock
) -> None:
    events = [
        transaction(n, at=n, account=f"A{n % 900}", merchant=f"M{n % 900}", device=f"D{n % 900}") for n in range(1_000)
    ]
    small = scoring_over(database, model, tmp_path, clock)
    got = [item.raw for start in range(0, 1_000, 250) for item in scored(small, *events[start : start + 250])]
    (tmp_path / "b").mkdir()
    other = connect(f"sqlite:///{tmp_path / 'other.db'}")
    large = scoring_over(other, model, tmp_path / "b", clock, rows=12_000)
    wanted = [item.raw for start in range(0, 1_000, 250) for item in scored(large, *events[start : start + 250])]
    other.dispose()
    with database.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM finance_tx_state")).scalar() > 500
    assert got == pytest.approx(wanted, abs=1e-12)


def test_after_a_clean_stop_nothing_is_replayed(database: Engine, model: Model, tmp_path: Path, clock: Clock) -> None:
    scoring = scoring_over(database, model, tmp_path, clock)
    scored(scoring, *stream_of(50))
    scoring.close()
    with database.connect() as connection:
        applied = connection.execute(text("SELECT value FROM finance_tx_mark")).scalar()
        last = connection.execute(text("SELECT max(seq) FROM finance_tx_event")).scalar()
    assert applied == last == 49


def test_a_database_that_refuses_accepts_nothing_and_is_tried_again(
    database: Engine, model: Model, tmp_path: Path, clock: Clock
) -> None:
    scoring = scoring_over(database, model, tmp_path, clock)
    scored(scoring, transaction(1))
    with database.begin() as connection:
        connection.execute(
            text("CREATE TRIGGER no BEFORE INSERT ON finance_tx_event BEGIN SELECT RAISE(ABORT, 'no'); END")
        )
    with pytest.raises(StateUnavailable) as caught:
        scoring.score([transaction(2, at=60)])
    assert "again" in caught.value.remedy
    with database.begin() as connection:
        connection.execute(text("DROP TRIGGER no"))
    retried = scored(scoring, transaction(2, at=60))[0]
    other = connect(f"sqlite:///{tmp_path / 'other.db'}")
    (tmp_path / "b").mkdir()
    plain = scored(scoring_over(other, model, tmp_path / "b", clock), transaction(1), transaction(2, at=60))[1]
    other.dispose()
    assert retried.raw == plain.raw, "the refused attempt left nothing behind"


def test_a_damaged_row_stops_scoring_instead_of_guessing(
    database: Engine, model: Model, tmp_path: Path, clock: Clock
) -> None:
    scoring = scoring_over(database, model, tmp_path, clock)
    scored(scoring, transaction(1))
    scoring.close()
    with database.begin() as connection:
        connection.execute(text("UPDATE finance_tx_state SET data = substr(data, 1, 40)"))
    again = scoring_over(database, model, tmp_path, clock)
    with pytest.raises(StateUnavailable, match="damaged"):
        again.score([transaction(2, at=5)])


CHILD = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from app.storage.engine import connect
from domains.finance.transactions.generator import generate
from domains.finance.transactions.model import SHIPPED, Model
from domains.finance.transactions.rules import RulesFile
from domains.finance.transactions.scoring import Scoring
from domains.finance.transactions.store import Store
from tests.domains.finance.transactions.conftest import NOON
from datetime import timedelta

folder = Path(sys.argv[1])
events = generate(accounts=40, seed=11, months=1, start=NOON - timedelta(days=31)).transactions[: int(sys.argv[3])]
scoring = Scoring(Store(connect(f"sqlite:///{folder / 'killed.db'}")), model=Model(SHIPPED),
                  rules=RulesFile(folder / "rules.toml"), rows=3600, lag=5, clock=lambda: NOON.timestamp())
print("ready", flush=True)
for event in events:
    result = scoring.score([event])[0]
    print(f"{result.id} {result.raw!r} {int(result.repeated)}", flush=True)
"""


def test_a_process_that_is_killed_at_any_moment_loses_nothing_and_scores_the_same(
    model: Model, tmp_path: Path, clock: Clock
) -> None:
    number, root = 60, str(Path(__file__).parents[4])
    told: dict[str, float] = {}
    for attempt in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path), str(attempt), str(number), root],
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": root},
        )
        assert child.stdout is not None
        wait = 0 if attempt == 5 else 3 + 9 * attempt
        for line, said in enumerate(child.stdout):
            if said != "ready\n":
                identity, raw, _ = said.split()
                told.setdefault(identity, float(raw))
                assert told[identity] == pytest.approx(float(raw), abs=1e-12), "a replay gives what was told"
            if wait and line == wait:
                time.sleep(0.002 * attempt)
                child.send_signal(signal.SIGKILL)
                break
        child.stdout.close()
        assert child.wait() == (0 if attempt == 5 else -signal.SIGKILL)
    database = connect(f"sqlite:///{tmp_path / 'plain.db'}")
    clock.now = NOON.timestamp()
    (tmp_path / "plain").mkdir()
    wanted = scored(scoring_over(database, model, tmp_path / "plain", clock), *stream_of(number))
    database.dispose()
    assert len(told) == number
    assert told == pytest.approx({item.id: item.raw for item in wanted}, abs=1e-9)


def test_what_is_stored_is_json_without_nan(scoring: Scoring, database: Engine) -> None:
    scored(scoring, transaction(amount=Decimal(0), merchant=None, device=None, country=None))
    with database.connect() as connection:
        kept = connection.execute(text("SELECT result FROM finance_tx_event")).scalar()
    assert all(not isinstance(value, float) or math.isfinite(value) for value in json.loads(kept).values())

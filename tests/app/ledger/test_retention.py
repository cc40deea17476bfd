"""The retention policy: which rule an entry is under, and what a policy may not say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from app.errors import SettingsError
from app.identity.principal import OPERATOR
from app.ledger.log import Ledger
from app.ledger.retention import OTHERS, SOURCES, Policy, Rule, expired

TABLE = {"finance": 7305, "medical": 2192, OTHERS: 183}


def test_an_empty_table_is_no_policy_and_keeps_everything() -> None:
    assert not Policy({})
    assert Policy({}).rule_for("finance", 183) is None


@pytest.mark.parametrize(
    ("domain", "promised", "days"),
    [
        ("finance", None, 7305),
        ("finance", 183, 7305),
        ("medical", 183, 2192),
        ("medical", 9000, 9000),
        ("legal", None, 183),
        ("legal", 1096, 1096),
        (None, None, 183),
        ("*", None, 183),
    ],
)
def test_the_longer_of_promise_and_policy_counts(domain: str | None, promised: int | None, days: int) -> None:
    rule = Policy(TABLE).rule_for(domain, promised)
    assert rule is not None
    assert rule.days == days


def test_without_a_rule_for_the_others_they_are_kept_for_good() -> None:
    policy = Policy({"finance": 7305})
    assert policy.rule_for("legal", 183) is None
    assert policy.rule_for(None, None) is None


@given(st.integers(1, 20_000), st.none() | st.integers(0, 20_000))
def test_no_policy_shortens_a_promise(days: int, promised: int | None) -> None:
    rule = Policy({OTHERS: days}).rule_for("any", promised)
    assert rule is not None
    assert rule.days == max(days, promised or 0)


@pytest.mark.parametrize(("least", "law"), SOURCES)
def test_a_rule_names_the_law_that_its_days_fulfil(least: int, law: str) -> None:
    rule = Policy({OTHERS: least}).rule_for(None, None)
    assert rule is not None
    assert law in rule.source
    shorter = Policy({OTHERS: least - 1}).rule_for(None, None)
    assert shorter is not None
    assert law not in shorter.source


def test_a_mistyped_domain_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'finance'"):
        Policy({"financ": 7305, OTHERS: 183}).check({"finance", "general"})
    Policy(TABLE).check({"finance", "medical"})
    with pytest.raises(SettingsError, match="no domain here"):
        Policy({"x": 1}).check(set())


def test_an_entry_is_kept_to_the_last_moment_of_its_days(file_engine: Engine) -> None:
    rule = Rule("general", 183, "")
    written = datetime(2026, 1, 1, 12, tzinfo=UTC)
    with Ledger(file_engine, clock=lambda: written) as ledger:
        ledger.append("test.event", actor=OPERATOR, body={})
        made = ledger.get(0).event
    assert not expired(made, rule, now=written + timedelta(days=183) - timedelta(microseconds=1))
    assert expired(made, rule, now=written + timedelta(days=183))
    assert not expired(made, rule, now=written - timedelta(days=900))  # a clock that stepped back

"""Pruning: only what the policy lets go, only from the beginning; proofs and verification hold afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from app.errors import BadRequest, LedgerCorrupt, LedgerUnavailable, NotFound, Pruned
from app.identity.principal import OPERATOR
from app.ledger.log import Ledger
from app.ledger.merkle import inclusion_proof, verify_inclusion
from app.ledger.pruning import Plan, plan, prune
from app.ledger.reading import PRUNE_INTENT, LedgerReader
from app.ledger.retention import Policy
from app.ledger.vault import Vault
from app.storage.engine import connect
from app.storage.migrate import upgrade

START = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = Policy({"finance": 7305, "general": 183, "*": 183})
LATE = START + timedelta(days=400)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def pass_days(self, days: float) -> None:
        self.now += timedelta(days=days)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(engine: Engine, clock: Clock) -> Iterator[Ledger]:
    with Ledger(engine, clock=clock) as ledger:
        yield ledger


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    engine = connect(f"sqlite:///{tmp_path / 'vouch.db'}", durable=True)
    upgrade(engine)
    yield Vault(engine, b"s" * 32)
    engine.dispose()


def answered(ledger: Ledger, vault: Vault | None, answer_id: str, domain: str = "general", days: int = 183) -> int:
    if vault is not None:
        vault.seal("alice", answer_id, {"question": "CANARY", "answer": "CANARY"})
    body = {"answer_id": answer_id, "question": "00", "domain_asked": None}
    intent = ledger.append("answer.intent", actor=OPERATOR, body=body)
    body = {"answer_id": answer_id, "domain": domain, "retention_days": days}
    return ledger.append("answer.outcome", actor=OPERATOR, body=body, closes=intent.entry).entry


def made(ledger: Ledger, policy: Policy = POLICY, now: datetime = LATE) -> Plan:
    return plan(ledger, policy, now=now)


def test_without_a_policy_nothing_is_pruned(ledger: Ledger, engine: Engine, vault: Vault) -> None:
    answered(ledger, vault, "a1")
    found = made(ledger, Policy({}), START + timedelta(days=100_000))
    assert (found.entries, found.minimum) == (0, 0)
    assert "no policy is stated" in found.ends
    with pytest.raises(BadRequest, match="no policy is stated"):
        prune(found, engine, ledger, vault=vault, actor=OPERATOR)
    assert ledger.size == 2


def test_an_empty_ledger_has_nothing_to_prune(ledger: Ledger) -> None:
    assert made(ledger).entries == 0


def test_only_the_beginning_that_is_past_its_days_goes(ledger: Ledger, clock: Clock) -> None:
    answered(ledger, None, "a1")
    clock.pass_days(300)
    answered(ledger, None, "a2")
    found = made(ledger)
    assert (found.start, found.minimum, found.answers) == (0, 2, ["a1"])
    assert "entry 2" in found.ends
    [(rule, count)] = found.rules.items()
    assert (rule.name, rule.days, count) == ("general", 183, 2)
    assert made(ledger, now=clock.now + timedelta(days=182)).minimum == 2
    assert made(ledger, now=clock.now + timedelta(days=183)).minimum == 4


def test_one_entry_under_twenty_years_keeps_all_after_it(ledger: Ledger) -> None:
    answered(ledger, None, "a1")
    answered(ledger, None, "f1", domain="finance")
    answered(ledger, None, "a2")
    found = made(ledger)
    assert found.minimum == 2
    assert "7305 days" in found.ends
    assert made(ledger, now=START + timedelta(days=7305)).minimum == 6


def test_what_a_domain_promised_when_it_was_written_holds(ledger: Ledger) -> None:
    answered(ledger, None, "a1", days=2192)
    assert made(ledger).entries == 0
    assert made(ledger, now=START + timedelta(days=2192)).minimum == 2


def test_entries_without_a_rule_are_kept(ledger: Ledger) -> None:
    answered(ledger, None, "a1")
    ledger.append("service.start", actor=OPERATOR, body={})
    found = made(ledger, Policy({"general": 183}))
    assert found.minimum == 2
    assert "not even '*'" in found.ends


def test_a_plugins_own_events_are_under_its_domains_rule(ledger: Ledger) -> None:
    ledger.append("finance.call", actor=OPERATOR, body={})
    assert made(ledger).entries == 0
    assert made(ledger, Policy({"*": 183})).minimum == 1


def test_an_open_intent_keeps_all_after_it(ledger: Ledger) -> None:
    answered(ledger, None, "a1")
    ledger.append("answer.intent", actor=OPERATOR, body={"answer_id": "a2"})
    ledger.append("service.start", actor=OPERATOR, body={})
    found = made(ledger)
    assert found.minimum == 2
    assert "intent that nothing has closed" in found.ends
    ledger.close_dangling(OPERATOR)
    assert made(ledger).minimum == 5


def test_an_intent_and_its_outcome_go_together_or_not_at_all(ledger: Ledger, clock: Clock) -> None:
    intent = ledger.append("answer.intent", actor=OPERATOR, body={})
    ledger.append("service.start", actor=OPERATOR, body={})
    clock.pass_days(300)
    ledger.append("answer.outcome", actor=OPERATOR, body={"domain": "general"}, closes=intent.entry)
    assert made(ledger).entries == 0
    assert made(ledger, now=clock.now + timedelta(days=183)).minimum == 3


def test_bodies_go_hashes_stay_and_the_rest_verifies(
    ledger: Ledger, engine: Engine, vault: Vault, url: str, open_engine: Callable[[str], Engine], clock: Clock
) -> None:
    for number in range(5):
        answered(ledger, vault, f"old-{number}")
    clock.pass_days(399)
    kept = answered(ledger, vault, "new")
    receipt = ledger.append("test.event", actor=OPERATOR, body={})
    before = [entry.body for entry in ledger.entries(limit=1000)]
    found = made(ledger)
    assert found.minimum == 10
    assert prune(found, engine, ledger, vault=vault, actor=OPERATOR) == 10
    reader = LedgerReader(open_engine(url))
    for look in (ledger, reader):
        report = look.verify(known=[receipt])
        assert (report.minimum, report.size) == (10, 15)
        assert [entry.seq for entry in look.entries()] == [10, 11, 12, 13, 14]
        assert [entry.body for entry in look.entries()][:3] == before[10:]
        assert look.find(action="answer.intent")[0].seq == 10
        assert [body is None for _, body in look.raw()] == [True] * 10 + [False] * 5
        with pytest.raises(Pruned, match="pruned under the retention policy") as caught:
            look.get(9)
        assert "begin at 10" in caught.value.remedy
        with pytest.raises(NotFound):
            look.get(15)
    with engine.connect() as connection:
        leaves = list(connection.execute(text("SELECT leaf FROM ledger_entries ORDER BY seq")).scalars())
    proof = inclusion_proof([bytes(leaf) for leaf in leaves], kept, 15)
    assert verify_inclusion(proof, index=kept, size=15, leaf=bytes(leaves[kept]), root=bytes.fromhex(ledger.root))
    assert not vault.holds("old-3")
    assert vault.open("alice", "new")["question"].text == "CANARY"


def test_it_is_recorded_with_its_rules_before_and_after(ledger: Ledger, engine: Engine, vault: Vault) -> None:
    answered(ledger, vault, "a1")
    prune(made(ledger), engine, ledger, vault=vault, actor=OPERATOR)
    intent, outcome = (entry.event for entry in ledger.entries())
    assert (intent.action, outcome.action, outcome.closes) == (PRUNE_INTENT, "ledger.prune.outcome", intent.seq)
    assert intent.body["minimum"] == 2
    assert intent.body["rules"][0]["days"] == 183
    assert "Art. 26(6)" in intent.body["rules"][0]["source"]
    assert dict(outcome.body) == {"minimum": 2, "entries": 2, "texts": 2}


def test_a_pruned_ledger_is_reopened_grows_and_is_pruned_again(engine: Engine, clock: Clock, vault: Vault) -> None:
    minimum = 0
    for _ in range(4):
        with Ledger(engine, clock=clock) as ledger:
            for number in range(3):
                answered(ledger, None, f"{number}")
            clock.pass_days(200)
            found = made(ledger, now=clock.now)
            assert found.start == minimum
            prune(found, engine, ledger, vault=vault, actor=OPERATOR)
            minimum = found.minimum
            assert ledger.minimum == minimum
            assert ledger.verify().minimum == minimum


def test_nothing_old_is_found_twice(ledger: Ledger, engine: Engine, vault: Vault) -> None:
    answered(ledger, vault, "a1")
    prune(made(ledger), engine, ledger, vault=vault, actor=OPERATOR)
    found = plan(ledger, POLICY, now=START + timedelta(days=100))
    assert found.entries == 0
    with pytest.raises(BadRequest, match="Nothing can be pruned"):
        prune(found, engine, ledger, vault=vault, actor=OPERATOR)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entries SET body = NULL WHERE seq = 3",
        "UPDATE ledger_entries SET body = NULL",
        "UPDATE ledger_entries SET body = NULL, action = 'x.y' WHERE seq = 0",
        "UPDATE ledger_entries SET body = NULL, leaf = peak WHERE seq = 1",
        "UPDATE ledger_entries SET body = NULL, seq = 77 WHERE seq = 0",
        "UPDATE ledger_entries SET body = leaf WHERE seq = 0",
        "UPDATE ledger_meta SET value = '1' WHERE name = 'minimum'",
        "UPDATE ledger_meta SET value = '99' WHERE name = 'minimum'",
        "UPDATE ledger_meta SET name = 'other' WHERE name = 'minimum'",
        "DELETE FROM ledger_meta WHERE name = 'minimum'",
        "DELETE FROM ledger_entries WHERE seq = 0",
        "INSERT INTO ledger_meta VALUES ('minimum', '3')",
    ],
)
def test_the_store_lets_only_bodies_below_the_minimum_go(
    ledger: Ledger, engine: Engine, vault: Vault, statement: str
) -> None:
    answered(ledger, vault, "a1")
    prune(made(ledger), engine, ledger, vault=vault, actor=OPERATOR)
    with pytest.raises(DBAPIError), engine.begin() as connection:
        connection.execute(text(statement))
    assert ledger.verify().minimum == 2


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entries SET rowid = 77, body = NULL WHERE seq = 0",
        "INSERT OR REPLACE INTO ledger_meta VALUES ('minimum', '0')",
    ],
)
def test_sqlites_own_ways_around_are_shut_too(ledger: Ledger, engine: Engine, vault: Vault, statement: str) -> None:
    answered(ledger, vault, "a1")
    prune(made(ledger), engine, ledger, vault=vault, actor=OPERATOR)
    with pytest.raises(DBAPIError), engine.begin() as connection:
        connection.execute(text(statement))
    assert ledger.verify().minimum == 2


def test_bodies_that_went_without_a_word_are_found(ledger: Ledger, engine: Engine) -> None:
    """The minimum was raised by hand, which the store allows: no entry says so."""
    answered(ledger, None, "a1")
    with engine.begin() as connection:
        connection.execute(text("UPDATE ledger_meta SET value = '1' WHERE name = 'minimum'"))
        connection.execute(text("UPDATE ledger_entries SET body = NULL WHERE seq = 0"))
    with pytest.raises(LedgerCorrupt, match="below 1 are gone, and no entry says"):
        ledger.verify()


def test_a_body_that_should_be_gone_is_found(ledger: Ledger, engine: Engine, vault: Vault) -> None:
    answered(ledger, vault, "a1")
    answered(ledger, vault, "a2")
    prune(made(ledger), engine, ledger, vault=vault, actor=OPERATOR)
    with engine.begin() as connection:
        connection.execute(text("UPDATE ledger_meta SET value = '5' WHERE name = 'minimum'"))
    with pytest.raises(LedgerCorrupt, match="was pruned, but has a body"):
        ledger.verify()


def test_a_pruning_that_was_interrupted_goes_on(ledger: Ledger, engine: Engine, vault: Vault) -> None:
    for number in range(3):
        answered(ledger, vault, f"a{number}")
    found = made(ledger)
    ledger.append(PRUNE_INTENT, actor=OPERATOR, body=found.body())
    with engine.begin() as connection:
        connection.execute(text("UPDATE ledger_meta SET value = '3' WHERE name = 'minimum'"))
        connection.execute(text("UPDATE ledger_entries SET body = NULL WHERE seq < 3"))
    ledger.close_dangling(OPERATOR)
    assert ledger.verify().minimum == 3
    rest = made(ledger)
    assert (rest.start, rest.minimum) == (3, 8)
    prune(rest, engine, ledger, vault=vault, actor=OPERATOR)
    assert ledger.verify().minimum == 8


def test_what_the_store_refuses_is_recorded_as_an_error(
    ledger: Ledger, engine: Engine, vault: Vault, open_engine: Callable[[str], Engine], tmp_path: Path
) -> None:
    answered(ledger, vault, "a1")
    elsewhere = open_engine(f"sqlite:///{tmp_path / 'other.db'}")  # no ledger's tables are there
    with pytest.raises(LedgerUnavailable, match="to the end"):
        prune(made(ledger), elsewhere, ledger, vault=vault, actor=OPERATOR)
    assert ledger.entries()[-1].event.outcome == "error"
    assert ledger.verify().minimum == 0


def test_many_entries_go_in_pieces(ledger: Ledger, engine: Engine, vault: Vault) -> None:
    for number in range(40):
        answered(ledger, None, f"a{number}")
    prune(made(ledger), engine, ledger, vault=vault, actor=OPERATOR, batch=7)
    report = ledger.verify()
    assert (report.minimum, report.size) == (80, 82)

"""`./vouch audit keys`, `prove`, `rotate` and `export` as programs, on a ledger that a service left behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.identity.principal import OPERATOR
from app.ledger.log import Ledger
from app.ledger.publication import open_publisher
from app.ledger.verifier import check, check_receipt
from app.settings import load
from app.storage.engine import connect
from tests.app.test_cli import vouch


@pytest.fixture
def published(tmp_path: Path) -> str:
    """A ledger of four entries, published; its key."""
    settings = load({}, data_dir=tmp_path / "data")
    engine = connect(settings.ledger, durable=True)
    with Ledger(engine) as ledger:
        publisher = open_publisher(settings, ledger, engine, actor=OPERATOR)
        for n in range(3):
            ledger.append("test.event", actor=OPERATOR, body={"n": n})
        assert publisher.publish()
        [key] = publisher.keys
    engine.dispose()
    return str(key)


def test_a_log_is_proven_rotated_and_exported_from_the_command_line(published: str, tmp_path: Path) -> None:
    proof = vouch(tmp_path, "audit", "prove", "2")
    assert proof.returncode == 0, proof.stderr
    assert check_receipt(proof.stdout.encode(), [published]).signed == 4
    assert vouch(tmp_path, "audit", "prove", "2", "--tlog-proof").stdout.startswith("c2sp.org/tlog-proof@v1\nindex 2\n")

    rotated = json.loads(vouch(tmp_path, "audit", "rotate").stdout)
    assert (rotated["from"], rotated["retired"]) == (4, published)
    listed = json.loads(vouch(tmp_path, "audit", "keys").stdout)
    assert [(item["key"], item["from"], item["to"]) for item in listed] == [
        (published, 0, 4),
        (rotated["key"], 4, None),
    ]

    out = tmp_path / "export.jsonl"
    assert vouch(tmp_path, "audit", "export", str(out)).returncode == 0
    found = check(out.read_bytes().splitlines(keepends=True), {}, [published])
    assert (found.size, found.signed) == (5, 5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("prove", "9"), "The ledger has no entry 9"),
        (("prove", "nobody"), "The ledger has no answer 'nobody'"),
        (("witness", "--folder", "w"), "A witness needs a log"),
        (("witness", "--folder", "w", "--log", "nonsense"), "verifier key"),
    ],
)
def test_a_failure_is_a_sentence_and_a_remedy(
    published: str, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = vouch(tmp_path, "audit", *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr

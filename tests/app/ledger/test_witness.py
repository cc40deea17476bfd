"""A witness as a process over loopback: each answer of the protocol, killed in between, asked by many at once."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.errors import StartFailed
from app.ledger.checkpoint import Checkpoint
from app.ledger.merkle import consistency_proof, empty_root, leaf_hash, root_of
from app.ledger.note import COSIGNATURE, Note, Signature, Signer, VerifierKey
from app.ledger.witness import Witness

LEAVES = [leaf_hash(str(n).encode()) for n in range(40)]
FORK = [leaf_hash(b"another"), *LEAVES[1:]]
LOG = Signer("example.org/log", Ed25519PrivateKey.from_private_bytes(bytes(32)))
STRANGER = Signer("example.org/log", Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32))
UNKNOWN = Signer("example.org/unknown", Ed25519PrivateKey.from_private_bytes(bytes([2]) * 32))


def note(size: int, *, leaves: list[bytes] = LEAVES, signer: Signer = LOG) -> str:
    text = Checkpoint(signer.verifier().name, size, root_of(leaves[:size])).text()
    return str(Note(text, (signer.sign(text),)))


def request(
    old: int, size: int, *, leaves: list[bytes] = LEAVES, proof: list[bytes] | None = None, **more: Signer
) -> bytes:
    if proof is None:
        proof = consistency_proof(leaves, old, size) if 0 < old <= size else []
    hashes = "".join(f"{base64.b64encode(item).decode()}\n" for item in proof)
    return f"old {old}\n{hashes}\n{note(size, leaves=leaves, **more)}".encode()


@dataclass
class Process:
    """A running witness."""

    child: subprocess.Popen[str]
    url: str
    key: VerifierKey

    def ask(self, body: bytes) -> httpx.Response:
        return httpx.post(f"{self.url}/add-checkpoint", content=body, timeout=30)

    def kill(self) -> None:
        self.child.send_signal(signal.SIGKILL)
        self.child.wait(timeout=30)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start witnesses on one folder; each is ended with the test."""
    children: list[subprocess.Popen[str]] = []

    def started(folder: Path = tmp_path / "witness", *, name: str = "example.org/witness") -> Process:
        command = [sys.executable, "-m", "app", "audit", "witness", "--folder", str(folder), "--port", "0"]
        command += ["--name", name, "--log", str(LOG.verifier())]
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ | {"COLUMNS": "200"}
        )
        children.append(child)
        assert child.stdout is not None
        said = json.loads(child.stdout.readline())
        return Process(child, said["url"], VerifierKey.parse(said["key"]))

    yield started
    for child in children:
        child.kill()
        child.communicate(timeout=30)


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    """A witness in this process, for what does not need another one."""
    made = Witness(tmp_path / "here", "example.org/witness", [LOG.verifier()], clock=lambda: 1_800_000_000.0)
    yield made
    made.close()


def test_each_answer_of_the_protocol_over_http_and_the_state_outlives_a_kill(run: Callable[..., Process]) -> None:
    process = run()
    first = process.ask(request(0, 5))
    assert first.status_code == 200
    [line] = first.text.removesuffix("\n").split("\n")
    assert process.key.algorithm == COSIGNATURE
    assert process.key.verifies(Note.parse(note(5).encode()).text, Signature.parse(line))

    assert process.ask(request(5, 9, signer=UNKNOWN)).status_code == 404
    assert process.ask(request(5, 9, signer=STRANGER)).status_code == 403
    assert process.ask(request(9, 5)).status_code == 400
    assert process.ask(b"nonsense").status_code == 400
    assert process.ask(b"old 5\n" + b"x" * 100_000).status_code == 400
    wrong_size = process.ask(request(3, 9))
    assert (wrong_size.status_code, wrong_size.text) == (409, "5\n")
    assert wrong_size.headers["content-type"] == "text/x.tlog.size"
    assert process.ask(request(5, 9, proof=[bytes(32)])).status_code == 422
    assert process.ask(request(5, 9, leaves=FORK)).status_code == 422
    assert httpx.get(f"{process.url}/add-checkpoint", timeout=30).status_code == 405
    assert httpx.get(process.url, timeout=30).status_code == 404

    assert process.ask(request(5, 9)).status_code == 200
    process.kill()
    again = run()
    assert again.key == process.key
    after = again.ask(request(5, 9))
    assert (after.status_code, after.text) == (409, "9\n")
    assert again.ask(request(9, 9)).status_code == 200
    same_size = again.ask(request(9, 9, leaves=FORK))
    assert (same_size.status_code, same_size.text) == (409, "9\n")
    assert again.ask(request(9, 12)).status_code == 200


def test_what_was_cosigned_survives_a_kill_at_any_moment(run: Callable[..., Process]) -> None:
    """Asked again and again and killed meanwhile: no answer that came is forgotten."""
    known = 0
    for _ in range(3):
        process = run()
        cosigned = known
        timer = threading.Timer(0.3, process.child.kill)
        timer.start()
        try:
            for size in range(known + 1, 40):
                if process.ask(request(cosigned, size)).status_code == 200:
                    cosigned = size
        except httpx.TransportError:
            pass
        timer.join()
        process.child.wait(timeout=30)
        after = run()
        answer = after.ask(request(0, 40) if cosigned == 0 else request(39, 39, leaves=FORK))
        stored = int(answer.text) if answer.status_code == 409 else 0
        assert stored in {cosigned, cosigned + 1}  # one may have been kept whose answer did not come
        known = stored
        after.kill()


def test_a_second_process_on_the_same_folder_is_refused(run: Callable[..., Process], tmp_path: Path) -> None:
    run()
    command = [sys.executable, "-m", "app", "audit", "witness", "--folder", str(tmp_path / "witness"), "--port", "0"]
    second = subprocess.run(
        [*command, "--log", str(LOG.verifier())], capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode == 1
    assert "Another witness uses" in second.stderr


def test_what_it_cosigned_last_can_be_shown_to_an_auditor(run: Callable[..., Process], tmp_path: Path) -> None:
    process = run()
    process.ask(request(0, 7))
    command = [sys.executable, "-m", "app", "audit", "witness", "--folder", str(tmp_path / "witness"), "--show"]
    shown = subprocess.run(
        [*command, "--name", "example.org/witness"], capture_output=True, text=True, timeout=60, check=False
    )
    assert shown.returncode == 0, shown.stderr
    kept = Note.parse(shown.stdout.encode())
    assert Checkpoint.parse(kept.text).size == 7
    assert kept.verified([LOG.verifier(), process.key]) == (LOG.verifier(), process.key)


def test_of_many_that_ask_at_once_each_step_is_cosigned_once(witness: Witness) -> None:
    witness.add_checkpoint(request(0, 1))
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(witness.add_checkpoint, [request(1, size) for size in range(2, 34)]))
    assert sorted({answer.status for answer in answers}) == [200, 409]
    assert sum(answer.status == 200 for answer in answers) == 1
    [kept] = witness.latest()
    [winner] = [size for size, answer in zip(range(2, 34), answers, strict=True) if answer.status == 200]
    assert Checkpoint.parse(kept.text).size == winner
    assert {answer.body for answer in answers if answer.status == 409} == {f"{winner}\n"}


def test_two_forks_at_once_do_not_both_get_a_cosignature(witness: Witness) -> None:
    witness.add_checkpoint(request(0, 1))
    for size in range(2, 20):
        other = [*LEAVES[: size - 1], leaf_hash(b"another")]
        both = [request(size - 1, size), request(size - 1, size, leaves=other)]
        with ThreadPoolExecutor(2) as pool:
            statuses = sorted(answer.status for answer in pool.map(witness.add_checkpoint, both))
        assert statuses == [200, 409]
        [kept] = witness.latest()
        if Checkpoint.parse(kept.text).root != root_of(LEAVES[:size]):
            break  # the other history won, which is as good; it cannot go on with ours
    assert witness.add_checkpoint(request(1, 5)).status == 409


def test_the_empty_tree_is_cosigned_and_every_tree_extends_it(witness: Witness) -> None:
    text = Checkpoint("example.org/log", 0, empty_root()).text()
    empty = f"old 0\n\n{Note(text, (LOG.sign(text),))}".encode()
    assert [witness.add_checkpoint(empty).status for _ in range(2)] == [200, 200]
    assert witness.add_checkpoint(request(0, 5)).status == 200
    assert witness.add_checkpoint(empty).body == "5\n"


def test_a_first_checkpoint_needs_an_empty_proof(witness: Witness) -> None:
    assert witness.add_checkpoint(request(0, 5, proof=[bytes(32)])).status == 422
    assert witness.add_checkpoint(request(0, 5)).status == 200


def test_more_signatures_and_lines_of_another_log_are_no_reason_to_refuse(witness: Witness) -> None:
    text = Checkpoint("example.org/log", 5, root_of(LEAVES[:5]), ("an extension",)).text()
    many = Note(text, (UNKNOWN.sign(text), LOG.sign(text), STRANGER.sign(text)))
    answer = witness.add_checkpoint(f"old 0\n\n{many}".encode())
    assert answer.status == 200
    assert witness.key.verifies(text, Signature.parse(answer.body.removesuffix("\n")))


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.replace(b"old 0", b"old 00"),
        lambda body: body.replace(b"old 0", b"old -1"),
        lambda body: body.replace(b"old 0", b"old  0"),
        lambda body: body.replace(b"old 0", b"OLD 0"),
        lambda body: body.replace(b"old 0\n", b"old 0\r\n"),
        lambda body: body.replace(b"old 0\n", b""),
        lambda body: body.replace(b"old 0\n", b"old 0\nQQ\n"),
        lambda body: body.replace(b"old 0\n", b"old 0\n" + b"QQ==\n" * 64),
        lambda body: body[:-1],
        lambda body: body + b"\n",
        lambda _: b"",
    ],
)
def test_a_request_in_another_form_is_a_bad_request(witness: Witness, change: Callable[[bytes], bytes]) -> None:
    assert witness.add_checkpoint(change(request(0, 5))).status == 400
    assert witness.latest() == []


@given(data=st.binary(max_size=200))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_foreign_bytes_are_a_bad_request_and_change_nothing(witness: Witness, data: bytes) -> None:
    assert witness.add_checkpoint(data).status == 400
    assert witness.add_checkpoint(b"old 0\n\n" + data).status == 400
    assert witness.latest() == []


def test_a_witness_that_lost_its_state_or_its_key_does_not_begin_again(tmp_path: Path) -> None:
    folder = tmp_path / "lost"
    first = Witness(folder, "example.org/witness", [LOG.verifier()])
    first.add_checkpoint(request(0, 5))
    first.close()
    (folder / "witness.pem").rename(tmp_path / "key")
    with pytest.raises(StartFailed, match=re.escape("witness.pem is missing")):
        Witness(folder, "example.org/witness", [LOG.verifier()])
    (tmp_path / "key").rename(folder / "witness.pem")
    for state in folder.glob("witness.db*"):
        state.unlink()
    with pytest.raises(StartFailed, match=r"state .* is missing") as caught:
        Witness(folder, "example.org/witness", [LOG.verifier()])
    assert "retire this witness" in caught.value.remedy
    assert not (folder / "witness.db").exists()


def test_a_name_that_no_key_may_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="blank or a plus"):
        Witness(tmp_path / "w", "a witness", [LOG.verifier()])


def test_a_rotated_log_is_cosigned_under_either_key(tmp_path: Path) -> None:
    witness = Witness(tmp_path / "w", "example.org/witness", [LOG.verifier(), STRANGER.verifier()])
    assert witness.add_checkpoint(request(0, 5)).status == 200
    assert witness.add_checkpoint(request(5, 9, signer=STRANGER)).status == 200
    witness.close()

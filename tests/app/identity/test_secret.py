"""The installation's secret: made once, kept to its owner, refused when others could have read it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import StartFailed
from app.identity.secret import installation_secret
from tests.app.storage.disks import mounted


@pytest.fixture(autouse=True)
def lax_umask() -> Iterator[None]:
    """So that a mode that holds was set, and not left to the umask."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_it_is_made_at_the_first_start_and_the_same_ever_after(tmp_path: Path) -> None:
    data = tmp_path / "var"
    made = installation_secret(data, "")
    assert installation_secret(data, "") == made
    assert len(made) >= 32
    assert (data / "secret").stat().st_mode & 0o777 == 0o600
    assert data.stat().st_mode & 0o777 == 0o700
    assert os.listdir(data) == ["secret"]


def test_two_installations_have_two_secrets(tmp_path: Path) -> None:
    assert installation_secret(tmp_path / "a", "") != installation_secret(tmp_path / "b", "")


def test_a_configured_one_is_used_and_nothing_is_written(tmp_path: Path) -> None:
    assert installation_secret(tmp_path / "var", "密" * 32) == ("密" * 32).encode()
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_one_that_others_could_have_read_is_refused(tmp_path: Path, mode: int) -> None:
    made = installation_secret(tmp_path, "")
    (tmp_path / "secret").chmod(mode)
    with pytest.raises(StartFailed, match="others may read it") as refusal:
        installation_secret(tmp_path, "")
    assert made.decode() not in refusal.value.message + refusal.value.remedy
    (tmp_path / "secret").chmod(0o400)
    assert installation_secret(tmp_path, "") == made


def test_one_of_another_account_is_refused(tmp_path: Path) -> None:
    installation_secret(tmp_path, "")
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(tmp_path / "secret", 65534, 65534)
    with pytest.raises(StartFailed, match="another account"):
        installation_secret(tmp_path, "")


@pytest.mark.parametrize("content", [b"", b"short", b"\n" * 100])
def test_a_short_one_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret").touch(mode=0o600)
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(StartFailed, match="fewer than 32"):
        installation_secret(tmp_path, "")
    assert (tmp_path / "secret").read_bytes() == content


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").touch(mode=0o600)
    (tmp_path / "elsewhere").write_bytes(b"x" * 64)
    (tmp_path / "secret").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StartFailed):
        installation_secret(tmp_path, "")


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path, kind: str) -> None:
    if kind == "folder":
        (tmp_path / "secret").mkdir(mode=0o700)
    else:
        os.mkfifo(tmp_path / "secret", 0o600)
    with pytest.raises(StartFailed):
        installation_secret(tmp_path, "")


def test_starts_at_the_same_time_agree_on_one(tmp_path: Path) -> None:
    together = threading.Barrier(8)
    secrets: list[bytes] = []

    def start() -> None:
        together.wait()
        secrets.append(installation_secret(tmp_path / "var", ""))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(secrets) == 8
    assert len(set(secrets)) == 1
    assert os.listdir(tmp_path / "var") == ["secret"]


def test_a_full_disk_refuses_and_leaves_no_half_secret(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk") as disk:
        disk.fill()
        with pytest.raises(StartFailed, match="No space"):
            installation_secret(disk.folder, "")
        assert os.listdir(disk.folder) == ["ballast"]
        disk.free()
        assert len(installation_secret(disk.folder, "")) >= 32


def test_a_read_only_disk_refuses(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk") as disk:
        disk.read_only()
        with pytest.raises(StartFailed, match="Read-only"):
            installation_secret(disk.folder, "")

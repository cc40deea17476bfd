"""compose.yaml, as far as it can be checked without starting it: pinned, closed to the outside, no default secret."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES = sorted(COMPOSE["services"])


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> dict[str, Any]:
    return COMPOSE["services"][request.param]


def test_every_service_is_of_a_profile(service: dict[str, Any]) -> None:
    assert set(service["profiles"]) <= {"cpu", "gpu", "scale", "observe"}


def test_every_image_is_pinned(service: dict[str, Any]) -> None:
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+(\.\d+)?[\w.-]*", service["image"])


def test_every_service_says_when_it_is_well(service: dict[str, Any]) -> None:
    assert service["healthcheck"]["test"][0] == "CMD"
    assert {"interval", "timeout", "retries"} <= set(service["healthcheck"])


def test_every_port_is_open_to_this_machine_alone(service: dict[str, Any]) -> None:
    assert [port for port in service.get("ports", []) if not port.startswith("127.0.0.1:")] == []
    assert service.get("network_mode") != "host"
    assert not service.get("privileged", False)


def test_no_secret_has_a_default() -> None:
    named = re.findall(r"\$\{(\w+)([^}]*)\}", TEXT)
    assert [name for name, _ in named] == ["VOUCH_MILVUS_PASSWORD"]
    assert all(rest.startswith(":?") for _, rest in named)
    for entry in SERVICES:
        for name, value in COMPOSE["services"][entry].get("environment", {}).items():
            if re.search("PASSWORD|SECRET|KEY|TOKEN", name):
                assert value.startswith("${"), name


def test_what_is_named_is_declared(service: dict[str, Any]) -> None:
    for volume in service.get("volumes", []):
        assert volume.split(":")[0] in COMPOSE["volumes"]
    for config in service.get("configs", []):
        assert config["source"] in COMPOSE["configs"]


def test_the_server_of_vectors_asks_who_is_calling() -> None:
    settings = COMPOSE["services"]["milvus"]["environment"]
    assert settings["COMMON_SECURITY_AUTHORIZATIONENABLED"] == "true"
    etcd = yaml.safe_load(COMPOSE["configs"]["milvus-etcd"]["content"])
    assert etcd["listen-client-urls"] == "http://127.0.0.1:2379"


def test_the_server_is_of_the_client_s_release() -> None:
    locked = re.search(r"^pymilvus==(\d+\.\d+)", (ROOT / "requirements" / "dev.lock").read_text("utf-8"), re.MULTILINE)
    assert locked
    assert f":v{locked[1]}." in COMPOSE["services"]["milvus"]["image"]

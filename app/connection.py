"""How the command line reaches the service: the one that runs on this data folder, or one started for the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from app.errors import StartFailed, Unauthenticated, VouchError
from app.settings import Settings
from app.up import OPERATOR_KEY, RECORD

__all__ = ["ServiceError", "connect", "is_running", "result", "wait_ready"]

_START_S: Final = 120.0


class ServiceError(VouchError):
    """The service answered with an error; this is the same one."""

    def __init__(self, body: Mapping[str, str]) -> None:
        super().__init__(body.get("message", "The service failed."), remedy=body.get("remedy", ""))
        self.reported = body.get("code", "internal")


@contextmanager
def connect(settings: Settings, environ: Mapping[str, str] | None = None) -> Iterator[httpx.Client]:
    """Give a client of the running service; when none runs, start one on a free port and stop it afterwards.

    Raises:
        StartFailed: the service did not come up.
    """
    environ = os.environ if environ is None else environ
    url = _running(settings.data_dir)
    child = None
    if url is None:
        child = _start(settings)
        try:
            url = _await_start(child, settings.data_dir)
        except StartFailed:
            child.terminate()
            child.wait(timeout=30)
            raise
    try:
        with httpx.Client(base_url=url, headers=_credential(settings, environ), timeout=httpx.Timeout(600)) as client:
            yield client
    finally:
        if child is not None:
            child.terminate()
            child.wait(timeout=60)


def is_running(settings: Settings) -> bool:
    """Say whether a service runs on this data folder and answers."""
    return _running(settings.data_dir) is not None


def wait_ready(client: httpx.Client, report: Callable[[str], None]) -> None:
    """Wait until a question would be answered, telling how far the model is.

    Raises:
        ServiceError: the model cannot be served.
    """
    shown = ""
    while not (reply := client.get("/readyz")).is_success:
        model = result(client.get("/v1/status"))["model"]
        if model["stage"] == "failed":
            raise ServiceError({"code": "serving_failed", **model})
        line = str(model["detail"] if reply.json()["parts"]["model"] != "ready" else "preparing the search")
        if line != shown:
            report(line)
            shown = line
        time.sleep(0.5)


def result(reply: httpx.Response) -> Any:
    """Return the JSON of a reply.

    Raises:
        ServiceError: the reply is an error.
    """
    if reply.is_success:
        return reply.json()
    try:
        body = reply.json()["error"]
    except (json.JSONDecodeError, KeyError, TypeError):
        body = {"message": f"The service answered with status {reply.status_code}.", "remedy": "See its log."}
    raise ServiceError(body)


def _running(data_dir: Path) -> str | None:
    try:
        url = str(json.loads((data_dir / RECORD).read_text(encoding="utf-8"))["url"])
        return url if httpx.get(f"{url}/healthz", timeout=5).is_success else None
    except (OSError, ValueError, KeyError, httpx.HTTPError):
        return None


def _start(settings: Settings) -> subprocess.Popen[bytes]:
    environment = os.environ | {"VOUCH_DATA_DIR": str(settings.data_dir), "VOUCH_HOST": "127.0.0.1"}
    command = [sys.executable, "-m", "app", "up", "--port", "0", "--quiet"]
    return subprocess.Popen(  # noqa: S603 - our own interpreter with fixed words
        command, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def _await_start(child: subprocess.Popen[bytes], data_dir: Path) -> str:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if child.poll() is not None:
            said = child.stderr.read().decode("utf-8", "replace").strip() if child.stderr else ""
            raise StartFailed(f"The service did not start: {said}", remedy="Run ./vouch up to see why.")
        url = _running(data_dir)
        if url is not None:
            return url
        time.sleep(0.2)
    raise StartFailed(f"The service did not answer in {_START_S:.0f} s.", remedy="Run ./vouch up to see why.")


def _credential(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    if settings.auth == "local":
        return {}
    key = environ.get("VOUCH_API_KEY", "")
    if not key:
        try:
            key = (settings.data_dir / OPERATOR_KEY).read_text(encoding="utf-8").strip()
        except OSError:
            raise Unauthenticated(
                "This service asks for an API key.", remedy="Set VOUCH_API_KEY to a key made with ./vouch users add."
            ) from None
    return {"Authorization": f"Bearer {key}"}

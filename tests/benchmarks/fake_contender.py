"""A contender whose clock is invented: the worker's tests and the contest's start it in a process of its own."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import Any


class Fake:
    def __init__(self, *, step_s: float = 0.5, fails_at: str = "", fails_with: str = "raise") -> None:
        self._step_s = step_s
        self._fails_at = fails_at
        self._fails_with = fails_with
        self._answers = 0

    def start(self) -> dict[str, Any]:
        sys.stdout.write("a library that prints where it should not\n")
        self._maybe_fail("start")
        return {"version": os.environ.get("FAKE_VERSION", "fake 1"), "ready_s": 7.25}

    def generate(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> list[float]:
        self._answers += 1
        self._maybe_fail(f"answer {self._answers}")
        if self._fails_with == "nonsense":
            return [1.0]
        return [self._step_s * (n + 1) for n in range(new_tokens)]

    def stop(self) -> None:
        pass

    def _maybe_fail(self, moment: str) -> None:
        if moment != self._fails_at:
            return
        if self._fails_with == "die":
            sys.stderr.write("OutOfMemoryError: no room for 3 GB\n")
            sys.stderr.flush()
            os._exit(9)
        if self._fails_with == "hang":
            time.sleep(600)
        raise RuntimeError("it broke")

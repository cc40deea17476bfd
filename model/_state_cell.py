"""The current state of an engine, set by the thread that watches it and read or waited for by others."""

from __future__ import annotations

import threading

from model.engine_state import EngineState
from model.errors import ModelNotReady, ServingFailed

__all__ = ["StateCell"]


class StateCell:
    """Holds one `EngineState`; safe between threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._state = EngineState("waiting")

    @property
    def now(self) -> EngineState:
        """The current state."""
        return self._state

    def set(self, state: EngineState) -> None:
        """Replace the state and wake whoever waits for it."""
        with self._changed:
            self._state = state
            self._changed.notify_all()

    def wait_ready(self, timeout_s: float) -> None:
        """Return when the stage is "ready".

        Raises:
            ModelNotReady: not within the time.
            ModelError: the engine failed or was stopped.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._state.stage in {"ready", "failed", "stopped"}, timeout_s)
            state = self._state
        if state.stage == "ready":
            return
        if state.error is not None:
            raise state.error
        if state.stage == "stopped":
            raise ServingFailed("The model was stopped.", remedy="Start it again.")
        raise ModelNotReady(
            f"The model is not ready yet: {state.stage}{', ' + state.detail if state.detail else ''}.",
            remedy="Wait and ask again; the page shows how far it is.",
            stage=state.stage,
        )

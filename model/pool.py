"""Several servers of one model behind one face: the least loaded one that is well answers.

Each member watches its own server (`RemoteEngine` asks for its models every few seconds). On top of that a member rests
when a request to it failed: 1 s, then 2, 4 and so on up to a minute, until one succeeds; so a server that answers
probes and no questions is left out as well. A request that fails before its first word goes to another member, once:
the caller does not notice, and a request that breaks servers does not go around.

Not covered: the load that others put on the servers; each Vouch counts its own requests.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from model.engine_state import EngineState, ServedModel
from model.errors import ModelError, ModelInterrupted, ModelNotReady, ServingFailed

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["Member", "Pool"]

_log = structlog.get_logger()

_LONGEST_REST_S: Final = 60.0
_POLL_S: Final = 0.05
_STAGES: Final = ("ready", "starting", "building", "fetching", "waiting", "stopped", "failed")
"""Best first: a pool is as far as its best member."""
_ITS_FAULT: Final = (ModelNotReady, ModelInterrupted)
"""What a server does by being down or breaking off; refusing what was asked is no fault, and asking again no help."""


@dataclass(slots=True)
class Member:
    """One server and how it does.

    Attributes:
        engine: Watches it.
        outstanding: Requests to it that have no end yet.
        failures: Requests in a row that failed.
        rests_until: Until when it is left out, on the pool's clock.
        used: When it was last chosen, counted in choices.
    """

    engine: ServedModel
    outstanding: int = 0
    failures: int = 0
    rests_until: float = 0.0
    used: int = 0


class Pool:
    """A served model that is several.

    Args:
        engines: At least one; all serve the same model.
        clock: Seconds that only grow.
    """

    def __init__(self, engines: Sequence[ServedModel], *, clock: Callable[[], float] = time.monotonic) -> None:
        if not engines:
            raise ServingFailed("A pool of servers has none.", remedy="Name at least one server.")
        self._members = [Member(engine) for engine in engines]
        self._clock = clock
        self._lock = threading.Lock()
        self._choices = 0

    @property
    def state(self) -> EngineState:
        """That of the member that is furthest."""
        return self._best.state

    @property
    def url(self) -> str:
        """Address of the member that would be asked first."""
        return self._best.url

    @property
    def api_key(self) -> str:
        """Key of that member."""
        return self._best.api_key

    @property
    def model_name(self) -> str:
        """Name that that member gives the model."""
        return self._best.model_name

    @property
    def context_tokens(self) -> int:
        """The shortest of all, so that a prompt fits wherever it goes."""
        return min(member.engine.context_tokens for member in self._members)

    @property
    def identity(self) -> dict[str, str]:
        """What answers, for the record: the best member's word, and of how many it is one."""
        best = self._best.identity
        return {**best, "engine": f"{best['engine']} of {len(self._members)}"}

    @property
    def _best(self) -> ServedModel:
        return min((member.engine for member in self._members), key=lambda engine: _STAGES.index(engine.state.stage))

    def chat(self, *, max_tokens: int, timeout_s: float) -> BaseChatModel:
        """Return a chat model that asks the least loaded member, at temperature 0."""
        from model._pooled_chat import PooledChat

        return PooledChat(pool=self, max_tokens=max_tokens, timeout_s=timeout_s)

    def start(self) -> None:
        """Begin to watch all of them; returns at once."""
        for member in self._members:
            member.engine.start()

    def wait_ready(self, timeout_s: float) -> None:
        """Return when one of them answers.

        Raises:
            ModelNotReady: none within the time.
            ModelError: all failed; the error is the first one's.
        """
        deadline = self._clock() + timeout_s
        while any(member.engine.state.stage not in {"failed", "stopped"} for member in self._members):
            if self.state.stage == "ready":
                return
            if self._clock() > deadline:
                break
            time.sleep(_POLL_S)
        self._best.wait_ready(0)

    def stop(self) -> None:
        """Stop watching, all at once: each may take the time of a probe."""
        stoppers = [threading.Thread(target=member.engine.stop) for member in self._members]
        for stopper in stoppers:
            stopper.start()
        for stopper in stoppers:
            stopper.join()

    @contextmanager
    def request(self, *, besides: Sequence[Member] = ()) -> Iterator[Member]:
        """Choose a member and count a request to it; what comes out of the block says how it went.

        Args:
            besides: Members that are not to be chosen.

        Raises:
            ModelNotReady: none is ready.
            ModelError: all have failed; the error is that of the first.
        """
        member = self._choose(besides)
        try:
            yield member
        except ModelError as error:
            if isinstance(error, _ITS_FAULT):
                self._failed(member, error)
            raise
        else:
            member.failures = 0
        finally:
            with self._lock:
                member.outstanding -= 1

    def goes_elsewhere(self, error: ModelError, tried: Sequence[Member]) -> bool:
        """Whether a request that failed before its first word is worth one more member, and there is one."""
        return isinstance(error, _ITS_FAULT) and len(tried) == 1 and bool(self._well(tried))

    def _well(self, besides: Sequence[Member]) -> list[Member]:
        left = (member for member in self._members if not any(member is other for other in besides))
        return [member for member in left if member.engine.state.stage == "ready"]

    def _choose(self, besides: Sequence[Member]) -> Member:
        with self._lock:
            now = self._clock()
            well = self._well(besides)
            if not well:
                raise self._none_left()
            awake = [member for member in well if member.rests_until <= now]
            # all of them rest: rather ask the one that is nearest to its end than nobody
            among = awake or [min(well, key=lambda member: member.rests_until)]
            chosen = min(among, key=lambda member: (member.outstanding, member.used))
            self._choices += 1
            chosen.used = self._choices
            chosen.outstanding += 1
            return chosen

    def _none_left(self) -> ModelError:
        state = self.state
        if state.error is not None:
            return state.error
        return ModelNotReady(
            f"None of {len(self._members)} model servers is ready: {state.detail or state.stage}.",
            remedy="Wait and ask again.",
            stage=state.stage,
        )

    def _failed(self, member: Member, error: ModelError) -> None:
        with self._lock:
            rest = min(_LONGEST_REST_S, 2.0**member.failures)
            member.failures += 1
            member.rests_until = self._clock() + rest
        _log.warning("model_server_rests", server=member.engine.identity["engine"], seconds=rest, code=error.code)

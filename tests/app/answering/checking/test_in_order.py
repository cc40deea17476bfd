"""Checks that run beside each other: verdicts in the order of the claims, and nothing left running."""

from __future__ import annotations

import asyncio

import pytest

from app.answering.checking.in_order import ChecksInOrder
from app.answering.types import Claim, Verdict


def claim(text: str) -> Claim:
    return Claim(text=text, cites=(), verdict=Verdict.SUPPORTED, score=1.0)


async def after(gate: asyncio.Event, text: str) -> Claim:
    await gate.wait()
    return claim(text)


async def at_once(text: str) -> Claim:
    return claim(text)


async def failing() -> Claim:
    raise ValueError("broken")


def texts(claims: list[Claim]) -> list[str]:
    return [one.text for one in claims]


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_claim_waits_for_those_before_it() -> None:
    async def run() -> None:
        gate = asyncio.Event()
        async with ChecksInOrder() as checks:
            checks.start(after(gate, "first"))
            checks.start(at_once("second"))
            await turns()
            assert await checks.ready() == []
            gate.set()
            await turns()
            assert texts(await checks.ready()) == ["first", "second"]
            assert await checks.rest() == []

    asyncio.run(run())


def test_those_that_are_done_come_before_one_that_still_runs() -> None:
    async def run() -> None:
        gate = asyncio.Event()
        async with ChecksInOrder() as checks:
            checks.start(at_once("first"))
            checks.start(after(gate, "second"))
            checks.start(at_once("third"))
            await turns()
            assert texts(await checks.ready()) == ["first"]
            gate.set()
            assert texts(await checks.rest()) == ["second", "third"]

    asyncio.run(run())


def test_the_checks_run_beside_each_other() -> None:
    async def run() -> None:
        gate = asyncio.Event()

        async def opening() -> Claim:
            gate.set()
            return claim("second")

        async with ChecksInOrder() as checks:
            checks.start(after(gate, "first"))  # would wait for ever if the second began only when this one is done
            checks.start(opening())
            assert texts(await asyncio.wait_for(checks.rest(), 5)) == ["first", "second"]

    asyncio.run(run())


def test_without_any_check_there_is_nothing() -> None:
    async def run() -> None:
        async with ChecksInOrder() as checks:
            assert await checks.ready() == []
            assert await checks.rest() == []

    asyncio.run(run())


@pytest.mark.parametrize("wait_for_all", [True, False])
def test_what_a_check_raises_is_raised_in_its_turn_and_the_others_are_ended(wait_for_all: bool) -> None:
    ended: list[str] = []

    async def endless() -> Claim:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("endless")
        return claim("never")

    async def run() -> None:
        async with ChecksInOrder() as checks:
            checks.start(failing())
            checks.start(endless())
            await turns()
            await (checks.rest() if wait_for_all else checks.ready())

    with pytest.raises(ValueError, match="broken"):
        asyncio.run(run())
    assert ended == ["endless"]


def test_a_failure_behind_a_claim_that_still_runs_is_not_heard_before_it() -> None:
    async def run() -> None:
        gate = asyncio.Event()
        async with ChecksInOrder() as checks:
            checks.start(after(gate, "first"))
            checks.start(failing())
            await turns()
            assert await checks.ready() == []
            gate.set()
            with pytest.raises(ValueError, match="broken"):
                await checks.rest()

    asyncio.run(run())


def test_whoever_leaves_early_leaves_nothing_running() -> None:
    async def run() -> None:
        begun = asyncio.Event()
        ended = asyncio.Event()

        async def endless() -> Claim:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
            return claim("never")

        async with ChecksInOrder() as checks:
            checks.start(endless())
            await begun.wait()
        assert ended.is_set()

    asyncio.run(run())


def test_who_is_cancelled_while_waiting_cancels_the_checks() -> None:
    async def run() -> None:
        begun = asyncio.Event()
        ended = asyncio.Event()

        async def endless() -> Claim:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
            return claim("never")

        async def waiting() -> None:
            async with ChecksInOrder() as checks:
                checks.start(endless())
                await checks.rest()

        task = asyncio.create_task(waiting())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    asyncio.run(run())

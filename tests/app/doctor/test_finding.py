"""Examinations run one by one: what one raises is a finding, and the next is run all the same."""

from __future__ import annotations

import pytest

from app.doctor.finding import Finding, Health, examine
from app.errors import StartFailed
from app.settings import load

WELL = Finding("memory", Health.WELL, "enough")


def fails(error):
    def examination(_settings):
        yield Finding("first", Health.WELL, "before it")
        raise error

    return examination


def test_findings_come_in_the_order_of_the_examinations():
    assert examine(load({}), [("a", lambda _: [WELL]), ("b", lambda _: [])]) == [WELL]


def test_our_own_errors_bring_their_remedy():
    found = examine(load({}), [("port", fails(StartFailed("It is taken.", remedy="Take another.")))])
    assert found[1:] == [Finding("port", Health.BROKEN, "It is taken.", "Take another.")]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(PermissionError(13, "Permission denied", "/secret/path"), "Permission denied"), (KeyError("token"), "KeyError")],
)
def test_anything_else_is_named_without_what_it_holds(error, reason):
    found = examine(load({}), [("disk", fails(error)), ("memory", lambda _: [WELL])])
    assert [one.part for one in found] == ["first", "disk", "memory"], "what was found before is kept"
    assert reason in found[1].message
    assert "secret" not in found[1].message
    assert "token" not in found[1].message
    assert found[1].remedy

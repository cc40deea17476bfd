"""What the commands say on standard error: progress, notes, and an error as a sentence with its remedy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from app.errors import VouchError, describe
from model.progress import Progress

__all__ = ["ProgressLine", "note", "told"]


@contextmanager
def told() -> Iterator[None]:
    """Turn our errors into a sentence, a remedy and exit status 1; others are bugs and keep their traceback."""
    try:
        yield
    except Exception as error:
        found = describe(error)
        if found.code == "internal" and not isinstance(error, VouchError):
            raise
        note(f"vouch: {found.message}\n  {found.remedy}")
        raise typer.Exit(1) from None


def note(text: str) -> None:
    """Say something that is not the result."""
    typer.echo(text, err=True)


class ProgressLine:
    """Shows a step's progress: in place on a terminal, every ten percent elsewhere."""

    def __init__(self) -> None:
        self._last: tuple[str, int] = ("", -1)

    def show(self, progress: Progress) -> None:
        """Show how far it is, if that has changed enough."""
        percent = 100 * progress.done // progress.total if progress.total else 0
        mark = (progress.step, percent if sys.stderr.isatty() else percent // 10)
        if mark != self._last:
            self._last = mark
            end = "\r" if sys.stderr.isatty() and percent < 100 else "\n"
            amount = f": {percent} % of {progress.total} {progress.unit}" if progress.total else ""
            sys.stderr.write(f"{progress.step}{amount}{end}")

"""`vouch ingest`: files and folders into the running service, with one line of progress and the failures at the end."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from app import errors
from app.bulk_ingest import BulkIngest, LocalFile, Tally
from app.console import note, told
from app.settings import Settings, load
from retrieval.parsing.formats import SUFFIXES

__all__ = ["ingest"]

_SOURCE_LENGTH: Final = 512
_HANDFUL: Final = 20  # documents that are named one by one
_NAMED: Final = 10  # files that are named for one reason
_QUIET_S: Final = 60.0  # between lines where nobody watches a terminal


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders of files.")],
    collection: Annotated[str | None, typer.Option(help="Collection to put them in.")] = None,
    label: Annotated[str | None, typer.Option(help="Permission label: who may see them.")] = None,
    source: Annotated[
        str | None,
        typer.Option(help="Name of the folder, or of the file's folder, as the service keeps it; its path by default."),
    ] = None,
    ray: Annotated[
        str | None, typer.Option(help="Parse and embed on this Ray cluster as well: HOST:PORT, or local.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the documents as JSON.")] = False,
) -> None:
    """Add documents and wait until each is searchable or refused.

    The same command continues a run that broke off, and brings the service up to date with a folder that changed: a
    changed file takes the place of its earlier version.
    """
    with told():
        from app.connection import connect

        files, left_out = found_in(paths, source=source)
        line, settings = ProgressLine(), load()
        with connect(settings) as client, _hands(settings, ray):
            run = BulkIngest(client, collection=collection, label=label, report=line.show)
            done = run.run(files)
        line.end()
        if as_json:
            typer.echo(json.dumps({"documents": done}, ensure_ascii=False, indent=2))
        for text in summary(done, known=run.known, left_out=left_out):
            note(text)
        if any(item["state"] != "ready" for item in done):
            raise typer.Exit(1)


def _hands(settings: Settings, ray: str | None) -> AbstractContextManager[None]:
    if ray is None:
        return nullcontext()
    from app.ray_ingest import on_ray  # with the models and Ray, which `--help` should not wait for

    return on_ray(settings, ray)


def found_in(paths: Sequence[Path], *, source: str | None) -> tuple[list[LocalFile], Counter[str]]:
    """Return the files to add, each once, and by suffix how many others lie in the folders.

    Raises:
        BadRequest: a path does not exist, or there is no file to add.
    """
    found: dict[Path, LocalFile] = {}
    left_out: Counter[str] = Counter()
    for path in paths:
        if path.is_dir():
            for item in _inside(path):
                if item.suffix.lower() in SUFFIXES:
                    _add(found, item, within=path, source=source)
                else:
                    left_out[item.suffix.lower() or "no suffix"] += 1
        elif path.is_file():
            _add(found, path, within=path.parent, source=source)
        else:
            raise errors.BadRequest(f"There is no file or folder {path}.", remedy="Check the path.")
    if not found:
        raise errors.BadRequest(
            "No document was found there.", remedy=f"Name files, or a folder with files of {', '.join(SUFFIXES)}."
        )
    return list(found.values()), left_out


def _inside(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder in order, without hidden ones and the lock files of office programs."""
    for item in sorted(folder.rglob("*")):
        hidden = any(part.startswith((".", "~$")) for part in item.relative_to(folder).parts)
        if not hidden and item.is_file():
            yield item


def _add(found: dict[Path, LocalFile], path: Path, *, within: Path, source: str | None) -> None:
    whole = path.resolve()
    name = whole.as_posix() if source is None else f"{source}/{path.relative_to(within).as_posix()}"
    found.setdefault(whole, LocalFile(path=path, source=name[-_SOURCE_LENGTH:]))


class ProgressLine:
    """One line: rewritten in place on a terminal, every ten percent or once a minute elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._tenth = 0
        self._last = time.monotonic()
        self._shown = False

    def show(self, tally: Tally) -> None:
        """Show how far it is, if that is due."""
        now, tenth = time.monotonic(), 10 * tally.done // max(tally.files, 1)
        if self._terminal:
            if now - self._last >= 0.2:
                sys.stderr.write(f"\r\x1b[K  {described(tally)}")
                sys.stderr.flush()
                self._last, self._shown = now, True
        elif tally.files > _HANDFUL and (tenth > self._tenth or now - self._last >= _QUIET_S):
            note(f"  {described(tally)}")
            self._last, self._tenth = now, tenth

    def end(self) -> None:
        """Clear the line, for what follows."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def described(tally: Tally) -> str:
    """Say how far it is: 1,234 of 10,000 files, 5,678 pages, 2 failed, 12.3 files/s, 45.6 pages/s, 12 min left."""
    parts = [f"{tally.done:,} of {tally.files:,} files", f"{tally.pages:,} pages"]
    if tally.failed:
        parts.append(f"{tally.failed:,} failed")
    parts += [f"{tally.files_per_s:.1f} files/s", f"{tally.pages_per_s:.1f} pages/s"]
    if tally.left_s is not None and tally.done < tally.files:
        parts.append(f"{_duration(tally.left_s)} left")
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def summary(done: Sequence[dict[str, Any]], *, known: int, left_out: Counter[str]) -> list[str]:
    """Say what came of the files: a few one by one, many together, and the failures by their reason."""
    ready = [item for item in done if item["state"] == "ready"]
    failed = [item for item in done if item["state"] != "ready"]
    if len(done) <= _HANDFUL:
        lines = [f"  {item['name']}: {item['pages']} pages, {item['passages']} passages" for item in ready]
    else:
        pages, passages = (sum(item[key] for item in ready) for key in ("pages", "passages"))
        lines = [f"  {len(ready):,} files ready ({known:,} before): {pages:,} pages, {passages:,} passages"]
    reasons: dict[tuple[str, str], list[str]] = {}
    for item in failed:
        named = item["name"] if len(done) <= _HANDFUL else item.get("source") or item["name"]
        reasons.setdefault((item["error"], item["remedy"]), []).append(named)
    for (error, remedy), names in sorted(reasons.items(), key=lambda reason: -len(reason[1])):
        if len(names) == 1:
            lines.append(f"  {names[0]}: {error}\n    {remedy}")
        else:
            more = [f"    … and {len(names) - _NAMED:,} more; --json names all"] if len(names) > _NAMED else []
            lines += [f"  {len(names):,} files: {error}\n    {remedy}", *(f"    {n}" for n in names[:_NAMED]), *more]
    if left_out:
        kinds = ", ".join(f"{count:,} {suffix}" for suffix, count in left_out.most_common(8))
        lines.append(f"  Left out for their names: {kinds}")
    return lines

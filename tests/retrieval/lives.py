"""A process that lives many short lives of the service's worker, each in a fork, so that each can be killed.

python -m tests.retrieval.lives FOLDER DATABASE_URL

It imports everything once; each line on its standard input is a life as JSON, and what happens is told on its standard
output, a JSON object a line, up to `{"end": status}`. A life recovers what the last one left, adds documents, replaces
one, works through the queue with the real pipeline, deletes one, and brings index and snapshot up to date. It kills
itself with SIGKILL before the n-th event of a kind when told to: an event is a statement that writes, a commit, or a
file that is opened for writing, renamed or removed.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
from collections import Counter
from pathlib import Path

import structlog
from sqlalchemy import create_engine, event

from retrieval.errors import DocumentNotFound
from retrieval.ingest import Ingestor
from retrieval.parsing import text
from retrieval.parsing.types import TEXT, ParsedDocument
from tests.retrieval.house import ALL, LIMITS, House, sqlite

SOURCE = "shared/rules.txt"


def open_engine(url: str):
    return sqlite(Path(url.removeprefix("sqlite:///"))) if url.startswith("sqlite") else create_engine(url)


def say(**what) -> None:
    os.write(1, (json.dumps(what) + "\n").encode())


def words_of(name: str) -> bytes:
    """The text of a document: its name is a word that no other document has."""
    return f"The rule {name} holds.\n\nWhoever reads {name} knows it, and nobody else.\n".encode()


def read_here(path, *, name, limits, report=None):
    """Parse without a child process, which would cost a second of each life."""
    total, pages = text.read(path, max_pages=limits.max_pages)
    pages = tuple(pages)
    for number, _ in enumerate(pages, start=1):
        report(number, total)
    return ParsedDocument(media_type=TEXT, pages=pages)


class Death:
    """Counts events, and ends the process before one of them."""

    def __init__(self, folder: Path, kind: str | None, number: int) -> None:
        self.counts: Counter[str] = Counter()
        self._folder = str(folder)
        self._kind, self._number = kind, number
        self._own = threading.Lock()

    def watch(self, engine) -> None:
        sys.addaudithook(self._file)
        event.listen(engine, "before_cursor_execute", self._statement)
        event.listen(engine, "commit", lambda _connection: self.meet("commit"))

    def meet(self, kind: str) -> None:
        with self._own:
            self.counts[kind] += 1
            if kind == self._kind and self.counts[kind] == self._number:
                os.kill(os.getpid(), signal.SIGKILL)

    def _statement(self, _connection, _cursor, statement, *_rest) -> None:
        words = statement.split()
        if words[0] in {"INSERT", "UPDATE", "DELETE"}:
            self.meet(" ".join(words[: 2 if words[0] == "UPDATE" else 3]))

    def _file(self, name, arguments) -> None:
        if name not in {"open", "os.rename", "os.remove", "os.link"}:
            return
        path = str(arguments[0])
        writes = name != "open" or arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if writes and path.startswith(self._folder) and "vouch.db" not in path:
            place = Path(path).relative_to(self._folder).parts
            within = "/".join(place[:2]) if place[1] == "incoming" else place[0]
            self.meet(f"{name} {within}{'.doubt' if path.endswith('.doubt') else ''}")


def live(folder: Path, url: str, order: dict) -> None:
    engine = open_engine(url)
    house = House.at(folder, engine)
    ingestor = house.ingestor
    if not order.get("child"):
        ingestor = Ingestor(
            house.catalog,
            house.queue,
            files_dir=folder / "files",
            index=house.index,
            limits=LIMITS,
            parser=read_here,
        )
    death = Death(folder, *order.get("death", (None, 0)))
    death.watch(engine)
    ingestor.recover(stale_upload_s=0)
    say(left=[document.name for document in house.catalog.list(ALL, limit=10_000)])
    waiting = []
    for name, source in order["submit"]:
        document = ingestor.submit(
            io.BytesIO(words_of(name)), name=f"{name}.txt", collection="c", label="l", source=source, bulk=bool(source)
        )
        say(submitted=name)
        waiting.append(document.id)
    stop = threading.Event()
    worker = threading.Thread(target=ingestor.run, args=(stop,))
    worker.start()
    ingestor.wait(waiting, 60)
    for document in house.catalog.list(ALL, limit=10_000):
        if document.name.removesuffix(".txt") in order["delete"]:
            try:
                ingestor.delete(document.id, ALL)
            except DocumentNotFound:
                continue
            say(deleted=document.name)
    house.index.refresh()
    house.index.save()
    stop.set()
    worker.join()
    say(counts=death.counts)


def main(folder: Path, url: str) -> None:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # standard output is ours
    say(ready=True)
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            status = 1
            try:
                os.setsid()
                live(folder, url, json.loads(line))
                status = 0
            finally:
                os._exit(status)
        say(process=process)
        say(end=os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])

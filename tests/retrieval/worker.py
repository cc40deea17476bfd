"""An ingestion worker in a process of its own, which can be made to stand still at a stage until it is killed.

python -m tests.retrieval.worker FOLDER DATABASE_URL [parse | embed | commit | none]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import NoReturn

from sqlalchemy import create_engine, event

from retrieval.ingest import Ingestor
from retrieval.parsing.parse import parse
from tests.retrieval.house import LIMITS, House, sqlite
from tests.retrieval.word_embedder import WordEmbedder


def stand_still() -> NoReturn:
    print("here", flush=True)
    while True:
        time.sleep(60)


class StillEmbedder(WordEmbedder):
    def embed(self, texts):
        stand_still()


def still_parser(path, *, name, limits, report=None):
    parse(path, name=name, limits=limits, report=report)
    stand_still()


def main(folder: Path, url: str, stage: str) -> None:
    engine = sqlite(Path(url.removeprefix("sqlite:///"))) if url.startswith("sqlite") else create_engine(url)
    house = House.at(folder, engine, StillEmbedder() if stage == "embed" else WordEmbedder())
    ingestor = Ingestor(
        house.catalog,
        house.queue,
        files_dir=folder / "files",
        index=house.index,
        limits=LIMITS,
        parser=still_parser if stage == "parse" else parse,
    )
    if stage == "commit":
        inserted = []
        event.listen(engine, "before_cursor_execute", lambda *call: inserted.append("INTO passages" in call[2]))
        event.listen(engine, "commit", lambda _connection: stand_still() if any(inserted) else None)
    print("ready", flush=True)
    sys.stdin.readline()
    count = 0
    while ingestor.run_once():
        count += 1
    print(f"done {count}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])

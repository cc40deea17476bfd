"""`vouch ingest --ray`: a worker beside the service, on its database and files, whose hands are a Ray cluster."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from app.embedders import embedders_for
from app.settings import Settings, load
from app.storage.engine import connect
from retrieval.catalog import Catalog
from retrieval.embedding import TextEmbedder
from retrieval.errors import RetrievalError
from retrieval.files import FileStore
from retrieval.parsing.parse import parse
from retrieval.parsing.types import Limits
from retrieval.queue import Queue
from retrieval.ray_workers import RayIngest
from retrieval.stages import Stages

__all__ = ["models_of", "on_ray"]


def models_of(names: Sequence[str], folder: str) -> Sequence[TextEmbedder]:
    """Build the embedding models on a worker; of the settings only these travel, since Ray has to write them down."""
    return embedders_for(load({}, embedders=tuple(names), model_dir=folder))


@contextmanager
def on_ray(settings: Settings, address: str) -> Iterator[None]:
    """Work through the service's queue on a cluster as long as the block runs.

    It takes the same data folder and database as the service, so it runs on the service's machine.

    Raises:
        RetrievalError: Ray is not installed, there is no cluster, or its weights are others.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anyone
    database = connect(settings.database)
    queue, files = Queue(database), FileStore(settings.data_dir / "files")
    limits = Limits(
        max_bytes=settings.max_file_mb << 20,
        max_pages=settings.max_pages,
        timeout_s=settings.parse_timeout_s,
        memory_mb=settings.parse_memory_mb,
    )
    stages = Stages(queue, files, limits=limits, parser=parse, holds=Catalog(database).holds)
    models = partial(models_of, settings.embedders, str(settings.model_dir))
    worker = RayIngest(queue, stages, files, address=address, embedders=models, limits=limits)
    stop, problems = threading.Event(), list[RetrievalError]()

    def work() -> None:
        try:
            worker.run(stop)
        except RetrievalError as error:  # the service goes on alone
            problems.append(error)

    thread = threading.Thread(target=work, name="ray")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        database.dispose()
    if problems:
        raise problems[0]

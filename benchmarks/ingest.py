"""Ingestion's speed beside the naive tutorial pipeline, by stage, and its memory over 2,000 pages.

    ./vouch bench ingest

The rival is what tutorials build: the text of each page by pypdfium2, 1,000 characters with 200 of overlap by the rules
of LangChain's RecursiveCharacterTextSplitter, all-MiniLM-L6-v2 by `SentenceTransformer.encode` as it comes (float32,
batches of 32), a flat FAISS index written to disk. Ours does all that a document goes through in the service: the file
is kept by its digest, its row written, its parser runs in a limited child process, text gets positions, tables,
headings, facts and a screen, passages go into SQL, the lexical and the vector index. Both have the same files, the same
weights and the same cores, in turn, each in a process of its own; loading the model is left out for both.

On a busy machine the pages a second of both fall; `cpu_ms_a_page` is the processor time of all their processes, which
a busy machine changes less.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from app.settings import ROOT, load

__all__ = ["run"]

ROUNDS: Final = 2
DOCUMENTS: Final = (1, 1, 1, 2, 3, 5, 8, 12, 20, 27, 40, 80)
"""Pages of each document of the speed's corpus: 200."""
MEMORY: Final = (1000, 400, 200, 150, 100, 50, 50, 20, 10, 10, *(1,) * 10)
"""Pages of each document of the memory's corpus: 2,000."""
EMBEDDER: Final = "all-minilm-l6-v2"

WORDS: Final = """
the of and to in a for risk credit rate capital bank exposure portfolio loss interest liquidity market operational
default probability customer agreement payment obligation collateral maturity revenue expense net income assets
liabilities equity cash flow impairment provision regulation supervisor committee board policy procedure limit
threshold breach report quarter annual estimate model validation stress scenario
""".split()  # noqa: SIM905 - fifty quoted words are no better to read


def run(*, report: Callable[[str], None]) -> dict[str, Any]:
    """Measure both contenders in turn, the stages of ours one by one, and the memory of ours."""
    with tempfile.TemporaryDirectory(prefix="vouch-bench-") as made:
        folder = Path(made)
        report(f"writing {sum(DOCUMENTS)} and {sum(MEMORY)} pages")
        corpus, large = folder / "corpus", folder / "large"
        write_corpus(corpus, DOCUMENTS)
        write_corpus(large, MEMORY)
        found: dict[str, list[dict[str, Any]]] = {"naive": [], "ours": []}
        for turn in range(ROUNDS):
            for name, rounds in found.items():
                report(f"{name}, round {turn + 1} of {ROUNDS}")
                rounds.append(_alone(name, corpus, folder / f"{name}{turn}"))
        report("ours, stage by stage")
        stages = _alone("stages", corpus, folder / "stages")
        report("ours, memory over 2,000 pages")
        memory = _alone("ours", large, folder / "memory")
    naive, ours = (max(found[name], key=lambda row: row["pages_per_s"]) for name in ("naive", "ours"))
    cpu = [min(row["cpu_ms_a_page"] for row in found[name]) for name in ("naive", "ours")]
    rows = [{"name": "naive", **naive}, {"name": "ours", **ours}, {"name": "stages of ours, one by one", **stages}]
    rows.append({"name": "ours, 2,000 pages", **memory})
    return {
        "rows": rows,
        "ratios": {
            "pages_per_s_vs_naive": round(ours["pages_per_s"] / naive["pages_per_s"], 2),
            "cpu_vs_naive": round(cpu[0] / cpu[1], 2),
        },
        "metrics": {
            "pages_per_s_vs_naive": round(ours["pages_per_s"] / naive["pages_per_s"], 2),
            "pages_per_s": ours["pages_per_s"],
            "peak_gb": memory["peak_gb"],
            "embedder_share": stages["embedder_share"],
        },
    }


def write_corpus(folder: Path, documents: Sequence[int]) -> None:
    """Write PDF files of so many pages: headings, paragraphs, a ruled table on every third page."""
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Table

    folder.mkdir()
    styles = getSampleStyleSheet()
    for number, pages in enumerate(documents):
        chance = random.Random(number)  # noqa: S311 - the same words each time
        story: list[Any] = []
        for page in range(pages):
            story.append(Paragraph(f"Section {page + 1}: {' '.join(chance.choices(WORDS, k=4))}", styles["Heading2"]))
            story += [Paragraph(_paragraph(chance), styles["BodyText"]) for _ in range(4 if page % 3 == 0 else 6)]
            if page % 3 == 0:
                cells = [["Item", "2021", "2022", "2023"], *(_row(chance) for _ in range(8))]
                story.append(Table(cells, style=[("GRID", (0, 0), (-1, -1), 0.5, (0, 0, 0))]))
            story.append(PageBreak())
        SimpleDocTemplate(str(folder / f"report{number:02}.pdf")).build(story)


def _paragraph(chance: random.Random) -> str:
    sentences = (" ".join(chance.choices(WORDS, k=chance.randint(8, 28))) for _ in range(4))
    return " ".join(f"{sentence.capitalize()} of {chance.randint(1, 999)} million." for sentence in sentences)


def _row(chance: random.Random) -> list[str]:
    return [" ".join(chance.choices(WORDS, k=3)), *(f"{chance.randint(1, 9999):,}" for _ in range(3))]


def _alone(contender: str, corpus: Path, folder: Path) -> dict[str, Any]:
    """Run a contender in a process of its own and return what it measured."""
    folder.mkdir()
    weights = load().model_dir / EMBEDDER
    command = [sys.executable, "-m", "benchmarks.ingest", contender, *map(str, (corpus, folder, weights))]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def _measured(into: dict[str, Any]) -> Iterator[None]:
    before, begun = _cpu_s(), time.perf_counter()
    yield
    into["seconds"] = round(time.perf_counter() - begun, 2)
    into["cpu_s"] = round(_cpu_s() - before, 2)


def _cpu_s() -> float:
    """Return the processor time of this process and of all its children that have ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def _told(row: dict[str, Any], pages: int) -> dict[str, Any]:
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return row | {
        "pages": pages,
        "pages_per_s": round(pages / row["seconds"], 2),
        "cpu_ms_a_page": round(1000 * row["cpu_s"] / pages, 1),
        "peak_gb": round(peak / 2**20, 3),
    }


# the rival


def naive(corpus: Path, folder: Path, weights: Path) -> dict[str, Any]:
    """Do what tutorials do, one step after the other."""
    import faiss
    import pypdfium2
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(weights), device="cpu", local_files_only=True)
    model.encode(["ready"])
    row: dict[str, Any] = {}
    pages, chunks = 0, list[str]()
    with _measured(row):
        for path in sorted(corpus.iterdir()):
            with pypdfium2.PdfDocument(path) as document:
                for page in document:
                    pages += 1
                    chunks += split(page.get_textpage().get_text_range())
        read = time.perf_counter()
        vectors = model.encode(chunks, show_progress_bar=False)
        embedding = time.perf_counter() - read
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        faiss.write_index(index, str(folder / "index.faiss"))
        (folder / "chunks.json").write_text(json.dumps(chunks), encoding="utf-8")
    share = round(embedding / row["seconds"], 3)
    return _told(row, pages) | {"texts": len(chunks), "embedder_share": share}


def split(text: str, *, size: int = 1000, overlap: int = 200) -> list[str]:
    """Cut a text as LangChain's RecursiveCharacterTextSplitter does with its defaults and these sizes."""
    return _merge(_pieces(text, ("\n\n", "\n", " ", ""), size), size, overlap)


def _pieces(text: str, marks: Sequence[str], size: int) -> list[str]:
    mark = next((m for m in marks if m == "" or m in text), "")
    rest = marks[marks.index(mark) + 1 :]
    parts = [*text] if mark == "" else [part + mark for part in text.split(mark)]
    found: list[str] = []
    for part in parts:
        found += [part] if len(part) <= size or not rest else _pieces(part, rest, size)
    return found


def _merge(pieces: Sequence[str], size: int, overlap: int) -> list[str]:
    chunks, window, length = list[str](), list[str](), 0
    for piece in pieces:
        if window and length + len(piece) > size:
            chunks.append("".join(window).strip())
            while window and (length > overlap or length + len(piece) > size):
                length -= len(window.pop(0))
        window.append(piece)
        length += len(piece)
    if window:
        chunks.append("".join(window).strip())
    return [chunk for chunk in chunks if chunk]


# ours


def ours(corpus: Path, folder: Path, weights: Path) -> dict[str, Any]:
    """Ingest as the service does, from the first byte to an index that is searched and saved."""
    from retrieval.parsing.types import Limits
    from retrieval.types import EVERYTHING, Scope

    row: dict[str, Any] = {}
    limits = Limits(max_bytes=200 << 20, max_pages=3000, timeout_s=600, memory_mb=1024)
    catalog, index, ingestor = _parts(folder, weights, limits)
    index.embedders[0].embed(["ready"])
    stop = threading.Event()
    with _measured(row):
        worker = threading.Thread(target=ingestor.run, args=(stop,))
        worker.start()
        made = [
            ingestor.submit(path, name=path.name, collection="c", label="l", source=str(path), bulk=True).id
            for path in sorted(corpus.iterdir())
        ]
        if not ingestor.wait(made, 3600):
            raise RuntimeError("ingestion took more than an hour")
        index.refresh()
        index.save()
        stop.set()
        worker.join()
        ingestor.close()  # so that the processor time of its children counts
    scope = Scope(subject="bench", labels=frozenset({EVERYTHING}), collections=frozenset({EVERYTHING}))
    documents = catalog.list(scope, limit=500)
    if {document.state.value for document in documents} != {"ready"}:
        raise RuntimeError("not every document became searchable")
    return _told(row, sum(document.pages for document in documents)) | {"texts": index.size}


def _parts(folder: Path, weights: Path, limits: Any) -> tuple[Any, Any, Any]:
    from app.storage.engine import connect
    from app.storage.migrate import upgrade
    from retrieval.catalog import Catalog
    from retrieval.embedding import Embedder
    from retrieval.index import PassageIndex
    from retrieval.ingest import Ingestor
    from retrieval.queue import Queue

    engine = connect(f"sqlite:///{folder / 'vouch.db'}")
    upgrade(engine)
    catalog, queue = Catalog(engine), Queue(engine)
    index = PassageIndex(catalog, [Embedder(weights)], folder=folder / "index")
    return catalog, index, Ingestor(catalog, queue, files_dir=folder / "files", index=index, limits=limits)


def stages(corpus: Path, folder: Path, weights: Path) -> dict[str, Any]:
    """Do our stages one after the other, each alone on the machine, and tell the pages a second of each."""
    from retrieval.drafting import Draft, embed
    from retrieval.parsing.parse import parse
    from retrieval.parsing.sandbox import Sandbox
    from retrieval.parsing.types import Limits

    limits = Limits(max_bytes=200 << 20, max_pages=3000, timeout_s=600, memory_mb=1024)
    _, index, ingestor = _parts(folder, weights, limits)
    embedder = index.embedders[0]
    embedder.embed(["ready"])
    seconds: dict[str, float] = {}

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        seconds[name] = time.perf_counter() - begun

    paths = sorted(corpus.iterdir())
    with stage("receive"):
        made = [ingestor.submit(path, name=path.name, collection="c", label="l", source=str(path)) for path in paths]
    with Sandbox() as sandbox:
        parse(paths[0], name="a.pdf", limits=limits, sandbox=sandbox)  # starts the interpreter that is kept
        with stage("parse"):
            parsed = [parse(path, name=path.name, limits=limits, sandbox=sandbox) for path in paths]
    with stage("cut"):
        drafts = [Draft(document, name=path.name) for document, path in zip(parsed, paths, strict=True)]
    texts = sum(len(draft.wanted(embedder)) for draft in drafts)
    with stage("embed"):
        embed(drafts, embedder)
    with stage("store"):
        _store(folder, len(made), drafts)
    with stage("index"):
        index.refresh()
        index.save()
    pages = sum(draft.pages for draft in drafts)
    whole = sum(seconds.values())
    return {
        "pages": pages,
        "texts": texts,
        "embedder_share": round(seconds["embed"] / whole, 3),
        **{f"{name}_pages_per_s": round(pages / taken, 1) for name, taken in seconds.items()},
        **{f"{name}_ms_a_page": round(1000 * taken / pages, 2) for name, taken in seconds.items()},
    }


def _store(folder: Path, count: int, drafts: Sequence[Any]) -> None:
    from app.storage.engine import connect
    from retrieval.queue import Queue

    queue = Queue(connect(f"sqlite:///{folder / 'vouch.db'}"))
    for draft in drafts[:count]:
        claim = queue.next_queued()
        if claim is None or not queue.finish(claim, draft.outcome()):
            raise RuntimeError("someone else works in the benchmark's folder")


if __name__ == "__main__":
    contenders = {"naive": naive, "ours": ours, "stages": stages}
    measure = contenders[sys.argv[1]]
    sys.stdout.write(json.dumps(measure(*map(Path, sys.argv[2:5]))) + "\n")

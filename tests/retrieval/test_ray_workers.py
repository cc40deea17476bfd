"""Ray Data on a local Ray: the same documents, the same rows as by the worker here; and what comes back is checked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from retrieval.errors import RetrievalError
from retrieval.files import FileStore
from retrieval.parsing.parse import parse
from retrieval.queue import Outcome, Queue
from retrieval.ray_workers import RayIngest, packed, unpacked
from retrieval.rows import PageText, PassageDraft
from retrieval.stages import Stages
from retrieval.types import Box, DocumentFacts, DocumentState, Remark
from tests.retrieval.house import ALL, LIMITS, House
from tests.retrieval.word_embedder import WordEmbedder

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own: it leaves sockets and files open at its end


def embedders() -> list[WordEmbedder]:
    return [WordEmbedder()]


def others() -> list[WordEmbedder]:
    return [WordEmbedder("words@2")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    ray = pytest.importorskip("ray", reason="Ray is not installed; it is in the extra `scale`")
    patch = pytest.MonkeyPatch()
    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=80 << 20,
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
    )
    yield "auto"
    ray.shutdown()
    patch.undo()


def driver(house: House, queue: Queue, address: str, models=embedders) -> RayIngest:
    files = FileStore(house.folder / "files")
    stages = Stages(queue, files, limits=LIMITS, parser=parse, holds=house.catalog.holds)
    return RayIngest(queue, stages, files, address=address, embedders=models, limits=LIMITS)


def test_what_workers_make_is_what_the_worker_here_makes(tmp_path: Path, house: House, cluster: str):
    texts = {
        f"{number}.md": f"# Rule {number}\n\nThe rule speaks of topic{number}.\n\n第{number}条" for number in range(12)
    }
    for name, text in texts.items():
        house.submit(text, name)
    broken = house.submit("%PDF-1.7\n1 0 obj", "broken.pdf")
    gone = house.submit("This file will be gone.", "gone.txt")
    house.ingestor.path_of(gone).unlink()
    by_ray = driver(house, house.queue, cluster)
    assert by_ray.run_once() == len(texts) + 2
    assert by_ray.run_once() == 0
    states = {document.name: document for document in house.catalog.list(ALL)}
    assert {states[name].state for name in texts} == {DocumentState.READY}
    assert (states["broken.pdf"].state, states["broken.pdf"].error_code) == (DocumentState.FAILED, "damaged_file")
    assert states["broken.pdf"].remedy
    assert states["gone.txt"].error == "The stored file is gone."
    assert house.catalog.get(broken.id, ALL).state is DocumentState.FAILED
    found = {name: contents(house, states[name].id) for name in texts}
    for document in list(states.values()):
        house.ingestor.delete(document.id, ALL)
    for name, text in texts.items():
        house.submit(text, name)
    while house.ingestor.run_once():
        pass
    assert {d.name: contents(house, d.id) for d in house.catalog.list(ALL)} == found
    assert "topic7" in house.find("topic7")[0].text
    # another model on the workers is refused, and what it was given is queued again
    late = house.submit("A late rule.", "late.txt")
    strange = driver(house, house.queue, cluster, others)
    strange._models = json.dumps(["words@1"])
    with pytest.raises(RetrievalError, match="other embedding models"):
        strange.run_once()
    assert house.catalog.get(late.id, ALL).state is DocumentState.QUEUED


def contents(house: House, document_id: str) -> list[tuple]:
    entries = house.catalog.contents([document_id], embedders=[house.embedder.identity])
    return [(entry.text, tuple(entry.headings), dict(entry.vectors)) for entry in entries]


def test_an_outcome_comes_back_as_it_was():
    outcome = Outcome(
        media_type="application/pdf",
        pages=[
            PageText(1, "Eins", 595.0, 842.0),
            PageText(2, "zwei\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")),
        ],
        passages=[
            PassageDraft(
                text="Eins",
                page=1,
                start=0,
                end=4,
                language="en",
                boxes=[Box(x0=1, top=2, x1=3, bottom=4)],
                headings=["A", "B"],
                vectors={"m@1": bytes(range(256)), "n@2": b"\xff\x00"},
            ),
            PassageDraft(text="二", page=2, start=0, end=1, language="zh", withheld="instruction_like"),
        ],
        facts=DocumentFacts(title="T", period="FY2022"),
        remarks=[Remark(code="hidden_text", page=2)],
    )
    row = packed(outcome)
    assert "pickle" not in json.dumps({key: str(value) for key, value in row.items()})
    back = unpacked(row)
    assert back.pages == outcome.pages
    assert [list(p.boxes) for p in back.passages] == [list(p.boxes) for p in outcome.passages]
    assert [dict(p.vectors) for p in back.passages] == [dict(p.vectors) for p in outcome.passages]
    assert [p.withheld for p in back.passages] == [None, "instruction_like"]
    assert (back.facts, list(back.remarks)) == (outcome.facts, list(outcome.remarks))


@pytest.mark.parametrize("spoil", [{"vectors": b"\x00"}, {"outcome": "{}"}, {"places": '[[9, "m@1", 1]]'}])
def test_a_row_that_no_worker_made_is_refused(spoil: dict):
    whole = packed(Outcome(media_type="text/plain", pages=[PageText(1, "x")], passages=[]))
    with pytest.raises((ValueError, IndexError)):
        unpacked(whole | spoil)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nowhere", "127.0.0.1:99999999"])
def test_without_a_cluster_the_reason_is_said(house: House, address: str):
    pytest.importorskip("ray", reason="Ray is not installed; it is in the extra `scale`")
    with pytest.raises(RetrievalError, match="no Ray cluster"):
        driver(house, house.queue, address)

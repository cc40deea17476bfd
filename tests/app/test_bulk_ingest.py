"""Many files into a real service: each once, the rest of a run that broke off, what changed, and what went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from app.bulk_ingest import BulkIngest, Tally
from app.cli_ingest import described, found_in, summary
from app.connection import ServiceError
from app.errors import BadRequest
from app.identity.principal import Role
from app.service import Service
from tests.app.conftest import serving

Make = Callable[..., Service]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Thirty rules in two folders, one of them twice, a program with a wrong name, and what is not for reading."""
    made = tmp_path / "rules"
    for number in range(30):
        path = made / ("old" if number % 3 else "new") / f"rule{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"Rule {number} speaks of topic{number}.\n")
    (made / "copy.txt").write_text("Rule 7 speaks of topic7.\n")
    (made / "program.pdf").write_bytes(b"\x7fELF" + bytes(500))
    (made / "picture.png").write_bytes(b"\x89PNG")
    (made / "~$rule.docx").write_bytes(b"x")
    (made / ".hidden").mkdir()
    (made / ".hidden" / "a.txt").write_text("hidden")
    return made


@pytest.fixture
def client(make_service: Make) -> Iterator[httpx.Client]:
    with serving(make_service()) as client:
        client.sent = Counter()
        client.event_hooks["request"].append(
            lambda request: client.sent.update([f"{request.method} {request.url.path}"])
        )
        yield client


def run(client: httpx.Client, folder: Path, **options) -> tuple[list[dict], BulkIngest]:
    files, _ = found_in([folder], source="rules")
    bulk = BulkIngest(client, collection=None, label=options.pop("label", None), **options)
    return bulk.run(files), bulk


def listed(client: httpx.Client) -> dict[str, dict]:
    return {item["source"]: item for item in client.get("/v1/documents", params={"limit": 500}).json()["documents"]}


def test_a_folder_goes_in_once_and_the_second_run_sends_nothing(client: httpx.Client, folder: Path) -> None:
    tallies: list[Tally] = []
    done, bulk = run(client, folder, report=tallies.append)
    assert Counter(item["state"] for item in done) == {"ready": 31, "failed": 1}
    assert len({item["id"] for item in done if item["state"] == "ready"}) == 30
    [refused] = [item for item in done if item["state"] == "failed"]
    assert (refused["source"], refused["error_code"]) == ("rules/program.pdf", "unsupported_format")
    assert (bulk.known, tallies[-1].done, tallies[-1].failed, tallies[-1].files) == (0, 32, 1, 32)
    assert [t.done for t in tallies] == sorted(t.done for t in tallies)
    assert client.sent["POST /v1/documents"] == 32
    assert client.sent["POST /v1/documents/lookup"] < 32
    assert not [path for path in client.sent if path.startswith("GET /v1/documents/")]
    client.sent.clear()
    done, bulk = run(client, folder)
    assert Counter(item["state"] for item in done) == {"ready": 31, "failed": 1}
    assert bulk.known == 30
    assert client.sent["POST /v1/documents"] == 2, "the copy, whose source is the other one's, and the program"
    assert client.get("/v1/documents").json()["total"] == 30


def test_a_changed_file_takes_the_place_of_its_earlier_version(client: httpx.Client, folder: Path) -> None:
    (folder / "copy.txt").unlink()
    run(client, folder)
    before = listed(client)
    (folder / "new" / "rule0.txt").write_text("Rule 0 now speaks of something else.\n")
    run(client, folder)
    after = listed(client)
    assert set(after) == set(before)
    changed = [source for source in after if after[source]["id"] != before[source]["id"]]
    assert changed == ["rules/new/rule0.txt"]
    (folder / "new" / "rule0.txt").write_bytes(b"\x7fELF" + bytes(300))
    run(client, folder)
    assert listed(client)["rules/new/rule0.txt"]["id"] == after["rules/new/rule0.txt"]["id"]


def test_the_same_files_under_another_label_are_other_documents(client: httpx.Client, folder: Path) -> None:
    run(client, folder / "new", label="internal")
    done, bulk = run(client, folder / "new", label="board")
    assert (len(done), bulk.known) == (10, 0)
    assert client.get("/v1/documents").json()["total"] == 20
    assert run(client, folder / "new", label="board")[1].known == 10


def test_a_run_that_broke_off_is_continued_by_the_same_command(client: httpx.Client, folder: Path) -> None:
    class BrokenOffError(Exception):
        pass

    def break_off(tally: Tally) -> None:
        if tally.done or client.sent["POST /v1/documents"] > 10:
            raise BrokenOffError

    with pytest.raises(BrokenOffError):
        run(client, folder, report=break_off)
    sent = client.sent["POST /v1/documents"]
    assert 0 < sent < 32
    client.sent.clear()
    done, _ = run(client, folder)
    assert Counter(item["state"] for item in done) == {"ready": 31, "failed": 1}
    assert client.sent["POST /v1/documents"] <= 32 - sent + 2
    assert client.get("/v1/documents").json()["total"] == 30


def test_what_no_file_would_be_taken_for_ends_the_run(make_service: Make, folder: Path) -> None:
    service = make_service(environ={"VOUCH_AUTH": "keys"})
    grants = {"labels": frozenset({"internal"}), "collections": frozenset({"default"})}
    key = service.keys.create("someone", role=Role.CONTRIBUTOR, **grants)
    with serving(service, headers={"Authorization": f"Bearer {key}"}) as client:
        with pytest.raises(ServiceError) as caught:
            run(client, folder, label="board")
        assert caught.value.reported == "forbidden"
        assert client.get("/v1/documents").json()["total"] == 0


def test_a_service_that_is_gone_is_said_so_with_the_way_on(folder: Path) -> None:
    with (
        httpx.Client(base_url="http://127.0.0.1:9") as client,
        pytest.raises(ServiceError, match="does not answer") as e,
    ):
        run(client, folder)
    assert "same command again" in e.value.remedy


def test_files_are_found_once_and_named_by_their_place(folder: Path) -> None:
    files, left_out = found_in([folder, folder / "copy.txt"], source=None)
    assert len(files) == 32
    assert left_out == {".png": 1}
    assert files[0].source == (folder / "copy.txt").resolve().as_posix()
    [one] = found_in([folder / "old" / "rule1.txt"], source="rules/old")[0]
    assert one.source == "rules/old/rule1.txt"
    (folder / "empty").mkdir()
    for nothing in ("no", "empty"):
        with pytest.raises(BadRequest):
            found_in([folder / nothing], source=None)


def failed(name: str, error: str) -> dict:
    return {"name": name, "source": f"x/{name}", "state": "failed", "error": error, "remedy": "Do.", "pages": 0}


def test_a_few_are_named_and_many_are_counted_by_their_reason() -> None:
    ready = {"name": "a.pdf", "state": "ready", "pages": 3, "passages": 9}
    assert summary([ready, failed("b.pdf", "Bad.")], known=0, left_out=Counter()) == [
        "  a.pdf: 3 pages, 9 passages",
        "  b.pdf: Bad.\n    Do.",
    ]
    many = [ready] * 1200 + [failed(f"{n}.pdf", "Locked.") for n in range(15)] + [failed("z.pdf", "Bad.")]
    lines = summary(many, known=200, left_out=Counter({".png": 4}))
    assert lines[0] == "  1,200 files ready (200 before): 3,600 pages, 10,800 passages"
    assert lines[1] == "  15 files: Locked.\n    Do."
    assert lines[2] == "    x/0.pdf"
    assert lines[12] == "    … and 5 more; --json names all"
    assert lines[13:] == ["  x/z.pdf: Bad.\n    Do.", "  Left out for their names: 4 .png"]


def test_progress_is_one_line_with_speed_and_time_left() -> None:
    tally = Tally(files=10_000, done=1234, failed=2, pages=5678, files_per_s=12.34, pages_per_s=45.6, left_s=710.0)
    assert described(tally) == ("1,234 of 10,000 files, 5,678 pages, 2 failed, 12.3 files/s, 45.6 pages/s, 12 min left")
    begun = Tally(files=5, done=0, failed=0, pages=0, files_per_s=0.0, pages_per_s=0.0, left_s=None)
    assert described(begun) == "0 of 5 files, 0 pages, 0.0 files/s, 0.0 pages/s"

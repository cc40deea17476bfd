"""How long a newcomer waits, step by step: from a clone in an empty folder to the first answer.

    .venv/bin/python benchmarks/first_minute.py [--keep-weights] [--out FILE]

It clones this repository into a temporary folder, with weights of its own unless they are kept, runs the commands of
the README there, stops, and starts once more. Prints one JSON object with seconds by step and the machine. There is no
rival: the figure is a person's patience.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
QUESTION = "What price did the group agree to pay for Norrick Cold Storage Limited?"
PORT = "8765"
URL = f"http://127.0.0.1:{PORT}"


def timed(command: list[str], folder: Path, environment: dict[str, str]) -> float:
    """Run a command and return its wall time in seconds."""
    begin = time.monotonic()
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begin


def answers(path: str) -> bool:
    """Say whether an address answers with success."""
    try:
        with urllib.request.urlopen(f"{URL}{path}", timeout=5) as reply:
            return int(reply.status) == 200
    except OSError:
        return False


def start(folder: Path, environment: dict[str, str]) -> tuple[subprocess.Popen[bytes], float, float]:
    """Start the service; return it with the seconds until the page and until the model answered."""
    begin = time.monotonic()
    process = subprocess.Popen(["./vouch", "up", "--port", PORT, "--quiet"], cwd=folder, env=environment)
    while not answers("/healthz"):
        time.sleep(0.1)
    page = time.monotonic() - begin
    while not answers("/readyz"):
        time.sleep(0.2)
    return process, page, time.monotonic() - begin


def ask() -> dict[str, float]:
    """Ask the question; return the seconds to the first token and to the whole answer."""
    body = json.dumps({"question": QUESTION, "stream": False}).encode()
    request = urllib.request.Request(f"{URL}/v1/ask", body, {"Content-Type": "application/json"})
    begin = time.monotonic()
    with urllib.request.urlopen(request, timeout=900) as reply:
        answer = json.load(reply)
    whole = time.monotonic() - begin
    seconds = answer["seconds"]
    before = sum(seconds.get(step, 0.0) for step in ("intent", "prepare", "search", "tools"))
    return {"first_token": round(before + seconds["first_token"], 1), "answer": round(whole, 1)}


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the service as a person does."""
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)


def run(folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    """Go through all steps."""
    steps: dict[str, Any] = {}
    steps["clone"] = timed(["git", "clone", "-q", str(ROOT), str(folder)], folder.parent, environment)
    steps["install"] = timed(["./vouch", "--help"], folder, environment)
    steps["weights_and_build"] = timed(["./vouch", "model", "build"], folder, environment)
    process, steps["first_page"], steps["first_ready"] = start(folder, environment)
    steps["ingest_examples"] = timed(["./vouch", "ingest", "examples/documents"], folder, environment)
    steps["first_question"] = ask()
    steps["same_question_again"] = ask()
    stop(process)
    begin = time.monotonic()
    process, steps["second_page"], steps["second_ready"] = start(folder, environment)
    steps["after_second_start"] = ask()
    steps["second_start_to_first_answer"] = time.monotonic() - begin
    stop(process)
    return {name: round(value, 1) if isinstance(value, float) else value for name, value in steps.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep-weights", action="store_true", help="use the weights that are already on this machine")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vouch-first-minute-") as scratch:
        environment = dict(os.environ)
        if not options.keep_weights:
            environment["VOUCH_MODEL_DIR"] = str(Path(scratch) / "models")
        steps = run(Path(scratch) / "vouch", environment)
    found = {
        "seconds": steps,
        "machine": {"cores": os.cpu_count(), "processor": platform.processor() or platform.machine()},
        "python": platform.python_version(),
        "free_disk_gb": round(shutil.disk_usage(ROOT).free / 1e9),
        "command": " ".join(sys.argv),
    }
    text = json.dumps(found, indent=2)
    sys.stdout.write(text + "\n")
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

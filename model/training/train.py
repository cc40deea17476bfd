"""Train the routed experts of a checkpoint: the command.

    python -m model.training.train --base DIR --data rows.jsonl --out DIR [--settings FILE] [--set NAME=VALUE ...]

DIR of the base is a folder of transformers, such as the form "moe" of `./vouch model build`. The run's folder gets

    checkpoint-STEP/    where the same command goes on (model.training.checkpoints)
    curve.json          figures of every measurement so far
    experts/            the result (model.training.expert_file), once the run is finished

An interruption (Ctrl-C, SIGTERM) ends after the step that is being computed, with a checkpoint. Exit status: 0
finished, 1 an error, 3 interrupted.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from model._files import write_json
from model.convert import refuse_remote_code
from model.errors import ModelError, TrainingRejected
from model.progress import Progress, Report
from model.training.settings import TrainingSettings

__all__ = ["main", "run"]

_EXPERTS: Final = "experts"
_INTERRUPTED: Final = 3
_BEAT_S: Final = 5.0
"""Seconds between two lines of progress."""


def run(
    base: Path,
    data: Path,
    out: Path,
    settings: TrainingSettings,
    *,
    start: Path | None = None,
    report: Report,
    stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Train, or go on; write the expert file when finished.

    Args:
        base: Checkpoint folder.
        data: Rows (model.training.rows).
        out: Folder of the run.
        settings: Of the run.
        start: Expert file to begin from, of the same base: the first of two stages.
        report: Told each step.
        stop: Asked after each step.

    Returns:
        Whether it is finished.

    Raises:
        TrainingRejected: base, data, settings or start do not make sense, or not together.
        TrainingFailed: the loss is not finite, or a checkpoint is damaged.
        BuildFailed: the base asks to run code of its own.
        DiskFull: no space is left.
    """
    from model.training.batches import encode
    from model.training.checkpoints import full_disk
    from model.training.expert_file import base_digest, read_manifest, write_experts
    from model.training.graft import domains_of, graft
    from model.training.loop import train
    from model.training.rows import digest_of, read_rows, split

    report(Progress("reading the base", 0, 0, ""))
    model, tokenizer = _load(base)
    rows = read_rows(data, domains=domains_of(model.config) or None)
    trained, measured = split(rows, settings.held_out)
    origin = {"base": base_digest(base), "data": digest_of(rows)}
    grafted = graft(model, settings)
    if start is not None:
        origin["start"] = str(read_manifest(start)["file"]["sha256"])
        _begin_from(grafted, start, origin["base"])
    encoded, held = (encode(part, tokenizer, most_tokens=settings.most_tokens) for part in (trained, measured))
    with full_disk():
        out.mkdir(parents=True, exist_ok=True)
        course = train(grafted, encoded, held, settings, folder=out, origin=origin, report=report, stop=stop)
        write_json(out / "curve.json", {"before": course.before.as_dict(), "curve": course.curve})
        if course.finished:
            manifest = _manifest(grafted, settings, origin, course)
            most = int(settings.most_megabytes * 1e6)
            write_experts(out / _EXPERTS, dict(grafted.learned()), manifest=manifest, most_bytes=most)
    return course.finished


def _load(base: Path) -> tuple[Any, Any]:
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    try:
        config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingRejected(
            f"{base} is no checkpoint: its config.json cannot be read.", remedy="Name one."
        ) from error
    refuse_remote_code(config)
    if "quantization_config" in config:
        raise TrainingRejected("The base is quantized.", remedy='Train on the form "moe"; it is quantized when built.')
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(base, local_files_only=True)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            base, dtype="auto", local_files_only=True, use_safetensors=True
        )
    except (OSError, ValueError, KeyError) as error:
        raise TrainingRejected(f"The checkpoint {base} cannot be loaded: {error}.", remedy="Build it anew.") from error
    return model.to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer


def _begin_from(grafted: Any, start: Path, base: str) -> None:
    import torch

    from model.training.expert_file import read_experts

    learned = dict(grafted.learned())
    found = dict(read_experts(start, base=base))
    if {name: tensor.shape for name, tensor in found.items()} != {name: held.shape for name, held in learned.items()}:
        raise TrainingRejected(
            f"The experts in {start} are of other layers, or of another form or width.",
            remedy="Use the layers, form and rank that they were trained with.",
        )
    with torch.no_grad():
        for name, tensor in found.items():
            learned[name].copy_(tensor)


def _manifest(grafted: Any, settings: TrainingSettings, origin: dict[str, str], course: Any) -> dict[str, Any]:
    config = grafted.model.config
    return {
        "form": settings.form,
        "base": {"model_type": config.model_type, "digest": origin["base"]},
        "layers": list(grafted.layers),
        "domains": list(grafted.domains),
        "experts": len(grafted.experts[grafted.first_layer].experts),
        "width": config.moe_intermediate_size,
        "hidden": config.hidden_size,
        "data": origin["data"],
        "start": origin.get("start"),
        "settings": settings.as_dict(),
        "figures": {"before": course.before.as_dict(), "after": course.after.as_dict()},
        "versions": {name: importlib.metadata.version(name) for name in ("torch", "transformers", "safetensors")},
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; progress on standard output, an error with its remedy on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m model.training.train", description="Train the routed experts of a checkpoint."
    )
    parser.add_argument("--base", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--data", type=Path, required=True, help="JSON Lines of prompt, completion, domain, unit")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; the same one goes on")
    parser.add_argument("--settings", type=Path, help="JSON object of training settings")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="one setting, VALUE in JSON")
    parser.add_argument("--start", type=Path, help="expert file to begin from, of the same base")
    parser.add_argument("--json", action="store_true", help="progress and errors as lines of JSON")
    given = parser.parse_args(arguments)
    try:
        settings = _settings(given.settings, given.set)
        with _Interruptions() as stop:
            done = run(
                given.base,
                given.data,
                given.out,
                settings,
                start=given.start,
                report=_printer(given.json),
                stop=stop,
            )
    except ModelError as error:
        if given.json:
            print(json.dumps({"error": error.code, "message": error.message, "remedy": error.remedy}), flush=True)
        else:
            print(f"{error.message}\n{error.remedy}", file=sys.stderr)
        return 1
    return 0 if done else _INTERRUPTED


def _settings(path: Path | None, changes: Sequence[str]) -> TrainingSettings:
    values = TrainingSettings.read(path).as_dict() if path else {}
    for change in changes:
        name, _, text = change.partition("=")
        try:
            values[name] = json.loads(text)
        except ValueError:
            values[name] = text  # a word, such as adapters
    return TrainingSettings.from_dict(values)


class _Interruptions:
    """Notes Ctrl-C and SIGTERM instead of dying of them; a second one is not held back."""

    def __enter__(self) -> Callable[[], bool]:
        self._asked = False
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return lambda: self._asked

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: object) -> None:
        self._asked = True
        signal.signal(number, self._before[signal.Signals(number)])


def _printer(as_json: bool) -> Report:
    last = 0.0

    def show(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _BEAT_S and progress.done != progress.total:
            return
        last = now
        counted = f" ({progress.done} of {progress.total})" if progress.total else ""
        print(progress.line() if as_json else f"{progress.step}{counted}", flush=True)

    return show


if __name__ == "__main__":
    sys.exit(main())

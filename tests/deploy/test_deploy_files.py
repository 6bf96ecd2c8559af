"""The files of deploy/ fit together: ports, names, paths and settings."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from documents import login_document
from tracelith.config import ENVIRONMENT_PREFIX, Settings
from website import Site, serve

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


@pytest.fixture
def compose() -> Any:
    return read("compose.yaml")


@pytest.fixture
def collector() -> Any:
    return read("collector.yaml")


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys of units are case sensitive
    parser.read(DEPLOY / "tracelith.service")
    return parser


def test_the_collector_sends_traces_to_the_compose_service_and_its_grpc_port(compose: Any, collector: Any) -> None:
    host, _, port = collector["exporters"]["otlp_grpc"]["endpoint"].partition(":")

    receiving = compose["services"][host]["environment"]["TRACELITH_GRPC"]

    assert receiving == f"0.0.0.0:{port}"


def test_every_component_of_the_pipeline_is_defined_and_memory_is_limited_first(collector: Any) -> None:
    pipeline = collector["service"]["pipelines"]["traces"]

    for section in ("receivers", "processors", "exporters"):
        assert set(pipeline[section]) == set(collector[section])

    assert pipeline["processors"][0] == "memory_limiter"
    assert set(collector["service"]["extensions"]) == set(collector["extensions"])


def test_spans_wait_for_a_restart_of_tracelith(collector: Any) -> None:
    exporter = collector["exporters"]["otlp_grpc"]

    assert exporter["retry_on_failure"]["enabled"]
    assert exporter["sending_queue"]["enabled"]
    assert exporter["sending_queue"]["queue_size"] > 0


def test_what_the_collector_puts_together_is_never_larger_than_tracelith_takes(collector: Any) -> None:
    queue = collector["exporters"]["otlp_grpc"]["sending_queue"]

    assert queue["sizer"] == "bytes"
    assert queue["batch"]["max_size"] <= Settings().max_request_bytes // 2
    assert "batch" not in collector["processors"]  # it counts spans, of any size


def test_ports_are_published_on_this_machine_only(compose: Any, collector: Any) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items()}

    listening = {
        endpoint["endpoint"].rpartition(":")[2] for endpoint in collector["receivers"]["otlp"]["protocols"].values()
    } | {collector["extensions"]["health_check"]["endpoint"].rpartition(":")[2]}

    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert {port.rpartition(":")[2] for port in published["collector"]} == listening
    assert [port.rpartition(":")[2] for port in published["tracelith"]] == [
        compose["services"]["tracelith"]["environment"]["TRACELITH_WEB"].rpartition(":")[2]
    ]


def test_images_are_pinned_and_name_no_registry(compose: Any) -> None:
    image = compose["services"]["collector"]["image"]
    bases = re.findall(r"^FROM (\S+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)

    for name in (image, *bases):
        repository, _, tag = name.partition(":")
        assert re.search(r"\d+\.\d+", tag), name
        assert "." not in repository.partition("/")[0], name


def test_every_setting_named_in_the_folder_exists(compose: Any) -> None:
    texts = [path.read_text() for path in DEPLOY.iterdir() if path.is_file()]
    named = {name for text in texts for name in re.findall(rf"\b{ENVIRONMENT_PREFIX}([A-Z]+(?:_[A-Z]+)*)\b", text)}

    known = {field.upper() for field in Settings.model_fields}

    assert {"DB", "GRPC", "HTTP", "WEB", "REPORTS"} <= named
    assert named - {"NAME"} <= known  # NAME stands for any of them in a comment
    given = compose["services"]["tracelith"]["environment"]
    Settings(**{key.removeprefix(ENVIRONMENT_PREFIX).lower(): value for key, value in given.items()})


def test_the_image_runs_unprivileged_and_keeps_its_data_in_the_volume(compose: Any) -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    final = text[text.rindex("FROM ") :]

    volume = re.search(r"^VOLUME (\S+)", final, re.MULTILINE)
    user = re.search(r"^USER (\S+)", final, re.MULTILINE)

    assert user
    assert user[1] != "root"
    assert volume
    for setting in ("DB", "REPORTS"):
        assert f"TRACELITH_{setting}={volume[1]}/" in final
    assert compose["services"]["tracelith"]["volumes"] == [f"data:{volume[1]}"]
    assert "HEALTHCHECK" in final


def test_everything_the_image_copies_is_in_the_project_and_not_ignored() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()

    names = {name.removeprefix("./") for line in copied for name in line.split()}

    assert names
    for name in names:
        assert (DEPLOY.parent / name).exists(), name
        assert f"!{name}" in ignored, name


def test_the_unit_keeps_its_data_in_its_state_directory() -> None:
    service = unit()["Service"]

    assert service["StateDirectory"] == "tracelith"
    assert service["DynamicUser"] == "yes"
    assert " serve --db %S/tracelith/" in service["ExecStart"]
    assert not {"--grpc", "--http", "--web"} & set(service["ExecStart"].split())  # loopback, the default


def test_alerts_ask_only_for_metrics_and_label_values_that_the_server_has() -> None:
    rules = [rule for group in read("prometheus-rules.yaml")["groups"] for rule in group["rules"]]
    with serve(Site(login_document()).app()) as address:
        text = httpx.get(f"{address}/metrics", trust_env=False).text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    names = {sample.name for sample in samples} | {"up"}
    labels = {(name, value) for sample in samples for name, value in sample.labels.items()}

    for rule in rules:
        asked = set(re.findall(r"\b(up|tracelith_\w+)\b(?!\")", rule["expr"]))
        compared = {
            (name, value)
            for name, values in re.findall(r'(\w+)=~?"([^"]+)"', rule["expr"])
            for value in values.split("|")
            if name != "job"
        }

        assert asked, rule
        assert asked <= names
        assert compared <= labels
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"]["summary"]
    assert len({rule["alert"] for rule in rules}) == len(rules)


def test_systemd_finds_no_fault_with_the_unit(tmp_path: Path) -> None:
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        pytest.skip("systemd-analyze is not installed; the unit's keys are checked by the other tests")
    text = (DEPLOY / "tracelith.service").read_text()
    installed = tmp_path / "tracelith.service"
    installed.write_text(text.replace("/opt/tracelith/bin/tracelith ", f"{shutil.which('true')} "))

    verdict = subprocess.run(
        [verifier, "verify", str(installed)], capture_output=True, text=True, timeout=30, check=False
    )

    assert verdict.returncode == 0, verdict.stderr
    assert "tracelith.service" not in verdict.stderr

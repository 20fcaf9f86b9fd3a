"""compose.yaml and what it mounts, checked as far as that goes without an engine."""

from __future__ import annotations

import json
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose
from tests.integration.monitoring import program

from freshd.app.project import load_project

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
FILES = ROOT / "examples" / "compose"


def mounts(service: str) -> dict[str, Path]:
    """What of the repository is mounted, by its place in the container."""
    parts = [item.split(":") for item in SERVICES[service].get("volumes", ())]
    return {part[1]: ROOT / part[0] for part in parts if part[0].startswith("./")}


def test_the_specification_takes_it() -> None:
    PyCompose.from_yaml(TEXT).validate()


@pytest.mark.parametrize("wrong", [("depends_on:", "depnds_on:"), ('"127.0.0.1:9090:9090"', '"9090:x"')])
def test_the_specification_would_find_mistakes(wrong: tuple[str, str]) -> None:
    assert wrong[0] in TEXT
    with pytest.raises(ValueError, match="services"):
        PyCompose.from_yaml(TEXT.replace(*wrong)).validate()


def test_everything_is_there() -> None:
    assert set(SERVICES) == {"freshd", "kafka", "topics", "postgres", "prometheus", "alertmanager", "grafana"}
    volumes = COMPOSE["volumes"]
    for name, service in SERVICES.items():
        for place, path in mounts(name).items():
            assert path.exists(), f"{name}: {place} is mounted from {path}, which is not there"
        named = [item.split(":")[0] for item in service.get("volumes", ()) if not item.startswith("./")]
        assert set(named) <= set(volumes)
        assert set(service.get("depends_on", ())) <= set(SERVICES)
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
    for secret in COMPOSE["secrets"].values():
        assert (ROOT / secret["file"]).read_text(encoding="utf-8").strip()


def test_ports_are_of_this_machine_alone_and_no_two_the_same() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    outside = [port.split(":")[1] for port in ports]
    assert len(outside) == len(set(outside)) == 5


def test_what_is_to_be_kept_is_written_to_volumes() -> None:
    """Each volume lies where its service writes; by default Kafka would write beside it."""
    kept = {
        name: [item.partition(":")[2] for item in service.get("volumes", ()) if not item.startswith("./")]
        for name, service in SERVICES.items()
    }
    assert kept["kafka"] == [SERVICES["kafka"]["environment"]["KAFKA_LOG_DIRS"]]
    assert kept["postgres"] == ["/var/lib/postgresql/data"]
    assert f"--storage.tsdb.path={kept['prometheus'][0]}" in SERVICES["prometheus"]["command"]
    assert kept["freshd"] == ["/data"]


def test_images_are_pinned() -> None:
    for name, service in SERVICES.items():
        tag = service["image"].rpartition(":")[2]
        assert tag != "latest" and (name == "freshd" or any(letter.isdigit() for letter in tag)), name
    base = SERVICES["freshd"]["build"]["args"]["BASE"]
    assert f"ARG BASE={base}\n" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_freshd_takes_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "freshd"
    shutil.copytree(FILES / "freshd", folder)
    settings = folder / "freshd.yaml"
    text = settings.read_text(encoding="utf-8")
    for name in SERVICES["freshd"]["secrets"]:
        assert f"/run/secrets/{name}" in text
    settings.write_text(text.replace("/run/secrets", str(FILES / "secrets")), encoding="utf-8")
    project = load_project(settings)
    assert len(project.graph) == 3 and project.charter.policies
    kafka, store = project.settings.kafka, project.settings.store
    assert kafka is not None and kafka.bootstrap_servers == ["kafka:9092"]
    assert "INSIDE://kafka:9092" in SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    target = store.target()
    assert target.host == "postgres" and target.username == SERVICES["postgres"]["environment"]["POSTGRES_USER"]
    assert target.database == SERVICES["postgres"]["environment"]["POSTGRES_DB"]


def test_the_topics_that_freshd_reads_are_made_before_it_starts() -> None:
    """A topic that is not there is a topic that cannot be seen: the first thing one would look at is trouble."""
    settings = yaml.safe_load((FILES / "freshd" / "freshd.yaml").read_text(encoding="utf-8"))
    maker = SERVICES["topics"]
    assert maker["image"] == SERVICES["kafka"]["image"]
    words = maker["entrypoint"]
    assert "--if-not-exists" in words, "or the second start would fail"
    assert [after for word, after in pairwise(words) if word == "--topic"] == list(settings["kafka"]["topics"])
    assert words[words.index("--bootstrap-server") + 1] in settings["kafka"]["bootstrap_servers"]
    assert maker["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    assert SERVICES["freshd"]["depends_on"]["topics"] == {"condition": "service_completed_successfully"}


def test_prometheus_takes_its_configuration_and_the_charts_rules(tmp_path: Path) -> None:
    text = (FILES / "prometheus.yaml").read_text(encoding="utf-8")
    rules = mounts("prometheus")["/etc/prometheus/rules"]
    assert "/etc/prometheus/rules/" in text and list(rules.glob("*.yaml"))
    (tmp_path / "prometheus.yaml").write_text(text.replace("/etc/prometheus/rules", str(rules)), encoding="utf-8")
    command = [program("promtool", package="prometheus"), "check", "config", str(tmp_path / "prometheus.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "rules found" in done.stdout, done.stdout + done.stderr
    (job,) = yaml.safe_load(text)["scrape_configs"]
    settings = yaml.safe_load((FILES / "freshd" / "freshd.yaml").read_text(encoding="utf-8"))
    port = settings["metrics"]["listen"].rpartition(":")[2]
    assert job["static_configs"] == [{"targets": [f"freshd:{port}"]}]


def test_alertmanager_takes_its_configuration() -> None:
    command = [program("amtool", package="prometheus-alertmanager"), "check-config", str(FILES / "alertmanager.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "SUCCESS" in done.stdout, done.stdout + done.stderr


def test_grafana_finds_its_data_and_its_dashboards() -> None:
    places = mounts("grafana")
    (source,) = yaml.safe_load(places["/etc/grafana/provisioning/datasources/freshd.yaml"].read_text())["datasources"]
    assert source["type"] == "prometheus" and source["url"] == "http://prometheus:9090" and source["isDefault"]
    (provider,) = yaml.safe_load(places["/etc/grafana/provisioning/dashboards/freshd.yaml"].read_text())["providers"]
    boards = sorted(places[provider["options"]["path"]].glob("*.json"))
    assert len(boards) == 5
    for board in boards:
        names = [item["name"] for item in json.loads(board.read_text(encoding="utf-8"))["templating"]["list"]]
        assert "datasource" in names, f"{board.name} does not let its data source be chosen"

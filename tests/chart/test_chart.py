"""What the chart makes of values, by the real Helm CLI; objects are checked strictly for each Kubernetes."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator
from tests.chart import tools
from tests.chart.rendering import CASES, CHART, of_kind, one, rendered, run_helm, template

from freshd.app.reloading import AT_START
from freshd.settings import Settings, load_settings

VERSIONS = ("1.27", "1.30", "1.34", "1.37")
OPERATOR = ("github.com/prometheus-operator/prometheus-operator", "v0.85.0")

pytestmark = pytest.mark.timeout(1800)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_lint_finds_nothing(case: Path) -> None:
    done = run_helm("lint", "--strict", str(CHART), "-f", str(case))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_every_object_is_valid_for_each_kubernetes(case: Path) -> None:
    objects = [item for item in rendered(case=case) if "monitoring.coreos.com" not in item["apiVersion"]]
    assert objects
    for item in objects:
        for version in VERSIONS:
            kubernetes_validate.validate(item, version, strict=True)


def _definition(kind: str) -> dict[str, Any]:
    folder = tools.module(*OPERATOR) / "example" / "prometheus-operator-crd"
    text = (folder / f"monitoring.coreos.com_{kind.lower()}s.yaml").read_text(encoding="utf-8")
    version = yaml.safe_load(text)["spec"]["versions"][0]
    found: dict[str, Any] = _closed(version["schema"]["openAPIV3Schema"])
    found["properties"]["metadata"] = {"type": "object"}
    return found


def _closed(part: Any) -> Any:
    """As strict as the API server is: a property that is not listed is wrong."""
    if isinstance(part, list):
        return [_closed(item) for item in part]
    if not isinstance(part, dict):
        return part
    if part.get("x-kubernetes-int-or-string"):
        return {}
    made = {name: _closed(value) for name, value in part.items()}
    if isinstance(made.get("properties"), dict) and made.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made


@pytest.mark.parametrize(
    ("case", "kind", "count"), [("monitoring", "ServiceMonitor", 1), ("podmonitor", "PodMonitor", 1),
                                ("monitoring", "PrometheusRule", 2)],
)  # fmt: skip
def test_monitors_and_rules_fit_the_operators_definitions(case: str, kind: str, count: int) -> None:
    found = of_kind(rendered(case=CHART / "ci" / f"{case}-values.yaml"), kind)
    assert len(found) == count
    for item in found:
        Draft202012Validator(_definition(kind)).validate(item)


def test_the_pod_is_hardened() -> None:
    pod = one(rendered(), "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["enableServiceLinks"] is False and pod["automountServiceAccountToken"] is False
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    written = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    assert written == {"/data", "/tmp"}


@pytest.mark.parametrize("case", [path for path in CASES if "own-objects" not in path.name], ids=lambda path: path.name)
def test_the_daemon_takes_the_settings_that_the_chart_writes(case: Path, tmp_path: Path) -> None:
    made = one_config(rendered(case=case))
    (tmp_path / "freshd.yaml").write_text(made["freshd.yaml"], encoding="utf-8")
    load_settings(tmp_path / "freshd.yaml", {})


def one_config(objects: list[dict[str, Any]]) -> dict[str, str]:
    (found,) = [item for item in of_kind(objects, "ConfigMap") if "freshd.yaml" in item["data"]]
    data: dict[str, str] = found["data"]
    return data


def test_secrets_are_files_at_their_settings() -> None:
    objects = rendered(case=CHART / "ci" / "postgresql-kafka-values.yaml")
    config = yaml.safe_load(one_config(objects)["freshd.yaml"])
    assert config["store"] == {
        "url": "postgresql://freshd@postgres.db.svc/freshd",
        "password_file": "/run/secrets/freshd/store.password_file",
    }
    assert config["ingress"]["airbyte"]["url_token_file"] == "/run/secrets/freshd/ingress.airbyte.url_token_file"
    assert not of_kind(objects, "Secret")  # none of the chart's own
    (volume,) = [
        item for item in one(objects, "Deployment")["spec"]["template"]["spec"]["volumes"] if item["name"] == "secrets"
    ]
    sources = [source["secret"] for source in volume["projected"]["sources"]]
    assert len(sources) == 6
    assert all(source["optional"] for source in sources), "a missing one is for the daemon to tell of"


def test_a_closed_network_lets_the_test_in_and_nobody_else() -> None:
    objects = rendered(case=CHART / "ci" / "hardened-values.yaml")
    ways = one(objects, "NetworkPolicy")["spec"]["ingress"]
    labels = one(objects, "Pod")["metadata"]["labels"]
    assert [way["ports"][0]["port"] for way in ways] == ["http", "metrics"]
    assert ways[0]["from"][1:] == [{"podSelector": {"matchLabels": labels}}]
    assert len(ways[1]["from"]) == 1
    (selected,) = [one(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"]]
    assert selected != labels


def test_a_closed_network_lets_prometheus_in_where_the_metrics_are() -> None:
    who = {"metricsFrom": [{"namespaceSelector": {}}], "ingressFrom": [{"podSelector": {}}], "enabled": True}
    objects = rendered(values={"config.metrics.listen": "", "networkPolicy": who, "test.enabled": False})
    (way,) = one(objects, "NetworkPolicy")["spec"]["ingress"]
    assert way["from"] == [{"podSelector": {}}, {"namespaceSelector": {}}]


def notes(values: dict[str, Any]) -> str:
    words = [part for name, value in values.items() for part in ("--set-json", f"{name}={json.dumps(value)}")]
    done = run_helm("install", "shop", str(CHART), "--dry-run=client", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("NOTES:")[2]


def test_the_notes_say_what_is_still_to_be_done() -> None:
    said = notes({"prometheusRule.enabled": True, "dashboards.enabled": True})
    for word in ("image.repository", "prometheusRule.runbooks", "dashboards.url", "No policies"):
        assert word in said
    done = {
        "image.repository": "registry.shop.example/freshd",
        "prometheusRule": {"enabled": True, "runbooks": "https://runbooks.shop.example"},
        "dashboards": {"enabled": True, "url": "https://freshd.shop.example"},
        "config.policies": "policies/*.yaml",
    }
    said = notes(done)
    assert "freshd status" in said
    for word in ("image.repository", "prometheusRule.runbooks", "dashboards.url", "No policies"):
        assert word not in said


def test_objects_of_ones_own_are_taken_instead_of_the_charts() -> None:
    objects = rendered(case=CHART / "ci" / "own-objects-values.yaml")
    assert sorted(item["kind"] for item in objects) == ["Deployment", "Service"]
    pod = one(objects, "Deployment")["spec"]["template"]["spec"]
    volumes = {item["name"]: item for item in pod["volumes"]}
    assert volumes["config"]["configMap"]["name"] == "freshd-settings"
    assert volumes["data"]["persistentVolumeClaim"]["claimName"] == "freshd-data"
    assert pod["serviceAccountName"] == "data"


def test_rules_and_dashboards_are_the_files_of_the_chart() -> None:
    objects = rendered(case=CHART / "ci" / "monitoring-values.yaml")
    rules = {item["metadata"]["name"]: item["spec"] for item in of_kind(objects, "PrometheusRule")}
    for path in (CHART / "rules").glob("*.yaml"):
        text = path.read_text(encoding="utf-8").replace(
            "https://freshd.example/docs/runbooks", "https://runbooks.shop.example/freshd"
        )
        assert rules[f"shop-freshd-{path.stem}"] == yaml.safe_load(text)
    boards = {name: text for item in of_kind(objects, "ConfigMap") for name, text in item["data"].items()}
    for path in (CHART / "dashboards").glob("*.json"):
        assert json.loads(boards[path.name]) == json.loads(path.read_text(encoding="utf-8"))


def test_links_of_dashboards_lead_to_where_people_reach_the_daemon() -> None:
    pages = "https://freshd.shop.example/"
    objects = rendered(values={"dashboards": {"enabled": True, "url": pages}})
    boards = [
        json.loads(text) for item in of_kind(objects, "ConfigMap") for text in item["data"].values() if text[0] == "{"
    ]
    assert len(boards) == 5
    for board in boards:
        (page,) = [known["query"] for known in board["templating"]["list"] if known["name"] == "freshd"]
        assert f"{page}/" == pages


def test_without_a_port_for_metrics_health_is_asked_at_the_other() -> None:
    pod = one(rendered(values={"config.metrics.listen": ""}), "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert [port["name"] for port in container["ports"]] == ["http"]
    asked = {container[f"{name}Probe"]["httpGet"]["port"] for name in ("startup", "liveness", "readiness")}
    assert asked == {"http"}, "a port that is not there: the kubelet would end the daemon again and again"


def test_the_test_goes_where_the_daemon_may_go() -> None:
    objects = rendered(case=CHART / "ci" / "extras-values.yaml")
    pod = one(objects, "Deployment")["spec"]["template"]["spec"]
    test = one(objects, "Pod")["spec"]
    assert (test["nodeSelector"], test["tolerations"]) == (pod["nodeSelector"], pod["tolerations"])


def test_it_can_be_a_part_of_another_chart(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(CHART, whole / "charts" / "freshd")
    wanted = {"name": "freshd", "version": "0.1.0", "condition": "freshd.enabled"}
    head = {"apiVersion": "v2", "name": "whole", "version": "1.0.0", "dependencies": [wanted]}
    (whole / "Chart.yaml").write_text(yaml.safe_dump(head), encoding="utf-8")
    for enabled in ("true", "false"):
        done = run_helm("template", "shop", str(whole), "--set", f"freshd.enabled={enabled},global.team=data")
        assert done.returncode == 0, done.stderr
        assert ("kind: Deployment" in done.stdout) is (enabled == "true")


def test_rights_on_jobs_only_when_used() -> None:
    assert not of_kind(rendered(), "Role")
    objects = rendered(values={"rbac": {"jobs": True}})
    assert (
        of_kind(objects, "Role")
        and one(objects, "Deployment")["spec"]["template"]["spec"]["automountServiceAccountToken"]
    )


def test_a_change_of_policies_starts_nothing_anew_a_change_of_the_store_does() -> None:
    def stamp(values: dict[str, Any]) -> str:
        found: str = one(rendered(values=values), "Deployment")["spec"]["template"]["metadata"]["annotations"][
            "checksum/start-settings"
        ]
        return found

    assert stamp({}) == stamp({"config.policies": "policies/*.yaml"}) != stamp({"config.log.level": "debug"})
    assert stamp({"config.mode": "observe"}) == stamp({})
    (omitted,) = re.findall(
        r"omit \$config (.+?) \|", (CHART / "templates" / "_helpers.tpl").read_text(encoding="utf-8")
    )
    assert set(re.findall(r'"(\w+)"', omitted)) == set(Settings.model_fields) - set(AT_START)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"replicas": 2}, ["replicas"]),
        ({"config.polices": "x"}, ["polices"]),
        ({"config.kafka": {"bootstrap_server": "a:1"}}, ["kafka", "bootstrap_server"]),
        ({"config.mode": "watch"}, ["mode", "act"]),
        ({"config.ingress": {"f": {"format": "fivetrann"}}}, ["/config/ingress/f/format", "fivetran"]),
        ({"config.metrics.listen": "9765"}, ["/config/metrics/listen"]),
        ({"config.slack": {"token": "xoxb-1"}}, ["slack", "token"]),
        ({"secrets": {"store.passwort_file": {"existingSecret": "a", "key": "b"}}}, ["store.passwort_file"]),
        ({"secrets": {"slack.token_file": {"existingSecret": ""}}}, ["existingSecret"]),
        ({"persistence": {"enabled": "yes"}}, ["persistence", "enabled"]),
        ({"image": {"pullPolicy": "Sometimes"}}, ["pullPolicy", "IfNotPresent"]),
        ({"replicaCount": 2}, ["replicaCount: 2", "SQLite", "one daemon"]),
        ({"replicaCount": 2, "config.store": "postgresql://a@b/c"}, ["replicaCount: 2", "standby"]),
        ({"serviceMonitor.enabled": True, "podMonitor.enabled": True}, ["serviceMonitor", "podMonitor"]),
        ({"files": {"../passwd": "x"}}, ["files", "../passwd"]),
        ({"files": {"policies/our shop.yaml": "x"}}, ["files", "our shop.yaml"]),
        ({"config.listen": "127.0.0.1:8765"}, ["config.listen", "127.0.0.1:8765", "0.0.0.0:8765"]),
        ({"config.metrics.listen": "localhost:9765"}, ["config.metrics.listen", "localhost:9765", "0.0.0.0:9765"]),
        ({"config.listen": None}, ["config.listen", "0.0.0.0:8765"]),
        ({"config.store": "sqlite:///freshd.db"}, ["config.store", "sqlite:////data/freshd.db"]),
        ({"imagePullSecrets": ["registry"]}, ["imagePullSecrets", "object"]),
        ({"extraEnv": ["A=b"]}, ["extraEnv", "object"]),
    ],
)
def test_wrong_values_are_refused_with_the_key(values: dict[str, Any], named: list[str]) -> None:
    done = template(values=values)
    assert done.returncode != 0
    for word in named:
        assert word in done.stderr, done.stderr

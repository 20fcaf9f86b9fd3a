"""The chart on a real Kubernetes API: installed, upgraded, rolled back, tested and uninstalled by the real Helm CLI.

The namespace takes only pods that keep to Kubernetes' `restricted` standard. Nothing executes on a simulated node: what
the pod of `helm test` would run is run beside it, against a real daemon, and its end is told to the API.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.chart import tools
from tests.chart.cluster import Cluster
from tests.chart.rendering import CASES, CHART, run_helm
from tests.integration.running import RunningDaemon

NAMESPACE = "data"
OBJECTS = {
    "deployment": f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/shop-freshd",
    "budget": f"/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets/shop-freshd",
    "token": f"/api/v1/namespaces/{NAMESPACE}/secrets/shop-freshd-api",
    "claim": f"/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims/shop-freshd",
    "test": f"/api/v1/namespaces/{NAMESPACE}/pods/shop-freshd-test",
}
RESTRICTED = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
}
VOLUME = {
    "apiVersion": "v1",
    "kind": "PersistentVolume",
    "metadata": {"name": "disk"},
    "spec": {"capacity": {"storage": "8Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/disk"}},
}
OPERATOR = ("github.com/prometheus-operator/prometheus-operator", "v0.85.0")

pytestmark = pytest.mark.timeout(2400)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        made.start()
        made.create("/api/v1/namespaces", RESTRICTED)
        made.create("/api/v1/persistentvolumes", VOLUME)
        yield made
    finally:
        made.stop()


def helm(cluster: Cluster, *words: str, namespace: str = NAMESPACE) -> None:
    """A command of Helm, which must succeed."""
    done = run_helm(*words, "--namespace", namespace, KUBECONFIG=str(cluster.kubeconfig))
    assert done.returncode == 0, done.stderr


def there(cluster: Cluster, name: str) -> dict[str, Any]:
    """One of OBJECTS as the API server has it."""
    answer = cluster.get(OBJECTS[name])
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


def gone(cluster: Cluster, name: str) -> bool:
    return cluster.get(OBJECTS[name]).status_code == 404


def ready(cluster: Cluster) -> bool:
    """Whether the pod of the last change stands: admitted, scheduled, running, with its volumes bound."""
    found = there(cluster, "deployment")
    status = found["status"]
    seen = status.get("observedGeneration") == found["metadata"]["generation"]
    return seen and status.get("updatedReplicas") == 1 and status.get("readyReplicas") == 1


def may(cluster: Cluster, verb: str, resource: str) -> bool:
    """Whether the daemon's account has that right in its namespace."""
    attributes = {"namespace": NAMESPACE, "verb": verb, "group": "batch", "resource": resource}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": f"system:serviceaccount:{NAMESPACE}:shop-freshd", "resourceAttributes": attributes},
    }
    answer = cluster.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    allowed: bool = answer["status"]["allowed"]
    return allowed


def run_test(cluster: Cluster, service: str) -> subprocess.CompletedProcess[str]:
    """`helm test`, with its pod's command run here against what stands for the Service. Returns what Helm said."""

    def program() -> subprocess.CompletedProcess[str]:
        cluster.eventually(lambda: not gone(cluster, "test") and there(cluster, "test")["status"]["phase"] == "Running")
        (container,) = there(cluster, "test")["spec"]["containers"]
        words = [word.replace("http://shop-freshd:8765", service) for word in container["args"]]
        assert words != container["args"], container["args"]
        command = [sys.executable, *container["command"][1:], *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        phase = "Succeeded" if done.returncode == 0 else "Failed"
        cluster.patch(f"{OBJECTS['test']}/status", {"status": {"phase": phase}})
        return done

    words = ("test", "shop", "--namespace", NAMESPACE, "--timeout", "60s")
    with ThreadPoolExecutor(1) as beside:
        ran = beside.submit(program)
        done = run_helm(*words, KUBECONFIG=str(cluster.kubeconfig))
        ran.result()
    return done


def test_the_namespace_is_strict(cluster: Cluster) -> None:
    """What the chart is let into would not let everything in."""
    pod = {"metadata": {"name": "careless"}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    with pytest.raises(AssertionError, match="violates PodSecurity"):
        cluster.create(f"/api/v1/namespaces/{NAMESPACE}/pods", pod)


def test_a_release_lives(cluster: Cluster, tmp_path: Path) -> None:
    helm(cluster, "install", "shop", str(CHART))
    cluster.eventually(lambda: ready(cluster))
    assert there(cluster, "claim")["status"]["phase"] == "Bound"
    token = there(cluster, "token")["data"]["token"]
    assert not may(cluster, "create", "jobs")

    hardened = ("-f", str(CHART / "ci" / "hardened-values.yaml"), "--set", "priorityClassName=system-node-critical")
    helm(cluster, "upgrade", "shop", str(CHART), *hardened, "--set", "rbac.jobs=true")
    cluster.eventually(lambda: ready(cluster))
    assert there(cluster, "budget")["spec"]["maxUnavailable"] == 0
    assert there(cluster, "token")["data"]["token"] == token, "an upgrade made another API token"
    assert may(cluster, "create", "jobs") and not may(cluster, "create", "cronjobs")

    helm(cluster, "rollback", "shop", "1")
    cluster.eventually(lambda: ready(cluster))
    assert gone(cluster, "budget") and not may(cluster, "create", "jobs")
    assert there(cluster, "token")["data"]["token"] == token, "a rollback made another API token"

    daemon = RunningDaemon(tmp_path)
    daemon.configure({})
    with daemon:
        good = run_test(cluster, daemon.url)
    assert good.returncode == 0, good.stderr
    bad = run_test(cluster, daemon.url)  # nobody listens there any more
    assert bad.returncode != 0 and "shop-freshd-test" in bad.stderr

    helm(cluster, "uninstall", "shop", "--wait")
    assert all(gone(cluster, name) for name in ("deployment", "token", "budget"))
    assert there(cluster, "claim")["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


@pytest.fixture(scope="module")
def operator(cluster: Cluster) -> None:
    """The Prometheus operator's definitions."""
    folder = tools.module(*OPERATOR) / "example" / "prometheus-operator-crd"
    for kind in ("servicemonitors", "podmonitors", "prometheusrules"):
        text = (folder / f"monitoring.coreos.com_{kind}.yaml").read_text(encoding="utf-8")
        cluster.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", yaml.safe_load(text))
        cluster.eventually(lambda kind=kind: cluster.get(f"/apis/monitoring.coreos.com/v1/{kind}").is_success)


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_the_api_server_takes_every_case(cluster: Cluster, case: Path) -> None:
    name = case.name.removesuffix("-values.yaml")
    helm(cluster, "install", "shop", str(CHART), "-f", str(case), "--create-namespace", namespace=name)
    helm(cluster, "uninstall", "shop", namespace=name)

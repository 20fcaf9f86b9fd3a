"""A real Kubernetes API on loopback: etcd, API server, controllers, scheduler, and a simulated node (kwok).

Pods are scheduled and become Running though nothing executes in them. Built once (see tools.py); ends with `stop`.
Knows nothing of the chart.
"""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import yaml
from tests.chart import tools

TOKEN = "admin-token"
READY_WITHIN_S = 180.0
CONTROLLERS = (
    "deployment-controller,replicaset-controller,job-controller,garbage-collector-controller,namespace-controller,"
    "disruption-controller,persistentvolume-binder-controller"
)
NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {
        "name": "node-0",
        "annotations": {"kwok.x-k8s.io/node": "fake"},
        "labels": {"type": "kwok", "kubernetes.io/hostname": "node-0"},
    },
    "status": {
        "allocatable": {"cpu": "32", "memory": "64Gi", "pods": "110"},
        "capacity": {"cpu": "32", "memory": "64Gi", "pods": "110"},
    },
}


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody has."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(item.getsockname()[1]) for item in held]
    for item in held:
        item.close()
    return ports


class Cluster:
    """One control plane that lives in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kubeconfig = folder / "kubeconfig"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._port, self._etcd, self._peer = free_ports(3)
        self._context = ssl.create_default_context()
        self._context.check_hostname, self._context.verify_mode = False, ssl.CERT_NONE

    def start(self) -> None:
        """Start every part; returns once the API answers and knows its node."""
        etcd, openssl = tools.need("etcd", "etcd-server"), tools.need("openssl", "openssl")
        kube, kwok = str(tools.kube()), str(tools.kwok())
        self._write(openssl)
        client, peer = f"http://127.0.0.1:{self._etcd}", f"http://127.0.0.1:{self._peer}"
        self._background(
            "etcd", etcd, f"--data-dir={self.folder}/etcd", f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}", "--unsafe-no-fsync",
        )  # fmt: skip
        key = f"{self.folder}/accounts.key"
        self._background(
            "apiserver", kube, "apiserver", f"--etcd-servers={client}", f"--secure-port={self._port}",
            "--bind-address=127.0.0.1", f"--cert-dir={self.folder}/certs", "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}", f"--token-auth-file={self.folder}/tokens.csv",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
            # Debian's etcd cannot serve it, and whoever asks for it first would wait longer with each refusal.
            "--feature-gates=WatchList=false",
        )  # fmt: skip
        self.eventually(lambda: self.get("/readyz").text == "ok")
        self._background(
            "controllers", kube, "controllers", f"--kubeconfig={self.kubeconfig}", "--secure-port=0",
            "--leader-elect=false", f"--controllers={CONTROLLERS}",
        )  # fmt: skip
        self._background(
            "scheduler", kube, "scheduler", f"--config={self.folder}/scheduler.yaml", "--secure-port=0"
        )  # fmt: skip
        self.create("/api/v1/nodes", NODE)
        self._background("kwok", kwok, f"--kubeconfig={self.kubeconfig}", "--manage-all-nodes=true")

    def stop(self) -> None:
        """End what was started, at once: nothing of it is kept."""
        for process in reversed(self._processes):
            process.kill()
            process.wait(15)

    def get(self, path: str) -> httpx.Response:
        """What the API answers, whatever its status."""
        return self._client().get(path)

    def create(self, path: str, document: dict[str, Any]) -> dict[str, Any]:
        """Create an object; returns it as the API server has it."""
        answer = self._client().post(path, json=document)
        assert answer.is_success, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def patch(self, path: str, document: dict[str, Any]) -> None:
        """Change the named parts of an object."""
        headers = {"Content-Type": "application/merge-patch+json"}
        answer = self._client().patch(path, content=json.dumps(document), headers=headers)
        assert answer.is_success, answer.text

    def eventually(self, holds: Callable[[], object], within: float = READY_WITHIN_S) -> None:
        """Wait until it holds; raises AssertionError with the ends of the logs if it does not in time."""
        until = time.monotonic() + within
        while True:
            try:
                if holds():
                    return
            except httpx.TransportError:
                pass
            if time.monotonic() > until:
                ends = {path.name: path.read_text(errors="replace")[-800:] for path in self.folder.glob("*.log")}
                raise AssertionError(f"not within {within:g} s; {ends}")
            time.sleep(0.25)

    def _client(self) -> httpx.Client:
        return httpx.Client(
            base_url=f"https://127.0.0.1:{self._port}", verify=self._context, timeout=30, trust_env=False,
            headers={"Authorization": f"Bearer {TOKEN}"},
        )  # fmt: skip

    def _background(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            made = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._processes.append(made)

    def _write(self, openssl: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        key = str(self.folder / "accounts.key")
        subprocess.run([openssl, "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        (self.folder / "tokens.csv").write_text(f"{TOKEN},admin,admin,system:masters\n")
        cluster = {"server": f"https://127.0.0.1:{self._port}", "insecure-skip-tls-verify": True}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": TOKEN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
            "current-context": "test",
        }
        self.kubeconfig.write_text(yaml.safe_dump(config))
        scheduler = {
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            "leaderElection": {"leaderElect": False},
            "clientConnection": {"kubeconfig": str(self.kubeconfig)},
        }
        (self.folder / "scheduler.yaml").write_text(yaml.safe_dump(scheduler))

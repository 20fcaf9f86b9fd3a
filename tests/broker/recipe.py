"""How one real Apache Kafka broker (KRaft, one node, loopback) is fetched, started, stopped and killed.

The jars come from Maven once, into ${FRESHD_CACHE:-~/.cache/freshd}; each folder is one broker with its data, so that
starting it again is a restart. Knows nothing of freshd. Needs Java 17 and Maven; says so when they are missing.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
USER, PASSWORD = "freshd", "freshd-secret"
START_LIMIT_S = 90.0
STOP_LIMIT_S = 30.0
_VERSION = re.search(r"<kafka.version>(.+?)</kafka.version>", (HERE / "pom.xml").read_text())
_HEAP = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


class MissingComponent(Exception):
    """Something that the broker needs is not on this machine; the message says what and how to get it."""


def cache() -> Path:
    """Where the jars of this Kafka version lie, once fetched."""
    root = os.environ.get("FRESHD_CACHE") or Path.home() / ".cache" / "freshd"
    return Path(root) / f"kafka-{_VERSION[1] if _VERSION else 'unknown'}"


def fetch() -> Path:
    """The folder of the jars; asks Maven for them if they are not there (44 MB, once)."""
    _need("java", "a Java runtime 17 or newer (Debian: apt-get install openjdk-17-jre-headless)")
    jars = cache()
    jars.parent.mkdir(parents=True, exist_ok=True)
    with (jars.parent / f"{jars.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if jars.is_dir():
            return jars
        _need("mvn", "Maven, to fetch Kafka's jars once (Debian: apt-get install maven)")
        fresh = jars.with_name(f"{jars.name}.part")
        shutil.rmtree(fresh, ignore_errors=True)
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={fresh}", "-DincludeScope=runtime"]
        done = subprocess.run(["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), *goal], capture_output=True, text=True)
        if done.returncode:
            raise MissingComponent(f"Maven could not fetch Kafka's jars: {(done.stdout + done.stderr)[-2000:]}")
        fresh.rename(jars)
    return jars


def install() -> None:
    """Install Java and Maven with apt-get where they are missing; for root on Debian, otherwise it says what to do."""
    missing = [
        package for program, package in (("java", "openjdk-17-jre-headless"), ("mvn", "maven"), ("openssl", "openssl"))
        if not shutil.which(program)
    ]  # fmt: skip
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise MissingComponent(f"install {' and '.join(missing)} with this system's package manager")
    subprocess.run(["apt-get", "update", "-q"], check=True)
    subprocess.run(["apt-get", "install", "-q", "-y", "--no-install-recommends", *missing], check=True)


@dataclass
class Broker:
    """A broker that lives in `folder`; ports are chosen when the folder is first used and kept."""

    folder: Path
    port: int = 0
    """The plaintext port; 0: any free one. The other listeners take the three ports after it."""
    tied: bool = False
    """End it when the thread that started it ends (tests); otherwise it outlives this process."""
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """host:port of the plaintext listener."""
        return f"127.0.0.1:{self._first_port()}"

    @property
    def scram_address(self) -> str:
        """host:port of the SASL_PLAINTEXT listener, SCRAM for USER and PASSWORD."""
        return f"127.0.0.1:{self._first_port() + 1}"

    @property
    def tls_address(self) -> str:
        """host:port of the SASL_SSL listener; its certificate is `ca_file`."""
        return f"127.0.0.1:{self._first_port() + 2}"

    @property
    def ca_file(self) -> Path:
        """The self-made certificate of the TLS listener."""
        return self.folder / "ca.pem"

    def start(self) -> str:
        """Start it (again) and return its address once it answers; raises MissingComponent or RuntimeError."""
        jars = fetch()
        self.folder = self.folder.absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._pid() is not None:
            raise RuntimeError(f"a broker runs in {self.folder} already (process {self._pid()}); stop it first")
        if not (self.folder / "server.properties").exists():
            self._format(jars)
        log_path = self.folder / "broker.log"
        command = ["java", *_HEAP, "-cp", f"{jars}/*", "kafka.Kafka", str(self.folder / "server.properties")]
        with log_path.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                preexec_fn=_die_with_parent if self.tied else None,
            )  # fmt: skip
        (self.folder / "pid").write_text(str(self._process.pid))
        deadline = time.monotonic() + START_LIMIT_S
        while b"Kafka Server started" not in log_path.read_bytes() or not _answers(self._first_port()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                tail = "\n".join(log_path.read_text(errors="replace").splitlines()[-20:])
                raise RuntimeError(f"the broker in {self.folder} did not start:\n{tail}")
            time.sleep(0.1)
        return self.address

    def stop(self) -> None:
        """End it as an operator would; its data stays."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it with kill -9; its data stays as it was."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        pid = self._pid()
        if pid is not None:
            os.kill(pid, how)
            deadline = time.monotonic() + STOP_LIMIT_S
            while self._pid() is not None:
                if time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
                time.sleep(0.05)
        (self.folder / "pid").unlink(missing_ok=True)
        self._process = None

    def _pid(self) -> int | None:
        """The process of this folder's broker, if it lives and is one."""
        if self._process is not None:
            return self._process.pid if self._process.poll() is None else None
        with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
            pid = int((self.folder / "pid").read_text())
            if str(self.folder.absolute()).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        return None

    def _first_port(self) -> int:
        found = re.search(
            r"^listeners=PLAINTEXT://127.0.0.1:(\d+)", (self.folder / "server.properties").read_text(), re.M
        )
        if found is None:
            raise RuntimeError(f"{self.folder}/server.properties is not one of this recipe")
        return int(found[1])

    def _format(self, jars: Path) -> None:
        _make_certificate(self.folder)
        plain = self.port or _free_ports(4)
        ports = {"plain": plain, "scram": plain + 1, "tls": plain + 2, "controller": plain + 3}
        text = (HERE / "server.properties").read_text().format(folder=self.folder, **ports)
        written = self.folder / "server.properties.part"
        written.write_text(text)
        tool = ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*", "kafka.tools.StorageTool", "format"]
        users = [f"SCRAM-SHA-{bits}=[name={USER},password={PASSWORD}]" for bits in (256, 512)]
        command = [*tool, "--standalone", "--cluster-id", "ZnJlc2hkLXRlc3RzLTAwMQ", "--config", str(written)]
        for user in users:
            command += ["--add-scram", user]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"Kafka could not format {self.folder}: {(done.stdout + done.stderr)[-2000:]}")
        written.rename(self.folder / "server.properties")


def _need(program: str, what: str) -> None:
    if shutil.which(program) is None:
        raise MissingComponent(f"a real Kafka broker needs {what}; or set FRESHD_TEST_KAFKA to the address of yours")


def _make_certificate(folder: Path) -> None:
    """`broker.pem` (key and certificate) and `ca.pem` (the certificate), for 127.0.0.1 and localhost."""
    _need("openssl", "openssl, for its TLS listener (Debian: apt-get install openssl)")
    key, certificate = folder / "key.pem", folder / "ca.pem"
    subject = ["-subj", "/CN=freshd test broker", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    kind = ["-newkey", "rsa:2048", "-nodes", "-days", "3650", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", "req", "-x509", *kind, *subject], check=True, capture_output=True)
    (folder / "broker.pem").write_text(key.read_text() + certificate.read_text())


def _free_ports(count: int) -> int:
    """The first of `count` neighbouring ports that nobody listens on.

    They are below those that the system gives to outgoing connections: a client that knocks at a broker that is down
    could otherwise be connected to itself, and hold the port that the broker needs.
    """
    for _ in range(200):
        first = random.randrange(15_000, 32_000)
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for port in range(first, first + count):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
            return first
    raise RuntimeError(f"no {count} neighbouring free ports found on 127.0.0.1")


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)

"""The warm server: imports once what runs need, then forks a supervisor for every run. One thread, for ever.

It talks to the daemon over an inherited socket: one JSON line up when it is warm (or why it cannot be),
then for each run one message down (its directory, with the bell's descriptor) and one line up (`taken`).
A spare supervisor, with its worker, is forked ahead, so that a run waits for no fork. The server ends when the daemon's
end of the socket does; runs go on.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from .supervise import Worker, supervise

MESSAGE_LIMIT = 16 * 1024
"""Bytes of one message: a path."""


def main(described: str) -> None:
    """Serve until the daemon goes away. `described`: JSON of fd, kind and what its body's `warm` wants."""
    options = json.loads(described)
    control = socket.socket(fileno=options["fd"])
    control.set_inheritable(False)
    try:
        body = importlib.import_module(f".{options['kind']}_body", __package__)
        body.warm(options)
    except BaseException as error:
        traceback.print_exc()
        _say(control, {"error": f"{type(error).__name__}: {error}"})
        raise SystemExit(1) from error
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    _say(control, {"ready": os.getpid(), "threads": _threads()})
    with contextlib.suppress(ConnectionError):
        _serve(control, body)


def _serve(control: socket.socket, body: ModuleType) -> None:
    spare = _fork_spare(control, body)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, MESSAGE_LIMIT, 1)
        if not message:
            return
        try:
            socket.send_fds(spare, [message], descriptors)
        except OSError:  # somebody killed the spare: it has claimed nothing
            spare.close()
            spare = _fork_spare(control, body)
            socket.send_fds(spare, [message], descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        _say(control, {"taken": message.decode()})
        spare.close()
        spare = _fork_spare(control, body)


def _fork_spare(control: socket.socket, body: ModuleType) -> socket.socket:
    ours, its = socket.socketpair()
    if os.fork():
        its.close()
        return ours
    code = 1
    try:
        ours.close()
        control.close()
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        worker = Worker(body.work, its.fileno())
        message, descriptors, _, _ = socket.recv_fds(its, MESSAGE_LIMIT, 1)
        its.close()
        if message:
            bell = descriptors[0]
            os.set_inheritable(bell, False)
            os.set_blocking(bell, False)
            supervise(Path(message.decode()), bell, worker)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(code)


def _say(control: socket.socket, line: dict[str, Any]) -> None:
    control.sendall(json.dumps(line).encode() + b"\n")


def _threads() -> int:
    try:
        return len(list(Path("/proc/self/task").iterdir()))
    except OSError:
        return 1

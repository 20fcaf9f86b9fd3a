"""Two pieces of work at one time come to what they come to one after the other; nothing that goes wrong is lost."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import pytest

from freshd.app import beside
from freshd.app.beside import both
from freshd.model.errors import ConfigError, PermanentError, Problem


def of(value: object) -> Callable[[], object]:
    return lambda: value


def raising(error: Exception) -> Callable[[], object]:
    def work() -> object:
        raise error

    return work


@pytest.fixture(params=["forked", "one after the other"])
def forks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    wanted: bool = request.param == "forked"
    if wanted and not hasattr(os, "fork"):
        pytest.skip("this system cannot fork")
    monkeypatch.setattr(beside, "_can_fork", lambda: wanted)
    return wanted


def test_both_results_come_back(forks: bool) -> None:
    assert both(of({"a": 1}), of(["b", 2])) == ({"a": 1}, ["b", 2])
    assert (both(os.getpid, os.getpid)[1] != os.getpid()) is forks


def test_what_either_raises_is_raised(forks: bool) -> None:
    with pytest.raises(ConfigError) as found:
        both(of(1), raising(ConfigError([Problem("policies.yaml:3", "no such asset")])))
    assert found.value.problems == [Problem("policies.yaml:3", "no such asset")]
    with pytest.raises(ValueError, match="here"):
        both(raising(ValueError("here")), of(1))


def test_a_process_that_dies_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "_can_fork", lambda: True)
    with pytest.raises(PermanentError, match="ended with status 7"):
        both(of(1), lambda: os._exit(7))


def test_nothing_is_forked_beside_another_thread() -> None:
    ending = threading.Event()
    thread = threading.Thread(target=ending.wait)
    thread.start()
    try:
        assert both(os.getpid, os.getpid) == (os.getpid(), os.getpid())
    finally:
        ending.set()
        thread.join()

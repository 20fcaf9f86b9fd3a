"""The system's clock never goes back."""

from __future__ import annotations

import time

import pytest

from freshd.adapters.clock import SystemClock


def test_it_says_the_time_in_microseconds_since_1970() -> None:
    before = time.time_ns() // 1_000
    assert before <= SystemClock().now() <= time.time_ns() // 1_000


def test_it_stands_still_while_the_system_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    said = []
    for reading in (5_000_000, 9_000_000, 4_000_000, 8_999_999, 9_000_001):
        monkeypatch.setattr(time, "time_ns", lambda reading=reading: reading * 1_000)
        said.append(clock.now())
    assert said == [5_000_000, 9_000_000, 9_000_000, 9_000_000, 9_000_001]

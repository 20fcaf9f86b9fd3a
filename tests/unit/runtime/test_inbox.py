"""What threads put in comes out in order, bounded and at once; nobody waits for ever."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from tests.unit.runtime.fakes import ManualClock, update

from freshd.adapters.clock import SystemClock
from freshd.model.errors import TransientError
from freshd.model.inputs import CaughtUp, Event, Input, RunPhase, RunReport
from freshd.model.time import SECOND
from freshd.ports import Batch
from freshd.runtime.inbox import LiveInbox


def ats(batch: Batch) -> list[int]:
    return [item.at for item in batch.inputs if isinstance(item, Event)]


def updates(*numbers: int) -> list[Input]:
    return [update(at=number) for number in numbers]


def test_inputs_come_out_in_order_with_the_last_position_of_each_source() -> None:
    inbox = LiveInbox(ManualClock())
    inbox.put(updates(1, 2), {"k/0": "2"})
    inbox.put(updates(3), {"k/0": "3", "k/1": "9"})
    batch = inbox.poll(None)
    assert ats(batch) == [1, 2, 3]
    assert batch.positions == {"k/0": "3", "k/1": "9"}


def test_a_batch_has_its_limit_and_a_position_goes_with_the_last_of_its_inputs() -> None:
    inbox = LiveInbox(ManualClock(), batch_limit=3)
    durable: list[str] = []
    inbox.put(updates(1, 2, 3, 4), {"k/0": "4"}, lambda: durable.append("all"))
    first, second = inbox.poll(None), inbox.poll(None)
    assert (ats(first), first.positions, first.on_durable) == ([1, 2, 3], {}, ())
    assert (ats(second), second.positions, len(second.on_durable)) == ([4], {"k/0": "4"}, 1)


def test_a_put_that_does_not_fit_into_the_batch_waits_whole_for_the_next() -> None:
    inbox = LiveInbox(ManualClock(), batch_limit=3)
    inbox.put(updates(1, 2))
    inbox.put(updates(3, 4), {"k/0": "4"})
    assert [ats(inbox.poll(None)), ats(inbox.poll(None))] == [[1, 2], [3, 4]]


def test_a_position_alone_is_handed_out_too() -> None:
    inbox = LiveInbox(ManualClock())
    inbox.put([], {"k/0": "5"})
    assert inbox.poll(None).positions == {"k/0": "5"}


def test_reports_go_before_a_backlog_of_events() -> None:
    inbox = LiveInbox(ManualClock(), batch_limit=3)
    inbox.put(updates(1, 2))
    inbox.put(updates(3))
    report = RunReport("r", RunPhase.FINISHED, 0)
    inbox.report(report, CaughtUp())
    assert inbox.poll(None).inputs == (report, CaughtUp())
    assert ats(inbox.poll(None)) == [1, 2, 3]


def test_a_full_inbox_blocks_its_sender_until_there_is_room() -> None:
    inbox = LiveInbox(ManualClock(), capacity=2)
    inbox.put(updates(1, 2))
    sent = threading.Event()
    thread = threading.Thread(target=lambda: (inbox.put(updates(3)), sent.set()))
    thread.start()
    assert not sent.wait(0.05)
    assert inbox.depth == 2
    assert ats(inbox.poll(None)) == [1, 2]
    assert sent.wait(10)
    thread.join()
    assert ats(inbox.poll(None)) == [3]


def test_a_full_inbox_refuses_who_will_not_wait_and_takes_a_report_all_the_same() -> None:
    inbox = LiveInbox(ManualClock(), capacity=1)
    inbox.put(updates(1))
    with pytest.raises(TransientError, match="full") as caught:
        inbox.put(updates(2), timeout=0)
    assert caught.value.retry_after == SECOND
    inbox.report(CaughtUp())
    assert CaughtUp() in inbox.poll(None).inputs


def test_a_put_goes_in_whole_or_not_at_all() -> None:
    inbox = LiveInbox(ManualClock(), capacity=3, batch_limit=2)
    inbox.put(updates(1))
    with pytest.raises(TransientError):
        inbox.put(updates(2, 3, 4), timeout=0)
    assert inbox.depth == 1
    inbox.poll(None)
    inbox.put(updates(*range(10)), timeout=0)  # more than it holds: only into an empty one
    with pytest.raises(TransientError):
        inbox.put(updates(11), timeout=0)
    assert [ats(inbox.poll(None)) for _ in range(5)] == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]


def test_a_waiting_poll_wakes_at_once() -> None:
    inbox = LiveInbox(SystemClock())
    for wake in (lambda: inbox.put(updates(1)), lambda: inbox.report(CaughtUp()), inbox.wake, inbox.close):
        polled: list[Batch] = []
        thread = threading.Thread(target=lambda into=polled: into.append(inbox.poll(None)))
        thread.start()
        time.sleep(0.01)
        wake()
        thread.join(1.5)  # a poll that was not woken sleeps for 2 s
        assert polled, wake


def test_a_poll_ends_at_its_instant_without_news() -> None:
    clock = SystemClock()
    assert LiveInbox(clock).poll(clock.now() + SECOND // 50) == Batch()
    assert LiveInbox(clock).poll(clock.now() - SECOND) == Batch()


def test_a_sender_blocked_when_the_daemon_stops_is_freed() -> None:
    inbox = LiveInbox(ManualClock(), capacity=1)
    inbox.put(updates(1))
    errors: list[Exception] = []

    def send() -> None:
        try:
            inbox.put(updates(2))
        except TransientError as error:
            errors.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    inbox.close()
    thread.join(10)
    assert [str(error) for error in errors] == ["the daemon is stopping"]
    assert ats(inbox.poll(None)) == [1]


def test_a_question_is_answered_on_the_engines_thread() -> None:
    inbox = LiveInbox(SystemClock())
    engine: Any = object()
    served = threading.Thread(target=lambda: [ask(engine, 7) for ask in _poll_questions(inbox)])
    served.start()
    assert inbox.ask(lambda engine, now: (engine, now)) == (engine, 7)
    served.join()


def test_what_a_question_raises_reaches_who_asked_and_nobody_else() -> None:
    inbox = LiveInbox(SystemClock())
    future = inbox.ask_later(lambda engine, now: 1 // 0)
    for ask in inbox.poll(None).questions:
        ask(None, 0)
    with pytest.raises(ZeroDivisionError):
        future.result(0)


def test_a_question_that_nobody_answers_in_time_is_an_error_that_may_be_tried_again() -> None:
    inbox = LiveInbox(SystemClock())
    with pytest.raises(TransientError, match="did not answer"):
        inbox.ask(lambda engine, now: 1, timeout=0.01)


def test_put_and_wait_returns_when_the_batch_is_durable() -> None:
    inbox = LiveInbox(SystemClock())
    thread = threading.Thread(target=lambda: [durable() for durable in inbox.poll(None).on_durable])
    thread.start()
    inbox.put_and_wait(updates(1))
    thread.join()


def test_when_the_loop_has_died_nobody_is_left_waiting() -> None:
    inbox = LiveInbox(SystemClock())
    failed: list[Exception] = []
    inbox.put(updates(1), on_failed=failed.append)
    future = inbox.ask_later(lambda engine, now: engine.assess("a", now))
    inbox.fail_rest(RuntimeError("fenced"))
    assert [str(error) for error in failed] == ["fenced"]
    with pytest.raises(TransientError):
        future.result(0)
    with pytest.raises(TransientError):
        inbox.ask_later(lambda engine, now: 1)


def test_a_thousand_senders_lose_nothing() -> None:
    inbox = LiveInbox(SystemClock(), capacity=50, batch_limit=20)
    threads = [
        threading.Thread(target=lambda n=n: [inbox.put(updates(n * 100 + i)) for i in range(100)]) for n in range(10)
    ]
    for thread in threads:
        thread.start()
    seen: list[int] = []
    while len(seen) < 1_000:
        batch = inbox.poll(None)
        assert len(batch.inputs) <= 20
        seen.extend(ats(batch))
    assert sorted(seen) == list(range(1_000))
    for n in range(10):
        own = [number for number in seen if number // 100 == n]
        assert own == sorted(own)


def _poll_questions(inbox: LiveInbox) -> tuple[Any, ...]:
    while True:
        if questions := inbox.poll(None).questions:
            return questions

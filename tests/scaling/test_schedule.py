import threading
import time

from optbench.scaling.schedule import Schedule, State

DIAMOND = {"data": set(), "a": {"data"}, "b": {"data"}, "report": {"a", "b"}}


def test_a_stage_starts_once_all_it_needs_is_done():
    schedule = Schedule(DIAMOND)
    assert schedule.take() == "data"
    schedule.settle("data", State.DONE)
    assert [schedule.take(), schedule.take()] == ["a", "b"]
    schedule.settle("b", State.UNCHANGED)
    schedule.settle("a", State.DONE)
    assert schedule.take() == "report"
    assert schedule.take() is None


def test_a_failure_skips_what_needs_it_and_nothing_else():
    schedule = Schedule({**DIAMOND, "score": {"report"}, "other": set()})
    schedule.take()
    schedule.settle("data", State.DONE)
    schedule.take()
    schedule.settle("a", State.FAILED)
    assert schedule.in_state(State.SKIPPED) == ["report", "score"]
    assert [schedule.take(), schedule.take(), schedule.take()] == ["b", "other", None]


def test_a_stage_that_measures_runs_by_itself_after_the_others():
    schedule = Schedule({"cost": set(), "a": set(), "b": set()}, alone={"cost"})
    assert [schedule.take(), schedule.take()] == ["a", "b"]
    taken = []
    waiting = threading.Thread(target=lambda: taken.append(schedule.take()))
    waiting.start()
    schedule.settle("a", State.DONE)
    time.sleep(0.05)
    assert taken == []
    schedule.settle("b", State.DONE)
    waiting.join(5)
    assert taken == ["cost"]


def test_nothing_starts_beside_a_stage_that_measures():
    schedule = Schedule({"cost": set(), "report": {"cost"}}, alone={"cost"})
    assert schedule.take() == "cost"
    waiting = threading.Thread(target=schedule.take)
    waiting.start()
    schedule.stop()
    waiting.join(5)
    assert schedule.in_state(State.WAITING) == ["report"]

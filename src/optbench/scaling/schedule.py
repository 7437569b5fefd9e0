"""Which stage starts next: what it needs is done, and nothing disturbs it or is disturbed."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from enum import StrEnum


class State(StrEnum):
    """What has become of a stage; from `done` on nothing changes any more."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    SKIPPED = "skipped"  # it needs one that failed
    STOPPED = "stopped"


READY = {State.DONE, State.UNCHANGED}
FINAL = {*State} - {State.WAITING, State.RUNNING}


class Schedule:
    """The stages' states; several threads take stages from it and hand them back."""

    def __init__(self, needs: Mapping[str, Set[str]], *, alone: Set[str] = frozenset()) -> None:
        """Takes the stages in their order of preference.

        Args:
            needs: what each stage needs.
            alone: those beside which nothing else runs.
        """
        self.needs, self.alone = needs, alone
        self.states = dict.fromkeys(needs, State.WAITING)
        self._stopped = False
        self._changed = threading.Condition()

    def take(self) -> str | None:
        """Waits for a stage that may start, and marks it as running; None: there will be none."""
        with self._changed:
            while True:
                if self._stopped or State.WAITING not in self.states.values():
                    return None
                stage = self._startable()
                if stage is not None:
                    self.states[stage] = State.RUNNING
                    return stage
                self._changed.wait()

    def settle(self, stage: str, state: State) -> None:
        """Hands a stage back; where it failed, those that need it are skipped."""
        with self._changed:
            self.states[stage] = state
            if state is State.FAILED:
                self._skip_dependents()
            self._changed.notify_all()

    def stop(self) -> None:
        """Starts nothing more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def count(self) -> Counter[State]:
        """How many stages are in each state."""
        return Counter(self.states.values())

    def in_state(self, state: State) -> Sequence[str]:
        """The stages in a state, in the order of preference."""
        return [stage for stage, of in list(self.states.items()) if of is state]

    def _startable(self) -> str | None:
        """The first stage that may start now; one that runs alone comes after all others."""
        running = self.in_state(State.RUNNING)
        if self.alone & set(running):
            return None
        ready = [
            stage
            for stage in self.in_state(State.WAITING)
            if all(self.states[need] in READY for need in self.needs[stage])
        ]
        shared = [stage for stage in ready if stage not in self.alone]
        if shared:
            return shared[0]
        return ready[0] if ready and not running else None

    def _skip_dependents(self) -> None:
        """Marks all that directly or indirectly needs a failed stage."""
        lost = {State.FAILED, State.SKIPPED}
        while dependents := [
            stage
            for stage in self.in_state(State.WAITING)
            if any(self.states[need] in lost for need in self.needs[stage])
        ]:
            self.states.update(dict.fromkeys(dependents, State.SKIPPED))

"""Nothing goes on from what another run, other code or another environment has kept."""

from dataclasses import replace

import pytest
from tests.conftest import digits_run

from optbench.core.run import Budget
from optbench.supervision.identity import identity
from optbench.training.assembly import prepare

pytestmark = pytest.mark.usefixtures("digits")


def test_nothing_else_is_ever_resumed():
    run = digits_run()
    training = prepare(run)
    mark = identity([run], training.fingerprint)
    assert identity([run], prepare(run).fingerprint) == mark
    others = [
        replace(run, seed=1),
        replace(run, schedule="cosine"),
        replace(run, optimizer_args={**run.optimizer_args, "lr": 0.123}),
        replace(run, schedule_args={**run.schedule_args, "x": 1}),
        replace(run, settings=replace(run.settings, budget=Budget(epochs=3))),
        replace(run, code={**run.code, "optimizer": "1" * 64}),
    ]
    marks = [identity([other], training.fingerprint) for other in others]
    marks += [
        identity([run], {**training.fingerprint, name: "other"}) for name in training.fingerprint
    ]
    assert len({mark, *marks}) == len(marks) + 1


def test_another_thread_count_is_another_fingerprint():
    first, second = (prepare(digits_run(threads=n)).fingerprint for n in (1, 2))
    assert {name for name in first if first[name] != second[name]} == {"threads"}

"""Stopped anywhere and run again: the same bits as a run that was never stopped."""

import os
import signal
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from tests.conftest import digits_run
from tests.training.probes import Averaging, probe_run

from optbench.core import records
from optbench.core.errors import UsageError
from optbench.core.run import Budget, Run
from optbench.params import signatures
from optbench.supervision.checkpoint import Checkpoints, put, state_of
from optbench.supervision.identity import identity
from optbench.supervision.keeper import VARIABLE, Interrupted, Keeper
from optbench.supervision.state import pack, unpack
from optbench.supervision.supervise import train
from optbench.training.assembly import prepare
from optbench.training.loop import Learner, fit
from optbench.training.train import weights

pytestmark = pytest.mark.usefixtures("digits")
OPTIMIZERS = signatures.names("optimizers")
KEPT = Path("kept")


def files(run: Run, kept: Path | None = None) -> dict[str, bytes]:
    """The files of a run's outcome and its weights."""
    outcome, model = train(run, "test", kept)
    folder = Path("files")
    records.write(outcome, folder)
    (folder / "weights.safetensors").write_bytes(weights(model))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def stop_after(monkeypatch):
    """A function that lets a signal come in the given step."""

    def arrange(step: int, number: int = signal.SIGTERM) -> None:
        taken, original = 0, Learner.step

        def counted(self, batch):
            nonlocal taken
            taken += 1
            if taken == step:
                signal.raise_signal(number)
            return original(self, batch)

        monkeypatch.setattr(Learner, "step", counted)

    return arrange


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_stopped_run_ends_with_the_same_bits(stop_after, optimizer, precision):
    run = digits_run(optimizer, precision=precision)
    whole = files(run)
    for step in (13, 18, 5):  # in the first epoch, after 31 steps, after 36
        stop_after(step)
        with pytest.raises(Interrupted):
            train(run, "test", KEPT)
    assert files(run, KEPT) == whole


@pytest.mark.parametrize(
    "lost", ["optimizer", "losses", "gradient_norms", "history", "diagnostics", "model"]
)
def test_control_what_a_checkpoint_holds_is_needed(lost):
    """Each part of the state left out gives another outcome."""
    run = digits_run("kfac")
    whole, part = prepare(run), prepare(run)
    step_until(part, 26)  # between two points
    resumed = prepare(run)
    state = unpack(pack(state_of(part)))
    state[lost] = state_of(resumed)[lost]
    if lost == "history":  # its length is the position
        state[lost] = [{**point, "train_loss": 0.0} for point in state_of(part)[lost]]
    put(state, resumed)
    for training in (whole, part, resumed):
        fit(training)
    assert pack(state_of(whole)) == pack(state_of(part))
    assert pack(state_of(whole)) != pack(state_of(resumed))


def test_torchs_generators_are_kept():
    training = prepare(digits_run())
    torch.rand(3)
    state = state_of(training)
    drawn = torch.rand(5)
    put(state, training)
    assert torch.equal(torch.rand(5), drawn)


class Stop(Exception):
    pass


class Stopper:
    """A watcher that stops after some steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def step(self, step: int) -> None:
        if step == self.steps:
            raise Stop

    def scored(self) -> None:
        pass

    def point(self, point, diagnostics) -> None:
        pass


def step_until(training, steps: int) -> None:
    with pytest.raises(Stop):
        fit(training, Stopper(steps))


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGUSR1, 143)]
)
def test_a_signal_keeps_the_step_and_gives_its_exit_code(stop_after, number, code):
    before = signal.getsignal(number)
    stop_after(30, number)
    message = f"{number.name}: stopped after step 30 of 44, which is kept: run the same command"
    with pytest.raises(Interrupted, match=message) as raised:
        train(digits_run(), "test", KEPT)
    assert raised.value.exit_code == code
    assert max(path.name for path in KEPT.glob("*/*")) == "000000030.checkpoint"
    assert signal.getsignal(number) == before


@pytest.fixture
def stop_in_scoring(monkeypatch):
    """A function that lets a signal come while batches are scored, at the count-th of them."""
    scored = Keeper.scored

    def arrange(count: int) -> None:
        seen = 0

        def signalled(self):
            nonlocal seen
            seen += 1
            if seen == count:
                signal.raise_signal(signal.SIGTERM)
            scored(self)

        monkeypatch.setattr(Keeper, "scored", signalled)

    return arrange


@pytest.mark.parametrize(
    ("count", "step"), [(1, 2), (2, 4), (11, 22), (20, 40), (21, 40), (22, 40)]
)
def test_a_signal_while_a_point_or_the_end_is_scored_loses_no_step(stop_in_scoring, count, step):
    """The last two: of the validation set and of the test set, when all steps are done."""
    run = digits_run(train_split="holdout")
    whole = files(run)
    stop_in_scoring(count)
    with pytest.raises(Interrupted, match=f"after step {step} of 40"):
        train(run, "test", KEPT)
    assert sorted(KEPT.glob("*/*"))[-1].name == f"{step:09d}.checkpoint"
    stop_in_scoring(0)
    assert files(run, KEPT) == whole


@pytest.mark.parametrize("step", range(1, 45))
def test_a_run_goes_on_from_each_step(step):
    """Points and the ends of epochs among them."""
    run = digits_run()
    part, resumed = prepare(run), prepare(run)
    step_until(part, step)
    put(unpack(pack(state_of(part))), resumed)
    assert resumed.step == step
    fit(resumed)
    assert pack(state_of(resumed)) == whole_state()


@cache
def whole_state() -> bytes:
    """The state of a run that was never stopped."""
    training = prepare(digits_run())
    fit(training)
    return pack(state_of(training))


def test_a_signal_in_scoring_keeps_the_weights_of_training_and_not_those_that_are_judged(
    monkeypatch, stop_in_scoring
):
    run = probe_run(monkeypatch, Averaging)
    whole, reference = files(run), prepare(run)
    step_until(reference, 5)
    weights_of_training = reference.learner.model.state_dict()
    in_place = []
    stop_in_scoring(2)
    scored = Keeper.scored

    def noted(self):
        if self.training.step == 5:
            in_place.append({name: t.clone() for name, t in
                             self.training.learner.model.state_dict().items()})  # fmt: skip
        scored(self)

    monkeypatch.setattr(Keeper, "scored", noted)
    with pytest.raises(Interrupted, match="after step 5 of 44"):
        train(run, "test", KEPT)
    restored = prepare(run)
    (folder,) = KEPT.iterdir()
    assert Checkpoints(folder).restore(restored)
    kept = restored.learner.model.state_dict()
    assert all(torch.equal(kept[name], value) for name, value in weights_of_training.items())
    judged = in_place[0]  # the control: a checkpoint at once would hold these
    assert any(not torch.equal(kept[name], value) for name, value in judged.items())
    stop_in_scoring(0)
    assert files(run, KEPT) == whole


def test_a_run_that_was_killed_when_it_was_done_takes_no_step_again(stop_after, monkeypatch):
    monkeypatch.setenv(VARIABLE, "0")
    run = digits_run()
    whole = files(run, KEPT)
    stop_after(1)
    assert files(run, KEPT) == whole


def test_the_last_two_checkpoints_are_kept(monkeypatch):
    monkeypatch.setenv(VARIABLE, "0")
    train(digits_run(), "test", KEPT)
    names = sorted(path.name for path in KEPT.glob("*/*"))
    assert names == ["000000043.checkpoint", "000000044.checkpoint"]


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "truncated":
        content = content[: len(content) // 2]
    elif how == "empty":
        content = bytearray()
    else:
        content[{"header": 10, "middle": len(content) // 2, "end": -1}[how]] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["truncated", "empty", "header", "middle", "end"])
@pytest.mark.parametrize("count", [1, 2])
def test_a_damaged_checkpoint_is_refused_and_the_one_before_is_used(
    stop_after, monkeypatch, capsys, how, count
):
    run = digits_run("adam")
    whole = files(run)
    monkeypatch.setenv(VARIABLE, "0")
    stop_after(10)
    with pytest.raises(Interrupted):
        train(run, "test", KEPT)
    paths = sorted(KEPT.glob("*/*"))
    for path in paths[-count:]:
        damage(path, how)
    capsys.readouterr()
    assert files(run, KEPT) == whole
    told = capsys.readouterr()
    for path in paths[-count:]:
        assert f"warning: {path} is damaged" in told.err
    assert ("goes on after step 9 of 44" in told.out) == (count == 1)


def test_only_the_number_of_steps_tells_which_is_the_latest(stop_after, monkeypatch):
    """A clock that was set back changes nothing."""
    monkeypatch.setenv(VARIABLE, "0")
    stop_after(10)
    with pytest.raises(Interrupted):
        train(digits_run(), "test", KEPT)
    older, newer = sorted(KEPT.glob("*/*"))
    os.utime(newer, (0, 0))
    training = prepare(digits_run())
    assert Checkpoints(newer.parent).restore(training)
    assert training.step == 10
    assert older.exists()


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


def test_an_optimizer_that_hides_state_is_found_out(stop_after, monkeypatch):
    """Its state_dict and load_state_dict do not agree."""
    stop_after(5)
    run = digits_run()
    with pytest.raises(Interrupted):
        train(run, "test", KEPT)
    monkeypatch.setattr(torch.optim.SGD, "load_state_dict", lambda self, state: None)
    with pytest.raises(UsageError, match="SGD or the network does not restore its own state"):
        train(run, "test", KEPT)

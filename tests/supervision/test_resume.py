"""Stopped anywhere and run again: the same bits as a run that was never stopped."""

import signal
from functools import cache

import pytest
import torch
from tests.conftest import digits_run
from tests.supervision.stops import KEPT, files, step_until
from tests.training.probes import Averaging, probe_run

from optbench.params import signatures
from optbench.supervision.checkpoint import Checkpoints, put, state_of
from optbench.supervision.keeper import VARIABLE, Interrupted, Keeper
from optbench.supervision.state import pack, unpack
from optbench.supervision.supervise import train
from optbench.training.assembly import prepare
from optbench.training.loop import fit

pytestmark = pytest.mark.usefixtures("digits")
OPTIMIZERS = signatures.names("optimizers")
# Those that multiply and decompose matrices of their own.
MATRIX = [n for n in OPTIMIZERS if signatures.constant("optimizers", n, "FAMILY") == "matrix"]


@pytest.mark.parametrize(
    ("optimizer", "precision"),
    [(name, "fp32") for name in OPTIMIZERS] + [(name, "bf16") for name in ("sgd", *MATRIX)],
)
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


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129), (signal.SIGUSR1, 143)],
)
@pytest.mark.usefixtures("hears_hang_up")
def test_a_signal_keeps_the_step_and_gives_its_exit_code(stop_after, number, code):
    before = signal.getsignal(number)
    stop_after(30, number)
    message = f"{number.name}: stopped after step 30 of 44, which is kept: run the same command"
    with pytest.raises(Interrupted, match=message) as raised:
        train(digits_run(), "test", KEPT)
    assert raised.value.exit_code == code
    assert max(path.name for path in KEPT.glob("*/*")) == "000000030.checkpoint"
    assert signal.getsignal(number) == before


def test_what_nohup_keeps_away_ends_nothing(stop_after):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop_after(30, signal.SIGHUP)
    outcome, _ = train(digits_run(), "test", KEPT)
    assert signal.signal(signal.SIGHUP, before) == signal.SIG_IGN
    assert outcome.steps == 44


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

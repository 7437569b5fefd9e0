"""Stopped anywhere and run again: the same bits as a run that was never stopped."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.conftest import digits_run

from optbench.core import records
from optbench.core.errors import UsageError
from optbench.core.run import Run
from optbench.params import signatures
from optbench.training import identity as identities
from optbench.training import keeper
from optbench.training.assembly import prepare
from optbench.training.checkpoint import Checkpoints, put, state_of
from optbench.training.identity import identity
from optbench.training.keeper import VARIABLE, Interrupted, Keeper
from optbench.training.loop import Learner, fit
from optbench.training.state import pack, unpack
from optbench.training.train import save_weights, train

OPTIMIZERS = signatures.names("optimizers")
STEPS = 22  # of an epoch of digits-cnn
KEPT = Path("kept")


def files(run: Run, kept: Path | None = None) -> dict[str, bytes]:
    """The files of a run's outcome and its weights."""
    outcome, model = train(run, "test", kept)
    folder = Path("files")
    records.write(outcome, folder)
    save_weights(model, folder / "weights.safetensors")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def stop_after(monkeypatch):
    """A function that lets a signal come in the given step."""

    def arrange(step: int, number: int = signal.SIGTERM) -> None:
        taken, original = 0, Learner.step

        def counted(self, images, labels):
            nonlocal taken
            taken += 1
            if taken == step:
                signal.raise_signal(number)
            return original(self, images, labels)

        monkeypatch.setattr(Learner, "step", counted)

    return arrange


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_stopped_run_ends_with_the_same_bits(params, stop_after, optimizer, precision):
    run = digits_run(params, optimizer, precision=precision)
    whole = files(run)
    for step in (13, 18, 5):  # in the first epoch, after 31 steps, after 36
        stop_after(step)
        with pytest.raises(Interrupted):
            train(run, "test", KEPT)
    assert files(run, KEPT) == whole


@pytest.mark.parametrize(
    "lost", ["optimizer", "losses", "gradient_norms", "history", "diagnostics", "model"]
)
def test_control_what_a_checkpoint_holds_is_needed(params, lost):
    """Each part of the state left out gives another outcome."""
    run = digits_run(params, "kfac")
    whole, part = prepare(run), prepare(run)
    step_until(part, STEPS + 5)
    resumed = prepare(run)
    state = unpack(pack(state_of(part)))
    state[lost] = state_of(resumed)[lost]
    if lost == "history":  # its length is the position
        state[lost] = [{**epoch, "train_loss": 0.0} for epoch in state_of(part)[lost]]
    put(state, resumed)
    for training in (whole, part, resumed):
        fit(training)
    assert pack(state_of(whole)) == pack(state_of(part))
    assert pack(state_of(whole)) != pack(state_of(resumed))


def test_torchs_generators_are_kept(params):
    training = prepare(digits_run(params))
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

    def epoch(self, epoch, diagnostics) -> None:
        pass


def step_until(training, steps: int) -> None:
    with pytest.raises(Stop):
        fit(training, Stopper(steps))


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGUSR1, 143)]
)
def test_a_signal_keeps_the_step_and_gives_its_exit_code(params, stop_after, number, code):
    before = signal.getsignal(number)
    stop_after(30, number)
    message = f"{number.name}: stopped after step 30 of 44, which is kept: run the same command"
    with pytest.raises(Interrupted, match=message) as raised:
        train(digits_run(params), "test", KEPT)
    assert raised.value.exit_code == code
    assert max(path.name for path in KEPT.glob("*/*")) == "000000030.checkpoint"
    assert signal.getsignal(number) == before


def test_a_signal_while_an_epoch_is_scored_loses_no_step(params, monkeypatch):
    run = digits_run(params)
    whole = files(run)
    scored = Keeper.scored

    def signalled(self):
        signal.raise_signal(signal.SIGTERM)
        scored(self)

    monkeypatch.setattr(Keeper, "scored", signalled)
    with pytest.raises(Interrupted, match="after step 22 of 44"):
        train(run, "test", KEPT)
    monkeypatch.setattr(Keeper, "scored", scored)
    assert files(run, KEPT) == whole


def test_a_run_that_was_killed_when_it_was_done_takes_no_step_again(
    params, stop_after, monkeypatch
):
    monkeypatch.setenv(VARIABLE, "0")
    run = digits_run(params)
    whole = files(run, KEPT)
    stop_after(1)
    assert files(run, KEPT) == whole


def test_the_last_two_checkpoints_are_kept(params, monkeypatch):
    monkeypatch.setenv(VARIABLE, "0")
    train(digits_run(params), "test", KEPT)
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
    params, stop_after, monkeypatch, capsys, how, count
):
    run = digits_run(params, "adam")
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


def test_only_the_number_of_steps_tells_which_is_the_latest(params, stop_after, monkeypatch):
    """A clock that was set back changes nothing."""
    monkeypatch.setenv(VARIABLE, "0")
    stop_after(10)
    with pytest.raises(Interrupted):
        train(digits_run(params), "test", KEPT)
    older, newer = sorted(KEPT.glob("*/*"))
    os.utime(newer, (0, 0))
    training = prepare(digits_run(params))
    assert Checkpoints(newer.parent).restore(training)
    assert training.step == 10
    assert older.exists()


def test_nothing_else_is_ever_resumed(params, monkeypatch, tmp_path):
    run = digits_run(params)
    training = prepare(run)
    mark = identity([run], training.fingerprint)
    assert identity([run], prepare(run).fingerprint) == mark
    others = [
        replace(run, seed=1),
        replace(run, schedule="cosine"),
        replace(run, optimizer_args={**run.optimizer_args, "lr": 0.123}),
        replace(run, schedule_args={**run.schedule_args, "x": 1}),
        replace(run, settings=replace(run.settings, epochs=3)),
    ]
    marks = [identity([other], training.fingerprint) for other in others]
    marks += [
        identity([run], {**training.fingerprint, name: "other"}) for name in training.fingerprint
    ]
    assert len({mark, *marks}) == len(marks) + 1
    code = tmp_path / "code.py"
    code.write_text("changed")
    sources = identities.loaded_sources()
    monkeypatch.setattr(identities, "loaded_sources", lambda: [*sources, code])
    assert identity([run], training.fingerprint) != mark


def test_another_thread_count_is_another_fingerprint(params):
    one, two = (prepare(digits_run(params, threads=threads)).fingerprint for threads in (1, 2))
    assert {name for name in one if one[name] != two[name]} == {"threads"}


def test_an_optimizer_that_hides_state_is_found_out(params, stop_after, monkeypatch):
    """Its state_dict and load_state_dict do not agree."""
    stop_after(5)
    run = digits_run(params)
    with pytest.raises(Interrupted):
        train(run, "test", KEPT)
    monkeypatch.setattr(torch.optim.SGD, "load_state_dict", lambda self, state: None)
    with pytest.raises(UsageError, match="SGD or the network does not restore its own state"):
        train(run, "test", KEPT)


class Clock:
    """Time that passes only where it is told to."""

    def __init__(self) -> None:
        self.now = 1e6

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def kept_at(params, monkeypatch):
    """The steps at which a training of 600 steps, 1 s each, is kept; a write takes `write_s`."""

    def steps(write_s: float, *, epochs=30, steps_per_epoch=20) -> list[int]:
        clock, saved = Clock(), []
        monkeypatch.setattr(keeper.time, "monotonic", clock)

        class Slow:
            def save(self, training) -> None:
                clock.now += write_s
                saved.append(training.step)

        training = prepare(digits_run(params))
        with Keeper(training, Slow()) as watcher:
            for step in range(1, epochs * steps_per_epoch + 1):
                clock.now += 1
                training.course.losses.append(torch.zeros(()))
                monkeypatch.setattr(type(training), "step", step, raising=False)
                watcher.step(step)
                if step % steps_per_epoch == 0:
                    watcher.epoch(None, [])
        return saved

    return steps


def test_checkpoints_are_written_each_minute_and_at_each_epochs_end(kept_at):
    assert kept_at(0.01) == list(range(20, 601, 20))
    assert kept_at(0.01, epochs=3, steps_per_epoch=200) == [
        60, 120, 180, 200, 260, 320, 380, 400, 460, 520, 580, 600,
    ]  # fmt: skip


def test_slow_writes_take_no_more_than_their_share(kept_at):
    saved = kept_at(3.0)
    assert 3 <= len(saved) <= 600 * 0.02 / 3 + 1


@pytest.mark.parametrize("text", ["0", "7", "1e9"])
def test_the_seconds_between_two_can_be_chosen(kept_at, monkeypatch, text):
    """However slow a write is. An epoch's end is always kept."""
    monkeypatch.setenv(VARIABLE, text)
    saved = kept_at(0.5)
    gaps = {after - before for before, after in zip([0, *saved], saved, strict=False)}
    assert set(range(20, 601, 20)) <= set(saved)
    assert max(gaps) == {"0": 1, "7": 7, "1e9": 20}[text]


@pytest.mark.parametrize("text", ["", "soon", "-1", "nan", "inf"])
def test_another_text_is_refused(params, monkeypatch, text):
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(UsageError, match=f"{VARIABLE}: got '{text}': must be a number"):
        train(digits_run(params), "test", KEPT)

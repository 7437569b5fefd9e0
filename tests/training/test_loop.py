"""The points of a history, what is scored at them, and what an optimizer is asked around them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import digits_run
from tests.training.probes import Averaging, probe_run, trained
from torch.nn import functional as F
from torch.optim import SGD

from optbench.core.run import SCORING_SHARE, Budget
from optbench.tasks.image_classification import batches as batches_module
from optbench.tasks.image_classification.batches import EvalBatches
from optbench.tasks.image_classification.task import ImageClassification
from optbench.training.assembly import FORWARD_SHARE, POINTS, heldout_part, points, prepare
from optbench.training.loop import Learner, evaluate, fit
from optbench.training.train import complete

pytestmark = pytest.mark.usefixtures("digits")
STEPS = 22  # of an epoch of digits-cnn


# Points


@given(st.integers(1, 100_000))
def test_points_are_20_evenly_spread_and_the_last_is_the_end(steps):
    at = points(steps)
    assert len(at) == min(steps, POINTS) == min(steps, 20)
    assert at[-1] == steps
    gaps = np.diff([0, *at])
    assert 0 < gaps.min() <= gaps.max() <= gaps.min() + 1


@pytest.mark.parametrize("steps", [1, 7, 20, 31, 220])
def test_a_history_has_its_points_in_the_middle_of_epochs_too(steps):
    outcome = trained(digits_run(budget=Budget(steps=steps)))
    assert [point.step for point in outcome.history] == list(points(steps))
    assert [point.epoch for point in outcome.history] == [p / STEPS for p in points(steps)]
    assert (outcome.steps, outcome.steps_per_epoch) == (steps, STEPS)


def test_a_point_tells_means_over_the_steps_since_the_last(monkeypatch):
    taken, original = [], Learner.step

    def noted(self, batch):
        loss, norm = original(self, batch)
        taken.append((loss.item(), norm.item(), self.optimizer.param_groups[0]["lr"],
                      self.optimizer.param_groups[0]["momentum"]))  # fmt: skip
        return loss, norm

    monkeypatch.setattr(Learner, "step", noted)
    outcome = trained(digits_run())
    before = 0
    for point in outcome.history:
        losses, norms, lrs, momenta = zip(*taken[before : point.step], strict=True)
        assert point.train_loss == pytest.approx(np.mean(losses), rel=1e-12)
        assert point.gradient_norm == pytest.approx(np.mean(norms), rel=1e-12)
        assert (point.lr, point.momentum) == (lrs[-1], momenta[-1])
        before = point.step
    assert before == len(taken) == 44


# What is scored


def scored_examples(monkeypatch) -> list[tuple[int, int]]:
    """Of each scoring, the examples that pass through the network and those of the whole set."""
    seen = []
    original = EvalBatches.epoch

    def epoch(self, *args):
        seen.append((self.examples, self.images.count))
        return original(self, *args)

    monkeypatch.setattr(EvalBatches, "epoch", epoch)
    return seen


@pytest.mark.parametrize("split", ["full", "holdout"])
def test_the_test_set_and_the_validation_set_are_scored_once_at_the_end(monkeypatch, split):
    seen = scored_examples(monkeypatch)
    trained(digits_run(train_split=split, budget=Budget(epochs=10)))
    test, validation = 355, 140
    assert len(seen) == POINTS + 1 + (split == "holdout")
    of_points = {size for size, _ in seen[:POINTS]}
    assert len(of_points) == 1
    if split == "full":  # a part of the test set draws the curve, and decides nothing
        assert {whole for _, whole in seen} == {test}
        assert seen[POINTS:] == [(test, test)]
        assert max(of_points) < test
    else:
        assert {whole for _, whole in seen[:POINTS]} == {validation}
        assert seen[POINTS:] == [(validation, validation), (test, test)]


@pytest.mark.parametrize(("split", "count"), [("full", 2), ("holdout", 3)])
def test_each_set_is_on_the_device_once(monkeypatch, split, count):
    built = []
    original = batches_module.DeviceImages.__init__

    def noted(self, *args, **kwargs):
        built.append(self)
        original(self, *args, **kwargs)

    monkeypatch.setattr(batches_module.DeviceImages, "__init__", noted)
    training = prepare(digits_run(train_split=split))
    task = training.learner.task
    assert len(built) == count
    whole = task.validation() or task.test()
    assert training.heldout.images is whole.images
    complete(digits_run(train_split=split), training)
    assert len(built) == count


@pytest.mark.parametrize("split", ["full", "holdout"])
@pytest.mark.parametrize("epochs", [5, 10, 30])
def test_scoring_takes_its_share_of_the_examples_and_not_more(split, epochs):
    settings = digits_run(train_split=split, budget=Budget(epochs=epochs)).settings
    training = prepare(digits_run(train_split=split, budget=Budget(epochs=epochs)))
    task, part = training.learner.task, training.heldout.examples
    trained_on = training.steps * settings.batch_size
    validation = task.validation()
    once = task.test().examples + (validation.examples if validation else 0)

    def share(examples: int) -> float:
        return (POINTS * examples + once) * FORWARD_SHARE / trained_on

    assert share(part) <= SCORING_SHARE == 0.05
    whole = (validation or task.test()).examples
    assert share(part + 1) > SCORING_SHARE or part == whole


def test_a_run_too_short_for_its_share_is_scored_on_an_example_at_a_point():
    training = prepare(digits_run(budget=Budget(steps=5)))
    assert training.heldout.examples == 1
    task = training.learner.task
    assert heldout_part(task, 10**9).examples == task.test().examples  # no more than there are


def test_the_examples_that_pass_through_the_network_are_counted_rightly(monkeypatch):
    counts = {True: 0, False: 0}
    original = Learner.outputs

    def counted(self, inputs, **kwargs):
        counts[self.model.training] += len(inputs)
        return original(self, inputs, **kwargs)

    monkeypatch.setattr(Learner, "outputs", counted)
    trained(digits_run(budget=Budget(epochs=10)))
    assert counts[True] == 220 * 64
    assert 0.04 < counts[False] * FORWARD_SHARE / counts[True] <= SCORING_SHARE


def test_the_part_that_is_held_out_is_the_same_at_every_point_and_spread_over_its_set(monkeypatch):
    labels = []
    original = ImageClassification.losses

    def noted(self, outputs, batch):
        labels.append(batch[1].tolist())
        return original(self, outputs, batch)

    monkeypatch.setattr(ImageClassification, "losses", noted)
    run = digits_run(budget=Budget(epochs=10))
    trained(run)
    assert all(seen == labels[0] for seen in labels[:POINTS])
    test = labels[-1]
    count = len(labels[0])
    assert len(test) == 355
    assert labels[0] == [test[i * 355 // count] for i in range(count)]


def test_examples_weigh_alike_whatever_the_batches():
    training = prepare(digits_run())
    fit(training)
    task = training.learner.task
    images = task.test().images
    whole = evaluate(training, EvalBatches(images, batch_size=355))
    parts = evaluate(training, EvalBatches(images, batch_size=200))
    assert parts.loss == pytest.approx(whole.loss, rel=1e-6)
    assert parts.score == whole.score
    logits = []
    training.learner.model.eval()
    with torch.no_grad():
        for inputs, labels in EvalBatches(images, batch_size=200).epoch(0):
            logits.append(F.cross_entropy(training.learner.model(inputs), labels).item())
    assert np.mean(logits) != pytest.approx(whole.loss, rel=1e-6)  # the control: unequal batches


def test_scores_that_are_not_finite_are_a_divergence(monkeypatch):
    monkeypatch.setattr(
        ImageClassification, "losses",
        lambda self, outputs, batch: torch.full((len(outputs),), math.nan),
    )  # fmt: skip
    outcome = trained(digits_run())
    assert outcome.diverged_at_step == points(44)[0] == 3
    assert outcome.history == []


# Gradients


class Overwriting(SGD):
    """Leaves something else than the gradient behind."""

    def step(self, closure):
        loss = super().step(closure)
        for group in self.param_groups:
            for p in group["params"]:
                p.grad.mul_(100)
        return loss


class Clearing(SGD):
    """Leaves no gradient behind."""

    def step(self, closure):
        loss = super().step(closure)
        self.zero_grad(set_to_none=True)
        return loss


class Twice(SGD):
    """Looks at the gradient elsewhere too, as sharpness-aware minimisation does."""

    def step(self, closure):
        loss = closure()
        parameters = [p for group in self.param_groups for p in group["params"]]
        before = [p.detach().clone() for p in parameters]
        with torch.no_grad():
            for p in parameters:
                p.add_(p.grad, alpha=3.0)
        closure()
        with torch.no_grad():
            for p, value in zip(parameters, before, strict=True):
                p.copy_(value)
        super().step()
        return loss


@pytest.mark.parametrize("optimizer", [Overwriting, Clearing, Twice])
def test_loss_and_gradient_norm_are_those_at_the_weights_before_the_step(monkeypatch, optimizer):
    training = prepare(probe_run(monkeypatch, optimizer))
    learner = training.learner
    learner.model.train()
    for batch in list(training.train.epoch(0))[:4]:
        loss = F.cross_entropy(learner.model(batch[0]), batch[1])
        gradients = torch.autograd.grad(loss, list(learner.model.parameters()))
        norm = torch.cat([g.flatten() for g in gradients]).double().norm().item()
        before = {name: t.clone() for name, t in learner.model.state_dict().items()}
        told_loss, told_norm = learner.step(batch)
        assert told_loss.item() == pytest.approx(loss.item(), rel=1e-5)
        assert told_norm.item() == pytest.approx(norm, rel=1e-4)
        assert learner.gradient_norm().item() != pytest.approx(norm, rel=1e-2)  # the control
        assert any(not torch.equal(before[n], t) for n, t in learner.model.state_dict().items())


# Weights that are put in place for scoring


@pytest.mark.parametrize(("split", "scorings"), [("full", 21), ("holdout", 22)])
def test_an_optimizer_is_asked_before_and_after_each_scoring(monkeypatch, split, scorings):
    run = probe_run(monkeypatch, Averaging, train_split=split)
    training = prepare(run)
    complete(run, training)
    assert training.learner.optimizer.log == ["before", "after"] * scorings


def test_averaged_weights_are_scored_and_training_goes_on_from_its_own(monkeypatch):
    averaged = trained(probe_run(monkeypatch, Averaging))
    plain = trained(probe_run(monkeypatch, SGD))
    for ours, theirs in zip(averaged.history, plain.history, strict=True):
        assert (ours.train_loss, ours.gradient_norm) == (theirs.train_loss, theirs.gradient_norm)
    assert averaged.test_loss != plain.test_loss
    assert averaged.history[0].heldout_loss != plain.history[0].heldout_loss

    class WithoutAfter(Averaging):
        after_evaluation = None

    spoilt = trained(probe_run(monkeypatch, WithoutAfter))  # the control
    assert spoilt.history[-1].train_loss != plain.history[-1].train_loss


def test_weights_come_back_where_scoring_fails(monkeypatch):
    training = prepare(probe_run(monkeypatch, Averaging))

    def fail(self, outputs, batch):
        raise RuntimeError("scoring")

    monkeypatch.setattr(ImageClassification, "losses", fail)
    with pytest.raises(RuntimeError, match="scoring"):
        fit(training)
    assert training.learner.optimizer.log == ["before", "after"]
    spare = training.learner.optimizer.spare
    assert all(torch.equal(p, weight) for p, weight in spare)
    sums = training.learner.optimizer.state
    assert any(not torch.equal(p, sums[p]["sum"] / sums[p]["count"]) for p, _ in spare)

"""Weights that are judged in place of those that were trained have statistics of their own."""

from itertools import islice

import numpy as np
import pytest
import torch
from safetensors.torch import load
from tests.conftest import digits_run
from tests.training.probes import Averaging, probe_run
from torch import nn

from optbench.training.assembly import prepare
from optbench.training.batch_norm import BATCHES
from optbench.training.loop import Learner, evaluate, fit
from optbench.training.train import complete, weights

pytestmark = pytest.mark.usefixtures("digits")


def first_norm_s_statistics(training) -> tuple[np.ndarray, np.ndarray]:
    """Means over batches of the first convolution's output, in NumPy: mean and variance [c]."""
    convolution = training.learner.model[0]
    weights = convolution.weight.detach().double()
    means, variances = [], []
    for images, _ in islice(training.train.epoch(0), BATCHES):
        output = nn.functional.conv2d(images.double(), weights, padding=1).numpy()
        means.append(output.mean(axis=(0, 2, 3)))
        variances.append(output.var(axis=(0, 2, 3), ddof=1))
    return np.mean(means, axis=0), np.mean(variances, axis=0)


def test_statistics_are_those_of_the_judged_weights_on_training_batches(monkeypatch):
    training = prepare(probe_run(monkeypatch, Averaging))
    fit(training)
    norm = training.learner.model[1]
    trained = (norm.running_mean.clone(), norm.running_var.clone())
    seen = []
    original = Learner.outputs

    def noted(self, inputs, **kwargs):
        if not self.model[1].training:
            mean, variance = first_norm_s_statistics(training)
            seen.append((norm.running_mean.clone(), norm.running_var.clone(), mean, variance))
        return original(self, inputs, **kwargs)

    monkeypatch.setattr(Learner, "outputs", noted)
    evaluate(training, training.heldout)
    assert seen
    for running_mean, running_var, mean, variance in seen:
        np.testing.assert_allclose(running_mean, mean, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(running_var, variance, rtol=1e-4)
        assert not np.allclose(trained[0], mean, rtol=1e-2)  # the control: not the trained ones
    assert torch.equal(norm.running_mean, trained[0])
    assert torch.equal(norm.running_var, trained[1])
    assert norm.momentum == 0.1


def test_an_optimizer_that_puts_nothing_in_place_is_scored_as_it_is(monkeypatch):
    training = prepare(digits_run())
    calls = []
    original = Learner.outputs

    def noted(self, inputs, **kwargs):
        calls.append(self.model.training or self.model[1].training)
        return original(self, inputs, **kwargs)

    monkeypatch.setattr(Learner, "outputs", noted)
    evaluate(training, training.heldout)
    assert calls == [False]


def test_the_weights_that_are_stored_are_those_that_were_judged(monkeypatch):
    """Read back into a network of their own, they have the run's test score; others have not."""
    run = probe_run(monkeypatch, Averaging)
    training = prepare(run)
    outcome = complete(run, training)
    task, scores = training.learner.task, []
    trained = {n: t.clone() for n, t in training.learner.model.state_dict().items()}
    for state in (load(weights(training)), trained):
        other = prepare(digits_run())
        other.learner.model.load_state_dict(state)
        scores.append(evaluate(other, task.test()).loss)
    assert scores[0] == outcome.test_loss
    assert scores[1] != outcome.test_loss  # the control: the weights in training

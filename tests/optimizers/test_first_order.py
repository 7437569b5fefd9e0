"""Against recurrences written in float64 NumPy, over 50 steps on a noisy quadratic."""

import numpy as np
import pytest
import torch
from torch import nn

from optbench.optimizers import adam, adamw, radam, sgd

STEPS = 50
LR, DECAY, EPS, BETAS = 0.01, 0.1, 1e-8, (0.9, 0.999)
RNG = np.random.default_rng(0)
START = RNG.normal(size=7)
NOISE = RNG.normal(size=(STEPS, 7))


def gradient(x: np.ndarray, t: int) -> np.ndarray:
    return 3 * x + NOISE[t - 1]


def train(build, **arguments) -> np.ndarray:
    parameter = nn.Parameter(torch.tensor(START))
    model = nn.ParameterList([parameter])
    optimizer = build(model, [{"params": [parameter]}], lr=LR, weight_decay=DECAY, **arguments)
    for t in range(1, STEPS + 1):
        parameter.grad = torch.tensor(gradient(parameter.detach().numpy(), t))
        optimizer.step()
    return parameter.detach().numpy()


def reference_sgd(momentum: float = 0.9) -> np.ndarray:
    x, buffer = START.copy(), np.zeros(7)
    for t in range(1, STEPS + 1):
        g = gradient(x, t) + DECAY * x
        buffer = momentum * buffer + g
        x = x - LR * (g + momentum * buffer)  # Nesterov
    return x


def reference_adam(*, decoupled: bool) -> np.ndarray:
    x, m, v = START.copy(), np.zeros(7), np.zeros(7)
    b1, b2 = BETAS
    for t in range(1, STEPS + 1):
        g = gradient(x, t)
        if decoupled:
            x = x - LR * DECAY * x
        else:
            g = g + DECAY * x
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        x = x - LR * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + EPS)
    return x


def papers_rho(t: int, rho_inf: float, b2: float) -> float:
    return rho_inf - 2 * t * b2**t / (1 - b2**t)


def posts_rho(t: int, rho_inf: float, b2: float) -> float:
    """As the post prints it, which is wrong."""
    return (rho_inf - 2 * t * b2**t) / (1 - b2**t) - 1


def reference_radam(*, threshold: float = 5.0, rho_t=papers_rho) -> np.ndarray:
    """Liu et al. 2020, algorithm 2, with torch's two departures."""
    x, m, v = START.copy(), np.zeros(7), np.zeros(7)
    b1, b2 = BETAS
    rho_inf = 2 / (1 - b2) - 1
    for t in range(1, STEPS + 1):
        g = gradient(x, t) + DECAY * x
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat = m / (1 - b1**t)
        rho = rho_t(t, rho_inf, b2)
        if rho > threshold:
            r = np.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
            x = x - LR * m_hat * r * np.sqrt(1 - b2**t) / (np.sqrt(v) + EPS)
        else:
            x = x - LR * m_hat
    return x


CASES = [
    (sgd.build, reference_sgd()),
    (adam.build, reference_adam(decoupled=False)),
    (adamw.build, reference_adam(decoupled=True)),
    (radam.build, reference_radam()),
]


@pytest.mark.parametrize(("build", "expected"), CASES)
def test_matches_the_numpy_recurrence(build, expected):
    np.testing.assert_allclose(train(build), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("build", "wrong"),
    [
        (sgd.build, reference_sgd(momentum=0.89)),
        (adam.build, reference_adam(decoupled=True)),
        (adamw.build, reference_adam(decoupled=False)),
        (radam.build, reference_radam(threshold=4.0)),
        (radam.build, reference_radam(rho_t=posts_rho)),
    ],
)
def test_control_another_recurrence_does_not_match(build, wrong):
    assert np.abs(train(build) - wrong).max() > 1e-6

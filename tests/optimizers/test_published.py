"""Against the papers' recurrences written in float64 NumPy, with the departures that files name."""

import math

import numpy as np
import pytest
from tests.optimizers.recurrences import (
    DECAY,
    FACTORS,
    START,
    STEPS,
    along,
    gradient,
    reference_adamw,
    second_moment,
    train,
)

from optbench.optimizers import (
    ademamix,
    lamb,
    lion,
    nadam,
    prodigy,
    schedule_free,
    shampoo,
    soap,
)

EXACT = 1e-10
FLOAT32 = 1e-5  # where the library keeps a scalar in float32, or rounds eigenvectors to it


def lion_(name: str, *, b1: float = 0.9, b2: float = 0.99) -> np.ndarray:
    x, m = START[name].copy(), 0.0
    for t in range(1, STEPS + 1):
        g = gradient(name, x, t)
        x = x - 0.01 * FACTORS[t - 1] * (np.sign(b1 * m + (1 - b1) * g) + DECAY * x)
        m = b2 * m + (1 - b2) * g
    return x


def nadam_(name: str, *, psi: float = 4e-3) -> np.ndarray:
    x, m, v, product = START[name].copy(), 0.0, 0.0, 1.0
    for t in range(1, STEPS + 1):
        lr, g = 0.01 * FACTORS[t - 1], gradient(name, x, t)
        mu, after = (0.9 * (1 - 0.5 * 0.96 ** (s * psi)) for s in (t, t + 1))
        product *= mu
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        m_hat = after * m / (1 - product * after) + (1 - mu) * g / (1 - product)
        x = x * (1 - lr * DECAY) - lr * m_hat / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return x


def ademamix_(name: str, *, warmup: int = 6, alpha: float = 5.0) -> np.ndarray:
    """The slow average's half-life rises linearly."""
    x, fast, slow, v = START[name].copy(), 0.0, 0.0, 0.0
    half_lives = [math.log(0.5) / math.log(beta) for beta in (0.9, 0.9999)]
    for t in range(1, STEPS + 1):
        lr, g, progress = 0.01 * FACTORS[t - 1], gradient(name, x, t), min(t / warmup, 1)
        half_life = (1 - progress) * half_lives[0] + progress * half_lives[1]
        b3 = 0.5 ** (1 / half_life)
        fast, slow = 0.9 * fast + 0.1 * g, b3 * slow + (1 - b3) * g
        v = 0.999 * v + 0.001 * g**2
        mixed = fast / (1 - 0.9**t) + alpha * progress * slow
        x = x - lr * (mixed / (np.sqrt(v / (1 - 0.999**t)) + 1e-8) + DECAY * x)
    return x


def lamb_(name: str, *, decay_outside: bool = False, phi=lambda norm: norm) -> np.ndarray:
    x, m, v = START[name].copy(), 0.0, 0.0
    for t in range(1, STEPS + 1):
        lr, g = 0.1 * FACTORS[t - 1], gradient(name, x, t)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        u = m / (np.sqrt(v) + 1e-6)
        if decay_outside:
            x = x * (1 - lr * DECAY)
        else:
            u = u + DECAY * x
        x = x - lr * phi(np.linalg.norm(x)) / (np.linalg.norm(u) + 1e-6) * u
    return x


def prodigy_(names: tuple, *, b3: float = 0.999**0.5, new_d_in_eps: bool = True) -> dict:
    """The factors 1 - b3 of r and s are left out, since they cancel."""
    x = {name: START[name].copy() for name in names}
    m, v, s = (dict.fromkeys(names, 0.0) for _ in range(3))
    d, r = 1e-6, 0.0
    for t in range(1, STEPS + 1):
        lr = 1.0 * FACTORS[t - 1]
        g = {name: gradient(name, x[name], t) for name in names}
        r *= b3
        for name in names:
            m[name] = 0.9 * m[name] + 0.1 * d * g[name]
            v[name] = 0.999 * v[name] + 0.001 * (d * g[name]) ** 2
            r += lr * d**2 * np.sum(g[name] * (START[name] - x[name]))
            s[name] = b3 * s[name] + lr * d**2 * g[name]
        before, d = d, max(d, r / sum(np.abs(part).sum() for part in s.values()))
        for name in names:
            eps = 0.001 * (d if new_d_in_eps else before)
            step = m[name] / (np.sqrt(v[name]) + eps) + DECAY * x[name]
            x[name] = x[name] - lr * before * step
    assert d > 1e-5  # it has grown
    return x


def schedule_free_(name: str, *, papers_debiasing: bool = False, beta: float = 0.9) -> np.ndarray:
    """The averaged weights x."""
    x, z = START[name].copy(), START[name].copy()
    v, largest, total = 0.0, 0.0, 0.0
    for t in range(1, STEPS + 1):
        lr = 0.1 * FACTORS[t - 1]
        y = (1 - beta) * z + beta * x
        g = gradient(name, y, t)
        v = 0.999 * v + 0.001 * g**2
        debias = np.sqrt(1 - 0.999**t)
        if papers_debiasing:
            lr *= debias
            step = g / (np.sqrt(v) + 1e-8)
        else:
            step = g / (np.sqrt(v / debias**2 + 1e-15) + 1e-8)
        z = z - lr * (step + DECAY * y)
        largest = max(largest, lr)
        total += largest**2
        x = x + largest**2 / total * (z - x)
    return x


def soap_(name: str, *, turns_every: int = 3, skips_first: bool = True) -> np.ndarray:
    x = START[name].copy()
    m, v, b = np.zeros_like(x), np.zeros_like(x), 0.95
    sides = range(x.ndim)
    factors = [np.zeros((n, n)) for n in x.shape]
    bases: list[np.ndarray] = []
    for t in range(1, STEPS + 1):
        lr, g = 0.01 * FACTORS[t - 1], gradient(name, x, t)
        k = t - 1 if skips_first else t
        if not bases:
            factors = [(1 - b) * second_moment(g, side) for side in sides]
            bases = [np.linalg.eigh(factor)[1][:, ::-1] for factor in factors]
            if skips_first:
                continue
        m = b * m + (1 - b) * g
        rotated, average = g, m
        for side in sides:
            rotated, average = (along(a, bases[side].T, side) for a in (rotated, average))
        v = b * v + (1 - b) * rotated**2
        update = average / (np.sqrt(v) + 1e-8)
        for side in sides:
            update = along(update, bases[side], side)
        x = x - lr * np.sqrt(1 - b**k) / (1 - b**k) * update
        x = x * (1 - lr * DECAY)
        factors = [b * f + (1 - b) * second_moment(g, side) for side, f in enumerate(factors)]
        if k % turns_every == 0:
            for side in sides:
                values = np.diag(bases[side].T @ factors[side] @ bases[side])
                order = np.argsort(values)[::-1]
                v = np.take(v, order, axis=side)
                bases[side] = np.linalg.qr(factors[side] @ bases[side][:, order])[0]
    return x


def shampoo_(
    name: str, *, limit: int = 100, order: int | None = None, every: int = 3
) -> np.ndarray:
    x = START[name].copy()
    m, v = np.zeros_like(x), np.zeros_like(x)
    sides = [side for side in range(x.ndim) if x.shape[side] <= limit]
    factors = dict.fromkeys(sides, 0.0)
    for t in range(1, STEPS + 1):
        lr, g = 0.01 * FACTORS[t - 1], gradient(name, x, t)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        adam = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        update = m
        factors = {s: 0.999 * f + 0.001 * second_moment(g, s) for s, f in factors.items()}
        if (t - 1) % every == 0:
            roots = {}
            for side, factor in factors.items():
                values, vectors = np.linalg.eigh(factor / (1 - 0.999**t))
                values = values + 1e-6 * values.max()
                power = values ** (-1 / (2 * (order or len(sides))))
                roots[side] = vectors @ np.diag(power) @ vectors.T
        for side in sides:
            update = along(update, roots[side], side)
        update = update * np.linalg.norm(adam) / np.linalg.norm(update)
        x = x * (1 - lr * DECAY) - lr * update
    return x


def each(reference, *names: str, **settings) -> dict:
    return {name: reference(name, **settings) for name in names}


FREQUENT = {"lr": 0.01, "precondition_frequency": 3}
PRODIGY = {"lr": 1.0, "eps": 0.001}
MIXED = {"lr": 0.01, "t_alpha_beta3": 6}
ALL = ("square", "wide", "kernel", "vector")
FACTORED = ("square", "kernel")  # without eigenvalues of 0, whose vectors are anything
CASES = [
    (lion, ALL, {"lr": 0.01}, each(lion_, *ALL), EXACT),
    (nadam, ALL, {"lr": 0.01}, each(nadam_, *ALL), FLOAT32),
    (ademamix, ALL, MIXED, each(ademamix_, *ALL), EXACT),
    (lamb, ALL, {"lr": 0.1}, each(lamb_, *ALL), EXACT),
    (prodigy, ALL, PRODIGY, prodigy_(ALL), FLOAT32),
    (schedule_free, ALL, {"lr": 0.1}, each(schedule_free_, *ALL), EXACT),
    (soap, FACTORED, FREQUENT, each(soap_, *FACTORED), FLOAT32),
    (shampoo, ("square", "wide", "tall", "kernel"), FREQUENT,
     each(shampoo_, "square", "wide", "tall", "kernel"), EXACT),
    (shampoo, ("wide", "kernel"), {**FREQUENT, "max_precondition_dim": 3},
     each(shampoo_, "wide", "kernel", limit=3), EXACT),
    (shampoo, ("vector",), FREQUENT, each(reference_adamw, "vector", lr=0.01), EXACT),
]  # fmt: skip
WRONG = [
    (lion, ALL, {"lr": 0.01}, each(lion_, *ALL, b1=0.99, b2=0.9)),
    (nadam, ALL, {"lr": 0.01}, each(nadam_, *ALL, psi=0.1)),
    (ademamix, ALL, MIXED, each(ademamix_, *ALL, warmup=9)),
    (ademamix, ALL, MIXED, each(ademamix_, *ALL, alpha=4.0)),
    (lamb, ALL, {"lr": 0.1}, each(lamb_, *ALL, decay_outside=True)),
    (lamb, ALL, {"lr": 0.1}, each(lamb_, *ALL, phi=lambda norm: min(norm, 2.0))),
    (prodigy, ALL, PRODIGY, prodigy_(ALL, b3=0.999)),
    (prodigy, ALL, PRODIGY, prodigy_(ALL, new_d_in_eps=False)),
    (schedule_free, ALL, {"lr": 0.1}, each(schedule_free_, *ALL, papers_debiasing=True)),
    (schedule_free, ALL, {"lr": 0.1}, each(schedule_free_, *ALL, beta=0.89)),
    (soap, FACTORED, FREQUENT, each(soap_, *FACTORED, turns_every=4)),
    (soap, FACTORED, FREQUENT, each(soap_, *FACTORED, skips_first=False)),
    (shampoo, ("wide",), FREQUENT, each(shampoo_, "wide", order=4)),
    (shampoo, ("wide",), FREQUENT, each(shampoo_, "wide", every=4)),
    (shampoo, ("wide",), FREQUENT, each(shampoo_, "wide", limit=3)),
]  # fmt: skip


@pytest.mark.parametrize(("module", "names", "args", "expected", "tolerance"), CASES)
def test_matches_the_papers_recurrence(module, names, args, expected, tolerance):
    for name, actual in train(module.build, *names, **args).items():
        moved = np.abs(expected[name] - START[name]).max()
        np.testing.assert_allclose(actual, expected[name], rtol=0, atol=tolerance * moved)


@pytest.mark.parametrize(("module", "names", "args", "wrong"), WRONG)
def test_control_another_recurrence_does_not_match(module, names, args, wrong):
    for name, actual in train(module.build, *names, **args).items():
        moved = np.abs(wrong[name] - START[name]).max()
        assert np.abs(actual - wrong[name]).max() > 10 * FLOAT32 * moved

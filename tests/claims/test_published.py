"""What published figures say of a claim, on cases that were computed by hand."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scipy import stats
from tests.claims.examples import CLAIMS, POST, evidence

from optbench.claims.judge import judge
from optbench.claims.publications import Decay, Figure, Publications, Source
from optbench.claims.published import (
    AGAINST,
    FOR,
    FOR_IN_PART,
    MIXED,
    NONE,
    UNDECIDED,
    Link,
    Published,
    implied,
    published_on,
)
from optbench.claims.schema import Contrast
from optbench.report.ledger import of_verdicts
from optbench.report.published import score_of, sentence

SOURCES = {
    name: Source(name=name, url=f"https://example.org/{name}", place="table", checked="read")
    for name in ("one", "two", "three")
}
DECAYS = {"adamw": Decay(form="decoupled", value=0.1), "adam": Decay(form="L2", value=0.0005)}


def figure(optimizer: str, mean: float, **changes: Any) -> Figure:
    values: dict[str, Any] = {
        "claims": ("cifar10-order", "finding-adamw"), "source": "one", "network": "ResNet-18",
        "dataset": "CIFAR-10", "epochs": 200, "batch": 128, "optimizer": optimizer,
        "schedule": "step", "decay": DECAYS.get(optimizer), "tuned": "unstated",
        "quantity": "score", "mean": mean, "sd": None, "seeds": None, "epoch": "last",
        "reading": "Made up.",
    }  # fmt: skip
    return Figure(**values | changes)


def on(*figures: Figure, claim: str = "finding-adamw") -> Published:
    published = Publications(file=Path("made-up.yaml"), sources=SOURCES, figures=figures, sha256="")
    return published_on(CLAIMS, published)[claim]


def link(*figures: Figure, claim: str = "finding-adamw") -> Link:
    (only,) = on(*figures, claim=claim).links
    return only


def words(only: Link, claim: str) -> str:
    (found,) = [each for each in CLAIMS.claims if each.id == claim]
    return sentence(only, found, score_of(only, found, CLAIMS))


def test_a_contrast_is_the_firsts_advantage_inside_one_source():
    only = link(figure("adamw", 0.9492), figure("adam", 0.9347))
    (finding,) = only.findings
    assert finding.difference == pytest.approx(0.0145)
    assert (only.name, only.result, finding.direction) == ("adamw over adam", FOR, FOR)


def test_two_sources_are_never_set_against_each_other():
    assert on(figure("adamw", 0.9492), figure("adam", 0.90, source="two")).links == []
    assert on(figure("adamw", 0.9492), figure("adam", 0.90, source="two")).result == NONE


@pytest.mark.parametrize(
    "other",
    [
        {"network": "ResNet-34"}, {"dataset": "CIFAR-100"}, {"epochs": 100}, {"batch": 256},
        {"schedule": "cosine"}, {"tuned": "by test"}, {"epoch": "best"}, {"detail": "16 GPUs"},
    ],
)  # fmt: skip
def test_two_settings_are_never_set_against_each_other(other: Mapping[str, Any]):
    assert on(figure("adamw", 0.95), figure("adam", 0.94, **other)).result == NONE
    both = on(figure("adamw", 0.95, **other), figure("adam", 0.94, **other))  # the control
    assert both.result == FOR_IN_PART


def test_a_claim_of_every_schedule_is_met_under_each_of_them_alone():
    means = (("adamw", 0.95), ("adam", 0.94))
    under = {s: [figure(*mean, schedule=s) for mean in means]
             for s in ("cosine", "one_cycle", "step", "warmup_cosine")}  # fmt: skip
    assert on(*under["step"], *under["cosine"], *under["warmup_cosine"]).result == FOR_IN_PART
    assert on(*under["step"], *under["cosine"], *under["one_cycle"]).result == FOR
    # An order is read as under cosine, and the post's table names no schedule: any will do.
    chain = zip(("adamw", "radam", "adam", "sgd"), (0.95, 0.94, 0.93, 0.92), strict=True)
    figures = [figure(*pair) for pair in chain]
    assert on(*figures, claim="cifar10-order").result == FOR
    assert on(*figures[1:], claim="cifar10-order").result == FOR_IN_PART


def test_directions_are_counted_over_sources():
    for_, against = (0.95, 0.94), (0.94, 0.95)

    def pair(means: tuple[float, float], source: str) -> list[Figure]:
        return [figure(o, m, source=source) for o, m in zip(("adamw", "adam"), means, strict=True)]

    assert link(*pair(for_, "one"), *pair(for_, "two")).result == FOR
    assert on(*pair(against, "one"), *pair(against, "two")).result == AGAINST
    mixed = link(*pair(for_, "one"), *pair(for_, "two"), *pair(against, "three"))
    assert mixed.result == MIXED
    told = "adamw over adam: mixed (3 contrasts of 3 sources, all under step: 2 for, 1 against)."
    assert words(mixed, "finding-adamw") == told
    assert on(*pair((0.95, 0.95), "one")).result == MIXED  # none is decided


def test_stated_runs_are_tested_and_others_shown():
    """0.186 points apart, sd 0.0702 and 0.1645 of five: half an interval is 0.2 points."""
    runs = {"seeds": 5, "sd": 0.000702}
    low = link(figure("adamw", 0.77418, seeds=5, sd=0.001645), figure("adam", 0.77604, **runs))
    (finding,) = low.findings
    variances = 0.001645**2 / 5, 0.000702**2 / 5
    df = sum(variances) ** 2 / sum(part**2 / 4 for part in variances)  # Welch, Satterthwaite
    assert df == pytest.approx(5.41, abs=0.01)
    half = stats.t.ppf(0.975, df) * sum(variances) ** 0.5
    assert half == pytest.approx(0.00201, abs=0.00001)
    assert (finding.low, finding.high) == pytest.approx((-0.00186 - half, -0.00186 + half))
    assert finding.direction == UNDECIDED
    for unstated in ({"seeds": None, "sd": 0.001645}, {"seeds": 1}, {"seeds": 5, "sd": None}):
        (shown,) = link(
            figure("adamw", 0.77418, **unstated), figure("adam", 0.77604, **runs)
        ).findings
        assert (shown.low, shown.high, shown.direction) == (None, None, AGAINST)
    wider = link(figure("adamw", 0.774, seeds=5, sd=0.001645), figure("adam", 0.777, **runs))
    assert wider.result == AGAINST  # the control


def test_scipy_agrees_on_the_test():
    first, second = (
        figure("adamw", 0.774, seeds=5, sd=0.0016),
        figure("adam", 0.777, seeds=7, sd=0.0007),
    )
    (finding,) = link(first, second).findings
    for end in (finding.low, finding.high):
        assert end is not None
        shifted = stats.ttest_ind_from_stats(
            first.mean - end, first.sd, 5, second.mean, second.sd, 7, equal_var=False
        )
        assert shifted.pvalue == pytest.approx(0.05)


def test_a_claimed_value_is_met_within_its_margin():
    """75.8 within 0.5 points; the schedule separates, and the claim's own is named."""

    def sgd(mean: float, schedule: str) -> Figure:
        return figure("sgd", mean, schedule=schedule, claims=("imagenet-sgd",))

    step = [sgd(0.75583, "step"), sgd(0.7603, "step"), sgd(0.763, "step")]
    cosine = [sgd(0.768, "warmup_cosine"), sgd(0.776, "warmup_cosine")]
    only = link(*step, *cosine, claim="imagenet-sgd")
    assert [f.direction for f in only.findings] == [FOR, FOR, FOR, AGAINST, AGAINST]
    assert only.result == MIXED
    assert set(only.separated) == {"schedule"}
    told = words(only, "imagenet-sgd")
    assert "step for (3, 75.58 to 76.30 %); warmup_cosine against (2, 76.80 to 77.60 %)" in told
    assert "The claim is read as under cosine." in told
    blurred = link(*step, *cosine, sgd(0.77, "step"), claim="imagenet-sgd")  # the control
    assert not blurred.separated
    assert "read as" not in words(blurred, "imagenet-sgd")


def test_the_epoch_reported_may_turn_a_contrast():
    """AdaBelief's curves: AdamW 94.28 and SGD 93.52 at the last epoch, 94.59 and 94.64 at best."""
    figures = [
        figure("adamw", 0.9428), figure("sgd", 0.9352),
        figure("adamw", 0.9459, epoch="best"), figure("sgd", 0.9464, epoch="best"),
    ]  # fmt: skip
    only = link(*figures, claim="cifar10-order")
    assert (only.name, only.result) == ("adamw over sgd", MIXED)
    assert [f.difference for f in only.findings] == pytest.approx([0.0076, -0.0005])
    assert list(only.separated) == ["epoch reported"]
    assert [finding.by_test for finding in only.findings] == [False, True]
    assert "1 chosen by test." in words(only, "cifar10-order")


def test_an_order_is_against_where_a_link_of_it_is():
    chain = dict(
        zip(("adamw", "radam", "adam", "sgd"), (0.9492, 0.9399, 0.9347, 0.9499), strict=True)
    )
    published = on(*[figure(*pair) for pair in chain.items()], claim="cifar10-order")
    results = {each.name: each.result for each in published.links}
    assert results == {
        "adamw over radam": FOR, "radam over adam": FOR, "adam over sgd": AGAINST,
        "adamw over adam": FOR, "radam over sgd": AGAINST, "adamw over sgd": AGAINST,
    }  # fmt: skip
    assert published.result == AGAINST
    chain["sgd"] = 0.93
    assert on(*[figure(*pair) for pair in chain.items()], claim="cifar10-order").result == FOR


def test_what_follows_from_an_order():
    keys = [("a-cosine", "b-cosine"), ("b-cosine", "c-cosine"), ("c-cosine", "d-cosine")]
    contrasts = [Contrast(first=first, second=second) for first, second in keys]
    pairs = {f"{c.first[0]}{c.second[0]}" for c in implied(contrasts)}
    assert pairs == {"ab", "bc", "cd", "ac", "bd", "ad"}
    assert implied(contrasts[:1]) == contrasts[:1]


def test_schedules_are_compared_at_one_decay():
    """ResNeXt-50: cosine is ahead at decay 0.1, and behind at 1e-4."""
    low = Decay(form="decoupled", value=0.0001)

    def adamw(mean: float, **changes: Any) -> Figure:
        return figure("adamw", mean, claims=("finding-cosine",), **changes)

    only = link(
        adamw(0.7754, schedule="cosine", tuned="by test"), adamw(0.7686, tuned="by test"),
        adamw(0.7119, schedule="cosine", decay=low, tuned="untuned"),
        adamw(0.7172, decay=low, tuned="untuned"),
        claim="finding-cosine",
    )  # fmt: skip
    assert [f.difference for f in only.findings] == pytest.approx([0.0068, -0.0053])
    assert (only.name, only.result) == ("cosine over step", MIXED)
    assert list(only.separated) == ["tuning"]
    assert {name: len(strata) for name, strata in only.separated["tuning"].items()} == {
        "tuned": 1, "untuned": 1,
    }  # fmt: skip


def test_advice_on_a_value_is_what_follows_it_over_what_does_not():
    def adamw(mean: float, value: float, *, follows: bool, **changes: Any) -> Figure:
        decay = Decay(form="decoupled", value=value)
        claims = ("advice-decay-adamw",)
        return figure("adamw", mean, claims=claims, decay=decay, follows=follows, **changes)

    advised = adamw(0.7119, 0.0001, follows=True, tuned="untuned")
    other = adamw(0.7754, 0.1, follows=False, tuned="by test")
    only = link(advised, other, claim="advice-decay-adamw")
    assert only.result == AGAINST
    assert only.findings[0].difference == pytest.approx(-0.0635)
    elsewhere = replace(other, schedule="cosine")  # the control
    assert on(advised, elsewhere, claim="advice-decay-adamw").result == NONE


def test_a_ratio_is_met_within_its_margin():
    def ratio(mean: float) -> Figure:
        return figure("adamw", mean, claims=("time-adamw",), quantity="step_time_ratio")

    directions = [f.direction for f in link(ratio(1.001), ratio(1.06), claim="time-adamw").findings]
    assert directions == [AGAINST, FOR]


def test_a_verdict_is_the_same_with_and_without_published_evidence():
    verdicts = judge(CLAIMS, {POST: evidence()})
    figures = [figure("adamw", 0.9), figure("adam", 0.99)]
    published = published_on(
        CLAIMS, Publications(file=Path("made-up.yaml"), sources=SOURCES, figures=figures, sha256="")
    )
    assert published["finding-adamw"].result == AGAINST
    with_, without = (
        of_verdicts(CLAIMS, verdicts, inputs={}, published=given) for given in (published, None)
    )
    assert [row.judgement for row in with_.rows] == [row.judgement for row in without.rows]
    assert (with_.summary, with_.has_published) == (without.summary, True)
    assert not without.has_published


def test_what_is_unstated_separates_nothing():
    def adam(mean: float, **changes: Any) -> Figure:
        return figure("adam", mean, claims=("cifar10-adam",), **changes)

    only = link(adam(0.948), adam(0.90, schedule=None, decay=None), claim="cifar10-adam")
    assert (only.result, only.separated) == (MIXED, {})
    stated = link(adam(0.948), adam(0.90, schedule="cosine"), claim="cifar10-adam")  # the control
    assert set(stated.separated) == {"schedule"}


def test_epochs_to_a_target_are_fewer_whatever_the_schedule():
    """Lu and Armour 2026, table 3: SGD 71 epochs of 80, K-FAC 35 of 50; beside accuracies."""

    def run(optimizer: str, mean: float, **changes: Any) -> Figure:
        return figure(optimizer, mean, claims=("finding-kfac",), decay=None, **changes)

    to_target = [
        run("sgd", 71.0, quantity="epochs_to_target", schedule="cosine", epochs=80),
        run("kfac", 35.0, quantity="epochs_to_target", schedule=None, epochs=50),
    ]
    (only,) = (alone := on(*to_target, claim="finding-kfac")).links
    assert only.findings[0].difference == 36
    assert alone.result == FOR
    told = "kfac over sgd, epochs to the target: for (1 contrast of 1 source)."
    assert words(only, "finding-kfac") == told
    scores = [run("sgd", 0.7599), run("kfac", 0.7531)]
    both = on(*to_target, *scores, claim="finding-kfac")
    assert [(each.quantity, each.result) for each in both.links] == [
        ("epochs_to_target", FOR), ("score", AGAINST),
    ]  # fmt: skip
    assert both.result == MIXED
    apart = [run("sgd", 0.7599, schedule="cosine"), run("kfac", 0.7531)]  # the control
    assert on(*apart, claim="finding-kfac").result == NONE

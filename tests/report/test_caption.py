"""The caption names every way in which the tuning was not equal."""

import dataclasses

import pytest
from tests.report.test_gate import INSIDE, banded

from optbench.claims.schema import load_claims
from optbench.evaluation.summary import ONE_NETWORK
from optbench.evaluation.tuning import OTHER, SEARCHED
from optbench.params.load import load_params
from optbench.params.schema import Grid
from optbench.report.caption import (
    caption,
    costs_environments,
    coverage,
    describe,
    gate,
    health,
    intervals,
    pooled,
    tuning,
)
from optbench.report.contents import Contents, read_contents
from optbench.report.ledger import Ledger, ledger
from optbench.report.readme import generated
from optbench.search.winners import Winner

WINNER = Winner(
    schedule="cosine", trials=24, epochs=10, lr=0.02, weight_decay=0.0005,
    validation_accuracy=0.9, on_edge=(),
)  # fmt: skip


def ledger_of(contents: Contents) -> Ledger:
    return ledger(load_claims(workloads=load_params().workloads), [contents])


@pytest.fixture(scope="module")
def searched() -> Contents:
    contents = read_contents(load_params(), "digits-cnn")
    return dataclasses.replace(
        contents,
        winners=dict.fromkeys(contents.suite.optimizers, WINNER),
        summaries=[dataclasses.replace(s, tuning=SEARCHED) for s in contents.summaries],
    )


def test_coverage_counts_optimizers_and_names_schedules():
    suite = Grid(optimizers=("sgd", "kfac"), schedules=("cosine", "step"), seeds=(0,))
    assert coverage(suite) == "2 optimizers under cosine, step"


def test_what_the_interval_is_goes_by_the_seeds(searched):
    (several,) = intervals(searched)
    assert "over" in several
    assert "One network" not in several
    lone = [dataclasses.replace(s, interval=ONE_NETWORK) for s in searched.summaries]
    (one,) = intervals(dataclasses.replace(searched, summaries=lone))
    assert one.startswith("\\* One network")


def test_the_caption_begins_with_the_baselines_band(searched):
    assert caption(searched)[0].startswith("digits-cnn has no sourced band for its baseline")
    inside = caption(banded(searched, INSIDE))[0]
    assert inside.startswith("The baseline sgd / cosine lies in its sourced band of 90.0 to 99.9 %")
    missed = banded(searched, dataclasses.replace(INSIDE, low=0.998))
    assert caption(missed)[0].startswith("No ranking is given: the baseline sgd / cosine has a")


def in_other_environments(contents: Contents, **other: object) -> Contents:
    """The same, but the first seed of adam / cosine ran elsewhere."""
    fingerprints = dict(contents.fingerprints)
    fingerprints["adam", "cosine", 0] = {**fingerprints["adam", "cosine", 0], **other}
    return dataclasses.replace(contents, fingerprints=fingerprints)


def test_environments_are_named_for_the_table_and_for_each_arm_that_mixes_them(searched):
    assert pooled(searched) == []
    table, arm = pooled(in_other_environments(searched, torch="9.9"))
    assert table.startswith("Warning: The table pools runs of 2 environments: ")
    assert arm.startswith("Warning: adam / cosine pools runs of 2 environments: ")
    assert "1 with torch 9.9" in arm
    assert "9 with torch " in arm


def test_environments_that_differ_in_their_data_alone_are_told_apart(searched):
    mixed = in_other_environments(searched, data_sha256="ab" * 32)
    _, arm = pooled(mixed)
    assert f"1 with data_sha256 {'ab' * 6};" in arm + ";"
    one, other = (describe(fingerprint) for fingerprint in mixed.environments)
    assert one != other
    assert "ab" * 7 not in arm + one + other


def test_the_costs_name_their_environment(searched):
    (sentence,) = costs_environments(searched)
    assert sentence.startswith("Costs were measured with torch ")
    costs = dict(searched.costs)
    costs["kfac"] = {**costs["kfac"], "fingerprint": {**costs["kfac"]["fingerprint"], "threads": 7}}
    several = costs_environments(dataclasses.replace(searched, costs=costs))
    assert [text.split(" were")[0] for text in several][1] == "Costs of kfac"
    assert "7 threads" in several[1]


def test_readmes_part_says_seeds_interval_band_and_environments(searched):
    text = generated(in_other_environments(searched, torch="9.9"), ledger_of(searched))["results"]
    for sentence in (*gate(searched), *intervals(searched), "seeds 0, 1, 2, 3"):
        assert sentence in text
    assert "adam / cosine pools runs of 2 environments" in text
    alone = generated(searched, ledger_of(searched))["results"]
    assert "pools runs" not in alone


def test_without_winners_all_is_untuned(searched):
    (sentence,) = tuning(dataclasses.replace(searched, winners={}))
    assert "untuned" in sentence


def test_an_equal_search_is_one_sentence(searched):
    (sentence,) = tuning(searched)
    assert "24 trials x 10 epochs for each optimizer" in sentence


def test_unequal_budgets_edges_and_other_values_are_named(searched):
    summaries = [
        dataclasses.replace(
            s,
            tuning={"sgd": OTHER, "radam": "untuned"}.get(s.optimizer, SEARCHED),
        )
        for s in searched.summaries
    ]
    winners = {
        "sgd": WINNER,
        "adam": dataclasses.replace(WINNER, trials=12),
        "adamw": dataclasses.replace(WINNER, on_edge=("lr",)),
    }
    text = " ".join(tuning(dataclasses.replace(searched, winners=winners, summaries=summaries)))
    assert "budgets differ: sgd 24 trials x 10 epochs, adam 12 trials x 10 epochs" in text
    assert "not searched: radam / cosine, radam / one_cycle, radam / step." in text
    assert "not at the values that won: sgd / cosine" in text
    assert "a wider one may hold a better: adamw (lr)." in text


def test_health_is_told_for_those_that_tell_it(searched):
    sentences = health(searched)
    assert [sentence.split()[2] for sentence in sentences] == ["kfac", "ngd"]
    assert "failures 0" in sentences[0]
    assert "relative_residual" in sentences[1]

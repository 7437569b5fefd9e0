"""The caption names every way in which the tuning was not equal."""

import dataclasses

import pytest
from tests.report.test_gate import INSIDE, banded

from optbench.evaluation.summary import ONE_NETWORK
from optbench.evaluation.tuning import OTHER, SEARCHED
from optbench.report import tables
from optbench.report.caption import (
    caption,
    costs_environments,
    coverage,
    describe,
    gate,
    health,
    intervals,
    pooled,
    power,
    tuning,
)
from optbench.report.contents import Contents
from optbench.report.ledger import ledger_of
from optbench.report.readme import generated
from optbench.search.winners import Winner

WINNER = Winner(
    schedule="cosine", trials=24, budget="10 epochs", hyper={"lr": 0.02, "weight_decay": 0.0005},
    validation_score=0.9, on_edge=(),
)  # fmt: skip


def results_part(contents: Contents) -> str:
    """README's part with the table."""
    return generated(contents, ledger_of(contents.claims, [contents]))["results"]


@pytest.fixture(scope="module")
def searched(contents) -> Contents:
    return dataclasses.replace(
        contents,
        winners=dict.fromkeys(contents.optimizers, WINNER),
        summaries=[dataclasses.replace(s, tuning=SEARCHED) for s in contents.summaries],
    )


def test_coverage_counts_optimizers_and_names_schedules(contents):
    suite = dataclasses.replace(
        contents.room.suite, optimizers=("sgd", "kfac"), schedules=("cosine", "step"), arms=()
    )

    def covered(**changes: object) -> str:
        room = dataclasses.replace(contents.room, suite=dataclasses.replace(suite, **changes))
        return coverage(dataclasses.replace(contents, room=room))

    assert covered() == "2 optimizers under cosine, step"
    assert covered(arms=("adam-one_cycle",)) == "3 optimizers under cosine, step, one_cycle"


def test_what_the_interval_is_goes_by_the_seeds(searched):
    (several,) = intervals(searched)
    assert "over" in several
    assert "One network" not in several
    lone = [dataclasses.replace(s, interval=ONE_NETWORK) for s in searched.summaries]
    (network,) = intervals(dataclasses.replace(searched, summaries=lone))
    assert network.startswith("* One network: its binomial interval says how well its accuracy")


def test_the_caption_begins_with_the_baselines_band(searched):
    assert str(caption(searched)[0]).startswith("digits-cnn has no sourced band for its baseline")
    inside = str(caption(banded(searched, INSIDE))[0])
    assert inside.startswith("The baseline sgd / cosine lies in its sourced band of 90 to 99.9 %")
    missed = banded(searched, dataclasses.replace(INSIDE, low=0.998))
    first = str(caption(missed)[0])
    assert first.startswith("No ranking is given: the baseline sgd / cosine has a")


def test_a_workload_that_was_not_run_has_no_baseline_to_speak_of(searched, never):
    assert gate(never) == []
    assert gate(searched)  # the control


def in_other_environments(contents: Contents, **other: object) -> Contents:
    """The same, but the first seed of adam / cosine ran elsewhere."""
    first = contents.outcomes["adam-cosine-0"]
    elsewhere = dataclasses.replace(first, fingerprint={**first.fingerprint, **other})
    outcomes = {**contents.outcomes, "adam-cosine-0": elsewhere}
    return dataclasses.replace(contents, outcomes=outcomes)


def test_environments_are_named_for_the_table_and_for_each_arm_that_mixes_them(searched):
    assert pooled(searched) == []
    table, arm = map(str, pooled(in_other_environments(searched, torch="9.9")))
    assert table.startswith("Warning: The table pools runs of 2 environments: ")
    assert arm.startswith("Warning: adam / cosine pools runs of 2 environments: ")
    assert "1 with torch 9.9" in arm
    assert "9 with torch " in arm


def test_environments_that_differ_in_their_data_alone_are_told_apart(searched):
    mixed = in_other_environments(searched, data_sha256="ab" * 32)
    _, arm = map(str, pooled(mixed))
    assert f"1 with data_sha256 {'ab' * 6};" in arm + ";"
    first, second = (describe(fingerprint) for fingerprint in mixed.environments)
    assert first != second
    assert "ab" * 7 not in arm + first + second


def test_the_costs_name_their_environment(searched):
    (sentence,) = costs_environments(searched)
    assert sentence.startswith("Costs were measured with torch ")
    kfac = searched.costs["kfac"]
    elsewhere = dataclasses.replace(kfac, fingerprint={**kfac.fingerprint, "threads": 7})
    costs = {**searched.costs, "kfac": elsewhere}
    several = costs_environments(dataclasses.replace(searched, costs=costs))
    assert [text.split(" were")[0] for text in several][1] == "Costs of kfac"
    assert "7 threads" in several[1]


def test_readmes_part_says_seeds_interval_band_and_environments(searched):
    text = results_part(in_other_environments(searched, torch="9.9"))
    for sentence in (*map(str, gate(searched)), *intervals(searched), "seeds 0, 1, 2, 3"):
        assert sentence in text
    arm = "[adam / cosine](reports/digits-cnn/report.html#cells-adam-cosine)"
    assert f"{arm} pools runs of 2 environments" in text
    assert "pools runs" not in results_part(searched)


def test_without_winners_all_is_untuned(searched):
    (sentence,) = tuning(dataclasses.replace(searched, winners={}))
    assert "untuned" in str(sentence)


def test_an_equal_search_is_one_sentence(searched):
    (sentence,) = tuning(searched)
    assert "24 trials x 10 epochs for each optimizer" in str(sentence)


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
    unequal = dataclasses.replace(searched, winners=winners, summaries=summaries)
    text = " ".join(map(str, tuning(unequal)))
    assert "budgets differ: sgd 24 trials x 10 epochs, adam 12 trials x 10 epochs" in text
    assert (
        "not searched: radam / cosine, radam / one_cycle, radam / step, radam / warmup_cosine."
        in text
    )
    assert "not at the values that won: sgd / cosine" in text
    assert "a wider one may hold a better: adamw (lr)." in text


def test_health_is_told_for_those_that_tell_it(searched):
    sentences = health(searched)
    assert [sentence.split()[2] for sentence in sentences] == ["kfac", "ngd", "prodigy"]
    assert "failures 0" in sentences[0]
    assert "relative_residual" in sentences[1]


def test_the_power_is_that_of_claims_of_the_same_score(searched, error):
    """Their margins are 0.5 pp; no claim is of an error."""
    assert "reproduced within 0.5 pp with probability" in power(searched)[0]
    assert "reproduced" not in power(error)[0]
    assert power(error)[0].startswith("The sd over seeds, pooled over 33 arms, is 0.00")


def test_the_table_counts_what_the_search_chose(searched):
    def counts(contents: Contents) -> set[str]:
        table = tables.results(contents)
        return {row.cells[table.headers.index("tuned dimensions")] for row in table.rows}

    assert counts(searched) == {"2"}
    less = dataclasses.replace(WINNER, hyper={"lr": 0.02})
    fewer = dataclasses.replace(searched, winners=dict.fromkeys(searched.optimizers, less))
    assert counts(fewer) == {"1"}
    for word, count in (("untuned", "0"), (OTHER, "-")):
        summaries = [dataclasses.replace(s, tuning=word) for s in searched.summaries]
        assert counts(dataclasses.replace(searched, summaries=summaries)) == {count}

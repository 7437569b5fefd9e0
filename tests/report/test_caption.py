"""The caption names every way in which the tuning was not equal."""

import dataclasses

import pytest

from optbench.evaluation.tuning import OTHER, SEARCHED
from optbench.params.load import load_params
from optbench.params.schema import Contrast
from optbench.report.caption import contrasts, health, tuning
from optbench.report.contents import Contents, read_contents
from optbench.search.winners import Winner

WINNER = Winner(
    schedule="cosine", trials=24, epochs=10, lr=0.02, weight_decay=0.0005,
    validation_accuracy=0.9, on_edge=(),
)  # fmt: skip


@pytest.fixture(scope="module")
def searched() -> Contents:
    contents = read_contents(load_params(), "digits-cnn")
    return dataclasses.replace(
        contents,
        winners=dict.fromkeys(contents.suite.optimizers, WINNER),
        summaries=[dataclasses.replace(s, tuning=SEARCHED) for s in contents.summaries],
    )


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


def with_contrast(contents: Contents, **names: str) -> list[str]:
    contrast = Contrast(**{"first": "kfac", "second": "sgd", "schedule": "cosine", **names})
    evaluation = dataclasses.replace(contents.evaluation, contrasts=(contrast,))
    return contrasts(dataclasses.replace(contents, evaluation=evaluation))


def test_a_contrast_is_reported_with_its_interval_and_its_answer(searched):
    (sentence,) = with_contrast(searched)
    assert sentence.startswith("Epochs to target under cosine, kfac against sgd: ")
    assert "n = 10 and 10" in sentence
    assert "Welch's t, p = " in sentence
    (turned,) = with_contrast(searched, first="sgd", second="kfac")
    answers = {"kfac needs more": "sgd needs fewer", "kfac needs fewer": "sgd needs more",
               "no clear difference": "no clear difference"}  # fmt: skip
    (answer,) = [text for text in answers if sentence.endswith(f"{text}.")]
    assert turned.endswith(f"{answers[answer]}.")


def test_a_contrast_without_runs_is_not_run(searched):
    (sentence,) = with_contrast(searched, first="lion")
    assert sentence == "Epochs to target under cosine, lion against sgd: not run."


def test_health_is_told_for_those_that_tell_it(searched):
    sentences = health(searched)
    assert [sentence.split()[2] for sentence in sentences] == ["kfac", "ngd"]
    assert "failures 0" in sentences[0]
    assert "relative_residual" in sentences[1]

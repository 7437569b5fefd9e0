from optbench.core.run import read_params, resolve
from optbench.evaluation.tuning import OTHER, SEARCHED, UNTUNED, tuning, tunings
from optbench.search.winners import Winner

WINNER = Winner(
    schedule="cosine", trials=8, epochs=3, lr=0.02, weight_decay=0.0005,
    validation_accuracy=0.9, on_edge=(),
)  # fmt: skip
ARGS = {"lr": 0.02, "weight_decay": 0.0005, "momentum": 0.9}


def test_values_are_searched_where_they_are_the_winners():
    assert tuning("cosine", ARGS, WINNER) == SEARCHED
    assert tuning("step", ARGS, WINNER) == "searched under cosine"


def test_control_other_values_or_no_search_are_told_apart():
    assert tuning("cosine", {**ARGS, "lr": 0.021}, WINNER) == OTHER
    assert tuning("cosine", {**ARGS, "weight_decay": 0.0}, WINNER) == OTHER
    assert tuning("cosine", ARGS, None) == UNTUNED


def test_each_optimizer_and_schedule_has_a_state():
    names = {"workload": "digits-cnn", "schedule": "step", "seed": 0}
    cells = [resolve(read_params(), optimizer=name, **names) for name in ("sgd", "adam")]
    assert tunings(cells, {}) == {("sgd", "step"): UNTUNED, ("adam", "step"): UNTUNED}

from tests.evaluation.examples import ADAM, SGD, planned

from optbench.core.arm import Arm
from optbench.evaluation.tuning import OTHER, SEARCHED, UNTUNED, tuning, tunings
from optbench.search.winners import Winner

WINNER = Winner(
    schedule="cosine", trials=8, budget="3 epochs", hyper={"lr": 0.02, "weight_decay": 0.0005},
    validation_score=0.9, on_edge=(),
)  # fmt: skip
ARGS = {"lr": 0.02, "weight_decay": 0.0005, "momentum": 0.9}
STEP = Arm("sgd", "step")


def test_values_are_searched_where_they_are_the_winners():
    assert tuning(planned(SGD, args=ARGS), WINNER) == SEARCHED
    assert tuning(planned(STEP, args=ARGS), WINNER) == "searched under cosine"


def test_control_other_values_or_no_search_are_told_apart():
    assert tuning(planned(args={**ARGS, "lr": 0.021}), WINNER) == OTHER
    assert tuning(planned(args={**ARGS, "weight_decay": 0.0}), WINNER) == OTHER
    assert tuning(planned(args={"lr": 0.02}), WINNER) == OTHER  # one of two is not there
    assert tuning(planned(args=ARGS), None) == UNTUNED


def test_each_arm_has_a_state():
    cells = [planned(SGD, args=ARGS), planned(STEP, args=ARGS), planned(ADAM, args=ARGS)]
    assert tunings(cells, {}) == dict.fromkeys((SGD, STEP, ADAM), UNTUNED)
    assert tunings(cells, {"sgd": WINNER}) == {
        SGD: SEARCHED, STEP: "searched under cosine", ADAM: UNTUNED,
    }  # fmt: skip

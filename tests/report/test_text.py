"""The single run in words, beside the runs that are not itself."""

import dataclasses

from tests.evaluation.test_choice import runs

from optbench.core.run import Override
from optbench.evaluation.evaluate import rank, without
from optbench.evaluation.summary import summarise
from optbench.params.load import load_params
from optbench.report.text import run_against_suite

NONE = Override(**dict.fromkeys(field.name for field in dataclasses.fields(Override)))
CELLS = [*runs("sgd", 0.95, 0.90, 0.91), *runs("adam", 0.92, 0.92, 0.92)]
OWN = CELLS[0]
PLAN = [
    run
    for run in load_params().cells("digits-cnn")
    if run.optimizer in ("sgd", "adam") and run.schedule == "cosine" and run.seed < 3
]  # sgd's seed 0 first


def test_a_run_is_not_held_against_itself():
    others = summarise(without(CELLS, PLAN, PLAN[0]))
    assert [(s.optimizer, s.n) for s in others] == [("sgd", 2), ("adam", 3)]
    text = run_against_suite(OWN, others, NONE, withheld=None)
    assert (
        "rank 1 beside the 2 means of the suite's other runs; best adam / cosine, 92.00 %" in text
    )
    assert "this run +3.00 pp" in text
    # The control: with another value it is another run, and the suite's own counts; the value that
    # it has anyway changes nothing.
    assert without(CELLS, PLAN, dataclasses.replace(NONE, lr=0.5).apply(PLAN[0])) == CELLS
    same = dataclasses.replace(NONE, lr=PLAN[0].optimizer_args["lr"]).apply(PLAN[0])
    assert len(without(CELLS, PLAN, same)) == len(CELLS) - 1


def test_an_arm_of_this_run_alone_is_not_there():
    assert summarise(without([OWN], PLAN, PLAN[0])) == []
    assert "rank" not in run_against_suite(OWN, [], NONE, withheld=None)


def test_where_nothing_is_ranked_the_run_has_no_rank():
    others = summarise(CELLS)
    assert rank(OWN, others) == 1
    text = run_against_suite(OWN, others, NONE, withheld="the baseline misses its band")
    assert text.endswith("No rank is given: the baseline misses its band.")
    assert "best" not in text

"""The single run in words, beside the runs that are not itself."""

import dataclasses

from tests.evaluation.test_choice import runs

from optbench.core.run import Override
from optbench.evaluation.evaluate import rank, without
from optbench.evaluation.summary import summarise
from optbench.report.text import run_against_suite

NONE = Override(**dict.fromkeys(field.name for field in dataclasses.fields(Override)))
CELLS = [*runs("sgd", 0.95, 0.90, 0.91), *runs("adam", 0.92, 0.92, 0.92)]
OWN = CELLS[0]


def test_a_run_is_not_held_against_itself():
    others = summarise(without(CELLS, OWN, NONE))
    assert [(s.optimizer, s.n) for s in others] == [("sgd", 2), ("adam", 3)]
    text = run_against_suite(OWN, others, NONE, withheld=None)
    assert (
        "rank 1 beside the 2 means of the suite's other runs; best adam / cosine, 92.00 %" in text
    )
    assert "this run +3.00 pp" in text
    # The control: with an override it is another run, and the suite's own counts.
    other = dataclasses.replace(NONE, lr=0.1)
    assert without(CELLS, OWN, other) == CELLS
    assert without(CELLS, dataclasses.replace(OWN, seed=9), NONE) == CELLS


def test_an_arm_of_this_run_alone_is_not_there():
    assert summarise(without([OWN], OWN, NONE)) == []
    assert "rank" not in run_against_suite(OWN, [], NONE, withheld=None)


def test_where_nothing_is_ranked_the_run_has_no_rank():
    others = summarise(CELLS)
    assert rank(OWN, others) == 1
    text = run_against_suite(OWN, others, NONE, withheld="the baseline misses its band")
    assert text.endswith("No rank is given: the baseline misses its band.")
    assert "best" not in text

"""What a person sees of a reproduction: what is to come, what changes, a bar, the time left."""

import io
import re
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console
from tests.scaling.trivial import TrivialPipeline

from optbench.scaling import view
from optbench.scaling.forecast import Forecast
from optbench.scaling.reproduction import reproduce
from optbench.scaling.schedule import State
from optbench.scaling.view import Snapshot

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:dvc")
PLAN = """  validate:
    cmd: cp params.yaml plan.txt
    deps:
    - params.yaml
    plots:
    - plan.txt:
        cache: false
"""


def shown(**count: int) -> str:
    """The bar on a terminal, of so many stages in each state."""
    console = Console(force_terminal=True, width=120, record=True, file=io.StringIO())
    states = Counter({State(name): number for name, number in count.items()})
    console.print(view._table(Snapshot(count=states, running=(), left_s=75.0)))
    return console.export_text(styles=True)


def filled(text: str) -> float:
    """The share of the bar that is drawn in the colour of what is done."""
    pieces = re.findall(r"\x1b\[([0-9;]*)m([━╸╺]+)", text)
    colours = list(dict.fromkeys(colour for colour, _ in pieces))
    widths = Counter()
    for colour, piece in pieces:
        widths[colour] += len(piece)
    return widths[colours[0]] / widths.total() if len(colours) > 1 else 0.0


def test_the_bar_is_as_full_as_stages_are_settled():
    text = shown(waiting=15, running=5, done=10, unchanged=8, failed=2)
    assert filled(text) == pytest.approx(0.5, abs=0.05)
    assert "15 waiting, 5 running, 10 done, 8 unchanged, 2 failed; about 75 s left" in text
    assert filled(shown(waiting=35, running=1, done=4)) < 0.2  # the control


def test_what_is_left_is_what_waits_and_the_rest_of_what_runs():
    forecast = Forecast(seconds={"a": 100.0, "b": 20.0, "c": 5.0})
    assert forecast.left_s(["a", "short"], {"b": 15.0, "c": 9.0}) == 105.0
    assert forecast.left_s(["short"], {}) is None
    assert Forecast().left_s(["a"], {}) is None


@pytest.fixture
def planned(tmp_path: Path, monkeypatch) -> TrivialPipeline:
    """Cells that need a plan, which is made of params.yaml; it is the working directory."""
    pipeline = TrivialPipeline(tmp_path / "pipeline", cells=3)
    file = pipeline.folder / "dvc.yaml"
    file.write_text(file.read_text().replace("- code.py", "- plan.txt") + PLAN)
    monkeypatch.chdir(pipeline.folder)
    return pipeline


def test_once_plans_are_made_it_is_told_what_has_changed_then_what_was_done(planned, capfd):
    told = []

    def forecaster(changes):
        told.append({*changes})
        return Forecast(sentences=["three cells will run"])

    def lines() -> list[str]:
        result = reproduce([], jobs=2, engine="local", oversubscribe=True, forecaster=forecaster)
        assert result.exit_code == 0
        assert result.states.keys() == {"validate", *cells, "report"}
        return capfd.readouterr().out.splitlines()

    cells = {f"train@{number}" for number in range(3)}
    first, *others = lines()
    assert (first, told) == ("three cells will run", [{*cells, "report"}])
    done = [line.split(",")[0] for line in others]
    assert {*done[:-1]} == {f"done: {name}" for name in ("validate", *cells, "report")}
    (planned.folder / "results/1").unlink()  # which DVC's run-cache gives back
    assert [line.split(",")[0] for line in lines()] == [
        "three cells will run", "restored: train@1", "1 done",
    ]  # fmt: skip
    assert told[1] == {"train@1", "report"}
    assert lines() == ["three cells will run", "nothing had changed: looked at 5 stages"]
    assert told[2] == set()
    # The control: where no stage makes a plan, nothing is told.
    reproduce(["train@0"], jobs=1, engine="local", forecaster=forecaster)
    file = planned.folder / "dvc.yaml"
    file.write_text(file.read_text().replace("  validate:", "  prepare:"))
    reproduce([], jobs=1, engine="local", forecaster=forecaster)
    assert len(told) == 4


def test_a_forecast_that_goes_wrong_fails_the_plan_and_ends(planned, capfd):
    def forecaster(changes):
        raise ValueError("no forecast")

    result = reproduce([], jobs=2, engine="local", oversubscribe=True, forecaster=forecaster)
    assert result.exit_code == 1
    assert result.states["validate"] is State.FAILED
    assert "failed: validate: no forecast" in capfd.readouterr().out

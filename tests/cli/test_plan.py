"""`optbench plan`: which of the stages that DVC calls changed will train, and for how long.

And what studies would take, and find.
"""

import json
import shutil
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cli.studied import carried_out
from tests.conftest import ROOT, Project, digits_room

from optbench.cli import outlook, plan
from optbench.core.duration import duration
from optbench.core.span import Span
from optbench.cost.estimate import estimate_s
from optbench.evaluation.power import detectable_difference
from optbench.params.code import digests
from optbench.params.load import Room
from optbench.params.plan import single_run, studies, write_plan
from optbench.scaling.forecast import Forecast
from optbench.studies.points import SEEDS

FILE = "workloads/digits-cnn/dvc.yaml"
CHANGED = [{"changed deps": {"workloads/digits-cnn/plan/suite/sgd-cosine.json": "modified"}}]
DATA = [{"changed deps": {"data/raw/digits": "deleted"}}]


@pytest.fixture(autouse=True)
def planned(monkeypatch, tmp_path) -> Path:
    """A folder with the plan of digits-cnn and its costs; it is the working directory."""
    shutil.copytree(ROOT / "costs/digits-cnn", tmp_path / "costs/digits-cnn")
    monkeypatch.chdir(tmp_path)
    write_plan(*digits_room(), dict.fromkeys(digests(), "0" * 64))
    return tmp_path


def pending(changed: dict) -> dict[str, outlook.Work]:
    return outlook.pending_work(digits_room()[0], changed)


def works(*stages: str) -> dict[str, outlook.Work]:
    """What is to be done where these stages have changed."""
    return pending({f"{FILE}:{stage}": CHANGED for stage in stages})


def test_studies_those_that_confirm_repeated_winners_and_the_single_run_train():
    arm, fixed = "kfac-warmup_cosine", "adam-warmup_cosine-untuned"
    found = works(f"study@{arm}-0-9", f"study@{fixed}-0-9", f"fresh@{arm}", f"repeat@{arm}", "run",
                  "cost@sgd", "evaluate", "report")  # fmt: skip
    assert {stage: work.count for stage, work in found.items()} == {
        f"study@{arm}-0-9": 80, f"study@{fixed}-0-9": 10, f"fresh@{arm}": 8,
        f"repeat@{arm}": SEEDS, "run": 1,
    }  # fmt: skip


def test_a_room_without_a_row_for_the_run_has_its_studies_all_the_same(planned):
    (planned / "workloads/digits-cnn/plan/run.json").unlink()
    assert [*works("study@kfac-warmup_cosine-0-9", "run")] == ["study@kfac-warmup_cosine-0-9"]


def test_a_sweep_trains_each_value_with_each_rate_in_each_study():
    stage = "workloads/digits-cnn/sweeps/dvc.yaml:sweep@decay_adam"
    (work,) = pending({stage: CHANGED}).values()
    assert (work.count, work.studies) == (5 * 5 * 10, 0)
    words = outlook.in_words(digits_room()[0], pending({stage: CHANGED}))
    assert "1 sweep will train: about" in words
    assert pending({f"{FILE}:sweep@decay_adam": CHANGED}) == {}  # the control: no such stage


def test_other_workloads_stages_do_not_count():
    other, control = "workloads/other/dvc.yaml", "workloads/digits-cnn/control/dvc.yaml"
    changed = {f"{other}:study@sgd-cosine-0": CHANGED, f"{control}:run": CHANGED}
    assert pending({"validate": CHANGED, **changed, f"{FILE}:study@sgd-cosine-0": CHANGED}) == {}


@pytest.mark.parametrize(
    ("change", "trains"),
    [
        (CHANGED[0], True),
        ("changed command", True),
        ({"changed outs": {"results/digits-cnn/suite/sgd-cosine-0": "deleted"}}, True),
        ({"changed deps": {"data/raw/digits": "modified"}}, True),
        (DATA[0], False),  # a download brings it back
        ("changed checksum", False),
    ],
)
def test_what_makes_a_stage_run(change, trains):
    assert outlook.must_run([change]) == trains


def test_the_sentence_sums_what_the_steps_of_all_trials_take():
    room = digits_room()[0]
    found = works("study@sgd-cosine-0-9", "study@adam-step-0-9", "repeat@kfac-warmup_cosine", "run")
    sentence = outlook.in_words(room, found)
    head = "digits-cnn: the single run and 20 studies will train, and 1 winner again: about "
    assert sentence.startswith(head)
    by_arm = {study.arm.key: estimate_s(study.run) for study in studies(room)}
    seconds = 80 * by_arm["sgd-cosine"] + 80 * by_arm["adam-step"]
    seconds += 5 * by_arm["kfac-warmup_cosine"] + estimate_s(single_run("digits-cnn"))
    assert f"about {duration(seconds)}," in sentence
    peaks = [
        json.loads((ROOT / f"costs/digits-cnn/{name}.json").read_text())
        for name in ("sgd", "adam", "kfac")
    ]
    megabytes = max(cost["peak_memory_bytes"] for cost in peaks) / 1e6
    assert f"up to {megabytes:.0f} MB of tensors" in sentence
    assert outlook.in_words(room, {}) == "digits-cnn: nothing will train"
    for stage, who in (("repeat@kfac-warmup_cosine", "1 winner will train again"),
                       ("run", "the single run will train")):  # fmt: skip
        sentence = outlook.in_words(room, works(stage))
        assert sentence.startswith(f"digits-cnn: {who}: about ")


def test_what_is_forecast_by_stage_sums_to_what_is_said(monkeypatch):
    room, params = digits_room()
    monkeypatch.setattr(outlook, "load_params", lambda: params)
    monkeypatch.setattr(outlook, "load_room", lambda *_: room)
    monkeypatch.setattr(outlook, "rooms", lambda: [room.name])
    changes = {f"{FILE}:{stage}": CHANGED for stage in ("study@sgd-cosine-0-9", "run", "report")}
    told = outlook.forecast(changes)
    assert told.seconds.keys() == {f"{FILE}:study@sgd-cosine-0-9", f"{FILE}:run"}
    assert f": about {duration(sum(told.seconds.values()))}, and up to" in told.sentences[0]
    assert outlook.forecast({"validate": CHANGED}) == Forecast(sentences=[], seconds={})
    # The control: who measures a step, or where none was measured, does not know how long.
    assert outlook.forecast({**changes, f"{FILE}:cost@sgd": CHANGED}).seconds is None
    shutil.rmtree("costs")
    assert outlook.forecast(changes).seconds is None


def test_where_no_step_was_measured_it_says_so(planned):
    shutil.rmtree(planned / "costs")
    sentence = outlook.in_words(digits_room()[0], works("study@sgd-cosine-0-9"))
    assert sentence.startswith("digits-cnn: 10 studies will train; ")
    cost = "dvc repro workloads/digits-cnn/dvc.yaml:cost"
    assert sentence.endswith(f"how long is not known before `{cost}` has measured a step")


def test_where_a_cost_cannot_be_it_is_named_and_nothing_is_held_up():
    room, found = digits_room()[0], works("study@sgd-cosine-0-9")
    path = Path("costs/digits-cnn/sgd.json")
    cost = json.loads((ROOT / path).read_text())
    path.write_text(json.dumps(cost | {"step_time_s": -1.0}))
    sentence = outlook.in_words(room, found)
    assert "10 studies will train; " in sentence
    assert "how long is not known: costs/digits-cnn/sgd.json has what cannot be" in sentence
    path.write_text("{")
    assert "sgd.json is no cost of a step" in outlook.in_words(room, found)
    path.write_text(json.dumps(cost))  # the control
    assert ": about " in outlook.in_words(room, found)


# What studies would take, and find


FIRST, THREE = Span(0, 0), Span(0, 2)


def of_two_arms(*keys: str, span: Span = THREE) -> Room:
    """The room with fewer arms and studies."""
    room = digits_room()[0]
    return replace(room, suite=replace(room.suite, arms=keys, studies=(span,)))


ARMS = ("sgd-cosine", "adam-cosine", "adam-warmup_cosine-untuned")


def test_hours_are_those_of_all_trials_of_all_studies_of_tuned_arms():
    room = of_two_arms(*ARMS)
    times = [estimate_s(study.run) for study in studies(room) if study.space]
    for count, trials in ((3, 8), (3, 16), (4, 100)):
        (hours, _) = plan.prospect(room, count, trials)
        assert hours.startswith(
            f"digits-cnn: {count} studies of {trials} trials of 2 tuned arms: a"
        )
        assert f": about {duration(count * trials * sum(times))} on one machine" in hours
    shutil.rmtree("costs")
    assert plan.prospect(room, 3, 8)[0].endswith("how long is not known, since not all steps were "
                                                 "measured")  # fmt: skip


def test_below_five_studies_no_ordering_is_called():
    room = of_two_arms(*ARMS)
    said = [plan.prospect(room, count, 8)[1] for count in (1, 4, 5)]
    assert said[:2] == ["below 5 studies a side no ordering is called"] * 2
    assert "below" not in said[2]


def test_a_difference_is_found_by_the_spread_of_the_studies_that_there_are(planned):
    room = of_two_arms(*ARMS)
    said = plan.prospect(room, 5, 8)[1]
    assert said.startswith("what they would find is not known: digits-cnn/sgd-cosine-0: no valid")
    assert len(said.splitlines()) == 1
    scores = {"sgd": (0.9, 0.92, 0.94), "adam": (0.8, 0.81, 0.85)}
    for study in studies(room):
        for number, test in enumerate(scores[study.arm.optimizer]):
            validation = [0.5] * study.trials
            carried_out([(study, number, validation)], room.score, planned, test=test, span=THREE)
    sd = statistics.fmean(map(statistics.variance, scores.values())) ** 0.5
    for count in (5, 10):
        said = plan.prospect(room, count, 8)[1]
        smallest = 100 * detectable_difference(k=count, s=sd)
        assert f"a true difference of {smallest:.2f} pp between two arms would be found" in said
        assert f"(sd over studies {100 * sd:.3f} pp, from studies of 8 trials)" in said
    alone = of_two_arms(*ARMS, span=FIRST)  # the control: one study has no spread
    for study in studies(alone):
        carried_out([(study, 0, [0.5] * study.trials)], room.score, planned, span=FIRST)
    assert "no two studies say how they spread" in plan.prospect(alone, 5, 8)[1]


def test_the_spread_is_within_each_arm_and_environment_as_the_report_has_it(planned):
    span = Span(0, 3)
    room = of_two_arms("sgd-cosine", span=span)
    (study,) = studies(room)
    scores = {"cpu": (0.9, 0.92), "cuda": (0.7, 0.74)}
    for first, (device, pair) in zip((0, 2), scores.items(), strict=True):
        for number, test in enumerate(pair, start=first):
            carried_out([(study, number, [0.5] * study.trials)], room.score, planned, test=test,
                        span=span, fingerprint={"device": device})  # fmt: skip
    sd = statistics.fmean(map(statistics.variance, scores.values())) ** 0.5
    assert f"(sd over studies {100 * sd:.3f} pp," in plan.prospect(room, 5, 8)[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("digits-cnn", "--studies: got none: must be 1 or more"),
        ("--trials 8", "--studies: got none: must be 1 or more"),
        ("digits-cnn --studies 0", "--studies: got 0: must be 1 or more"),
        ("digits-cnn --studies 5 --trials 0", "--trials: got 0: must be 1 or more"),
        ("digits-cnn --studies 5 --trials -1", "--trials: got -1: must be 1 or more"),
        ("digits-cnn --studies x", "argument --studies: invalid int value: 'x'"),
    ],
)
def test_what_cannot_be_planned_is_refused(bare: Project, arguments, message):
    done = bare.run("optbench", "plan", *arguments.split(), check=False)
    assert done.returncode == 1
    assert message in done.stdout
    assert "Traceback" not in done.stdout

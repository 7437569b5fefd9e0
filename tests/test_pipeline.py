"""What `dvc repro` and `dvc exp run` do: each promise on a small pipeline in a temporary clone."""

import json
import pstats
import shutil
import sys
from pathlib import Path

import pytest

from tests.conftest import DVC, ROOT, SECOND_WORKLOAD, Project, copy_tracked_files, executed

# Calls of functions, as many on every machine: of DVC's process with nothing to do in a suite of
# 400 studies, of DVC's that is refused a value, and of the stage that refuses it.
NO_OP_CALLS, REFUSAL_CALLS, VALIDATE_CALLS = 7_000_000, 7_500_000, 5_500_000
STUDIES = {f"study@{optimizer}-{schedule}-0" for optimizer in ("sgd", "adam")
         for schedule in ("cosine", "step")}  # fmt: skip
VALIDATION = {"validate", "room-validate"}
REPORTING = {"evaluate", "report", "score@digits-cnn"}
ROOM = "digits-cnn"
FILE = f"workloads/{ROOM}/params.yaml"


def counted(project: Project, *command: str) -> tuple[str, int]:
    """What a script of Python prints, and how many calls of functions it takes its own process."""
    profile = project.folder.parent / "profile"
    script = (sys.executable, "-m", "cProfile", "-o", str(profile), *command)
    output = project.run("env", "PYTHONPATH=src", *script, check=False).stdout
    return output, pstats.Stats(str(profile)).total_calls


def test_first_run_carried_out_every_study_and_rendered_the_report(project: Project):
    folder = project.folder / "reports/digits-cnn"
    table = (folder / "results.md").read_text()
    assert all(f"| [{name}](" in table for name in ("sgd", "adam"))
    for name in ("learning_curves", "final_score", "schedule_shapes"):
        assert (folder / f"figures/{name}.svg").stat().st_size > 1000
        assert (folder / f"figures/{name}.png").read_bytes().startswith(b"\x89PNG")


def test_second_repro_runs_nothing(project: Project):
    assert project.repro() == []


def test_the_committed_results_are_valid_and_a_no_op_is_quick(tmp_path: Path):
    """The project itself, as somebody gets it."""
    project = Project(tmp_path)
    copy_tracked_files(tmp_path)
    project.run("git", "init", "-q")
    project.commit()
    stages = project.repro()
    assert "run" in stages
    assert set(stages) <= {"download@digits", "run", "score@digits-cnn"}
    status = json.loads(project.run("dvc", "status", "--json").stdout)
    assert not [stage for stage in status if stage.startswith(f"workloads/{ROOM}/dvc.yaml")]
    output, calls = counted(project, DVC, "repro")
    assert executed(output) == []
    assert calls < NO_OP_CALLS


def test_fresh_clone_downloads_and_trains_the_single_run_alone(fresh_clone: Project):
    stages = fresh_clone.repro()
    assert {"download@digits", "run"} <= set(stages)
    assert set(stages) <= {"download@digits", "run", "score@digits-cnn"}
    assert fresh_clone.run("git", "status", "--porcelain").stdout == ""  # the same bits


def test_exp_run_trains_one_run_and_gives_a_row_with_its_accuracy(project: Project):
    output = project.run("dvc", "exp", "run", "-n", "try-radam", "-S", "optimizer=radam").stdout
    # Nothing is evaluated or rendered anew that has not changed.
    assert executed(output) == ["validate", "room-validate", "run", "score@digits-cnn"]
    assert "radam / cosine / seed 0: test accuracy" in output
    table = json.loads(project.run("dvc", "exp", "show", "--json").stdout)
    rows = [
        revision["data"]
        for branch in table
        for experiment in branch["experiments"] or []
        for revision in experiment["revs"]
        if experiment["name"] == "try-radam"
    ]
    metrics = rows[0]["metrics"]["reports/run.json"]["data"]
    assert metrics["test_score"] == project.json("reports/run.json")["test_score"]
    assert rows[0]["params"]["params.yaml"]["data"]["optimizer"] == "radam"

    # CIFAR-10 is not there: DVC brings back what is, and then says what is not.
    weights = project.folder / "models/digits-cnn.safetensors"
    trained = weights.read_bytes()
    project.run("git", "reset", "--hard", "-q")
    weights.unlink()
    applied = project.run("dvc", "exp", "apply", "try-radam", check=False)
    assert applied.returncode
    assert "data/raw/cifar10" in applied.stdout
    assert project.read_params()["optimizer"] == "radam"
    assert weights.read_bytes() == trained
    project.run("dvc", "checkout", "--allow-missing")  # ends well: that was all
    assert "up to date" in project.run("dvc", "status", f"workloads/{ROOM}/dvc.yaml:run").stdout
    whole = project.run("dvc", "exp", "save", "-n", "all", check=False)
    assert "failed to save experiment" in whole.stdout  # the control: something is not there
    project.run("dvc", "exp", "save", "-n", "kept", f"workloads/{ROOM}/dvc.yaml:run")
    assert "kept" in project.run("dvc", "exp", "list").stdout


@pytest.mark.parametrize(
    ("file", "messages"),
    [
        ("params.yaml", {
            "optimizer=radma": "unknown optimizer 'radma': did you mean 'radam'?",
            "schedule=cosin": "unknown schedule 'cosin': did you mean 'cosine'?",
            "workload=digits-cn": "unknown workload 'digits-cn': did you mean 'digits-cnn'?",
            "override.lr=-0.1": "override.lr: got -0.1: must be greater than 0",
            "override.device=cuda:999": "override.device: got 'cuda:999': must be auto, cpu",
        }),
        (FILE, {
            f"{FILE}:optimizers.sgd.lr=-1": "optimizers.sgd.lr: got -1: must be greater than 0",
            f"{FILE}:suite.studies=[-1]": "suite.studies.0: got -1: must be a whole number",
            f"{FILE}:settings.network_args.width=0": "settings.network_args.width: got 0",
        }),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_before_anything_runs(project: Project, file, messages):
    for override, message in messages.items():
        refused = project.run("dvc", "exp", "run", "-S", override, check=False)
        assert refused.returncode != 0
        assert message in refused.stdout
        assert f"git restore {file}" in refused.stdout
        assert not {"run", *STUDIES} & set(executed(refused.stdout))
        project.run("git", "restore", file)
    assert project.repro() == []


def test_a_bad_value_is_refused_quickly(project: Project):
    output, calls = counted(project, DVC, "exp", "run", "-S", "override.lr=-0.1")
    assert "override.lr: got -0.1: must be greater than 0" in output
    assert calls < REFUSAL_CALLS
    output, calls = counted(project, "stages/validate.py")
    assert "override.lr: got -0.1: must be greater than 0" in output
    assert calls < VALIDATE_CALLS


def test_a_one_off_override_trains_the_run_and_no_study(project: Project):
    output = project.run("dvc", "exp", "run", "-S", "override.lr=0.003").stdout
    assert "sgd / cosine / seed 0 with lr 0.003: test accuracy" in output
    assert project.read_params()["override"]["lr"] == 0.003
    assert project.repro() == []
    changed = project.run("git", "diff", "HEAD", "--name-only").stdout.split()
    assert "results/digits-cnn/run/metrics.json" in changed
    assert not [path for path in changed if "/suite/" in path]


def test_a_space_reruns_its_studies_and_going_back_runs_nothing(project: Project):
    before = project.read_params(ROOM)["search"]["space"]["adam"]["lr"]
    project.set("search.space.adam.lr", [bound * 2 for bound in before], ROOM)
    studies = {"study@adam-cosine-0", "study@adam-step-0"}
    assert set(project.repro()) == {"room-validate", *studies, *REPORTING}
    project.set("search.space.adam.lr", before, ROOM)
    assert project.repro() == []
    assert project.run("git", "diff", "HEAD", "--stat", "--", "results").stdout == ""


def test_the_best_trials_go_into_the_single_run_and_make_no_study_stale(project: Project):
    diff = project.run("optbench", "best", ROOM).stdout
    assert diff.count("# best of 2 trials") == 4
    assert project.stale() == {"run"}
    best = project.read_params(ROOM)["best"]["sgd-cosine"]
    output = project.run("dvc", "repro").stdout
    assert executed(output) == ["run", "score@digits-cnn"]
    args = project.json(f"results/{ROOM}/run/run.json")["optimizer_args"]
    assert {name: args[name] for name in best} == best
    assert "of the 2 trials of sgd / cosine, and than" in output
    assert "its values: best of 2 trials, by validation" in output
    assert "no change" in project.run("optbench", "best", ROOM).stdout
    project.set("best.sgd-cosine.lr", 0.0123, ROOM)  # the control: not those of a trial
    assert "its values" not in project.run("dvc", "repro").stdout


def test_a_room_s_own_value_is_reached_by_an_experiment(project: Project):
    study = f"workloads/{ROOM}/dvc.yaml:study@sgd-cosine-0"
    value = f"{FILE}:optimizers.sgd.momentum=0.5"
    output = project.run("dvc", "exp", "run", "-S", value, study).stdout
    assert executed(output) == ["room-validate", "study@sgd-cosine-0"]
    run = project.json(f"results/{ROOM}/suite/sgd-cosine-0/0/run.json")
    assert run["optimizer_args"]["momentum"] == 0.5


def test_a_schedule_makes_its_studies_stale(project: Project):
    project.set("schedules.step.gamma", 0.2)
    assert project.stale() == {"study@sgd-step-0", "study@adam-step-0", "evaluate"}


def test_arms_of_each_tuning_repeated_winners_and_fresh_studies(project: Project):
    arms = project.read_params(ROOM)["suite"]["arms"]
    added = ["sgd-cosine-untuned", "adam-cosine-published"]
    project.set("suite.arms", [*added, *arms], ROOM)
    project.set("suite.repeated", ["sgd-cosine"], ROOM)
    project.set("suite.fresh", ["adam-step"], ROOM)
    assert set(project.repro()) == {
        "room-validate", *(f"study@{arm}-0" for arm in added), "repeat@sgd-cosine",
        "fresh@adam-step", *REPORTING,
    }  # fmt: skip
    results = project.folder / f"results/{ROOM}"
    assert len((results / "repeats/sgd-cosine.csv").read_text().splitlines()) == 6
    runs = [project.json(f"results/{ROOM}/suite/{arm}-0/0/run.json") for arm in added]
    assert [run["settings"]["train_split"] for run in runs] == ["holdout", "full"]
    assert runs[0]["optimizer_args"]["lr"] == 0.1
    fresh = project.json(f"results/{ROOM}/fresh/adam-step/run.json")
    assert fresh["seed"] in (2000, 2001)
    page = (project.folder / "reports/digits-cnn/results.md").read_text()
    assert "as published" in page
    assert "untuned" in page


@pytest.mark.slow
def test_a_sweep_is_carried_out_for_the_report_and_again_where_a_value_changes(project: Project):
    stages = f"workloads/{ROOM}/sweeps/dvc.yaml"
    (project.folder / stages).parent.mkdir()
    shutil.copy(ROOT / stages, project.folder / stages)
    sweep = {"arms": ["adam-cosine"], "argument": "eps", "values": [1.0e-8, 0.1], "studies": 2}
    project.set("sweeps", {"eps": sweep, "decay": {**sweep, "argument": "weight_decay"}}, ROOM)
    first = project.repro(f"workloads/{ROOM}/dvc.yaml:report")
    both = {f"{stages}:sweep@eps", f"{stages}:sweep@decay"}
    assert set(first) == {"room-validate", "report", *both}
    page = (project.folder / f"reports/{ROOM}/report.html").read_text()
    assert "swept_scores" in page
    assert (
        "results/digits-cnn/sweeps/eps/trials.csv"
        in (project.folder / f"reports/{ROOM}/inputs.sha256").read_text()
    )
    project.set("sweeps.eps.values", [1.0e-8, 0.01], ROOM)
    again = project.repro(f"workloads/{ROOM}/dvc.yaml:report")
    assert set(again) == {"room-validate", "report", f"{stages}:sweep@eps"}
    assert project.repro(f"workloads/{ROOM}/dvc.yaml:report") == []


@pytest.mark.slow
def test_switching_the_workload_there_and_back_runs_nothing(project: Project):
    project.set("workload", SECOND_WORKLOAD)
    first = project.repro()
    assert any(SECOND_WORKLOAD in stage for stage in first)
    project.set("workload", "digits-cnn")
    assert project.repro() == []
    project.set("workload", SECOND_WORKLOAD)
    assert project.repro() == []


def test_a_comment_runs_nothing(project: Project):
    project.edit("params.yaml", "\n# a remark\n")
    assert project.repro() == []


def test_plotting_and_evaluation_code_retrain_nothing(project: Project):
    project.edit("src/optbench/report/style.py", "\nEDITED = 1\n")
    assert project.stale() == {"report"}
    project.edit("src/optbench/evaluation/summary.py", "\nEDITED = 1\n")
    assert project.stale() == {"evaluate", "report"}
    project.edit("src/optbench/evaluation/evaluate.py", "\nEDITED = 1\n")
    assert project.stale() == {"evaluate", "report", "score@digits-cnn"}


def test_what_changes_no_result_of_these_optimizers_retrains_nothing(project: Project):
    project.edit("src/optbench/training/loop.py", "\n# a remark\n")
    for file in ("curvature/fisher", "supervision/progress", "params/messages", "download/http"):
        project.edit(f"src/optbench/{file}.py", "\nEDITED = 1\n")
    assert not {"run", "cost@sgd", *STUDIES} & project.stale()


def test_the_target_accuracy_retrains_nothing(project: Project):
    project.set("target", 0.5, ROOM)
    assert project.stale() == {"evaluate", "report", "score@digits-cnn"}


def test_training_code_makes_every_study_stale(project: Project):
    """The control: an edit that must retrain does."""
    project.edit("src/optbench/training/loop.py", "\nEDITED = 1\n")
    assert {"run", "cost@sgd", *STUDIES} <= project.stale()


def test_removing_an_optimizer_runs_evaluate_and_report_alone(project: Project):
    project.set("suite.arms", ["sgd-cosine", "sgd-step"], ROOM)
    assert set(project.repro()) == {"room-validate", *REPORTING}
    assert "| [adam](" not in (project.folder / "reports/digits-cnn/results.md").read_text()


def test_a_suite_without_studies_still_scores_the_single_run(project: Project):
    project.set("suite.studies", [], ROOM)
    assert set(project.repro()) == {"room-validate", *REPORTING}
    assert "Not run" in (project.folder / "reports/digits-cnn/results.md").read_text()
    assert project.json("reports/run.json")["trials"] == 0


def test_evaluate_names_a_missing_study(project: Project):
    (project.folder / "results/digits-cnn/suite/adam-step-0/0/metrics.json").unlink()
    command = ("env", "PYTHONPATH=src", "python", "stages/evaluate.py", "digits-cnn")
    done = project.run(*command, check=False)
    assert done.returncode == 1
    assert "digits-cnn/adam-step-0" in done.stdout
    assert "Traceback" not in done.stdout


def test_evaluate_refuses_a_result_that_is_not_the_planned_run(project: Project):
    file = project.folder / "workloads/digits-cnn/plan/suite/adam-step.json"
    planned = json.loads(file.read_text())
    planned["run"]["settings"]["batch_size"] *= 2
    file.write_text(json.dumps(planned))
    command = ("env", "PYTHONPATH=src", "python", "stages/evaluate.py", "digits-cnn")
    refused = project.run(*command, check=False)
    assert refused.returncode == 1
    assert "digits-cnn/adam-step-0" in refused.stdout
    assert "settings.batch_size is 64 in the result and 128 in the plan" in refused.stdout
    assert "dvc repro" in refused.stdout
    assert "Traceback" not in refused.stdout
    project.run("git", "restore", ".")
    assert project.run(*command).returncode == 0  # the control


def test_the_plan_says_what_will_train(project: Project):
    assert "nothing will train" in project.run("optbench", "plan").stdout
    project.set("search.space.adam.lr", [0.001, 0.316], ROOM)
    output = project.run("optbench", "plan").stdout
    assert ": 2 studies will train: about" in output


def test_the_plan_of_a_fresh_clone_counts_the_single_run_alone(fresh_clone: Project):
    output = fresh_clone.run("optbench", "plan").stdout
    assert ": the single run will train: about" in output


@pytest.mark.slow
def test_a_queued_experiment_succeeds_whatever_is_edited_meanwhile(project: Project):
    project.run("dvc", "exp", "run", "--queue", "-n", "other", "-S", "override.lr=0.01")
    project.edit("src/optbench/training/loop.py", "\nraise RuntimeError('leaked')\n")
    project.run("dvc", "queue", "start")
    status = project.finish_queue()
    assert status.count("Success") == 1, status


def test_metrics_params_plots_and_dag_work(project: Project):
    project.run("dvc", "exp", "run", "-S", "optimizer=adam")
    metrics = json.loads(project.run("dvc", "metrics", "diff", "--json").stdout)
    assert "test_score" in metrics["reports/run.json"]
    params = json.loads(project.run("dvc", "params", "diff", "--json").stdout)
    assert params["params.yaml"]["optimizer"] == {"old": "sgd", "new": "adam"}
    target = "results/digits-cnn/run/history.csv"
    assert "failed" not in project.run("dvc", "plots", "diff", "--targets", target).stdout
    assert "score@digits-cnn" in project.run("dvc", "dag", "--mermaid").stdout


@pytest.mark.parametrize(
    "text",
    [
        "0 $(touch touched)",
        "0'; touch touched; '",
        "0\ntouch touched\n",
        *(pytest.param(text, marks=pytest.mark.slow) for text in (
            "0; touch touched", '0"; touch touched; "', "0 `touch touched`", "0 && touch touched #",
        )),
    ],
)  # fmt: skip
def test_no_shell_carries_out_what_stands_in_params(project: Project, text):
    """Nor where `validate` is passed by."""
    room, files = f"workloads/{ROOM}", "dvc.yaml"
    before = project.read_params(ROOM)
    places = {
        "name": ["validate", "run", "evaluate", "report"],
        "suite.studies": [f"study@sgd-cosine-{text}"],
        "suite.arms": [f"study@{text}-0"],
        "suite.repeated": [f"repeat@{text}"],
        "suite.fresh": [f"fresh@{text}"],
        "optimizers": [f"cost@{text}"],
    }
    for place, stages in places.items():
        value = {text: {"lr": 0.1}} if place == "optimizers" else [text]
        project.set(place, text if place == "name" else value, ROOM)
        targets = [f"{room}/{files}:{stage}" for stage in stages]
        for target in targets:
            done = project.run("dvc", "repro", "-s", target, check=False)
            assert done.returncode != 0
            assert not list(project.folder.rglob("touched"))
        project.write_params(before, ROOM)
    project.set("workload", text)
    assert project.run("dvc", "repro", "-s", f"score@{text}", check=False).returncode != 0
    assert project.run("dvc", "repro", check=False).returncode != 0
    assert not list(project.folder.rglob("touched"))


def test_control_a_command_with_a_value_in_it_is_carried_out(project: Project):
    project.edit("dvc.yaml", "\n  bare:\n    cmd: echo ${seed}\n")
    project.set("seed", "0; touch touched")
    project.run("dvc", "repro", "-s", "bare")
    assert (project.folder / "touched").exists()

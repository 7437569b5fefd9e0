"""The search pipeline: on demand, resumable, and read by nothing else."""

from tests.conftest import Project

ROOM = "digits-cnn"
SEARCH = f"workloads/{ROOM}/search"
TUNE = ("optbench", "tune", ROOM)


def tunings(project: Project) -> set[str]:
    """The last column of the results table of each row."""
    lines = (project.folder / f"reports/{ROOM}/results.md").read_text().splitlines()
    return {
        line.split("|")[-3].strip() for line in lines if line.startswith(("| [sgd]", "| [adam]"))
    }


def test_search_tune_and_evaluate(project: Project):
    assert tunings(project) == {"untuned"}
    room = project.read_params(ROOM)
    del room["optimizers"]["radam"], room["search"]["space"]["radam"]
    project.write_params(room, ROOM)
    stages = project.repro(f"{SEARCH}/dvc.yaml")
    assert {stage.rpartition(":")[2] for stage in stages} == {
        "room-validate", "search@sgd", "search@adam", "collect",
    }  # fmt: skip
    assert not list((project.folder / "scratch").rglob("*.csv"))
    assert len((project.folder / f"{SEARCH}/trials.csv").read_text().splitlines()) == 5
    assert project.repro() == []  # a search alone changes nothing

    diff = project.run(*TUNE).stdout
    assert f"--- a/workloads/{ROOM}/params.yaml" in diff
    lines = [line for line in diff.splitlines() if line.startswith("+ ")]
    assert len(lines) == 2 * 2  # optimizers x dimensions, a line each in this clone's file
    stages = project.repro(f"{SEARCH}/dvc.yaml")
    assert not [stage for stage in stages if "search@" in stage]
    trained = project.repro()
    assert {"train@sgd-cosine-0", "train@adam-step-0", "evaluate", "report"} <= set(trained)
    assert not [stage for stage in trained if "search" in stage]
    assert tunings(project) == {"searched", "searched under cosine"}
    page = (project.folder / f"reports/{ROOM}/results.md").read_text()
    assert "2 trials x 1 epoch for each optimizer" in page
    assert "no change" in project.run(*TUNE).stdout

    project.set("exceptions", {"sgd-step": {"lr": 0.0456}}, ROOM)
    assert {stage for stage in project.repro() if "train" in stage} == {"train@sgd-step-0"}
    assert tunings(project) == {"searched", "searched under cosine", "differs from the winner"}
    page = (project.folder / f"reports/{ROOM}/results.md").read_text()
    assert "Warning: not at the values that won: [sgd / step](report.html#" in page
    assert page.count("not at the values that won") == 1


def test_a_plain_repro_never_searches(project: Project):
    project.set("search.trials", 3, ROOM)
    project.edit("src/optbench/search/carry_out.py", "\nSPARE = 1\n")
    assert not [stage for stage in project.repro() if "search" in stage or "train" in stage]
    assert not (project.folder / f"{SEARCH}/trials").exists()

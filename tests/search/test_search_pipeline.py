"""A search on demand, its winners in params.yaml, and what the report then says of them."""

from tests.conftest import Project

PYTHON = ("env", "PYTHONPATH=src", "python")


def tunings(project: Project) -> set[str]:
    """The last column of the results table of each row."""
    lines = (project.folder / "reports/digits-cnn/results.md").read_text().splitlines()
    return {
        line.split("|")[-2].strip() for line in lines if line.startswith(("| [sgd]", "| [adam]"))
    }


def test_search_tune_and_evaluate(project: Project):
    assert tunings(project) == {"untuned"}
    stages = project.repro("searches/digits-cnn/dvc.yaml")
    assert {stage.rpartition(":")[2] for stage in stages} == {
        "search@sgd", "search@adam", "collect",
    }  # fmt: skip
    assert not list((project.folder / "scratch").rglob("*.csv"))
    assert len((project.folder / "searches/digits-cnn/trials.csv").read_text().splitlines()) == 5
    assert project.repro() == []  # a search alone changes nothing

    diff = project.run(*PYTHON, "stages/tune.py").stdout
    assert "--- a/params.yaml" in diff
    assert diff.count("\n+        ") == 2 * 3 * 2  # optimizers x schedules x dimensions
    assert project.repro("searches/digits-cnn/dvc.yaml") == ["validate"]
    trained = project.repro()
    assert {"train@sgd-cosine-0", "train@adam-step-0", "evaluate", "report"} <= set(trained)
    assert not [stage for stage in trained if "search" in stage]
    assert tunings(project) == {"searched", "searched under cosine"}
    page = (project.folder / "reports/digits-cnn/results.md").read_text()
    assert "2 trials x 1 epoch for each optimizer" in page
    assert "params.yaml stays as it is." in project.run(*PYTHON, "stages/tune.py").stdout

    project.set("optimizers.sgd.digits-cnn.step.lr", 0.0456)
    project.repro()
    assert tunings(project) == {"searched", "searched under cosine", "differs from the winner"}
    page = (project.folder / "reports/digits-cnn/results.md").read_text()
    assert "Warning: not at the values that won: sgd / step." in page


def test_a_plain_repro_never_searches(project: Project):
    project.set("search.digits-cnn.trials", 3)
    project.edit("src/optbench/search/carry_out.py", "\n# a remark\n")
    assert set(project.repro()) <= {"validate"}
    assert not (project.folder / "searches/digits-cnn/trials").exists()

"""A task that is no classification: a regression whose optimum has a closed form.

From params to table, figures, verdict and sentence, with no accuracy and no image anywhere.
"""

import hashlib
import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Project
from tests.second_task.plane import TRAIN_EXAMPLES, drawn

PARTS = Path(__file__).parent / "second_task"
PACKAGE = "src/optbench"
PLACES = {
    "score.py": "tasks/regression/score.py", "task.py": "tasks/regression/task.py",
    "plane.py": "datasets/plane.py", "affine.py": "models/affine.py",
}  # fmt: skip
ROOM = "plane-affine"
CLAIMS = """
post: {title: made up, date: 2025-01-15}
baselines: {}
claims:
- {id: value, kind: value, place: here, text: SGD has an error of 0.09., quantity: score,
   workload: plane-affine, claimed: 0.09, margin: 0.03, k0: 1,
   arm: sgd-cosine-published, studies: [0, 1, 2]}
- {id: wrong, kind: value, place: here, text: SGD has an error of 9., quantity: score,
   workload: plane-affine, claimed: 9.0, margin: 1.0, k0: 1,
   arm: sgd-cosine-published, studies: [0, 1, 2]}
- {id: order, kind: ordering, place: here, text: SGD beats a decayed Adam., quantity: score,
   workload: plane-affine, margin: 0.0,
   contrasts: [{first: sgd-cosine-published, second: adam-cosine-published}], transfer: []}
"""
NAMED = r"accurac|\bimage|\bclasses\b|\bcrop|\bpp\b|\(%\)|accuracy %"


def least_squares() -> float:
    """The test error of the closed form."""
    table = np.load(io.BytesIO(drawn()["plane.npy"])).astype(np.float64)
    x, y = np.column_stack([table[:, :-1], np.ones(len(table))]), table[:, -1]
    weights = np.linalg.lstsq(x[:TRAIN_EXAMPLES], y[:TRAIN_EXAMPLES], rcond=None)[0]
    return float(np.mean((x[TRAIN_EXAMPLES:] @ weights - y[TRAIN_EXAMPLES:]) ** 2))


def add_room(project: Project) -> None:
    """The task, its data, its network, and a room in which they meet."""
    for name, place in PLACES.items():
        target = project.folder / PACKAGE / place
        target.parent.mkdir(exist_ok=True)
        shutil.copy(PARTS / name, target)
    (project.folder / PACKAGE / "tasks/regression/__init__.py").touch()
    digest = hashlib.sha256(drawn()["plane.npy"]).hexdigest()
    file = project.folder / PACKAGE / PLACES["plane.py"]
    text = file.read_text().replace("str] = {}", f'str] = {{"plane.npy": "{digest}"}}')
    file.write_text(text)
    project.run("optbench", "new", "dataset", "plane")
    project.run("optbench", "new", "workload", ROOM, "--like", "digits-cnn")
    room = project.read_params(ROOM)
    room["settings"] |= {
        "dataset": "plane", "task": "regression", "task_args": {}, "network": "affine",
        "network_args": {}, "budget": {"steps": 400}, "batch_size": 45,
    }  # fmt: skip
    room["target"] = 0.2
    # Nothing is held out by which trials could be chosen.
    room["suite"] = {"arms": [f"{name}-cosine-published" for name in ("sgd", "adam")],
                     "studies": [0, 1, 2], "repeated": [], "fresh": []}  # fmt: skip
    room["optimizers"] = {"sgd": {"lr": 0.02}, "adam": {"lr": 0.05, "weight_decay": 1.0}}
    room["search"]["space"] = {"sgd": {"lr": [0.001, 0.1]}, "adam": {"lr": [0.001, 0.1]}}
    project.write_params(room, ROOM)
    project.set("workload", ROOM)
    (project.folder / "claims.yaml").write_text(CLAIMS)


@pytest.fixture
def regression(project: Project) -> Project:
    """The small pipeline with a second task, its room chosen."""
    add_room(project)
    return project


def test_from_params_to_the_last_sentence(regression: Project):
    stages = regression.repro()
    assert f"workloads/{ROOM}/dvc.yaml:study@sgd-cosine-published-0" in stages
    folder = regression.folder / "reports" / ROOM

    # The closed form is reached by SGD, and not by an Adam whose weights decay.
    sgd, adam = (
        regression.json(f"results/{ROOM}/suite/{name}-cosine-published-0/0/metrics.json")
        for name in ("sgd", "adam")
    )
    optimum = least_squares()
    assert sgd["test_score"] == pytest.approx(optimum, rel=0.02)
    assert adam["test_score"] > 2 * optimum

    # Lower is better: in the table, in verdicts, in the headline.
    table = (folder / "results.md").read_text()
    assert table.index("[sgd](") < table.index("[adam](")
    claims = {
        c["id"]: c["judgement"] for c in regression.json(f"reports/{ROOM}/claims.json")["claims"]
    }
    assert claims["value"]["verdict"] == "reproduced"
    assert claims["wrong"]["verdict"] == "not reproduced (lower)"
    assert claims["order"]["verdict"] == "not run"  # by fewer than five studies a side
    assert "mm2" in claims["value"]["reason"]
    page = (folder / "report.html").read_text()
    assert "squared error" in page
    assert "Take" in page or "No advice" in page

    # Nothing that a person reads speaks of another task.
    readable = re.sub(r"<svg.*?</svg>|<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)
    for text in (readable, table, (folder / "claims.md").read_text()):
        assert not (found := re.findall(f".{{0,30}}(?:{NAMED}).{{0,30}}", text)), found
    for name in ("final_score", "learning_curves", "score_differences", "time_to_target"):
        assert (folder / f"figures/{name}.svg").stat().st_size > 1000
    output = regression.run("dvc", "repro", "--force", "-s", f"score@{ROOM}").stdout
    assert "squared error" in output
    assert regression.repro() == []


def test_second_order_is_refused_where_it_has_no_formula(regression: Project):
    regression.set("optimizers.kfac", {"lr": 0.1}, ROOM)
    refused = regression.run("dvc", "repro", check=False)
    assert refused.returncode != 0
    assert "kfac knows the curvature of categorical outputs alone" in refused.stdout
    assert "gaussian" in refused.stdout


def test_a_search_needs_something_held_out(regression: Project):
    regression.set("suite.arms", ["sgd-cosine"], ROOM)
    done = regression.run("dvc", "repro", f"workloads/{ROOM}/dvc.yaml:study", check=False)
    assert done.returncode != 0  # nothing is held out, so nothing can be chosen
    assert "holds out no validation set" in done.stdout

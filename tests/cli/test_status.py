"""`optbench status`: what is up to date, what is not and why, and what follows from it."""

from tests.conftest import Project

from optbench.cli.status import followers, pending_lines

FILE = "workloads/digits-cnn/dvc.yaml"
NEEDS = {
    "validate": set(), "data/dvc.yaml:download@digits": {"validate"},
    f"{FILE}:study@sgd-cosine-0-9": {"data/dvc.yaml:download@digits"},
    f"{FILE}:study@adam-cosine-0-9": {"data/dvc.yaml:download@digits"},
    f"{FILE}:evaluate": {f"{FILE}:study@sgd-cosine-0-9", f"{FILE}:study@adam-cosine-0-9"},
    "score@digits-cnn": {f"{FILE}:evaluate"},
}  # fmt: skip


def test_what_changed_stands_with_its_reason_and_what_needs_it_after_it():
    data = {"changed deps": {"data/raw/digits": "deleted"}}
    changes = {
        "data/dvc.yaml:download@digits": [{"changed outs": {"data/raw/digits": "not in cache"}}],
        f"{FILE}:study@sgd-cosine-0-9": [data, "changed command"],
        f"{FILE}:study@adam-cosine-0-9": [data],
    }
    assert pending_lines("digits-cnn", changes, NEEDS) == [
        "digits-cnn: 2 of 6 stages are up to date; not so:",
        "  download@digits: data/raw/digits is missing",
        "  study@sgd-cosine-0-9: its command has changed",
        "  after them: evaluate; score@digits-cnn",
    ]
    # The control: data that a download brings back changes no study.
    del changes["data/dvc.yaml:download@digits"], changes[f"{FILE}:study@sgd-cosine-0-9"]
    assert pending_lines("digits-cnn", changes, NEEDS) == [
        "digits-cnn: all 6 stages are up to date"
    ]


def test_stages_that_changed_alike_share_a_line_and_long_lists_are_cut():
    names = [f"{FILE}:study@sgd-{number}" for number in range(9)]
    needs = {name: set() for name in names}
    changes = {name: [{"changed outs": {f"results/{name[-5:]}": "deleted"}}] for name in names}
    changes[names[3]] = ["changed command"]
    _, *lines = pending_lines("digits-cnn", changes, needs)
    assert lines == [
        "  study, 8 stages such as sgd-0: results/* is missing",
        "  study@sgd-3: its command has changed",
    ]
    states = {f"file-{number}": "modified" for number in range(9)}
    (_, line) = pending_lines("digits-cnn", {names[0]: [{"changed deps": states}]}, needs)
    assert line == (
        "  study@sgd-0: file-0 has changed; file-1 has changed; file-2 has changed; 6 more"
    )


def test_followers_follow_indirectly():
    assert followers([f"{FILE}:study@sgd-cosine-0-9"], NEEDS) == [
        f"{FILE}:evaluate", "score@digits-cnn",
    ]  # fmt: skip
    assert followers([], NEEDS) == []


def test_of_a_changed_plan_it_names_what_is_otherwise(project: Project):
    first, *others = project.run("optbench", "status").stdout.splitlines()
    assert first.endswith(" stages are up to date")
    assert others == []
    project.set("optimizer", "adam")
    project.set("search.space.adam.lr", [0.001, 0.316], "digits-cnn")
    project.set("settings.threads", 2, "digits-cnn")
    lines = project.run("optbench", "status").stdout.splitlines()
    assert "  run: optimizer is adam, was sgd; " in "\n".join(lines)
    assert any("settings.threads is 2, was 1" in line for line in lines)
    assert ": the single run and 4 studies will train: about " in lines[-1]

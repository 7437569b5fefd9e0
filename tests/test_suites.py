"""The suites' files are one file under several names, and so are the searches'."""

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(("folder", "section"), [("suites", "workloads"), ("searches", "search")])
def test_all_workloads_have_the_same_stages(folder, section):
    names = yaml.safe_load((ROOT / "params.yaml").read_text())[section]
    files = {name: (ROOT / folder / name / "dvc.yaml").read_text() for name in names}
    generic = {text.replace(name, "WORKLOAD") for name, text in files.items()}
    assert len(generic) == 1
    assert "WORKLOAD" in generic.pop()


@pytest.mark.parametrize(("folder", "section"), [("suites", "workloads"), ("searches", "search")])
def test_no_stages_are_without_a_workload(folder, section):
    names = yaml.safe_load((ROOT / "params.yaml").read_text())[section]
    assert {path.parent.name for path in (ROOT / folder).glob("*/dvc.yaml")} == set(names)


def test_the_winners_name_every_workload():
    names = yaml.safe_load((ROOT / "params.yaml").read_text())["workloads"]
    assert set(yaml.safe_load((ROOT / "searches/winners.yaml").read_text())) == set(names)

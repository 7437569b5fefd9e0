"""The suites' files are one file under several names."""

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def test_all_workloads_have_the_same_stages():
    names = yaml.safe_load((ROOT / "params.yaml").read_text())["workloads"]
    files = {name: (ROOT / "suites" / name / "dvc.yaml").read_text() for name in names}
    generic = {text.replace(name, "WORKLOAD") for name, text in files.items()}
    assert len(generic) == 1
    assert "WORKLOAD" in generic.pop()


def test_no_suite_is_without_a_workload():
    names = yaml.safe_load((ROOT / "params.yaml").read_text())["workloads"]
    assert {path.parent.name for path in (ROOT / "suites").glob("*/dvc.yaml")} == set(names)

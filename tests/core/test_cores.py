"""Cores are counted as a container's quota leaves them."""

from pathlib import Path

import pytest

from optbench.core import cores


@pytest.fixture
def groups(tmp_path: Path) -> Path:
    (tmp_path / "membership").write_text("0::/a/b\n")
    (tmp_path / "a/b").mkdir(parents=True)
    return tmp_path


def quotas(folder: Path) -> list[float]:
    return list(cores.quotas(folder, folder / "membership"))


def test_a_quota_of_version_2_holds_from_any_group_above(groups):
    (groups / "a/b/cpu.max").write_text("max 100000\n")
    (groups / "a/cpu.max").write_text("150000 100000\n")
    assert quotas(groups) == [1.5]
    (groups / "a/b/cpu.max").write_text("50000 100000\n")
    assert min(quotas(groups)) == 0.5


def test_a_quota_of_version_1_holds_too(groups):
    (groups / "membership").write_text("3:memory:/a\n2:cpu,cpuacct:/a\n")
    folder = groups / "cpu,cpuacct/a"
    folder.mkdir(parents=True)
    (folder / "cpu.cfs_quota_us").write_text("200000\n")
    (folder / "cpu.cfs_period_us").write_text("100000\n")
    assert quotas(groups) == [2.0]
    (folder / "cpu.cfs_quota_us").write_text("-1\n")
    assert quotas(groups) == []  # the control: no limit


def test_no_groups_are_no_limit(tmp_path):
    assert quotas(tmp_path) == []


@pytest.mark.parametrize(("quota", "usable"), [(0.5, 1), (1.5, 1), (2.0, 2), (1e6, None)])
def test_a_part_of_a_core_is_none_and_one_is_always_left(monkeypatch, quota, usable):
    before = cores.usable_cores()
    monkeypatch.setattr(cores, "quotas", lambda: iter([quota]))
    assert cores.usable_cores() == (before if usable is None else min(usable, before))

"""A package is traced to what was installed."""

from importlib.metadata import packages_distributions, version

import pytest

from optbench.core.packages import distributions_of


@pytest.mark.parametrize("package", ["torch", "yaml", "sklearn", "PIL", "typing_extensions"])
def test_it_is_what_the_standard_library_says(package):
    names = packages_distributions()[package]
    assert distributions_of(package) == {name: version(name) for name in names}


def test_a_package_that_several_distributions_share_names_them_all(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, number in (("shared-one", "1.0"), ("shared-two", "2.0"), ("other", "3.0")):
        info = tmp_path / f"{name.replace('-', '_')}-{number}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n")
        folder = "shared" if name != "other" else "shared_no"
        (info / "RECORD").write_text(f"{folder}/{number[0]}.py,sha256=x,1\n")
    assert distributions_of("shared") == {"shared-one": "1.0", "shared-two": "2.0"}


def test_a_namesake_that_holds_another_package_is_not_taken_for_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, package in (("muon", "physics"), ("real-muon", "muon")):
        info = tmp_path / f"{name.replace('-', '_')}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (info / "RECORD").write_text(f"{package}/__init__.py,sha256=x,1\n")
    assert distributions_of("muon") == {"real-muon": "1"}


def test_an_editable_one_goes_by_its_name_and_an_absent_one_by_none(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    info = tmp_path / "developed-4.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: developed\nVersion: 4\n")
    (info / "RECORD").write_text("__editable__.developed-4.pth,sha256=x,1\n")
    assert distributions_of("developed") == {"developed": "4"}
    assert distributions_of("not_there_at_all") == {}

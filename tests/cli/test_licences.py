"""`optbench licences`: each locked package allows any use, by what it states itself."""

import subprocess
import sys
from pathlib import Path

import pytest
from license_expression import get_spdx_licensing
from tests.conftest import ROOT

from optbench.cli import licences
from optbench.core.errors import UsageError

LINE = "{}==1.0 \\\n    --hash=sha256:0\n    # via optbench (pyproject.toml)\n"
APACHE = "Classifier: License :: OSI Approved :: Apache Software License"
MIT = "Classifier: License :: OSI Approved :: MIT License"
CLOSED = "Classifier: License :: Other/Proprietary License"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a lock of no package, whose packages are installed in it."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requirements.lock").touch()
    return tmp_path


def install(project: Path, name: str, *fields: str, version: str = "1.0") -> None:
    """Locks a made-up package, and puts its metadata there."""
    with (project / "requirements.lock").open("a") as lock:
        lock.write(LINE.format(name))
    folder = project / f"{name}-{version}.dist-info"
    folder.mkdir()
    lines = ("Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *fields)
    (folder / "METADATA").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        (["License-Expression: MIT"], "MIT"),
        (["License-Expression: MPL-2.0 AND (GPL-3.0-only OR MIT)"], "MPL-2.0 AND (GPL-3.0-only"),
        (["License-Expression: MIT", CLOSED], "MIT"),  # the standard: it alone counts
        (["License: Apache License, Version 2.0"], "Apache-2.0"),
        (["License: Apache License 2.0", CLOSED], "Apache-2.0"),
        (["License: GPLv2 | EPLv1"], "GPL-2.0-only OR EPL-1.0"),
        (["License: Dual License", APACHE, MIT], "Apache AND MIT"),
        (["License: The text", "        of a licence", MIT], "MIT"),
    ],
)
def test_what_allows_any_use_is_listed(project, capsys, fields, shown):
    install(project, "some", *fields)
    assert licences.run([], project) == 0
    output = capsys.readouterr().out
    assert "\nsome       1.0        " + shown in output
    assert "NVIDIA" not in output


@pytest.mark.parametrize(
    ("fields", "got"),
    [
        ([], ""),
        (["License: UNKNOWN"], ""),
        (["License: The text", "        of a licence"], ""),
        (["License-Expression: CC-BY-NC-4.0"], "CC-BY-NC-4.0"),
        (["License-Expression: MIT AND AGPL-3.0-only"], "MIT AND AGPL-3.0-only"),
        (["License-Expression: LicenseRef-Research-Only", MIT], "LicenseRef-Research-Only"),
        (["License: for research only, ask (us)", MIT], "for research only, ask (us)"),
        ([CLOSED], "Other/Proprietary License"),
        ([MIT, "Classifier: License :: Free for non-commercial use"],
         "MIT AND Free for non-commercial use"),
    ],
)  # fmt: skip
def test_what_forbids_or_hides_it_is_refused(project, fields, got):
    install(project, "good", MIT)
    install(project, "bad", *fields)
    with pytest.raises(UsageError) as refused:
        licences.run([], project)
    first, allowed, way_out = str(refused.value).splitlines()
    assert first == f"bad: got licence '{got}'"
    assert allowed.startswith("must be made of 0BSD, Apache,")
    assert "do without the package" in way_out


def test_what_is_locked_must_be_what_is_read(project):
    install(project, "some", MIT, version="2.0")
    with pytest.raises(UsageError, match=r"some: got version 2\.0: must be 1\.0.*make setup"):
        licences.run([], project)
    (project / "requirements.lock").write_text(LINE.format("absent-and-made-up"))
    with pytest.raises(UsageError, match=r"absent-and-made-up 1\.0 is locked and not installed"):
        licences.run([], project)


def test_a_package_of_another_system_is_named_and_not_read(project, capsys):
    other = "win32" if sys.platform != "win32" else "linux"
    (project / "requirements.lock").write_text(
        LINE.format("absent").replace(" \\", f" ; sys_platform == '{other}' \\")
    )
    licences.run([], project)
    assert "For other systems, and so not read: absent." in capsys.readouterr().out


def test_nvidias_are_named_with_what_they_allow(project, capsys):
    install(project, "some", "License: LicenseRef-NVIDIA-Proprietary", CLOSED)
    licences.run([], project)
    output = capsys.readouterr().out
    assert "some       1.0        LicenseRef-NVIDIA-Proprietary" in output
    assert "not by itself, and not taken apart" in output


def test_the_names_are_spdxs_but_for_those_that_state_no_version():
    spdx = get_spdx_licensing()
    unknown = {name for name in licences.ALLOWED if spdx.validate(name).errors}
    assert unknown == {"Apache", "BSD", "GPL-2.0-only WITH linking exception", licences.NVIDIA}


def test_every_locked_package_allows_any_use():
    done = subprocess.run(
        [sys.executable, "src/optbench/cli/launch.py", "licences"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "\ntorch " in done.stdout

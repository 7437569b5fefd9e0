"""`optbench audit` says what was looked up, and never passes for what was not."""

import json
import sys
from pathlib import Path

import pytest

from optbench.cli import audit
from optbench.core.errors import UsageError

GOOD = {"name": "good", "version": "1.0", "vulns": []}
HOLE = {
    "name": "bad",
    "version": "2.0",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1", "3.0"], "aliases": []}],
}
SKIPPED = {"name": "far", "skip_reason": "Dependency not found and could not be audited: far (1)"}


def said(monkeypatch: pytest.MonkeyPatch, capsys, *packages: dict) -> str:
    """What the command prints where pip-audit, as it does, ends with 0 for what it left out."""
    script = f"print({json.dumps({'dependencies': packages})!r})"
    monkeypatch.setattr(audit, "COMMAND", (sys.executable, "-c", script))
    assert audit.run([], Path()) == 0
    return capsys.readouterr().out


def test_all_looked_up_and_without_a_hole_is_well(monkeypatch, capsys):
    assert said(monkeypatch, capsys, GOOD, GOOD) == (
        "2 of 2 packages were looked up: 0 known holes\n"
    )


def test_a_hole_is_named_with_what_mends_it(monkeypatch, capsys):
    with pytest.raises(UsageError, match=r"1 known holes\nbad 2\.0: PYSEC-1, mended in 2\.1, 3\.0"):
        said(monkeypatch, capsys, GOOD, HOLE)


def test_what_was_not_looked_up_is_named_and_fails(monkeypatch, capsys):
    with pytest.raises(UsageError) as refused:
        said(monkeypatch, capsys, GOOD, SKIPPED)
    summary, names, reason, _ = str(refused.value).splitlines()
    assert summary == "1 of 2 packages were looked up: 0 known holes"
    assert names == "Not looked up: far"
    assert reason == f"The first of them: {SKIPPED['skip_reason']}"


def test_without_a_network_nothing_is_claimed(monkeypatch, tmp_path):
    """Of pip-audit itself, whose traceback ends in the reason."""
    monkeypatch.chdir(tmp_path)
    for variable in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    Path("requirements.lock").write_text(f"six==1.17.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(UsageError) as refused:
        audit.run([], tmp_path)
    first, way_out = str(refused.value).splitlines()
    assert first.startswith("No package was looked up, and so no hole is known or ruled out: ")
    assert "ProxyError" in first
    assert "in reach" in way_out

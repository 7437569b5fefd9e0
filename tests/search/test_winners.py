from pathlib import Path

import pytest
from tests.conftest import ROOT

from optbench.core.errors import UsageError
from optbench.search.winners import Winner, read_winners, winners_path, write_winners

WINNER = Winner(
    schedule="cosine", trials=24, budget="10 epochs", hyper={"lr": 0.0123, "t_cov": 3e-05},
    validation_score=0.1 + 0.2, on_edge=("lr",),
)  # fmt: skip
NAME = "digits-cnn"


@pytest.fixture
def path(monkeypatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    winners_path(NAME).parent.mkdir(parents=True)
    return winners_path(NAME)


def test_winners_read_back_exactly(path):
    write_winners(NAME, {"sgd": WINNER})
    assert read_winners(NAME) == {"sgd": WINNER}
    assert path.read_text().startswith("# Written by `optbench tune`")


def test_a_room_that_was_not_searched_has_none(path):
    write_winners(NAME, {})
    assert read_winners(NAME) == {}
    path.write_text("{}\n")
    assert read_winners(NAME) == {}


@pytest.mark.parametrize(
    "name", sorted(p.parts[-3] for p in ROOT.glob("workloads/*/search/winners.yaml"))
)
def test_the_committed_files_are_what_tune_would_write(path, monkeypatch, name):
    committed = ROOT / winners_path(name)
    with monkeypatch.context() as patch:
        patch.chdir(ROOT)
        winners = read_winners(name)
    write_winners(name, winners)
    assert winners_path(name).read_text() == committed.read_text()


@pytest.mark.parametrize(
    "text", ["", "a: [", "sgd: {lr: 0.1}\n", "sgd: 3\n", "[]\n", "sgd: {on_edge: 3}\n"]
)
def test_a_broken_file_is_named_with_the_way_out(text, path):
    path.write_text(text)
    message = r"winners\.yaml is no list of winners .*`optbench tune`, or take .* `git restore work"
    with pytest.raises(UsageError, match=message):
        read_winners(NAME)


def test_a_missing_file_is_named_with_the_way_out(path):
    with pytest.raises(UsageError, match=r"winners\.yaml is no list of winners .*optbench tune"):
        read_winners(NAME)

from pathlib import Path

import pytest

from optbench.core.errors import UsageError
from optbench.search.winners import Winner, read_winners, write_winners

WINNER = Winner(
    schedule="cosine", trials=24, epochs=10, lr=0.0123, weight_decay=3e-05,
    validation_accuracy=0.99, on_edge=("lr",),
)  # fmt: skip


def test_winners_read_back_sorted_and_without_what_they_have_not(tmp_path: Path):
    path = tmp_path / "winners.yaml"
    write_winners({"b": {"sgd": WINNER}, "a": {}}, path)
    assert read_winners(path) == {"a": {}, "b": {"sgd": WINNER}}
    text = path.read_text()
    assert text.index("a: {}") < text.index("b:")
    assert "damping" not in text


def test_the_committed_file_is_what_tune_would_write(tmp_path: Path):
    write_winners(read_winners(), tmp_path / "winners.yaml")
    assert (tmp_path / "winners.yaml").read_text() == Path("searches/winners.yaml").read_text()


@pytest.mark.parametrize("text", ["", "a: [", "a:\n  sgd: {lr: 0.1}\n", "a:\n  sgd: 3\n"])
def test_a_broken_file_is_named_with_the_way_out(text, tmp_path):
    path = tmp_path / "winners.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"winners\.yaml is no list of winners .*make tune"):
        read_winners(path)

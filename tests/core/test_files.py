"""Files appear whole or not at all, also where several processes look after one folder."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from optbench.core.errors import UsageError
from optbench.core.files import publish, require_writable


def test_many_may_try_one_folder_at_once(tmp_path):
    folder = tmp_path / "locks"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(require_writable, [folder] * 400))
    assert list(folder.iterdir()) == []


def test_a_place_that_refuses_is_told_and_left_as_it_was(tmp_path):
    (tmp_path / "file").write_text("content")
    with pytest.raises(UsageError, match="file/ cannot be written: "):
        require_writable(tmp_path / "file")
    with pytest.raises(UsageError, match="file/inside cannot be written: "):
        publish(tmp_path / "file/inside", "text")
    assert (tmp_path / "file").read_text() == "content"

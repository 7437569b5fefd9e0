import io
import logging

from dvc.progress import Tqdm

from optbench.scaling import pipeline


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_no_bar_of_dvc_is_drawn_over_the_table():
    bars = logging.getLogger("dvc.progress")
    assert pipeline
    assert Tqdm(total=3, file=Terminal()).disable
    level = bars.level
    bars.setLevel(logging.NOTSET)
    try:
        assert not Tqdm(total=3, file=Terminal()).disable  # control
    finally:
        bars.setLevel(level)

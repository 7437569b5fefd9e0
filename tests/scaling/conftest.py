import pytest
from tests.scaling.trivial import TrivialPipeline


@pytest.fixture(scope="session")
def serial(tmp_path_factory) -> dict[str, bytes]:
    """What a serial `dvc repro` of 8 trivial cells leaves behind."""
    pipeline = TrivialPipeline(tmp_path_factory.mktemp("serial") / "pipeline", cells=8)
    pipeline.run("dvc", "repro", "-q")
    return pipeline.files()

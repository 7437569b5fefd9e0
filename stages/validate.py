"""Stage `validate`: refuses a bad params.yaml before anything is downloaded or trained."""

from pathlib import Path

from optbench.core.errors import plainly_told
from optbench.core.rows import publish
from optbench.params.load import load_params


def main() -> None:
    """Writes a constant file, so that a changed params.yaml reruns this stage alone."""
    load_params()
    publish(Path("reports/validated.json"), '{"valid": true}\n')


if __name__ == "__main__":
    with plainly_told():
        main()

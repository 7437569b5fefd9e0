"""Stage `validate`: refuses a bad params.yaml before anything is downloaded or trained."""

import sys
from pathlib import Path

from optbench.core.rows import publish
from optbench.params.load import load_params
from optbench.params.messages import ParamsError


def main() -> None:
    """Writes a constant file, so that a changed params.yaml reruns this stage alone."""
    try:
        load_params()
    except ParamsError as error:
        sys.exit(f"{error}")
    publish(Path("reports/validated.json"), '{"valid": true}\n')


if __name__ == "__main__":
    main()

"""Stage `validate`: refuses a bad params.yaml before anything is downloaded or trained."""

from pathlib import Path

from optbench.core.files import publish
from optbench.core.process import as_stage
from optbench.params.load import load_params


def main() -> None:
    """Writes a constant file, so that a changed params.yaml reruns this stage alone."""
    # First, so that a refusal leaves no committed file missing: DVC takes away a stage's output
    # before it runs, and stops at a stage that fails whatever it has written.
    publish(Path("reports/validated.json"), '{"valid": true}\n')
    load_params()


if __name__ == "__main__":
    with as_stage():
        main()

"""Trains one run, from its seed or from where it was killed, to its outcome."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

from optbench.core import registry
from optbench.core.errors import UsageError
from optbench.core.records import Outcome
from optbench.core.run import Run
from optbench.supervision.checkpoint import Checkpoints
from optbench.supervision.contention import Contention
from optbench.supervision.identity import identity
from optbench.supervision.keeper import Keeper
from optbench.supervision.progress import PointProgress
from optbench.training.assembly import prepare
from optbench.training.loop import Training, Watcher, judged_weights
from optbench.training.train import complete


def train(run: Run, name: str, kept: Path | None = None) -> tuple[Outcome, Training]:
    """Trains a run and scores it; the outcome, and the training at its end.

    On several devices each process has both; the first alone keeps checkpoints and shows progress.
    The same run under the same fingerprint gives the same bits, however often it was killed.

    Args:
        run: what to train.
        name: shown with its progress.
        kept: where its checkpoints are, a folder for each identity; who has stored the outcome
            removes it. None: no checkpoints.

    Raises:
        Interrupted: a signal asked for the end; a checkpoint is written.
        UsageError: memory or disk do not suffice.
    """
    with out_of_memory(run), ExitStack() as stack:
        training = prepare(run)
        is_first = training.world.is_first
        watchers: list[Watcher] = []
        if kept is not None:
            checkpoints = Checkpoints(kept / identity([run], training.fingerprint))
            if checkpoints.restore(training) and is_first:
                done = f"step {training.step} of {training.steps}"
                print(f"{name}: goes on after {done}, from {checkpoints.folder}", flush=True)
            watchers.append(stack.enter_context(Keeper(training, checkpoints)))
        if is_first:
            score = registry.load_score(run.settings.task).SCORE
            watchers.append(stack.enter_context(PointProgress(name, training, score)))
            watchers.append(Contention(name))
        outcome = complete(run, training, *watchers)
        if outcome.diverged_at_step is None and is_first:
            tell_sample(training, name)
        return outcome, training


def tell_sample(training: Training, name: str) -> None:
    """Prints what the trained network makes up, where its task has a method `sample`.

    It is drawn with the weights that are judged, and leaves the network as it was. Whatever a
    terminal may not print, or would obey, is written as an escape.
    """
    learner = training.learner
    if not hasattr(learner.task, "sample"):
        return
    model, was_training = learner.model, learner.model.training
    with torch.no_grad(), judged_weights(training):
        model.eval()
        text: str = learner.task.sample(learner.eager)
        model.train(was_training)
    print(f"{name}: a sample of what it learnt")
    for line in text.split("\n"):
        print(f"  {line.encode('unicode_escape').decode('ascii')}".rstrip(), flush=True)


@contextmanager
def out_of_memory(run: Run) -> Iterator[None]:
    """Says what to do where memory does not suffice; nothing is made smaller silently.

    Raises:
        UsageError: in place of the errors of Python, torch and CUDA.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        is_memory = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not (is_memory or "allocate memory" in str(error)):
            raise
        raise UsageError(
            f"out of memory with batch_size {run.settings.batch_size}: free memory and run the "
            f"same command to go on, or choose a smaller settings.batch_size in "
            f"workloads/{run.workload}/params.yaml, which is another experiment"
        ) from error

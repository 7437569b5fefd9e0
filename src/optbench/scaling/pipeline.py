"""The pipeline as DVC sees it: what there is to do, and DVC doing its part of it stage by stage.

DVC decides what has changed, restores from its run-cache, hashes, stores and writes dvc.lock: for
one stage at a time, since it is not made for threads. Only while a stage's command runs may the
next stage have its turn. That command is what DVC would run, handed to whoever runs it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

from dvc.exceptions import DvcException
from dvc.logger import set_loggers_level
from dvc.repo import Repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.stage import Stage
from dvc.stage import run as stage_run
from dvc.stage.exceptions import StageCmdFailedError, StageFileDoesNotExistError, StageNotFound

from optbench.core.errors import UsageError
from optbench.scaling.locks import written_whole

# Writing a dvc.lock of a thousand entries takes seconds. An entry that is not written when the
# process is killed stands in DVC's run-cache: nothing is trained again.
WRITE_EVERY_S = 30.0

# DVC's bars would be drawn over the table of running stages; they heed these loggers' levels.
for _bars in ("dvc.progress", "dvc_data.callbacks"):
    logging.getLogger(_bars).setLevel(logging.CRITICAL)

# What DVC says has changed of a stage: a word, or the state of each path, or of each of its params.
Changes = Sequence[str | Mapping[str, Mapping[str, Any]]]

# Carries out a stage's command, given the stage's name, the command, its folder and environment;
# returns the exit code.
Send = Callable[[str, tuple[str, ...], str, Mapping[str, str]], int]


class Pipeline:
    """The stages that targets need, in the order of a serial `dvc repro`."""

    def __init__(self, targets: Sequence[str]) -> None:
        """As for `dvc repro`: no targets mean dvc.yaml.

        Raises:
            UsageError: this is no DVC project, a target is unknown, or a dvc.yaml is not valid.
        """
        self._turn = threading.Lock()
        with explained(), set_loggers_level(logging.WARNING):
            self.repo = Repo(_wait_for_lock=True)
            with self.repo.lock:
                graph = get_active_graph(self.repo.index.graph)
                stages: list[Stage] = plan_repro(
                    graph, collect_stages(self.repo, targets or ["dvc.yaml"])
                )
        self.stages: dict[str, Stage] = {stage.addressing: stage for stage in stages}
        self.needs: dict[str, Set[str]] = {
            stage.addressing: {need.addressing for need in graph.successors(stage)}
            for stage in stages
        }
        self._entries = Entries(stages)

    def changes(self, names: Iterable[str]) -> dict[str, Changes]:
        """What DVC says has changed of those stages that are not up to date, by their names.

        It compares files with what is recorded, so plans and what is needed must be up to date.

        Raises:
            UsageError: DVC refuses.
        """
        found: dict[str, Changes] = {}
        with explained(), self._turn, self.repo.lock:
            for name in names:
                found |= self.stages[name].status()
        return found

    @contextmanager
    def opened(self, send: Send) -> Iterator[None]:
        """Within, stages may be reproduced, from several threads; `send` carries out commands.

        Raises:
            UsageError: dvc.lock cannot be written, or Git does not take it.
        """

        def run(executable: str, command: str, **process: Any) -> None:
            environment = process["env"]
            # DVC's own words to the shell, with switches that keep its set-up files out.
            arguments = tuple(stage_run._make_cmd(executable, command))
            with self._handed_over():
                code = send(environment["DVC_STAGE"], arguments, process["cwd"], environment)
            if code:
                raise StageCmdFailedError(command, code)

        # DVC has no hook for the function that starts a command. It holds no lock then.
        original, stage_run._run = stage_run._run, run
        try:
            with explained(), set_loggers_level(logging.WARNING), self.repo.scm_context():
                try:
                    yield
                finally:
                    with self._turn, self.repo.lock:
                        self._entries.write()
        finally:
            stage_run._run = original

    @contextmanager
    def _handed_over(self) -> Iterator[None]:
        """Within, while a command runs, another thread has its turn with DVC."""
        self._turn.release()
        try:
            yield
        finally:
            self._turn.acquire()

    def reproduce(self, name: str) -> bool:
        """Brings one stage up to date, what it needs being so; says whether it had changed.

        Raises:
            DvcException: its command fails, an output is missing, and what else DVC refuses.
        """
        stage = self.stages[name]
        with self._turn, self.repo.lock:
            # `reproduce` would find that out too, but locks files sixteen times to do so.
            changed = bool(stage.status()) and stage.reproduce() is not None
            self._entries.add(stage, changed=changed)
        return changed


class Entries:
    """The entries of dvc.lock files that are still to be written, in the order of a serial run."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        """`stages`: in that order."""
        self._pending: dict[str, list[Stage]] = {}
        for stage in stages:
            self._pending.setdefault(stage.path, []).append(stage)
        self._changed: dict[str, bool] = {}
        self._written_at = time.monotonic()

    def add(self, stage: Stage, *, changed: bool) -> None:
        """Takes a stage that is up to date; now and then, writes what has nothing before it."""
        self._changed[stage.addressing] = changed
        if time.monotonic() - self._written_at < WRITE_EVERY_S:
            return
        for path, stages in self._pending.items():
            first = list(takewhile(self._is_known, stages))
            self._pending[path] = stages[len(first) :]
            self._dump(first)
        self._written_at = time.monotonic()

    def write(self) -> None:
        """Writes all there are; those of stages that failed are left out, as DVC does."""
        for path, stages in self._pending.items():
            self._pending[path] = []
            self._dump([stage for stage in stages if self._is_known(stage)])

    def _is_known(self, stage: Stage) -> bool:
        """Whether a stage is up to date."""
        return stage.addressing in self._changed

    def _dump(self, stages: Sequence[Stage]) -> None:
        """Has DVC write the entries of one file, those that are unchanged left alone."""
        changed = [stage for stage in stages if self._changed[stage.addressing]]
        if changed:
            with written_whole():
                changed[0].dvcfile.dump_stages(changed, update_pipeline=False)


def each(changes: Changes) -> Iterator[tuple[str, str, Any]]:
    """What has changed, path and state, one by one; where DVC says a word alone, no path."""
    for change in changes:
        if isinstance(change, str):
            yield change, "", None
        else:
            for what, states in change.items():
                for path, state in states.items():
                    yield what, path, state


@contextmanager
def explained() -> Iterator[None]:
    """Says in one message what DVC refuses.

    Raises:
        UsageError: in place of DVC's errors.
    """
    try:
        yield
    except StageNotFound as error:
        way_out = f"`dvc stage list {error.file}` lists those that are there"
        raise UsageError(f"unknown stage {error.name!r} in {error.file}: {way_out}") from error
    except StageFileDoesNotExistError as error:
        raise UsageError(f"{error}: `dvc stage list --all` lists all stages") from error
    except DvcException as error:
        raise UsageError(reason(error)) from error


def reason(error: BaseException) -> str:
    """An error with what caused it, for example the line of a dvc.yaml that is not valid."""
    causes = [error]
    while (cause := causes[-1].__cause__) is not None:
        causes.append(cause)
    return ": ".join(dict.fromkeys(filter(None, map(str, causes))))

"""Makes a manifest: reads, hashes and decodes each image once, in several processes.

What is done is kept shard by shard, so that whoever is killed goes on from there. Archives are
held against their published md5 meanwhile.
"""

import hashlib
import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

import numpy as np
from filelock import FileLock

from optbench.core.cores import usable_cores
from optbench.core.errors import UsageError
from optbench.core.files import publish
from optbench.core.parent import end_with
from optbench.datasets.image_decoder import ODDITIES, ignore_corrupt_exif, oddities
from optbench.datasets.image_files import ImageFiles, require_same
from optbench.datasets.image_manifest import MANIFEST, ROW, Rows, mapped, read_manifest, to_npy
from optbench.datasets.image_source import SPLITS, Source, Split
from optbench.download.bar import byte_progress
from optbench.download.errors import SourceError, WrongContent

SHARD = 1000  # examples


@dataclass(frozen=True)
class Shard:
    """Some examples of a split, and the file for their rows."""

    files: ImageFiles
    split: int
    examples: range
    path: Path

    @property
    def size(self) -> int:
        """Bytes of all its examples."""
        lengths = self.files.locations["length"][self.examples.start : self.examples.stop]
        return int(lengths.sum(dtype=np.int64))


@dataclass(frozen=True)
class Checksum:
    """An archive, its published md5, and the file that says that it was right."""

    archive: Path
    md5: str
    path: Path

    @property
    def size(self) -> int:
        """Bytes."""
        return self.archive.stat().st_size


Work = Shard | Checksum


def make_manifest(
    source: Source,
    target: Path,
    *,
    classes: Mapping[str, str] | None,
    sha256: Mapping[str, str],
    processes: int | None = None,
) -> None:
    """Writes `target/manifest.npy`; keeps one that is there and lists the files of the source.

    Args:
        source: the folder that the user names.
        target: the data set's folder in the project.
        classes: the class of each file of the validation archive; None: not known.
        sha256: the manifest's, if it is known.
        processes: how many read at once; None: as many as there are cores.

    Raises:
        SourceError: files are missing, truncated, something else, or do not decode.
    """
    layout = source.layout
    path = target / MANIFEST
    files = {split: _files(source, split, classes) for split in SPLITS}
    if is_present(path, files, sha256):
        print(f"{layout.name}: {path} is present, and lists the files of {source.folder}")
        return
    rows = named_rows(source, files)
    scratch = source.scratch("train").parent
    with FileLock(scratch / "manifest.lock"):
        shards = list(_shards(files, scratch))
        carry_out([*_checksums(source), *shards], name=layout.name, processes=processes)
        start = 0
        for shard in shards:
            made = mapped(shard.path, ROW, f"run this again, without {shard.path}")
            for column in ("length", "sha256", "oddities"):
                rows[column][start : start + len(made)] = made[column]
            start += len(made)
        content = to_npy(rows)
        digest = hashlib.sha256(content).hexdigest()
        if sha256 and digest != sha256[MANIFEST]:
            raise WrongContent(
                f"the manifest of {source.folder} has sha256 {digest}, expected "
                f"{sha256[MANIFEST]}: the files are others than those that are known"
            )
        publish(path, content)
        for split in SPLITS:
            rmtree(source.scratch(split) / "shards", ignore_errors=True)
    print(f"{layout.name}: {described(rows)}; sha256 of {path}: {digest}")


def _files(source: Source, split: Split, classes: Mapping[str, str] | None) -> ImageFiles:
    """A split's examples, of which no manifest is yet known."""
    index = source.index(split, classes)
    return ImageFiles(
        place=source.place(split), index=index, manifest=None, first=0, way_out="run this again"
    )


def is_present(path: Path, files: Mapping[Split, ImageFiles], sha256: Mapping[str, str]) -> bool:
    """Whether a manifest is there already, is undamaged, and lists these files."""
    if not path.is_file():
        return False
    try:
        manifest = read_manifest(path, "")
        for number, split in enumerate(SPLITS):
            require_same(files[split], manifest.of(number), path)
    except UsageError:
        return False
    return not sha256 or sha256[MANIFEST] == manifest.digest


def named_rows(source: Source, files: Mapping[Split, ImageFiles]) -> Rows:
    """Rows with split, name and label, if there are as many of each as there should be.

    Raises:
        WrongContent: there are not.
    """
    layout, parts = source.layout, []
    known: list[str] = []
    for number, split in enumerate(SPLITS):
        names = files[split].locations["name"]
        of_each = [name.decode().partition("/")[0] for name in names]
        held = sorted(set(of_each))
        place = files[split].place
        if len(held) != layout.classes:
            raise WrongContent(f"{place} holds {len(held):,} classes, expected {layout.classes:,}")
        if len(names) != layout.examples[split]:
            raise WrongContent(
                f"{place} holds {len(names):,} images, expected {layout.examples[split]:,}"
            )
        if known and held != known:
            raise WrongContent(
                f"{place} holds other classes than {files['train'].place}: "
                f"{min(set(held) ^ set(known))} is in one of them alone"
            )
        known = held
        if (twice := np.flatnonzero(names[1:] == names[:-1])).size:
            raise WrongContent(f"{place} holds {names[twice[0]].decode()} twice")
        rows = np.zeros(len(names), dtype=ROW)
        rows["split"], rows["name"] = number, names
        rows["label"] = np.searchsorted(held, of_each)
        parts.append(rows)
    return np.concatenate(parts)


def described(rows: Rows) -> str:
    """What a manifest lists, in words."""
    train, val = np.bincount(rows["split"], minlength=2)
    counts = {name: int((rows["oddities"] & bit > 0).sum()) for name, bit in ODDITIES.items()}
    odd = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    return f"{train:,} training and {val:,} validation images ({odd or 'none of them odd'})"


def _shards(files: Mapping[Split, ImageFiles], scratch: Path) -> Iterator[Shard]:
    """All examples, in the manifest's order."""
    for number, (split, held) in enumerate(files.items()):
        folder = held.index.parent / "shards"
        folder.mkdir(parents=True, exist_ok=True)
        for start in range(0, len(held), SHARD):
            examples = range(start, min(start + SHARD, len(held)))
            yield Shard(held, number, examples, folder / f"{split}-{start:07}.npy")


def _checksums(source: Source) -> Iterator[Checksum]:
    """Those of the published archives that are used, but for the development kit."""
    for split in SPLITS:
        md5 = source.layout.archives[split].md5
        if md5 and not source.is_tree(split):
            yield Checksum(source.place(split), md5, source.scratch(split) / f"md5-{md5}")


def carry_out(works: Sequence[Work], *, name: str, processes: int | None) -> None:
    """Does what is not done yet, in processes, and shows how much is.

    Raises:
        SourceError: files are not what they should be, or a process was killed.
    """
    left = [work for work in works if not work.path.is_file()]
    done = sum(work.size for work in works) - sum(work.size for work in left)
    count = min(processes or usable_cores(), max(1, len(left)))
    if done:
        print(f"{name}: {len(works) - len(left):,} of {len(works):,} parts are done already")
    total = done + sum(work.size for work in left)
    with (
        byte_progress(f"{name}: manifest", total) as progress,
        ProcessPoolExecutor(
            count, multiprocessing.get_context("spawn"), _set_up, (os.getpid(),)
        ) as pool,
    ):
        futures: dict[Future[None], Work] = {pool.submit(do, work): work for work in left}
        try:
            for future in as_completed(futures):
                future.result()
                done += futures[future].size
                progress(done)
        except BrokenProcessPool as error:
            raise SourceError(
                "a process that reads images was killed, perhaps for its memory: run this again, "
                "what is done is kept"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def do(work: Work) -> None:
    """Does a part, in a worker process."""
    if isinstance(work, Checksum):
        check_md5(work.archive, work.md5)
        publish(work.path, "")
    else:
        publish(work.path, to_npy(examined(work)))


def examined(shard: Shard) -> Rows:
    """Length, sha256 and oddities of each example of a shard.

    Raises:
        SourceError: one cannot be read, or does not decode: the message has its id and place.
    """
    rows = np.zeros(len(shard.examples), dtype=ROW)
    for row, example in zip(rows, shard.examples, strict=True):
        content = shard.files.read(example)
        row["length"] = len(content)
        row["sha256"] = np.frombuffer(hashlib.sha256(content).digest(), dtype=np.uint8)
        try:
            row["oddities"] = oddities(content)
        except ValueError as error:
            raise WrongContent(
                f"{shard.files.described(example)} does not decode: {error}"
            ) from error
    return rows


def check_md5(path: Path, expected: str) -> None:
    """A file has the md5 that was published with it.

    Raises:
        WrongContent: it has another.
    """
    try:
        with path.open("rb") as file:
            actual = hashlib.file_digest(
                file, lambda: hashlib.md5(usedforsecurity=False)
            ).hexdigest()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    if actual != expected:
        raise WrongContent(f"{path} has md5 {actual}, expected {expected}")


def _set_up(parent: int) -> None:
    """Sets up a process, which ends when the one that asks for its work has gone."""
    ignore_corrupt_exif()
    end_with(parent)

"""Archives that are made to harm whoever reads them: refused in words, and with little memory."""

import gzip
import io
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from optbench.download.archive import read_members
from optbench.download.errors import SourceError, Truncated, WrongContent

LIMITS = {"wanted": 1000}
CONTENT = b"a file's content"
PEAK_BYTES = 2_000_000
TEN_GB = 10**10


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A member's block, with a right checksum whatever the size."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % tarfile.BLOCKSIZE)


WANTED = header("folder/wanted", len(CONTENT)) + padded(CONTENT)


def packed(path: Path, *blocks: bytes) -> Path:
    path.write_bytes(gzip.compress(b"".join(blocks), mtime=0))
    return path


def refusal(path: Path) -> str:
    """The message of a refusal that took little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(SourceError) as caught:
            read_members(path, LIMITS)
        assert tracemalloc.get_traced_memory()[1] < PEAK_BYTES
    finally:
        tracemalloc.stop()
    assert type(caught.value) is WrongContent
    return str(caught.value)


def test_a_file_is_read_and_reading_stops_when_all_are_there(tmp_path):
    path = packed(tmp_path / "a.tgz", header("d", 0, tarfile.DIRTYPE), WANTED, b"x" * 512)
    assert read_members(path, LIMITS) == ({"wanted": CONTENT}, ["d", "wanted"])
    with pytest.raises(WrongContent, match="is damaged: invalid header"):  # the control
        read_members(path, {**LIMITS, "other": 1000})


@pytest.mark.parametrize(
    "kind",
    [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME,
     tarfile.GNUTYPE_LONGLINK],
)  # fmt: skip
@pytest.mark.parametrize("size", [TEN_GB, 1 << 17])
def test_a_long_name_has_a_limit(tmp_path, kind, size):
    there = bytes(min(size, 50_000_000))
    path = packed(tmp_path / "a.tgz", header("x", size, kind), there, WANTED)
    assert "a name in" in (message := refusal(path))
    assert f"has {size:,} bytes, expected at most 65,536" in message


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_chain_of_long_names_ends(tmp_path, kind):
    link = header("x", 3, kind) + padded(b"abc")
    chained = packed(tmp_path / "a.tgz", link * 5000, WANTED)
    assert "it has more than 100 members" in refusal(chained)
    short = packed(tmp_path / "b.tgz", link * 50, header("wanted", 0))
    read_members(short, LIMITS)  # the control


def test_many_members_are_refused(tmp_path):
    path = packed(tmp_path / "a.tgz", *[header(f"{i}.txt", 0) for i in range(101)], WANTED)
    assert "an archive of something else: it has more than 100 members" in refusal(path)


@pytest.mark.parametrize("size", [-1, -TEN_GB])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, b"?"])
def test_a_negative_size_is_damage(tmp_path, size, kind):
    assert f"a member has {size:,} bytes" in refusal(
        packed(tmp_path / "a.tgz", header("wanted", size, kind), WANTED)
    )


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [
        ("wanted", 1001, "wanted in .* has 1,001 bytes, expected at most 1,000"),
        ("other", TEN_GB, "member 1, other, has 10,000,000,000 bytes; at most"),
    ],
)
def test_a_large_member_is_refused_before_it_is_read(tmp_path, name, size, said):
    path = packed(tmp_path / "a.tgz", header(name, size), bytes(100_000))
    with pytest.raises(WrongContent, match=said):
        read_members(path, LIMITS)
    refusal(path)


def test_all_members_together_have_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("optbench.download.archive.UNPACKED_BYTES_MAX", 3000)
    other = header("other", 1000) + padded(bytes(1000))
    assert "at most 3,000 are unpacked" in refusal(packed(tmp_path / "a.tgz", other * 4))
    two = packed(tmp_path / "b.tgz", other * 2, WANTED)  # the control
    assert read_members(two, LIMITS).files == {"wanted": CONTENT}


def test_zeros_without_end_are_not_kept(tmp_path):
    path = packed(tmp_path / "a.tgz", header("other", 30_000_128), bytes(30_000_128), b"x" * 512)
    assert "is damaged" in refusal(path)


def test_a_sparse_member_is_refused(tmp_path):
    path = packed(tmp_path / "a.tgz", header("wanted", 0, tarfile.GNUTYPE_SPARSE), b"\1" * 51200)
    assert "is sparse" in refusal(path)


def test_a_link_is_no_file(tmp_path):
    path = packed(tmp_path / "a.tgz", header("wanted", 0, tarfile.SYMTYPE), bytes(1024))
    assert read_members(path, LIMITS) == ({}, ["wanted"])


@pytest.mark.parametrize("format_", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_long_names_are_read_in_each_format(tmp_path, format_):
    folder = "/".join(["a folder with a long name"] * 8) if format_ else "x/" * 60
    folder = folder if format_ != tarfile.PAX_FORMAT else f"{folder}é"
    with tarfile.open(tmp_path / "a.tgz", "w:gz", format=format_) as archive:
        info = tarfile.TarInfo(f"{folder}/wanted")
        info.size = len(CONTENT)
        archive.addfile(info, io.BytesIO(CONTENT))
    assert read_members(tmp_path / "a.tgz", LIMITS) == ({"wanted": CONTENT}, ["wanted"])


@pytest.mark.parametrize(
    "record",
    [b"", b"0 path=x\n", b"999999 path=x\n", b"9 path=\n", b"99999999999999999 a=b\n", b"6 a=b" * 9,
     b"\xff" * 600, b"18 size=-10000000\n", b"16 path=\xff\xfe\xfd\xfc\n"],
)  # fmt: skip
def test_records_that_make_no_sense_are_harmless(tmp_path, record):
    extended = header("x", len(record), tarfile.XHDTYPE) + padded(record)
    found = read_members(packed(tmp_path / "a.tgz", extended, WANTED), LIMITS)
    assert len(found.names) == 1


def test_a_tar_that_was_cut_before_it_was_compressed_is_truncated(tmp_path):
    for end in (600, 512 + len(CONTENT) - 1, 100 + len(WANTED)):
        path = packed(tmp_path / "a.tgz", (WANTED + WANTED.replace(b"wanted", b"second"))[:end])
        with pytest.raises(Truncated, match="ends early"):
            read_members(path, {"wanted": 1000, "second": 1000})


@pytest.mark.parametrize(
    ("inside", "named"),
    [(b"<html>404</html>", "an HTML page"), (b"", "an empty file"), (b"PK\3\4", "a zip archive"),
     (b"x" * 5000, "a file of unknown format")],
)  # fmt: skip
def test_what_a_gzip_file_holds_in_place_of_a_tar_is_named(tmp_path, inside, named):
    message = refusal(packed(tmp_path / "a.gz", inside))
    assert f"is a gzip file of {named}, no .tar.gz archive" in message


def test_a_first_header_with_a_bit_flipped_is_damage(tmp_path):
    damaged = bytes([WANTED[0] ^ 1]) + WANTED[1:]
    assert refusal(packed(tmp_path / "a.tgz", damaged)).endswith("is damaged: bad checksum")


@pytest.mark.parametrize("size", range(2, 20))
def test_the_first_bytes_of_an_archive_are_truncated(tmp_path, size):
    path = packed(tmp_path / "a.tgz", WANTED)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(Truncated, match="ends early"):
        read_members(path, LIMITS)


def test_what_cannot_be_read_is_told(tmp_path):
    with pytest.raises(SourceError, match="cannot be read: Is a directory"):
        read_members(tmp_path, LIMITS)
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        read_members(tmp_path / "absent", LIMITS)


def test_a_huge_file_is_refused_by_its_size(tmp_path):
    path = packed(tmp_path / "a.tgz", WANTED)
    with path.open("r+b") as file:
        file.truncate(TEN_GB)  # a hole: it takes no space
    assert "it has 10,000,000,000 bytes" in refusal(path)

"""Images that are made to harm whoever decodes them."""

import io
import random
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from optbench.download.errors import SourceError, Truncated, WrongContent
from optbench.download.png import SIGNATURE, read_rgb

PIXELS = np.random.default_rng(0).integers(0, 8, size=(20, 30, 3), dtype=np.uint8)
PEAK_BYTES = 2_000_000
BOMB = zlib.compress(bytes(100_000_000), 9)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width: int, height: int) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def png(image: Image.Image | None = None) -> bytes:
    file = io.BytesIO()
    (image or Image.fromarray(PIXELS)).save(file, format="PNG")
    return file.getvalue()


def read(content: bytes) -> np.ndarray:
    """The pixels, read with little memory."""
    tracemalloc.start()
    try:
        return read_rgb("a.png", content, width=30, height=20)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < PEAK_BYTES


def test_pixels_are_read_from_each_mode():
    assert np.array_equal(read(png()), PIXELS)
    for mode in ("RGBA", "P", "L"):
        image = Image.fromarray(PIXELS).convert(mode)
        assert np.array_equal(read(png(image)), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("sides", [(60_000, 60_000), (2**31, 2**31), (0, 0), (20, 30)])
def test_other_dimensions_are_refused_before_anything_is_decoded(sides):
    content = SIGNATURE + header(*sides) + png()[33:]
    with pytest.raises(WrongContent, match=f"has {sides[0]:,} x {sides[1]:,} pixels, expected 30"):
        read(content)


@pytest.mark.parametrize(
    "hostile",
    [
        chunk(b"zTXt", b"key\0\0" + BOMB),
        chunk(b"iTXt", b"key\0\1\0\0\0" + BOMB),
        chunk(b"iCCP", b"key\0\0" + BOMB),
        chunk(b"zTXt", b"key\0\0" + zlib.compress(bytes(900_000))) * 100,
        chunk(b"eXIf", bytes(100)),
        chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)),
        chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)),
    ],
    ids=["zTXt", "iTXt", "iCCP", "many zTXt", "eXIf", "acTL", "a second header"],
)
def test_chunks_that_pixels_do_not_need_are_not_decoded(hostile):
    content = png()
    for place in (33, content.index(b"IEND") - 4):  # behind the header; before the end
        assert np.array_equal(read(content[:place] + hostile + content[place:]), PIXELS)


def test_pixels_without_end_are_not_decoded():
    content = SIGNATURE + header(30, 20) + chunk(b"IDAT", BOMB) + chunk(b"IEND", b"")
    assert not read(content).any()


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        (b"no png", WrongContent, "is no PNG image"),
        (SIGNATURE, Truncated, "ends early"),
        (png()[:-1], Truncated, "ends early"),
        (png()[:50], Truncated, "ends early"),
        (SIGNATURE + png()[33:], WrongContent, "begins with its header"),
        (png()[:33] + b"\xff" + png()[34:], WrongContent, "a chunk reaches beyond its end"),
        (SIGNATURE + header(30, 20) + chunk(b"IEND", b""), WrongContent, "cannot be decoded"),
        (SIGNATURE + header(30, 20) + chunk(b"IDAT", b"x" * 99) + chunk(b"IEND", b""),
         WrongContent, "cannot be decoded"),
        (SIGNATURE + chunk(b"IHDR", struct.pack(">II", 30, 20)) + png()[33:], WrongContent,
         "cannot be decoded"),
    ],
)  # fmt: skip
def test_damage_is_told_apart(content, kind, said):
    with pytest.raises(SourceError, match=said) as caught:
        read(content)
    assert type(caught.value) is kind


def test_bits_flipped_and_bytes_removed_anywhere_are_never_a_traceback():
    whole, chosen, refused = png(), random.Random(0), 0
    for _ in range(2000):
        damaged = bytearray(whole)
        for _ in range(chosen.randrange(1, 4)):
            damaged[chosen.randrange(len(damaged))] ^= 1 << chosen.randrange(8)
        if chosen.random() < 0.3:
            del damaged[(at := chosen.randrange(len(damaged))) : at + chosen.randrange(50)]
        try:
            assert read_rgb("a.png", bytes(damaged), width=30, height=20).shape == PIXELS.shape
        except SourceError:
            refused += 1
    assert refused > 1000

"""Reads a PNG of known dimensions that anybody may have made."""

import io
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from optbench.download.errors import Truncated, WrongContent

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"IEND\xaeB`\x82"
NEEDED = (b"PLTE", b"IDAT", b"IEND")
LENGTH_BYTES, TYPE_BYTES, CHECKSUM_BYTES = 4, 4, 4


def read_rgb(name: str, png: bytes, *, width: int, height: int) -> NDArray[np.uint8]:
    """Pixels of shape [height, width, 3].

    Dimensions are looked at before anything is decoded, and only chunks that pixels need reach the
    decoder: text, profiles and animations, which may be bombs, do not.

    Raises:
        Truncated: the file ends early.
        WrongContent: it is no PNG, has other dimensions, or is damaged.
    """
    if not png.startswith(SIGNATURE):
        raise WrongContent(f"{name} is no PNG image")
    chunks = _chunks(name, png)
    kind, header = next(chunks)
    _require_dimensions(name, kind, header, (width, height))
    kept = bytearray(SIGNATURE + header)
    for kind, chunk in chunks:
        if kind in NEEDED:
            kept += chunk
    try:
        with Image.open(io.BytesIO(kept), formats=["PNG"]) as image:
            return np.asarray(image.convert("RGB"))
    except Exception as error:  # a decoder fails in many ways on damaged data
        raise WrongContent(f"{name} is damaged: its pixels cannot be decoded") from error


def _chunks(name: str, png: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Type and whole bytes of each chunk, to the one that ends the image."""
    view, start, kind = memoryview(png), len(SIGNATURE), b""
    while kind != b"IEND":
        length = int.from_bytes(view[start : start + LENGTH_BYTES], "big")
        end = start + LENGTH_BYTES + TYPE_BYTES + length + CHECKSUM_BYTES
        if end > len(png):
            if png.endswith(END):
                raise WrongContent(f"{name} is damaged: a chunk reaches beyond its end")
            raise Truncated(f"{name} ends early")
        kind = bytes(view[start + LENGTH_BYTES : start + LENGTH_BYTES + TYPE_BYTES])
        yield kind, view[start:end]
        start = end


def _require_dimensions(
    name: str, kind: bytes, chunk: memoryview, expected: tuple[int, int]
) -> None:
    """Refuses a PNG by its first chunk, if that has other dimensions or is none of a PNG."""
    data = bytes(chunk[LENGTH_BYTES + TYPE_BYTES : -CHECKSUM_BYTES])
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (0, 4))
    if kind != b"IHDR":
        raise WrongContent(f"{name} is damaged: a PNG image begins with its header")
    if (width, height) != expected:
        raise WrongContent(
            f"{name} has {width:,} x {height:,} pixels, expected {expected[0]:,} x {expected[1]:,}"
        )

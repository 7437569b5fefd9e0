"""Against Pillow's own pixels before they were written, and torchvision's loader."""

import io
import re

import numpy as np
import pytest
import torch
from PIL import Image
from tests.datasets.imagenet_files import jpeg, photographs
from torchvision.datasets.folder import default_loader
from torchvision.transforms import functional as F

from optbench.datasets.image_decoder import decode, decoder, named_oddities, oddities

PHOTO = photographs()[0].crop((0, 0, 200, 150))
ORIENTATION = 0x0112


def exif(orientation: int) -> Image.Exif:
    data = Image.Exif()
    data[ORIENTATION] = orientation
    return data


def png() -> bytes:
    file = io.BytesIO()
    PHOTO.save(file, "PNG")
    return file.getvalue()


# EXIF whose only entry says that its text lies a million bytes on.
LOST = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + b"\x0e\x01\x02\0\x10\0\0\0\x40\x42\x0f\0" + b"\0\0\0\0"
ODD = {
    "plain": (jpeg(PHOTO), []),
    "PNG named JPEG": (png(), ["no JPEG"]),
    "CMYK": (jpeg(PHOTO.convert("CMYK")), ["CMYK"]),
    "grey": (jpeg(PHOTO.convert("L")), ["no colour"]),
    "orientation 6": (jpeg(PHOTO, exif=exif(6)), ["orientation in EXIF"]),
    "corrupt EXIF": (jpeg(PHOTO, exif=LOST), ["corrupt EXIF"]),
    "500 x 33": (jpeg(photographs()[0].crop((0, 0, 500, 33))), ["narrow"]),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.filterwarnings("ignore")
def test_odd_images_decode_as_in_torchvision(name, tmp_path):
    content, expected = ODD[name]
    path = tmp_path / "n02105855_2933.JPEG"
    path.write_bytes(content)
    image = decode(content)
    assert image.mode == "RGB"
    assert np.array_equal(image, default_loader(str(path)))
    assert named_oddities(oddities(content)) == expected


def test_a_png_keeps_its_pixels_and_orientation_is_not_applied():
    assert np.array_equal(decode(png()), PHOTO)
    turned = decode(ODD["orientation 6"][0])
    assert turned.size == PHOTO.size  # applied, it would be 150 x 200
    assert np.array_equal(turned, decode(jpeg(PHOTO)))


def test_grey_has_three_equal_channels_and_cmyk_the_photographs_colours():
    grey = np.asarray(decode(ODD["grey"][0]))
    assert (grey == grey[:, :, :1]).all()
    cmyk = np.asarray(decode(ODD["CMYK"][0])).astype(int)
    assert np.abs(cmyk - np.asarray(PHOTO)).mean() < 8
    assert np.abs(255 - cmyk - np.asarray(PHOTO)).mean() > 60  # the control: inverted


def test_all_sides_are_decoded_and_none_in_a_draft():
    big = photographs()[2]
    assert decode(jpeg(big)).size == big.size == (512, 600)
    error = torch.nn.functional.mse_loss(
        F.to_tensor(decode(jpeg(big, quality=98))), F.to_tensor(big)
    )
    assert error < 1e-3


@pytest.mark.parametrize("left", [0, 1, 100, 3000])
def test_a_truncated_image_fails(left):
    with pytest.raises(ValueError, match=r"[Tt]runcated|neither JPEG nor PNG"):
        decode(jpeg(PHOTO)[:left])


@pytest.mark.parametrize("content", [b"<html>", b"GIF89a" + bytes(50), bytes(1000)])
def test_what_is_no_image_fails(content):
    with pytest.raises(ValueError, match="neither JPEG nor PNG"):
        decode(content)


def test_control_other_formats_would_decode():
    file = io.BytesIO()
    PHOTO.save(file, "BMP")
    assert Image.open(io.BytesIO(file.getvalue())).format == "BMP"
    with pytest.raises(ValueError, match="neither"):
        decode(file.getvalue())


def test_the_decoder_is_named_with_versions():
    assert re.fullmatch(r"Pillow [\d.]+, libjpeg(-turbo)? [\d.]+", decoder())

"""Decodes an image file as Pillow does, to RGB, in full size, and knows what is odd about one.

What ILSVRC2012 is known to hold decodes as it does in torchvision's `default_loader`: a PNG that is
named JPEG, CMYK, grey, and EXIF data, which are not applied, whatever orientation they name, and
may be corrupt.
"""

import io
import warnings

from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError, features
from PIL import __version__ as pillow_version

FORMATS = ("JPEG", "PNG")
# What is odd about an image, a bit each.
ODDITIES = {
    "no JPEG": 1,
    "CMYK": 2,
    "no colour": 4,
    "orientation in EXIF": 8,
    "corrupt EXIF": 16,
    "narrow": 32,
}
NARROW = 4  # as many times as wide as high, or more; or the other way


def decoder() -> str:
    """What decodes, on which pixels depend: Pillow and its JPEG library, with their versions."""
    library = "libjpeg-turbo" if features.check("libjpeg_turbo") else "libjpeg"
    version = features.version("libjpeg_turbo") or features.version("jpg")
    return f"Pillow {pillow_version}, {library} {version}"


def ignore_corrupt_exif() -> None:
    """Lets Pillow not warn of EXIF data that it cannot read, in this process: nobody needs them."""
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def decode(content: bytes) -> Image.Image:
    """An image in RGB, all of its pixels.

    Raises:
        ValueError: it does not decode; the message says why.
    """
    image = _open(content)
    # Converting copies, also where nothing is to convert.
    return image if image.mode == "RGB" else image.convert("RGB")


def oddities(content: bytes) -> int:
    """What is odd about an image that decodes, as a sum of `ODDITIES`.

    Raises:
        ValueError: it does not decode; the message says why.
    """
    with warnings.catch_warnings(record=True) as caught:  # Pillow's, of EXIF that it cannot read
        warnings.simplefilter("always")
        image = _open(content)
        orientation = _orientation(image)
    short, long = sorted(image.size)
    found = {
        "no JPEG": image.format != "JPEG",
        "CMYK": image.mode == "CMYK",
        "no colour": image.mode in ("1", "L", "LA", "I;16"),
        "orientation in EXIF": orientation not in (None, 1),
        "corrupt EXIF": bool(caught) or orientation is None,
        "narrow": long >= NARROW * short,
    }
    return sum(ODDITIES[name] for name, holds in found.items() if holds)


def named_oddities(bits: int) -> list[str]:
    """The inverse, in words."""
    return [name for name, bit in ODDITIES.items() if bits & bit]


def _open(content: bytes) -> ImageFile.ImageFile:
    """An image with its pixels loaded."""
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        image.load()
    except UnidentifiedImageError as error:
        raise ValueError(f"neither {' nor '.join(FORMATS)}") from error
    except Exception as error:  # a decoder fails in many ways on damaged data
        raise ValueError(str(error) or type(error).__name__) from error
    return image


def _orientation(image: Image.Image) -> int | None:
    """What EXIF data say, 1 where they say nothing; None where they cannot be read."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # likewise
        return None

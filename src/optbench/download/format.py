"""What a file is, by its first bytes."""

HEAD_BYTES = 512
USTAR_AT = 257
SIGNATURES = {
    b"\x1f\x8b": "a gzip file",
    b"PK\x03\x04": "a zip archive",
    b"PK\x05\x06": "an empty zip archive",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ\x00": "an xz file",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x89PNG\r\n\x1a\n": "a PNG image",
    b"%PDF": "a PDF document",
    b"\x89HDF": "an HDF5 file",
    b"PAR1": "a Parquet file",
}
BARE_TAR = "a tar archive that is not compressed"
HTML = (b"<!doctype html", b"<html", b"<head")


def format_of(head: bytes) -> str:
    """The name of a format, with its article, from a file's first `HEAD_BYTES`."""
    if not head:
        return "an empty file"
    for signature, name in SIGNATURES.items():
        if head.startswith(signature):
            return name
    if head[USTAR_AT:].startswith(b"ustar"):
        return BARE_TAR
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(HTML):
        return "an HTML page"
    if text.startswith(b"<?xml"):
        return "an XML or HTML page"
    return "a file of unknown format"

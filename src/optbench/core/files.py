"""Files that appear whole or not at all."""

from pathlib import Path


def publish(path: Path, content: str | bytes) -> None:
    """Writes a file beside its place and renames it, so that nobody sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content.encode() if isinstance(content, str) else content)
    partial.replace(path)

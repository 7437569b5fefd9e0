"""Against a local server that misbehaves in every way that a real one does."""

import hashlib
import socket
import struct
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from optbench.download import http
from optbench.download.errors import Offline, Refused, SourceError, Truncated, WrongContent

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HALF = len(CONTENT) // 2


class Server(ThreadingHTTPServer):
    """Answers as `behaviour` says; counts requests and keeps their ranges."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behaviour: Callable = whole
        self.ranges: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/file"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.ranges.append(self.headers.get("Range"))
        try:
            self.server.behaviour(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def send(self, body: bytes, *, status=200, length=None, headers=()) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def start(self) -> int:
        """Where the request's range starts."""
        header = self.headers.get("Range")
        return int(header.removeprefix("bytes=").rstrip("-")) if header else 0

    def log_message(self, *_) -> None:
        pass


def whole(handler: Handler) -> None:
    """A good server, which knows ranges."""
    if start := handler.start():
        content_range = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        handler.send(CONTENT[start:], status=206, headers=[("Content-Range", content_range)])
    else:
        handler.send(CONTENT)


def truncates_first(handler: Handler) -> None:
    """Ends early without a range, and is good with one."""
    if handler.headers.get("Range"):
        whole(handler)
    else:
        handler.send(CONTENT[:HALF], length=len(CONTENT))


def never_gets_further(handler: Handler) -> None:
    if start := handler.start():
        content_range = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        handler.send(b"", status=206, length=len(CONTENT) - start,
                     headers=[("Content-Range", content_range)])  # fmt: skip
    else:
        handler.send(CONTENT[:HALF], length=len(CONTENT))


def ignores_ranges(handler: Handler) -> None:
    handler.send(CONTENT)


def wrong_range(handler: Handler) -> None:
    content_range = f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"
    handler.send(CONTENT, status=206, headers=[("Content-Range", content_range)])


def stalls(handler: Handler) -> None:
    handler.send(CONTENT[:HALF], length=len(CONTENT))
    threading.Event().wait(3)


def resets(handler: Handler) -> None:
    """Breaks the connection in the middle, as a router does."""
    if handler.headers.get("Range"):
        whole(handler)
        return
    handler.send(CONTENT[:HALF], length=len(CONTENT))
    handler.wfile.flush()
    abort_on_close = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, abort_on_close)
    handler.connection.close()
    handler.close_connection = True


def resets_at_once(handler: Handler) -> None:
    abort_on_close = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, abort_on_close)
    handler.connection.close()
    handler.close_connection = True


@pytest.fixture
def server():
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def fetch(url: str, path: Path) -> list[int]:
    seen: list[int] = []
    http.fetch(url, path, size=len(CONTENT), sha256=SHA256, progress=seen.append)
    return seen


def test_a_whole_file_is_fetched_and_progress_ends_at_its_size(server, tmp_path):
    seen = fetch(server.url, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert seen[-1] == len(CONTENT)
    assert seen == sorted(seen)


def test_a_part_is_resumed(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT[:HALF])
    fetch(server.url, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.ranges == [f"bytes={HALF}-"]


def test_a_truncated_answer_is_resumed_at_once(server, tmp_path):
    server.behaviour = truncates_first
    fetch(server.url, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    first, second = server.ranges
    assert first is None
    assert 0 < int(second.removeprefix("bytes=").rstrip("-")) <= HALF


def test_a_connection_that_is_reset_is_resumed(server, tmp_path):
    server.behaviour = resets
    fetch(server.url, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.ranges[0] is None


def test_a_server_that_always_resets_is_offline(server, tmp_path):
    server.behaviour = resets_at_once
    with pytest.raises(Offline, match="cannot be reached"):
        fetch(server.url, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_server_without_ranges_starts_over(server, tmp_path):
    server.behaviour = ignores_ranges
    (tmp_path / "file.part").write_bytes(CONTENT[:HALF])
    fetch(server.url, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_file_that_keeps_ending_early_is_truncated_and_never_published(server, tmp_path):
    server.behaviour = never_gets_further
    with pytest.raises(Truncated, match=f"ended after .* of {len(CONTENT):,} bytes"):
        fetch(server.url, tmp_path / "file")
    assert not (tmp_path / "file").exists()
    part = (tmp_path / "file.part").read_bytes()  # kept for the next call
    assert 0 < len(part) <= HALF
    assert CONTENT.startswith(part)


def test_a_stalled_server_is_left(server, tmp_path, monkeypatch):
    monkeypatch.setattr(http, "TIMEOUT_S", (1, 0.3))
    monkeypatch.setattr(http, "ATTEMPTS", 1)
    server.behaviour = stalls
    with pytest.raises(Truncated):
        fetch(server.url, tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_wrong_bytes_of_the_right_size_are_wrong_content_and_discarded(server, tmp_path):
    server.behaviour = lambda handler: handler.send(bytes(len(CONTENT)))
    with pytest.raises(WrongContent, match="has sha256"):
        fetch(server.url, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_part_is_discarded_in_the_end(server, tmp_path):
    (tmp_path / "file.part").write_bytes(bytes(HALF))
    with pytest.raises(WrongContent):
        fetch(server.url, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []
    fetch(server.url, tmp_path / "file")  # and the next call starts clean


def test_another_length_is_wrong_content(server, tmp_path):
    server.behaviour = lambda handler: handler.send(CONTENT + b"more")
    with pytest.raises(WrongContent, match="offers"):
        fetch(server.url, tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_a_wrong_range_is_wrong_content(server, tmp_path):
    server.behaviour = wrong_range
    (tmp_path / "file.part").write_bytes(CONTENT[:HALF])
    with pytest.raises(WrongContent, match="answers with range"):
        fetch(server.url, tmp_path / "file")
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("length", ["abc", "-5", "9" * 5000, "1e3"])
def test_a_length_that_is_no_number_is_told(server, tmp_path, length):
    server.behaviour = lambda handler: handler.send(CONTENT, length=length)
    with pytest.raises(SourceError, match=r"answers with length|gives no usable answer"):
        fetch(server.url, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content_range", ["bytes 1-2/" + "9" * 5000, "", "bytes x-y/z"])
def test_a_range_that_makes_no_sense_is_wrong_content(server, tmp_path, content_range):
    headers = [("Content-Range", content_range)]
    server.behaviour = lambda handler: handler.send(b"x", status=206, headers=headers)
    (tmp_path / "file.part").write_bytes(CONTENT[:HALF])
    with pytest.raises(WrongContent, match="answers with range"):
        fetch(server.url, tmp_path / "file")


@pytest.mark.parametrize("location", ["/file", "file:///etc/hostname", "http://[", "http://"])
def test_a_redirection_to_nowhere_is_refused(server, tmp_path, location):
    headers = [("Location", location)]
    server.behaviour = lambda handler: handler.send(b"", status=302, headers=headers)
    with pytest.raises(Refused, match="gives no usable answer"):
        fetch(server.url, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_are_not_compressed_as_they_say_are_refused(server, tmp_path):
    headers = [("Content-Encoding", "gzip")]
    server.behaviour = lambda handler: handler.send(CONTENT, headers=headers)
    with pytest.raises(Refused, match="gives no usable answer"):
        fetch(server.url, tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_a_disk_that_refuses_is_the_sources_message(server, tmp_path):
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(SourceError, match=r"file\.part cannot be used: (File exists|Not a dir)"):
        fetch(server.url, tmp_path / "taken/file")


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_refusal_says_the_status(server, tmp_path, status):
    server.behaviour = lambda handler: handler.send(b"no", status=status)
    with pytest.raises(Refused, match=f"answers {status}"):
        fetch(server.url, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_no_server_is_offline(server, tmp_path):
    url = server.url
    server.shutdown()
    server.server_close()
    with pytest.raises(Offline, match="cannot be reached"):
        fetch(url, tmp_path / "file")

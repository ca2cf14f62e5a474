"""Just enough HTTP/1.1 to serve one runtime client over a socket."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

_LIMIT_BYTES = 64 * 1024


class ClosedError(Exception):
    """The other side has closed the connection."""


@dataclass(frozen=True)
class Request:
    """One request, read whole."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Connection:
    """A connection that reads requests and writes answers, one after the other."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._buffer = b""

    def read(self) -> Request:
        """Return the next request; raise `ClosedError` at the end."""
        line, *fields = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        method, path, _version = line.split(" ", 2)
        headers = {name.strip().lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)}
        if headers.get("expect", "").lower() == "100-continue":
            self.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = self._chunks()
        else:
            body = self._exactly(int(headers.get("content-length") or 0))
        return Request(method, path, headers, body)

    def answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Write one answer."""
        lines = [f"HTTP/1.1 {status} {'OK' if status == 200 else 'Accepted'}"]
        fields = {"Content-Type": "application/json", **(headers or {}), "Content-Length": str(len(body))}
        lines += [f"{name}: {value}" for name, value in fields.items()]
        self.socket.sendall("\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body)

    def close(self) -> None:
        """Close the socket, waking a reader."""
        with contextlib.suppress(OSError):  # the other side may have closed it already
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _more(self) -> None:
        try:
            data = self.socket.recv(_LIMIT_BYTES)
        except OSError as error:
            raise ClosedError from error
        if not data:
            raise ClosedError
        self._buffer += data

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            self._more()
        found, _, self._buffer = self._buffer.partition(mark)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._more()
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self._until(b"\r\n").split(b";")[0], 16):
            body += self._exactly(size)
            self._until(b"\r\n")
        self._until(b"\r\n")
        return body

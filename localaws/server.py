"""One port for the whole embedded AWS."""

from __future__ import annotations

import logging
import os
import socket
import threading
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, ThreadedWSGIServer

from localaws import pace, tls
from localaws.dispatcher import LocalAws

if TYPE_CHECKING:
    from types import TracebackType

log = logging.getLogger("localaws.server")
TICK_SECONDS = 0.05
JUDGES_BY_ITS_OWN_CLOCK = "aws-sdk-js"
"""The SDK of the CDK's command line: where the `Date` of a refusal is five minutes away from the last one it takes its own clock
for wrong, corrects it and tries again. In a world whose clock runs faster that never ends: every refusal costs minutes.
"""


class _Handler(MotoRequestHandler):  # type: ignore[misc]
    """Keeps connections open and writes no line per request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_expect_100(self) -> bool:
        """Leave `100 Continue` to werkzeug, which sends it too."""
        return True

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the `Date` of an answer: the world's, and the wall's for who judges by it."""
        if timestamp is None and JUDGES_BY_ITS_OWN_CLOCK in self.headers.get("User-Agent", ""):
            return format_datetime(pace.wall_now(), usegmt=True)
        shown: str = super().date_time_string(timestamp)
        return shown

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: the call log has it."""


class _Listener(ThreadedWSGIServer):
    """Speaks plain HTTP and TLS on one port; the first byte of a connection tells which."""

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Answer one connection, on a thread of its own."""
        connection = self._secured(request)
        if connection is None:
            return
        try:
            super().finish_request(connection, client_address)
        finally:
            if connection is not request:
                connection.close()

    def _secured(self, request: Any) -> Any | None:
        """Return the connection, inside TLS when the peer begins so; None when it is gone or distrusts us."""
        try:
            if request.recv(1, socket.MSG_PEEK) != tls.HANDSHAKE:
                return request
            return tls.server_context().wrap_socket(request, server_side=True)
        except OSError as error:
            log.debug("a connection failed before its first request: %s", error)
            return None


class Server:
    """The embedded AWS on a socket. Port 0 chooses a free one; `endpoint_url` tells which.

    A ticker applies due effects between requests, so that things happen although nobody asks.
    """

    def __init__(self, local: LocalAws, port: int = 0, host: str = "127.0.0.1") -> None:
        self.local = local
        self._wsgi: BaseWSGIServer = _Listener(host, port, local, handler=_Handler)
        self._wsgi.daemon_threads = True
        self._wsgi.block_on_close = False
        self.port = self._wsgi.server_port
        self.endpoint_url = f"http://localhost:{self.port}"
        local.endpoint_url = self.endpoint_url
        os.environ["MOTO_PORT"] = str(self.port)
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> Server:
        """Serve on threads of this process and return."""
        for target in (self._wsgi.serve_forever, self._tick):
            thread = threading.Thread(target=target, daemon=True, name=f"localaws-{target.__name__}")
            thread.start()
            self._threads.append(thread)
        return self

    def wait(self) -> None:
        """Block until `stop`."""
        self._stopping.wait()

    def stop(self) -> None:
        """Stop accepting, finish what is being answered, close the port."""
        self._stopping.set()
        self._wsgi.shutdown()
        self._wsgi.server_close()
        for thread in self._threads:
            thread.join(timeout=5)

    def environment(self, account: str, region: str) -> dict[str, str]:
        """Return the environment variables that make an AWS tool use this server as `account`'s administrator."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": f"LOCALADMIN{account}",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CA_BUNDLE": str(tls.ca_bundle()),
        }

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _tick(self) -> None:
        while not self._stopping.wait(TICK_SECONDS):
            try:
                self.local.run_due()
            except Exception:
                log.exception("an effect failed")


def start(accounts: dict[str, str], port: int = 0, **options: Any) -> Server:
    """Start an empty embedded AWS on a port and return its server."""
    return Server(LocalAws(accounts, **options), port).start()

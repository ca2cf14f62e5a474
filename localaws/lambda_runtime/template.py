"""The parent's side of a template process (`zygote.py`): starts it, asks it for workers, ends it."""

from __future__ import annotations

import array
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from localaws import pace

_SCRIPT = Path(__file__).with_name("zygote.py")


class Template:
    """One template process: a code package on its search path, the slow imports done, the pace of this process kept."""

    def __init__(self, first_path: str, last_path: str) -> None:
        self._lock = threading.Lock()
        ours, theirs = socket.socketpair()
        command, now = [sys.executable, "-I", "-S", str(_SCRIPT)], pace.current()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603
                [*command, str(theirs.fileno()), first_path, last_path, pace.__file__, str(now.rate), str(now.begins)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"},
                start_new_session=True,
            )
        self._control = ours

    @property
    def alive(self) -> bool:
        """Return whether the process runs."""
        return self._process.poll() is None

    def fork(self, handler: str, variables: Mapping[str, str], directory: Path, log: int) -> int:
        """Start a worker whose output goes to the descriptor `log`; return its process id."""
        request = json.dumps({"handler": handler, "variables": variables, "directory": str(directory)}).encode()
        with self._lock:
            passed = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [log]))
            self._control.sendmsg([struct.pack(">I", len(request))], [passed])
            self._control.sendall(request)
            answer = b""
            while not answer.endswith(b"\n"):
                data = self._control.recv(64)
                if not data:
                    raise RuntimeError(f"the template process ended with status {self._process.wait(5)}")
                answer += data
        return int(answer)

    def close(self) -> None:
        """End the process; its workers end when their connection does."""
        self._control.close()
        self._process.kill()
        self._process.wait()

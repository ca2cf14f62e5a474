"""Template process of one code package: imports what is slow to import, then forks workers on request.

Runs as a script under `python -I -S`, so that only the standard library and the paths given on the command
line are visible. Requests arrive on the socket whose descriptor is `argv[1]`: a four-byte length, a JSON
object `{"handler", "variables", "directory"}`, and with the first bytes the descriptor of the log pipe.
The answer is the worker's process id in text, one line. It imports nothing of the project but, by its path, what
keeps the world's pace (`argv[4]`, then rate and beginning): functions see one time with the services they call.
"""

import importlib.util
import json
import os
import signal
import socket
import struct
import sys
import time

# Slow to import and free of settings read at import time; a package absent from the zip is left out.
PRELOADED = (
    "boto3",
    "botocore.client",
    "botocore.endpoint",
    "botocore.httpsession",
    "botocore.parsers",
    "botocore.regions",
    "botocore.retries.standard",
    "botocore.signers",
    "botocore.credentials",
    "botocore.handlers",
    "http.client",
    "concurrent.futures.thread",
    "logging",
    "simplejson",
    "traceback",
    "pydantic",
    "jinja2",
)

MODELS = ("dynamodb", "s3", "sts", "stepfunctions", "sns", "events", "lambda", "cloudwatch")


def main() -> None:
    """Serve fork requests until the parent closes the socket."""
    control = socket.socket(fileno=int(sys.argv[1]))
    sys.path[:] = [*sys.argv[2].split(os.pathsep), *sys.path, *sys.argv[3].split(os.pathsep)]
    keep_pace(sys.argv[4], float(sys.argv[5]), float(sys.argv[6]))
    preload()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warm = False
    while True:
        request, log = receive(control)
        if request is None:
            return
        process = os.fork()
        if process == 0:
            control.close()
            become_worker(request, log)
        os.close(log)
        control.sendall(f"{process}\n".encode())
        if not warm:
            warm = share_models()


def keep_pace(path: str, rate: float, begins: float) -> None:
    """Let this process and its workers live by the clock of the embedded AWS, unless that is the wall's."""
    if rate == 1.0:
        return
    spec = importlib.util.spec_from_file_location("_pace", path)
    assert spec is not None
    assert spec.loader is not None
    pace = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pace)
    pace.keep(pace.Pace(rate, begins), sleeps=True)


def preload() -> None:
    """Import the slow packages that the function can see."""
    for name in PRELOADED:
        try:
            __import__(name)
        except Exception:  # noqa: BLE001 - a broken package must fail in the function, where it is reported
            continue


def share_models() -> bool:
    """Read the service models that most functions need, once for all workers to come; return True.

    botocore reads a model from its file in each process anew, which takes longer than all the rest of a start.
    """
    try:
        from botocore.loaders import JSONFileLoader, Loader

        read, known = JSONFileLoader.load_file, {}

        def load_file(self, path):  # type: ignore[no-untyped-def]
            if path not in known:
                known[path] = read(self, path)
            return known[path]

        JSONFileLoader.load_file = load_file
        loader = Loader()
        for name in ("endpoints", "partitions", "sdk-default-configuration", "_retry"):
            loader.load_data(name)
        for service in MODELS:
            loader.load_service_model(service, "service-2")
            loader.load_service_model(service, "endpoint-rule-set-1")
    except Exception:  # noqa: BLE001 - a botocore without these is slower, not wrong
        return True
    return True


def receive(control: socket.socket) -> "tuple[dict | None, int]":  # type: ignore[type-arg]
    """Read one request; (None, -1) when the parent has gone."""
    data, descriptors, _flags, _address = socket.recv_fds(control, 65536, 1)
    if not data:
        return None, -1
    while len(data) < 4:
        data += control.recv(65536)
    (length,) = struct.unpack(">I", data[:4])
    data = data[4:]
    while len(data) < length:
        data += control.recv(65536)
    return json.loads(data), descriptors[0]


def become_worker(request: dict, log: int) -> None:  # type: ignore[type-arg]
    """Turn the forked child into a Lambda runtime: its own session, environment and output."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.environ.clear()
    os.environ.update(request["variables"])
    if vpc := os.environ.pop("_LOCALAWS_VPC", ""):
        speak_from(vpc)
    time.tzset()
    os.chdir(request["directory"])
    # Imported only now: the runtime client reads its address and log settings at import.
    from awslambdaric.__main__ import main as serve

    sys.argv = ["bootstrap", request["handler"]]
    try:
        serve(sys.argv)
    except SystemExit as exit_:
        leave(exit_.code if isinstance(exit_.code, int) else 1)
    except BaseException:  # noqa: BLE001 - nothing above this frame belongs to the worker
        import traceback

        traceback.print_exc()
        leave(1)
    leave(0)


def speak_from(vpc: str) -> None:
    """Let every HTTP request of the worker tell which VPC it comes from: there is no network that could."""
    import http.client

    usual = http.client.HTTPConnection.endheaders

    def endheaders(self: http.client.HTTPConnection, *body: object, **options: object) -> None:
        self.putheader("X-Localaws-Vpc", vpc)
        usual(self, *body, **options)  # type: ignore[arg-type]

    http.client.HTTPConnection.endheaders = endheaders  # type: ignore[method-assign]


def leave(status: int) -> None:
    """End the worker without running the template's exit handlers."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()

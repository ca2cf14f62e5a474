"""Connects from inside a workload's VPC to what the hub names, and says what happened. Sends and reads nothing."""

import socket
import time


def handler(event, _context):
    """Answer one line per endpoint: {"Host", "Port", "Reachable", "Detail"}."""
    seconds = float(event.get("TimeoutSeconds", 3))
    return {"Endpoints": [look(each["Host"], int(each["Port"]), seconds) for each in event["Endpoints"]]}


def look(host, port, seconds):
    begun = time.monotonic()
    try:
        socket.create_connection((host, port), timeout=seconds).close()
    except socket.gaierror:
        return answer(host, port, False, "the name does not resolve in this VPC")
    except TimeoutError:
        return answer(host, port, False, f"no answer within {seconds:g} s: look at security groups and routes")
    except OSError as err:
        return answer(host, port, False, f"{err.strerror or err}")
    return answer(host, port, True, f"connected within {(time.monotonic() - begun) * 1000:.0f} ms")


def answer(host, port, reachable, detail):
    return {"Host": host, "Port": port, "Reachable": reachable, "Detail": detail}

"""Carries a request that the disaster-recovery hub has signed to an OpenSearch domain in this VPC, and the answer back.

It has no rights of its own: what may be asked of a domain is told by the signature, which the hub made as the spoke role. It
carries nothing but what replication, write blocks and snapshots need, and only to endpoints of the pattern it was given.
Deployed twice; ALLOWED says which methods one of them takes.
"""

import fnmatch
import http.client
import os
import re
import ssl

SECONDS = 25
NAME = r"[^/?#]+"
INDEX = r"[^_/?#.][^/?#]*"
PLUGIN = "/_plugins/_replication"
CARRIED = {
    "GET": (
        "/_cluster/health",
        r"/_cat/(indices|recovery)\?format=json",
        r"/_all/_settings/index\.blocks\.write\?flat_settings=true",
        f"{PLUGIN}/autofollow_stats",
        f"{PLUGIN}/{INDEX}/_status",
        "/_snapshot",
        f"/_snapshot/{NAME}/_all",
    ),
    "PUT": (f"{PLUGIN}/{INDEX}/_start", f"/{INDEX}/_settings", f"/_snapshot/{NAME}/{NAME}"),
    "POST": (f"{PLUGIN}/_autofollow", f"{PLUGIN}/{INDEX}/_stop", f"/_snapshot/{NAME}/{NAME}/_restore"),
    "DELETE": (f"{PLUGIN}/_autofollow", f"/{INDEX}"),
}


class Refusal(Exception):
    def __init__(self, code, message, remedy=""):
        super().__init__(message)
        self.told = {"Code": code, "Message": message, "Remedy": remedy}


def handler(event, _context):
    """Answer {"Answer": {"Status", "Body"}} or {"Refusal": {"Code", "Message", "Remedy"}}."""
    try:
        endpoint, method, path = event["Endpoint"], event["Method"], event["Path"]
        if not fnmatch.fnmatchcase(endpoint, os.environ["ENDPOINTS"]):
            raise Refusal("Denied", f"{endpoint} is no endpoint that is carried to ({os.environ['ENDPOINTS']})")
        taken = CARRIED[method] if method in os.environ["ALLOWED"].split(",") else ()
        if not any(re.fullmatch(each, path) for each in taken) or "Authorization" not in event["Headers"]:
            raise Refusal("Denied", f"{method} {path} is no request that is carried, or not signed")
        return {"Answer": send(endpoint, method, path, event["Headers"], event["Body"])}
    except Refusal as refusal:
        return {"Refusal": refusal.told}


def send(endpoint, method, path, headers, body):
    """Return status and text of the domain's answer; its certificate is checked before anything is sent."""
    host, _, prefix = endpoint.partition("/")
    connection = http.client.HTTPSConnection(host, timeout=SECONDS, context=ssl.create_default_context())
    try:
        connection.request(method, (f"/{prefix}" if prefix else "") + path, body.encode() or None, headers)
        reply = connection.getresponse()
        answered = reply.read().decode("utf-8", "replace")
    except ssl.SSLCertVerificationError as error:
        raise Refusal("Distrusted", f"{endpoint} is not trusted: {error}") from error
    except (OSError, http.client.HTTPException) as error:
        why = f"{endpoint} does not answer: {type(error).__name__} {error}"
        remedy = "look at security groups (port 443), routes and DNS of the function's VPC."
        raise Refusal("Unreachable", why, remedy) from error
    finally:
        connection.close()
    return {"Status": reply.status, "Body": answered}

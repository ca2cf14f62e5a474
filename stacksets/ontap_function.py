"""Asks an ONTAP file system in this VPC what the disaster-recovery hub may ask of it, and nothing else.

Deployed three times; ALLOWED says which requests one of them takes. The password is never in the request: it lies in the
secret that the request names, with what proves that the file system is the one meant: its own certificate (`certificate`, PEM,
must be equal) or the authority that signed it (`ca`, PEM; then the name must fit too). It is sent only after that.
"""

import base64
import fnmatch
import http.client
import json
import os
import re
import ssl

import boto3

SECONDS = 8
WAIT = "return_timeout=15"
UUID = re.compile(r"[0-9a-f-]{36}")
NAME = re.compile(r"[A-Za-z0-9_.:-]{1,410}")
DRILL = "drill_"
READS = {
    "relationships": "/snapmirror/relationships?fields=uuid,state,healthy,unhealthy_reason,lag_time,exported_snapshot,"
    "source,destination,policy.name,policy.type,transfer_schedule.name,transfer.uuid,transfer.state",
    "volumes": "/storage/volumes?fields=uuid,name,svm,type,state,nas.path,comment,size,clone.is_flexclone",
    "svm_peers": "/svm/peers?fields=state,svm,peer.svm,peer.cluster.name",
    "cluster_peers": "/cluster/peers?fields=name,status.state",
    "luns": "/storage/luns?fields=svm,location.volume",
    "namespaces": "/storage/namespaces?fields=svm,location.volume",
}


class Refusal(Exception):
    def __init__(self, code, message, remedy=""):
        super().__init__(message)
        self.told = {"Code": code, "Message": message, "Remedy": remedy}


def handler(event, _context):
    """Answer {"Answer": {...}} or {"Refusal": {"Code", "Message", "Remedy"}}."""
    request = event["Request"]
    try:
        if request not in os.environ["ALLOWED"].split(","):
            raise Refusal("Denied", f"this function does not take the request {request}")
        return {"Answer": REQUESTS[request](Ontap(event["Endpoint"], event["Secret"]), event)}
    except Refusal as refusal:
        return {"Refusal": refusal.told}


class Ontap:
    def __init__(self, endpoint, secret):
        if not fnmatch.fnmatchcase(endpoint, os.environ["ENDPOINTS"]):
            raise Refusal("Denied", f"{endpoint} is not a management endpoint ({os.environ['ENDPOINTS']})")
        self.endpoint, self.secret = endpoint, secret_of(secret)

    def ask(self, method, path, body=None):
        status, content = send(self.endpoint, self.secret, method, "/api" + path, body)
        if status < 300:
            return content
        error = content.get("error") or {}
        why = f"{method} {path.partition('?')[0]}: HTTP {status}: {error.get('message', 'no reason given')} ({error.get('code', '-')})"
        if status in {401, 403}:
            raise Refusal(
                "Denied", why, "put the user name and password of the file system into the secret, then retry."
            )
        code = {404: "NotFound", 409: "Conflict"}.get(status, "Unreachable" if status >= 500 else "Declined")
        raise Refusal(code, why)

    def records(self, path):
        found = []
        while path:
            page = self.ask("GET", path)
            found += page["records"]
            path = page.get("_links", {}).get("next", {}).get("href", "").removeprefix("/api")
        return found


def secret_of(name):
    remedy = "name it in OntapSecretArns of the stack dr-probe, and let the VPC reach Secrets Manager."
    try:
        text = boto3.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]
    except Exception as error:
        raise Refusal("Secret", f"the secret {name} cannot be read: {error}", remedy) from error
    try:
        found = json.loads(text)
        return {"user": found.get("username", "fsxadmin"), "password": found["password"], **trust_of(found)}
    except (ValueError, KeyError, AttributeError) as error:
        raise Refusal("Secret", f"the secret {name} is no JSON with a password", FORM) from error


FORM = 'its form: {"username": "fsxadmin", "password": "...", "certificate": "-----BEGIN CERTIFICATE-----..."}'


def trust_of(found):
    trust = {key: found[key] for key in ("certificate", "ca") if found.get(key)}
    if not trust:
        raise Refusal("Secret", "the secret names neither a certificate nor a ca: nobody could be trusted", FORM)
    return trust


def send(endpoint, secret, method, path, body):
    """Return status and parsed answer; the certificate is checked before anything is sent."""
    host, _, prefix = endpoint.partition("/")
    name, _, port = host.partition(":")
    connection = http.client.HTTPSConnection(name, int(port or 443), timeout=SECONDS, context=context_of(secret))
    token = base64.b64encode(f"{secret['user']}:{secret['password']}".encode()).decode()
    headers = {"Authorization": f"Basic {token}", "Accept": "application/json", "Content-Type": "application/json"}
    try:
        connection.connect()
        if "ca" not in secret and not is_pinned(connection.sock, secret["certificate"]):
            raise distrusted(endpoint, "it shows another certificate than the secret holds")
        data = None if body is None else json.dumps(body)
        connection.request(method, (f"/{prefix}" if prefix else "") + path, data, headers)
        reply = connection.getresponse()
        content = reply.read()
    except ssl.SSLCertVerificationError as error:
        raise distrusted(endpoint, str(error)) from error
    except (OSError, http.client.HTTPException) as error:
        why = f"{endpoint} does not answer: {type(error).__name__} {error}"
        raise Refusal(
            "Unreachable", why, "look at security groups (port 443), routes and DNS of the function's VPC."
        ) from error
    finally:
        connection.close()
    return reply.status, json.loads(content) if content.strip() else {}


def context_of(secret):
    if "ca" in secret:
        return ssl.create_default_context(cadata=secret["ca"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # is_pinned compares the whole certificate
    return context


def is_pinned(sock, certificate):
    return sock.getpeercert(binary_form=True) == ssl.PEM_cert_to_DER_cert(certificate.strip())


def distrusted(endpoint, why):
    remedy = "if ONTAP's certificate was renewed, put the new one into the secret; else find out who answers there."
    return Refusal("Distrusted", f"{endpoint} is not trusted: {why}", remedy)


def checked(pattern, value):
    if not pattern.fullmatch(str(value)):
        raise Refusal("Declined", f"{value} is no name or id of ONTAP")
    return value


def mirror(event):
    return f"/snapmirror/relationships/{checked(UUID, event['Mirror'])}"


def turned(before, state):
    """Return the request that puts a relationship from one of some states into another."""

    def turn(ontap, event):
        now = ontap.ask("GET", f"{mirror(event)}?fields=state")["state"]
        if now not in before:
            raise Refusal("Conflict", f"the relationship {event['Mirror']} is {now}, expected {' or '.join(before)}")
        return ontap.ask("PATCH", f"{mirror(event)}?{WAIT}", {"state": state})

    return turn


def create_mirror(ontap, event):
    body = {
        "source": {"path": checked(NAME, event["Source"])},
        "destination": {"path": checked(NAME, event["Destination"])},
    }
    if event.get("Policy"):
        body["policy"] = {"name": checked(NAME, event["Policy"])}
    if event.get("Schedule"):
        body["transfer_schedule"] = {"name": checked(NAME, event["Schedule"])}
    return ontap.ask("POST", f"/snapmirror/relationships?{WAIT}", body)


def abort_transfer(ontap, event):
    path = f"{mirror(event)}/transfers/{checked(UUID, event['Transfer'])}?{WAIT}"
    return ontap.ask("PATCH", path, {"state": "aborted"})


def volume(event):
    return f"/storage/volumes/{checked(UUID, event['Volume'])}"


def unmount(ontap, event):
    return ontap.ask("PATCH", f"{volume(event)}?{WAIT}", {"nas": {"path": ""}})


def create_clone(ontap, event):
    if not event["Name"].startswith(DRILL) or not event["Comment"].startswith("dr:drill-id="):
        raise Refusal("Denied", "a drill's copy is named drill_... and carries dr:drill-id")
    parent = {"name": checked(NAME, event["Parent"])}
    clone = {
        "is_flexclone": True,
        "parent_volume": parent,
        "parent_snapshot": {"name": checked(NAME, event["Snapshot"])},
    }
    body = {"name": checked(NAME, event["Name"]), "svm": {"name": checked(NAME, event["Svm"])}, "clone": clone}
    return ontap.ask(
        "POST", f"/storage/volumes?{WAIT}", {**body, "nas": {"path": f"/{event['Name']}"}, "comment": event["Comment"]}
    )


def of_drill(then):
    """Return a request that touches nothing but a copy of this very drill."""

    def guarded(ontap, event):
        found = ontap.ask("GET", f"{volume(event)}?fields=name,comment,clone.is_flexclone")
        mine = event["Comment"].startswith("dr:drill-id=") and found.get("comment") == event["Comment"]
        if not (mine and found["name"].startswith(DRILL) and found.get("clone", {}).get("is_flexclone")):
            raise Refusal("Denied", f"{found['name']} is no copy of this drill ({event['Comment']})")
        return then(ontap, event)

    return guarded


REQUESTS = {
    "DescribeMirrors": lambda ontap, _: {name: ontap.records(path) for name, path in READS.items()},
    "CreateMirror": create_mirror,
    "InitializeMirror": turned(("uninitialized",), "snapmirrored"),
    "TransferMirror": lambda ontap, event: ontap.ask("POST", f"{mirror(event)}/transfers?{WAIT}", {}),
    "AbortTransfer": abort_transfer,
    "PauseMirror": turned(("snapmirrored",), "paused"),
    "ResumeMirror": turned(("paused",), "snapmirrored"),
    "BreakMirror": turned(("paused",), "broken_off"),
    "ResyncMirror": turned(("broken_off",), "snapmirrored"),
    "UnmountVolume": unmount,
    "CreateClone": create_clone,
    "UnmountClone": of_drill(unmount),
    "DeleteClone": of_drill(lambda ontap, event: ontap.ask("DELETE", f"{volume(event)}?{WAIT}")),
}

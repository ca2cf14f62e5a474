"""The functions for ONTAP file systems in a workload's VPC, without a process and a socket of their own.

Forked worlds must share neither. What runs is the code of the deployed function, with its role and its variables; only its way
to the secret and to the file system leads straight into the embedded AWS. tests/infra/test_ontap.py runs it for real.
"""

from __future__ import annotations

import hashlib
import io
import json
import uuid
import zipfile
from collections.abc import Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest

from infra import probe
from localaws import inprocess, tls
from localaws.acting import role_principal
from localaws.dispatcher import LocalAws
from localaws.service import Call, ConnectionLost, Reply
from localaws.services.fsx import FsxService
from localaws.services.fsx.mirrors import Mirror
from localaws.services.fsx.models import Shelf, Thing
from localaws.services.fsx.ontap import OntapRest

APPS = "222222222222"
PREFIX = "dr-ontap-"
SECRETS = "arn:aws:secretsmanager:*:*:secret:*-fsxadmin-*"


def deploy(local: LocalAws, account: str, region: str, secrets: str = SECRETS, **more: str) -> None:
    """Put the functions into the workload's VPC, as its owner does."""
    if local.endpoint_url is not None:  # something made a server: file systems are managed at a path of it
        more = {"OntapEndpoints": "localhost:*/_ontap/fs-*", **more}
    ec2 = local.session(account, region).client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]
    groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [subnet["VpcId"]]}])["SecurityGroups"]
    given = {
        "SubnetIds": subnet["SubnetId"],
        "SecurityGroupIds": groups[0]["GroupId"],
        "OntapSecretArns": secrets,
        **more,
    }
    local.session(account, region).client("cloudformation").create_stack(
        StackName="dr-probe",
        TemplateBody=probe.current(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )


def run_inside(local: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the functions run in this process from now on."""
    service: Any = local.service("lambda")
    usual = service.operations["Invoke"]
    made: dict[tuple[str, str, str], Any] = {}

    def invoke(call: Call) -> Reply:
        name = str(call.params["FunctionName"])
        if not name.startswith(PREFIX):
            answer: Reply = usual(call)
            return answer
        function = service._function(call.account, call.region, name, None)
        key = (call.account, call.region, name)
        if key not in made:
            made[key] = _loaded(local, function, call.region)
        payload = call.params["Payload"]
        event = json.loads(payload.read() if hasattr(payload, "read") else payload)
        answered = json.dumps(made[key](event, None)).encode()
        return {"StatusCode": 200, "Payload": answered, "ExecutedVersion": "$LATEST"}

    monkeypatch.setitem(service.operations, "Invoke", invoke)


def _loaded(local: LocalAws, function: Any, region: str) -> Any:
    """Return the handler of a function's code."""
    code = zipfile.ZipFile(io.BytesIO(function.code_bytes)).read("index.py").decode()
    space: dict[str, Any] = {"__name__": "index"}
    exec(compile(code, "index.py", "exec"), space)  # noqa: S102  our own function
    core = botocore.session.Session()
    key, principal = f"ASIA{uuid.uuid4().hex[:16].upper()}", role_principal(function.role, function.function_name)
    local.accounts.register_session(key, principal, local.clock.now() + timedelta(days=10_000))
    core.set_credentials(key, "secret", "token")
    inprocess.connect(local, core)
    secrets = core.create_client("secretsmanager", region_name=region)
    space["os"] = SimpleNamespace(environ=dict(function.environment_vars))
    space["boto3"] = SimpleNamespace(client=lambda _service: secrets)

    def send(endpoint: str, secret: Mapping[str, str], method: str, path: str, body: Any) -> tuple[int, Any]:
        if secret.get("certificate", "").strip() != tls.certificate().strip():
            raise space["distrusted"](endpoint, "it shows another certificate than the secret holds")
        token = space["base64"].b64encode(f"{secret['user']}:{secret['password']}".encode()).decode()
        request = SimpleNamespace(
            url=f"https://{endpoint}{path}",
            method=method,
            body=None if body is None else json.dumps(body),
            headers={"Authorization": f"Basic {token}"},
        )
        try:
            answer = local.answer(inprocess.to_environ(request))  # type: ignore[arg-type]
        except ConnectionLost as error:
            raise space["Refusal"]("Unreachable", f"{endpoint} does not answer", "look at its Region.") from error
        return answer.status, json.loads(answer.body)

    space["send"] = send
    return space["handler"]


# --- questions to the embedded AWS ------------------------------------------------------------------------------------


def _fsx(world: Any) -> FsxService:
    fsx = world.local.service("fsx")
    assert isinstance(fsx, FsxService)
    return fsx


def volume(world: Any, region: str, name: str) -> Thing:
    """Return what the embedded AWS keeps of a volume."""
    (found,) = (v for v in _fsx(world).shelf(APPS, region, Shelf.VOLUMES).values() if v.shape["Name"] == name)
    return found


def home(world: Any, region: str) -> Thing:
    """Return what the embedded AWS keeps of the file system of a Region."""
    (found,) = _fsx(world).shelf(APPS, region, Shelf.FILE_SYSTEMS).values()
    return found


def shown(world: Any, region: str, name: str) -> dict[str, Any]:
    """Return a volume as FSx shows it."""
    (found,) = (v for v in world.aws("fsx", region).describe_volumes()["Volumes"] if v["Name"] == name)
    return dict(found)


def ontap_volume(world: Any, region: str, name: str) -> dict[str, Any]:
    """Return a volume as ONTAP shows it."""
    return OntapRest(_fsx(world))._volume(volume(world, region, name))


def mirrors(world: Any, region: str) -> list[dict[str, Any]]:
    """Return the relationships to the file system of a Region, as ONTAP shows them."""
    found: list[dict[str, Any]] = OntapRest(_fsx(world)).relationships(home(world, region), None)["records"]
    return found


def put_file(world: Any, region: str, name: str, file: str) -> None:
    """Let a client write a file; raise ValueError where it cannot."""
    _fsx(world).write_file(volume(world, region, name), file)


def files(world: Any, region: str, name: str) -> set[str]:
    """Return what a client reads."""
    return _fsx(world).files(volume(world, region, name))


def mirror(world: Any, region: str) -> Mirror:
    """Return what the embedded AWS keeps of the one relationship to a Region."""
    (found,) = _fsx(world).mirrors_of(home(world, region))
    return found


def write(world: Any, written: Thing, bytes_per_minute: float) -> None:
    """Let clients write to a volume at this rate from now on; only CloudWatch tells."""
    _fsx(world).write(written, bytes_per_minute)


def start_transfer(world: Any, region: str) -> None:
    """Begin an update, as a person may."""
    _fsx(world).update(mirror(world, region))


def run_short(run: Any) -> str:
    """Return the eight characters that stand for a run in names."""
    return hashlib.sha256(run.run_id.encode()).hexdigest()[:8]

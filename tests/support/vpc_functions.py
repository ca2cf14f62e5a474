"""The functions in a workload's VPC, without a process and a socket of their own: for ONTAP file systems and OpenSearch domains.

Forked worlds must share neither. What runs is the code of the deployed function, with its role and its variables; only its way
to AWS, to the file system and to the domain leads straight into the embedded AWS. tests/infra/test_ontap.py and
tests/infra/test_opensearch_function.py run them for real.
"""

from __future__ import annotations

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
from localaws.services.ec2 import vpc_of_subnets

FUNCTIONS = ("dr-ontap-", "dr-opensearch-")
SECRETS = "arn:aws:secretsmanager:*:*:secret:*-fsxadmin-*"
DOMAINS = "vpc-*.es.localhost"


def deploy(local: LocalAws, account: str, region: str, **more: str) -> None:
    """Put the functions into the workload's VPC, as its owner does."""
    if local.endpoint_url is not None:  # something made a server: file systems are managed at a path of it
        here = {"OntapEndpoints": "localhost:*/_ontap/fs-*", "OpenSearchEndpoints": "localhost:*/_opensearch/vpc-*"}
        more = {**here, **more}
    ec2 = local.session(account, region).client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]
    groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [subnet["VpcId"]]}])["SecurityGroups"]
    given = {
        "SubnetIds": subnet["SubnetId"],
        "SecurityGroupIds": groups[0]["GroupId"],
        "OntapSecretArns": SECRETS,
        "OpenSearchEndpoints": DOMAINS,
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
        if not name.startswith(FUNCTIONS):
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

    vpc = vpc_of_subnets(local, function.account_id, region, function.vpc_config["SubnetIds"])
    space["send"] = _to_domain(local, space, vpc) if "CARRIED" in space else _to_ontap(local, space)
    return space["handler"]


def _to_ontap(local: LocalAws, space: Mapping[str, Any]) -> Any:
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

    return send


def _to_domain(local: LocalAws, space: Mapping[str, Any], vpc: str) -> Any:
    def send(endpoint: str, method: str, path: str, headers: Mapping[str, str], body: str) -> dict[str, Any]:
        told = {**headers, "X-Localaws-Vpc": vpc}
        request = SimpleNamespace(url=f"https://{endpoint}{path}", method=method, body=body, headers=told)
        try:
            answer = local.answer(inprocess.to_environ(request))  # type: ignore[arg-type]
        except ConnectionLost as error:
            raise space["Refusal"]("Unreachable", f"{endpoint} does not answer", "look at its Region.") from error
        return {"Status": answer.status, "Body": answer.body.decode()}

    return send

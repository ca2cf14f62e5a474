"""Keep an embedded AWS with a deployed hub on this machine: start, bootstrap, deploy, load, stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cli.waiting import pause
from orchestrator.errors import DrError, ValidationError

ROOT = Path(__file__).resolve().parent.parent
REGIONS = ("us-east-1", "us-west-2")
START_LIMIT_SECONDS = 60.0
BASE_CONFIG = Path("config/local.yaml")


@dataclass(frozen=True)
class LocalHub:
    """An embedded AWS on `port`, its files under `state`."""

    state: Path
    port: int = 4566
    dns_port: int = 10053
    speed: float = 240.0
    """AWS seconds per second of the wall."""
    rate: float = 15.0
    """Seconds of the embedded world's clock per second of the wall."""

    @property
    def endpoint_url(self) -> str:
        """Return the address that AWS tools use."""
        return f"http://localhost:{self.port}"

    @property
    def config(self) -> dict[str, Any]:
        """Return the deployment configuration of the local hub."""
        loaded: dict[str, Any] = yaml.safe_load((ROOT / BASE_CONFIG).read_text())
        return loaded

    @property
    def hub_account(self) -> str:
        """Return the hub's account id."""
        return str(self.config["hub"]["account"])

    @property
    def ca_bundle(self) -> str:
        """Return the file with the authorities to trust, of the server that runs."""
        return str(self.admin("health")["ca_bundle"])

    def environment(self, region: str, account: str | None = None) -> dict[str, str]:
        """Return the variables that make any AWS tool use this embedded AWS as an account's administrator."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": f"LOCALADMIN{account or self.hub_account}",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
        }

    def start(self, estate: Path, scenario: Path | None = None) -> int:
        """Start the server in the background, wait until it answers, and return its process id."""
        if self.answers():
            raise ValidationError(
                f"something answers at {self.endpoint_url} already.", "dr local down, or choose --port"
            )
        self.state.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "localaws", "--port", str(self.port), "--dns-port", str(self.dns_port)]
        command += ["--speed", str(self.speed), "--rate", str(self.rate)]
        command += ["--estate", str(estate), "--state", str(self.state / "aws")]
        command += ["--scenario", str(scenario)] if scenario else []
        log = (self.state / "localaws.log").open("wb")
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT, start_new_session=True)
        (self.state / "pid").write_text(str(process.pid))
        waited = 0.0
        while not self.answers():
            if process.poll() is not None or waited > START_LIMIT_SECONDS:
                tail = (self.state / "localaws.log").read_text(errors="replace")[-2000:]
                raise DrError(f"the embedded AWS did not start:\n{tail}", f"read {self.state / 'localaws.log'}")
            pause(0.2)
            waited += 0.2
        return process.pid

    def stop(self) -> bool:
        """Stop the server that `start` started; say whether there was one."""
        pid_file = self.state / "pid"
        if not pid_file.exists():
            return False
        try:
            os.killpg(int(pid_file.read_text()), signal.SIGTERM)
        except ProcessLookupError:
            return False
        finally:
            pid_file.unlink()
        return True

    def answers(self) -> bool:
        """Say whether the server answers."""
        try:
            self.admin("health")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
        return True

    def admin(self, route: str, body: Mapping[str, Any] | None = None) -> Any:
        """Call an admin route of the embedded AWS; a body makes it a POST."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint_url}/_localaws/{route}", data=data)  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310
            return json.loads(reply.read() or b"null")

    def deploy(self, estate: Path) -> None:
        """Package the functions for this machine, bootstrap both Regions, deploy every stack by the real CDK."""
        config = self._write_config(estate)
        self._run([sys.executable, "-m", "infra.package", "--target", "host"])
        environment = self.environment(REGIONS[0])
        context = ["-c", f"config={config}", "-c", "package=host"]
        out = ["--output", str(self.state / "cdk.out")]
        self._run(["npx", "cdk", "synth", "--quiet", *context, *out], environment)
        app = ["--app", str(self.state / "cdk.out")]
        targets = [f"aws://{self.hub_account}/{region}" for region in REGIONS]
        self._run(["npx", "cdk", "bootstrap", *targets, *app], environment)
        self._run(
            ["npx", "cdk", "deploy", "--all", "--require-approval", "never", "--concurrency", "4", *app], environment
        )

    def deploy_functions(self, estate: Path) -> None:
        """Put the functions for ONTAP into the workloads' VPCs, as their owners do (stacksets/README.md); where there is ONTAP."""
        world = yaml.safe_load(estate.read_text())
        names = {each["account"] for each in world["resources"] if each["kind"] == "fsx-ontap"}
        for account, region in ((world["accounts"][name], region) for name in sorted(names) for region in REGIONS):
            subnets = json.loads(self.aws(region, ["ec2", "describe-subnets"], account))["Subnets"]
            group = ["ec2", "describe-security-groups", "--filters", f"Name=vpc-id,Values={subnets[0]['VpcId']}"]
            groups = json.loads(self.aws(region, group, account))["SecurityGroups"]
            given = {
                "SubnetIds": subnets[0]["SubnetId"],
                "SecurityGroupIds": groups[0]["GroupId"],
                "OntapSecretArns": f"arn:aws:secretsmanager:{region}:{account}:secret:*-fsxadmin-*",
                "OntapEndpoints": "localhost:*/_ontap/fs-*",
            }
            parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]
            template = (ROOT / "stacksets" / "probe.template.json").as_uri()
            stack = ["--stack-name", "dr-probe", "--template-body", template, "--parameters", json.dumps(parameters)]
            stack += ["--capabilities", "CAPABILITY_NAMED_IAM"]
            self.aws(region, ["cloudformation", "create-stack", *stack], account)

    def _write_config(self, estate: Path) -> Path:
        """Complete the local configuration with the estate's organization and with what only the running server knows."""
        config, world = self.config, yaml.safe_load(estate.read_text())
        config["organization"]["id"] = world["organization"]["id"]
        config["spokes"]["organizational_units"] = [unit["id"] for unit in world["organization"]["units"]]
        config["spokes"]["accounts"] = [
            account for account in world["accounts"].values() if account != self.hub_account
        ]
        config["hub"]["dns_servers"] = [f"127.0.0.1:{self.dns_port}"]
        view = self.aws(
            REGIONS[1], ["resource-explorer-2", "get-default-view", "--query", "ViewArn", "--output", "text"]
        ).strip()
        config["hub"]["explorer_views"] = dict.fromkeys(REGIONS, view)
        path = self.state / "hub.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        return path

    def aws(self, region: str, arguments: list[str], account: str | None = None) -> str:
        """Run the ordinary AWS CLI against the embedded AWS and return its output."""
        return self._run([str(Path(sys.executable).parent / "aws"), *arguments], self.environment(region, account))

    def _run(self, command: list[str], environment: Mapping[str, str] | None = None) -> str:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        merged = {**os.environ, "PATH": path, **(environment or {})}
        done = subprocess.run(command, cwd=ROOT, env=merged, capture_output=True, text=True, check=False)
        with (self.state / "commands.log").open("a") as log:
            log.write(f"$ {' '.join(command)}\n{done.stdout}{done.stderr}\n")
        if done.returncode:
            tail = (done.stdout + done.stderr)[-3000:]
            raise DrError(
                f"{' '.join(command[:4])} ended with {done.returncode}:\n{tail}", f"read {self.state / 'commands.log'}"
            )
        return done.stdout

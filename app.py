"""The CDK app: two Keys stacks, the ledger, the hub in both Regions, the spokes.

Context (`-c name=value`): `config`, the deployment configuration (config/example.yaml); `package`, the build of the
functions to deploy, aws or host; `dist`, where `python -m infra.package` put it. Needs no credentials and no network.
"""

from __future__ import annotations

import sys
from pathlib import Path

from aws_cdk import App, Environment, Stack, Tags, Validations
from aws_cdk import aws_lambda as lambda_
from cdk_nag import AwsSolutionsChecks

from infra import config as configuration
from infra import package as packaging
from infra import spoke
from infra.stacks.data import DataStack
from infra.stacks.hub import HubStack
from infra.stacks.keys import KeysStack
from infra.stacks.spokes import SpokesStack

ROOT = Path(__file__).resolve().parent


def build(app: App) -> list[Stack]:
    """Add every stack to the app; raise ValueError when configuration or package are not fit to deploy."""
    config = configuration.load(_path(app, "config"))
    package, archive = packaging.load(_path(app, "dist"), str(app.node.get_context("package")))
    hub = config.hub
    at = {region: Environment(account=hub.account, region=region) for region in hub.regions}
    kept = {"termination_protection": hub.retain_data}

    keys = {
        region: KeysStack(app, f"DrHubKeys-{region}", hub=hub, region=region, **kept, env=at[region]) for region in at
    }
    data = DataStack(app, "DrHubData", hub=hub, **kept, env=at[hub.home_region])
    hubs = [
        HubStack(
            app,
            f"DrHub-{region}",
            config=config,
            region=region,
            key=keys[region].hub_key.key,
            package=package,
            code=lambda_.Code.from_asset(str(archive)),
            env=at[region],
        )
        for region in hub.regions
    ]
    spokes = SpokesStack(app, "DrSpokes", config=config, template=spoke.PATH, env=at[hub.home_region])

    # Names, not references, lead across Regions; so the order must be told.
    for each in keys.values():
        data.add_stack_dependency(each)
    for each_hub in hubs:
        each_hub.add_stack_dependency(data)
        spokes.add_stack_dependency(each_hub)
    return [*keys.values(), data, *hubs, spokes]


def _path(app: App, name: str) -> Path:
    return ROOT / str(app.node.get_context(name))


def main() -> int:
    """Synthesise; on a foreseen error print what to do and return 1."""
    app = App()
    try:
        build(app)
    except ValueError as err:
        sys.stderr.write(f"{err}\n")
        return 1
    Tags.of(app).add("dr:component", "hub", exclude_resource_types=["AWS::CloudFormation::StackSet"])
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())

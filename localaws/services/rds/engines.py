"""Facts about database engines that moto lacks: default versions, which replicas survive their source."""

from __future__ import annotations

from typing import Any

DEFAULT_VERSIONS = {
    "mysql": "8.0.39",
    "mariadb": "10.11.9",
    "postgres": "16.4",
    "oracle-ee": "19.0.0.0.ru-2024-07.rur-2024-07.r1",
    "oracle-ee-cdb": "19.0.0.0.ru-2024-07.rur-2024-07.r1",
    "sqlserver-ee": "15.00.4395.2.v1",
    "aurora-mysql": "8.0.mysql_aurora.3.08.0",
    "aurora-postgresql": "16.4",
}
_PORTS = {"oracle-ee-cdb": 1521, "oracle-se2-cdb": 1521}


def complete_defaults(params: dict[str, Any]) -> dict[str, Any]:
    """Return CreateDBInstance parameters with the version, port and storage AWS would choose."""
    engine = str(params["Engine"])
    completed = dict(params)
    if not completed.get("DBClusterIdentifier"):
        if engine in DEFAULT_VERSIONS:
            completed.setdefault("EngineVersion", DEFAULT_VERSIONS[engine])
        completed.setdefault("AllocatedStorage", 20)
        completed.setdefault("StorageType", "gp3")
    if engine in _PORTS:
        completed.setdefault("Port", _PORTS[engine])
    completed.setdefault("PubliclyAccessible", False)
    return completed


def supports_switchover(engine: str) -> bool:
    """Tell whether SwitchoverReadReplica serves the engine: it exists for Oracle Data Guard only."""
    return engine.startswith("oracle-ee")


def replicas_survive_their_source(engine: str, same_region: bool) -> bool:
    """Tell whether deleting the source promotes a replica; a cross-Region PostgreSQL replica is only cut off."""
    return same_region or engine != "postgres"


def parameter_family(engine: str, version: str) -> str:
    """Return the parameter group family: PostgreSQL by major version, Aurora MySQL and the others by major.minor."""
    parts = version.split(".")
    if engine in ("postgres", "aurora-postgresql"):
        return f"{engine}{parts[0]}"
    if engine.startswith("oracle"):
        return f"{engine}-{parts[0]}"
    return f"{engine}{'.'.join(parts[:2])}"

"""An ONTAP file system's own interface, reached through functions in its VPC, in the shape of a botocore client.

SnapMirror is driven by ONTAP's REST interface at the file system's management endpoint, which only the VPC reaches (FSx for
ONTAP user guide, "Managing file systems with the ONTAP REST API"). The functions `dr-ontap-*` (stacksets/ontap_function.py)
know a closed set of requests; which of them takes a request is decided here, and each checks it again: a session that may
only read can only invoke the one that only reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from botocore import xform_name
from pydantic import JsonValue

from orchestrator.errors import RefusedError
from orchestrator.names import ONTAP_DRILL, ONTAP_READ, ONTAP_SWITCH
from orchestrator.vpc_functions import invoked

SERVICE = "ontap"
"""The pseudo-service's name in reads and calls; parameters: Endpoint, Secret, and what the request needs."""
READS = ("DescribeMirrors",)
DRILLS = ("CreateClone", "UnmountClone", "DeleteClone")
SWITCHES = (
    "CreateMirror",
    "InitializeMirror",
    "TransferMirror",
    "AbortTransfer",
    "PauseMirror",
    "ResumeMirror",
    "BreakMirror",
    "ResyncMirror",
    "UnmountVolume",
)
_METHODS = {xform_name(each): each for each in (*READS, *DRILLS, *SWITCHES)}


def function_of(request: str) -> str:
    """Return the name of the function that takes a request."""
    if request in READS:
        return ONTAP_READ
    return ONTAP_DRILL if request in DRILLS else ONTAP_SWITCH


class OntapClient:
    """Has a method per request. A function that is not deployed is Lambda's ResourceNotFoundException."""

    SERVICE = SERVICE

    def __init__(self, functions: Any, region: str) -> None:
        """`functions` is a Lambda client of `region`."""
        self._functions = functions
        self._region = region

    def can_paginate(self, _operation: str) -> bool:
        """Say that nothing has pages: the functions read all of them."""
        return False

    def __getattr__(self, method: str) -> Callable[..., Mapping[str, JsonValue]]:
        """Return the method of a request."""
        if method not in _METHODS:
            raise AttributeError(method)
        return partial(self._ask, _METHODS[method])

    def _ask(self, request: str, *, Endpoint: str, **params: JsonValue) -> Mapping[str, JsonValue]:
        if f".{self._region}." not in f"{Endpoint}.":
            raise RefusedError(
                f"{Endpoint} does not lie in {self._region}; this session may only ask file systems there.",
                "this is a defect of the adapter: report it; nothing was sent.",
            )
        name = function_of(request)
        what = f"function {name} in {self._region}, asked {request} of {Endpoint}"
        asked: Mapping[str, JsonValue] = {"Request": request, "Endpoint": Endpoint, **params}
        return invoked(self._functions, name, asked, what, "Ontap")

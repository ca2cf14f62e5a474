"""What every part of the OpenSearch module shares: domains, their state, their endpoints, refusals."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from localaws.service import AwsError, Call
from localaws.services.ec2 import vpc_of_subnets
from localaws.services.opensearch.state import Connection, DomainState, Peering, Place, Processing
from localaws.services.timed import Paging, TimedService

PAGES = Paging("NextToken", "MaxResults", "InvalidPaginationTokenException")
PATH = "/_opensearch/"
_LABEL = re.compile(r"^(search|vpc)-(?P<domain>[a-z][a-z0-9-]{2,27})-(?P<digest>[0-9a-f]{16})\.(?P<region>[a-z0-9-]+)$")


def not_found(what: str) -> AwsError:
    """Return the answer for an unknown domain or connection."""
    return AwsError("ResourceNotFoundException", what, 409)


def exists(what: str) -> AwsError:
    """Return the answer for what there is already."""
    return AwsError("ResourceAlreadyExistsException", what, 409)


def invalid(what: str) -> AwsError:
    """Return the answer for a request that the state forbids."""
    return AwsError("ValidationException", what)


class OpenSearchBase(TimedService):
    """Base of the OpenSearch operation groups."""

    name: ClassVar[str] = "opensearch"

    def reset(self) -> None:
        """Forget what moto's backend does not hold."""
        self._states: WeakKeyDictionary[Any, DomainState] = WeakKeyDictionary()
        self.connections: dict[str, Connection] = {}
        self.peerings: list[Peering] = []

    def backend(self, account: str, region: str) -> Any:
        """Return moto's store of an account and Region."""
        return self.world.backend("opensearch", account, region)

    def domain(self, place: Place) -> Any:
        """Return moto's domain; raise `ResourceNotFoundException`."""
        found = self.backend(place.account, place.region).domains.get(place.domain)
        if found is None:
            raise not_found(f"Domain not found: {place.domain}")
        return found

    def exists_domain(self, place: Place) -> bool:
        """Tell whether a domain exists."""
        return place.domain in self.backend(place.account, place.region).domains

    def state(self, place: Place) -> DomainState:
        """Return the state beside a domain; raise `ResourceNotFoundException`."""
        domain = self.domain(place)
        found = self._states.get(domain)
        if found is None:
            found = self._states[domain] = DomainState(status=Processing.ACTIVE)
        return found

    def addressed(self, call: Call) -> Place:
        """Return the domain a call names; raise `ResourceNotFoundException`."""
        place = Place(call.account, call.region, call.params["DomainName"])
        self.domain(place)
        return place

    def places(self, account: str, region: str) -> Iterator[Place]:
        """Return the domains of an account and Region."""
        for name in list(self.backend(account, region).domains):
            yield Place(account, region, name)

    def require_active(self, place: Place) -> None:
        """Refuse with `ValidationException` while a domain is created, changed or deleted."""
        status = self.state(place).status
        if status != Processing.ACTIVE:
            raise invalid(f"Domain {place.domain} is {status}: a change is in progress, expected Active.")

    # --- endpoints

    def endpoint(self, place: Place) -> str:
        """Return where a domain is reached, without scheme: see the package's docstring."""
        kind = "vpc" if self.domain(place).vpc_options else "search"
        label = f"{kind}-{place.domain}-{_digest(place)}.{place.region}"
        server = self.world.endpoint_url
        return f"{label}.es.localhost" if server is None else f"{server.partition('://')[2]}{PATH}{label}"

    def place_at(self, host: str, path: str) -> tuple[Place, str] | None:
        """Return the domain a request is for and the path inside it; None when it is for AWS."""
        label, suffix, _ = host.partition(":")[0].partition(".es.localhost")
        inside = path
        if path.startswith(PATH):
            label, _, rest = path.removeprefix(PATH).partition("/")
            inside = f"/{rest}"
        elif not suffix:
            return None
        match = _LABEL.match(label)
        if match is None:
            return None
        for account in self.world.accounts.names:
            place = Place(account, match["region"], match["domain"])
            if _digest(place) == match["digest"] and self.exists_domain(place):
                return place, inside
        return None

    def vpc_of(self, place: Place) -> str | None:
        """Return the VPC a domain lies in; None when it is public."""
        subnets = (self.domain(place).vpc_options or {}).get("SubnetIds")
        return vpc_of_subnets(self.world, place.account, place.region, subnets) if subnets else None

    # --- clients

    def is_closed(self, place: Place) -> bool:
        """Tell whether no client reaches the domain: in a VPC, with security groups that admit nobody."""
        options = self.domain(place).vpc_options or {}
        return self.is_fenced(place.account, place.region, options.get("SecurityGroupIds", ()))


def _digest(place: Place) -> str:
    return hashlib.sha256(place.arn.encode()).hexdigest()[:16]

"""What services whose changes take time have in common: statuses on the scaled clock, dark Regions, fences, pages."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from localaws.service import AwsError, Call, Reply, Service

if TYPE_CHECKING:
    from localaws.world import World

Effect = Callable[[], None]


@dataclass(kw_only=True, eq=False)
class Changing:
    """A resource with a status. `epoch` grows with every change, so that an overtaken one has no effect."""

    status: str
    epoch: int = 0


@dataclass(frozen=True)
class Change:
    """One change: `during` is shown for `seconds` AWS seconds, then `end`, or `failed` when it fails.

    `kind` (`service.what`) and `resource` (an ARN) name it for scenarios.
    """

    kind: str
    resource: str
    seconds: float
    during: str
    end: str
    failed: str


class TimedService(Service):
    """Base of services whose resources pass through statuses. `instantly()` is for seeders."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._instant = 0
        self.reset()

    @contextmanager
    def instantly(self) -> Iterator[None]:
        """Let every change made inside take no time."""
        self._instant += 1
        try:
            yield
        finally:
            self._instant -= 1

    def later(self, kind: str, resource: str, seconds: float, effect: Effect, on_failure: Effect | None = None) -> None:
        """Apply `effect` after `seconds` AWS seconds by the world's clock and faults; at once while seeding."""
        if self._instant:
            effect()
        else:
            self.world.transition(kind, resource, seconds, effect, on_failure)

    def lead(self, one: Changing, change: Change, done: Effect | None = None, on_failure: Effect | None = None) -> None:
        """Lead a resource through a change; a later one overtakes it."""
        one.epoch += 1
        one.status = change.during
        epoch = one.epoch

        def end_in(status: str, effect: Effect | None) -> Effect:
            def apply() -> None:
                if one.epoch == epoch:
                    one.status = status
                    if effect is not None:
                        effect()

            return apply

        self.later(
            change.kind, change.resource, change.seconds, end_in(change.end, done), end_in(change.failed, on_failure)
        )

    def when_up(self, region: str, poll_seconds: float, effect: Effect) -> None:
        """Apply `effect` now, or as soon as the Region answers again."""
        if self.region_is_down(region):
            self.world.clock.after(poll_seconds, lambda: self.when_up(region, poll_seconds, effect))
        else:
            effect()

    def region_is_down(self, region: str) -> bool:
        """Tell whether the scenario has blacked the Region out."""
        return self.world.faults.region_is_down(region)

    def dark_since(self, region: str) -> datetime | None:
        """Return since when the Region is down, None when it is up."""
        return self.world.faults.region_down_since(region)

    def aws_seconds_between(self, begin: datetime, end: datetime) -> float:
        """Return how much AWS time passes between two moments of the clock."""
        return self.world.clock.aws_seconds((end - begin).total_seconds())

    def is_fenced(self, account: str, region: str, security_group_ids: Iterable[str]) -> bool:
        """Tell whether none of the security groups admits any client; False when there are none."""
        store = self.world.backend("ec2", account, region)
        found = [store.get_security_group_from_id(group) for group in security_group_ids]
        return bool(found) and all(group is not None and not group.ingress_rules for group in found)

    def bucket(self, account: str, name: str) -> Any | None:
        """Return moto's bucket; None when the account has none of that name."""
        return self.world.backend("s3", account, "us-east-1").buckets.get(name)

    def ask_moto(self, call: Call, operation: str, **params: Any) -> Reply:
        """Ask moto another operation on behalf of the same caller."""
        return self.world.moto(replace(call, operation=operation, params=params))


@dataclass(frozen=True)
class Paging:
    """How a service pages: the names of token and size in the request, of the token in the reply."""

    token: str
    size: str
    bad_token: str
    default: int = 100

    def page(self, call: Call, items: Sequence[Any], name: str) -> dict[str, Any]:
        """Return one page of `items` under `name`, and the token of the next."""
        start = 0
        if token := call.params.get(self.token):
            try:
                start = int(base64.urlsafe_b64decode(token))
            except (ValueError, binascii.Error) as error:
                raise AwsError(self.bad_token, f"The {self.token} is not valid.") from error
        end = start + int(call.params.get(self.size) or self.default)
        reply: dict[str, Any] = {name: list(items[start:end])}
        if end < len(items):
            reply[self.token] = base64.urlsafe_b64encode(str(end).encode()).decode()
        return reply


def tag_map(tags: Iterable[Any] | None) -> dict[str, str]:
    """Return a list of `Key` and `Value` as a mapping."""
    return {tag["Key"]: tag.get("Value", "") for tag in tags or ()}


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Return a mapping as a list of `Key` and `Value`."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]

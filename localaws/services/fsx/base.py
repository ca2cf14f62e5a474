"""What the FSx handlers share: where things are kept, tokens, life cycles over time, pages and filters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from localaws.service import AwsError, Call, Service
from localaws.services.fsx.models import Life, Shelf, Thing

if TYPE_CHECKING:
    from localaws.world import World

MISSING = {
    Shelf.FILE_SYSTEMS: ("FileSystemNotFound", "File system '{}' does not exist."),
    Shelf.BACKUPS: ("BackupNotFound", "Backup '{}' does not exist."),
    Shelf.VOLUMES: ("VolumeNotFound", "Volume '{}' does not exist."),
    Shelf.SNAPSHOTS: ("SnapshotNotFound", "Snapshot '{}' does not exist."),
    Shelf.MACHINES: ("StorageVirtualMachineNotFound", "Storage virtual machine '{}' does not exist."),
    Shelf.ASSOCIATIONS: ("DataRepositoryAssociationNotFound", "Data repository association '{}' does not exist."),
    Shelf.TASKS: ("DataRepositoryTaskNotFound", "Data repository task '{}' does not exist."),
}
TOKEN = "ClientRequestToken"  # noqa: S105  a parameter's name
FAILED = "The operation failed for an internal reason."
PAGE = 2147483647


class FsxBase(Service):
    """State and helpers of the service."""

    name: ClassVar[str] = "fsx"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.reset()

    def reset(self) -> None:
        """Forget which tokens were used; things are on moto's backends."""
        self._tokens: dict[tuple[str, ...], tuple[Mapping[str, Any], Thing]] = {}

    def shelf(self, account: str, region: str, kind: Shelf) -> dict[str, Thing]:
        """Return the things of a kind by id."""
        backend = self.world.backend("fsx", account, region)
        found: dict[str, Thing] = backend.__dict__.setdefault(str(kind), {})
        return found

    def find(self, call: Call, kind: Shelf, wanted: str) -> Thing:
        """Return a thing of the caller's account and Region; raise the kind's NotFound error."""
        found = self.shelf(call.account, call.region, kind).get(wanted.rpartition("/")[2])
        if found is None:
            code, message = MISSING[kind]
            raise AwsError(code, message.format(wanted))
        return found

    def once(self, call: Call, make: Callable[[], Thing]) -> Thing:
        """Make a thing, or return what the same token made before; raise IncompatibleParameterError."""
        token = call.params.get(TOKEN)
        if token is None:
            return make()
        asked = {key: value for key, value in call.params.items() if key != TOKEN}
        key = (call.account, call.region, call.operation, token)
        if key not in self._tokens:
            self._tokens[key] = (asked, make())
        before, made = self._tokens[key]
        if before != asked:
            parameter = next(name for name in {**before, **asked} if before.get(name) != asked.get(name))
            message = f"The token {token} was used before with another {parameter}."
            raise AwsError("IncompatibleParameterError", message, Parameter=parameter)
        return made

    def put(self, kind: Shelf, thing: Thing, tags: Iterable[Mapping[str, str]] = ()) -> Thing:
        """Keep a thing and its tags."""
        self.shelf(thing.account, thing.region, kind)[thing.id] = thing
        if tags:
            self.world.backend("fsx", thing.account, thing.region).tagger.tag_resource(thing.resource_arn, list(tags))
        return thing

    def drop(self, kind: Shelf, thing: Thing) -> None:
        """Forget a thing and its tags."""
        self.shelf(thing.account, thing.region, kind).pop(thing.id, None)
        self.world.backend("fsx", thing.account, thing.region).tagger.delete_all_tags_for_resource(thing.resource_arn)

    def tags(self, thing: Thing) -> list[dict[str, str]]:
        """Return the tags of a thing."""
        backend = self.world.backend("fsx", thing.account, thing.region)
        found: list[dict[str, str]] = backend.list_tags_for_resource(thing.resource_arn)
        return found

    def shown(self, thing: Thing) -> dict[str, Any]:
        """Return a thing's description with its tags."""
        tags = self.tags(thing)
        return {**thing.shape, "Tags": tags} if tags else dict(thing.shape)

    def walk(self, kind: str, thing: Thing, seconds: float, end: Life, then: Callable[[], None] | None = None) -> None:
        """Bring a thing from its present state to `end`, or to FAILED; `then` follows success."""

        def reach() -> None:
            if thing.life not in {Life.DELETING, Life.FAILED}:
                thing.life = end
                if then is not None:
                    then()

        def fail() -> None:
            thing.fail(FAILED)

        self.world.transition(kind, thing.id, seconds, reach, fail)

    def pass_through(self, thing: Thing, seconds: float, before: Life, state: Life) -> None:
        """Change the state on the way, when it is still `before`."""

        def change() -> None:
            if thing.life == before:
                thing.life = state

        self.world.clock.after(seconds, change)

    def listed(
        self, call: Call, kind: Shelf, ids: str, member: str, filters: Mapping[str, Callable[[Thing], Any]]
    ) -> dict[str, Any]:
        """Answer a Describe call: the things asked for by id, through the filters, one page."""
        wanted = call.params.get(ids)
        everything = self.shelf(call.account, call.region, kind).values()
        things = [self.find(call, kind, one) for one in wanted] if wanted else list(everything)
        for given in call.params.get("Filters") or []:
            value = filters.get(given["Name"], of(given["Name"]))
            things = [thing for thing in things if value(thing) in given["Values"]]
        start = int(call.params.get("NextToken") or 0)
        end = start + int(call.params.get("MaxResults") or PAGE)
        reply: dict[str, Any] = {member: [self.shown(thing) for thing in things[start:end]]}
        return {**reply, "NextToken": str(end)} if end < len(things) else reply


def of(*path: str) -> Callable[[Thing], Any]:
    """Return a reader of a (nested) member of a thing's description."""

    def read(thing: Thing) -> Any:
        value: Any = thing.shape
        for name in path:
            value = (value or {}).get(name)
        return value

    return read

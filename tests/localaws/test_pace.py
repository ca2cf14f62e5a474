"""One clock for the whole embedded world, faster than the wall's: services, state machines and functions agree."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import pytest

from localaws import pace
from localaws.clock import ScaledClock
from localaws.dispatcher import LocalAws
from localaws.server import Server
from tests.localaws.engine_room import HUB, REGION, Shop

RATE = 600.0
SLACK = timedelta(minutes=30)
"""Three seconds of a busy machine."""

WITNESS = """
    import time
    from datetime import datetime, timezone

    import boto3

    def handler(event, context):
        began, watch = datetime.now(timezone.utc), time.monotonic()
        time.sleep(event.get("sleep", 0))
        client = boto3.client("sts")
        answer = client.get_caller_identity()
        return {
            "now": datetime.now(timezone.utc).isoformat(),
            "time": time.time(),
            "slept": (datetime.now(timezone.utc) - began).total_seconds(),
            "watched": time.monotonic() - watch,
            "heard": answer["ResponseMetadata"]["HTTPHeaders"]["date"],
            "left": context.get_remaining_time_in_millis() / 1000,
        }
"""


@pytest.fixture
def hurried() -> Iterator[pace.Pace]:
    """Let this process live faster, a day ahead of the wall from the start."""
    kept = pace.Pace(RATE, pace.wall_now().timestamp() - 86_400 / (RATE - 1))
    pace.keep(kept)
    yield kept
    pace.release()


def test_everything_that_tells_the_time_tells_the_same(hurried: pace.Pace) -> None:
    told = [
        datetime.now(UTC),
        datetime.fromtimestamp(time.time(), UTC),
        datetime.fromtimestamp(time.time_ns() / 1e9, UTC),
        datetime.utcnow().replace(tzinfo=UTC),  # noqa: DTZ003 - libraries still call it
        datetime(*time.gmtime()[:6], tzinfo=UTC),
    ]
    assert told[0] - pace.wall_now() > timedelta(hours=23)
    assert all(abs(each - told[0]) < SLACK for each in told)
    assert date.today() in {told[0].astimezone().date(), (told[0] + SLACK).astimezone().date()}  # noqa: DTZ011
    assert type(datetime.now(UTC)) is datetime


def test_at_the_end_the_walls_time_is_back(hurried: pace.Pace) -> None:
    pace.release()
    assert abs(datetime.now(UTC) - pace.wall_now()) < timedelta(minutes=1)
    assert pace.current().rate == 1.0


def test_a_function_lives_by_the_clock_of_the_services_it_calls(hurried: pace.Pace) -> None:
    # Given an embedded AWS with a function
    shop = Shop(ScaledClock(2000))
    with Server(shop.local) as server:
        shop.function("witness", WITNESS, timeout=20)

        # When it sleeps five minutes
        before = datetime.now(UTC)
        answer = shop.invoke("witness", {"sleep": 300})["payload"]
        after = datetime.now(UTC)

        # Then its own clock, its stopwatch, and AWS's answers to it agree with what AWS stamps
        assert before < datetime.fromisoformat(answer["now"]) < after
        assert before.timestamp() < answer["time"] < after.timestamp()
        assert before - timedelta(seconds=1) < parsedate_to_datetime(answer["heard"]) < after
        assert 300 <= answer["slept"] < (after - before).total_seconds()
        assert answer["watched"] >= 300
        # And it still has the wall's seconds to work in
        assert 300 < answer["left"] < 20 * RATE
        # And someone outside hears the world's time too
        session = boto3.Session("LOCALADMIN" + HUB, "local", region_name=REGION)
        told = session.client("sts", endpoint_url=server.endpoint_url).get_caller_identity()["ResponseMetadata"]
        assert parsedate_to_datetime(told["HTTPHeaders"]["date"]) > after - timedelta(seconds=1)
    shop.close()


def test_what_takes_aws_two_minutes_is_as_long_on_the_clock_as_its_rate_says(hurried: pace.Pace) -> None:
    clock = ScaledClock(speed=6000)
    assert clock.wall_seconds(120) == 0.02
    assert clock.clock_seconds(120) == 12
    assert clock.aws_seconds(clock.clock_seconds(120)) == 120


def test_an_sdk_that_corrects_its_clock_by_every_refusal_is_told_the_walls_time(hurried: pace.Pace) -> None:
    # Given the embedded AWS a day ahead
    server = Server(LocalAws({"111111111111": "hub"}), 0)
    server.start()
    try:
        told = {}
        for agent in ("aws-sdk-js/3.9 ua/2.1", "Boto3/1.40"):
            request = Request(f"http://127.0.0.1:{server.port}/?Action=DescribeStacks", headers={"User-Agent": agent})
            with pytest.raises(HTTPError) as refused:
                urlopen(request, timeout=10)  # noqa: S310 - the server just started
            told[agent] = parsedate_to_datetime(refused.value.headers["Date"])
            refused.value.close()
    finally:
        server.stop()
    # Then who judges by its own clock finds nothing to correct, and everybody else lives in the same time as its services
    assert abs(told["aws-sdk-js/3.9 ua/2.1"] - pace.wall_now()) < timedelta(minutes=1)
    assert told["Boto3/1.40"] - pace.wall_now() > timedelta(hours=23)

"""The input of a run: whatever is typed at three in the morning gets an answer that helps."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import RefusedError, ValidationError
from orchestrator.request import Request, check_hub_region, closest, parse
from orchestrator.words import LIFECYCLE, Approval, Mode, Operation, Phase
from tests.unit.scripted_platform import REQUEST


def refusal(**changes: Any) -> str:
    """Return the message for the good request with some fields changed (None removes a field)."""
    raw = {key: value for key, value in {**REQUEST, **changes}.items() if value is not None}
    with pytest.raises(ValidationError) as refused:
        parse(raw)
    assert refused.value.code == "BadRequest"
    assert '"Operation":"failover"' in refused.value.remedy
    return refused.value.message


def test_shortest_request_asks_for_approvals_and_everything() -> None:
    request = parse(REQUEST)
    assert (request.ApprovalMode, request.mode) == (Approval.REQUIRED, Mode.PLANNED)
    assert (request.Waves, request.Phases, request.DryRun) == (None, None, False)


def test_failback_runs_the_other_way() -> None:
    request = parse({**REQUEST, "Operation": "failback"})
    assert (request.source_region, request.target_region) == ("us-west-2", "us-east-1")


@pytest.mark.parametrize(
    ("changes", "mode"),
    [({"Operation": "test"}, Mode.DRILL), ({"Emergency": True}, Mode.EMERGENCY), ({}, Mode.PLANNED)],
)
def test_mode_follows_what_was_asked(changes: dict[str, Any], mode: Mode) -> None:
    assert parse({**REQUEST, **changes}).mode is mode


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"Custommer": "X"}, 'unknown field Custommer (did you mean "Customer"?)'),
        ({"waves": [1]}, 'unknown field waves (did you mean "Waves"?)'),
        ({"Xyzzy": 1}, "unknown field Xyzzy"),
        ({"Customer": None}, "Customer is missing"),
        ({"Customer": ""}, "Customer"),
        ({"Customer": '" OR tag:Customer="Other'}, "cannot be the value of a tag"),
        ({"Customer": "CustomerX "}, "cannot be the value of a tag"),
        ({"Environment": "producton"}, '(did you mean "production"?)'),
        ({"Environment": "Production"}, '(did you mean "production"?)'),
        ({"Operation": "failovr"}, 'Operation is "failovr", expected one of'),
        ({"Operation": 7}, 'Operation is "7", expected one of'),
        ({"ApprovalMode": "none"}, 'ApprovalMode is "none", expected one of'),
        ({"Phases": ["ACTIVATE", "CLEAN"]}, 'Phases.1 is "CLEAN"'),
        ({"PrimaryRegion": "Virginia"}, '"Virginia" is not an AWS Region code'),
        ({"PrimaryRegion": "us-east-1\n"}, "is not an AWS Region code"),
        ({"DRRegion": "us-east-1"}, "both us-east-1; they must differ"),
        ({"Waves": [1, 0]}, "Waves are numbered from 1"),
        ({"Waves": []}, "absent or name at least one"),
        ({"Phases": []}, "absent or name at least one"),
        ({"Waves": ["first"]}, "Waves.0"),
        ({"Operation": "test", "Emergency": True}, "a drill never touches production"),
        ({"Emergency": True, "ApprovalMode": "automatic"}, "needs AcceptDataLoss"),
        ({"DetectedAt": "2026-03-01T02:00:00"}, "DetectedAt"),
        ({"DetectedAt": "yesterday"}, "DetectedAt"),
        ({"Reason": "x" * 513}, "Reason"),
        ({"LeaseMinutes": 60}, "LeaseMinutes goes only with Operation test"),
        ({"Operation": "test", "LeaseMinutes": 14}, "LeaseMinutes is 14, expected 15 to 10080 (a week)"),
        ({"Operation": "test", "LeaseMinutes": 10081}, "LeaseMinutes is 10081, expected 15 to 10080 (a week)"),
        ({"CostCeilingUSD": 60}, "CostCeilingUSD goes only with Operation test"),
        ({"Operation": "test", "CostCeilingUSD": 0}, "CostCeilingUSD is 0.0, expected more than 0"),
        ({"Operation": "test", "LeaseMinutes": "an hour"}, "LeaseMinutes"),
        ({"Operation": "test", "LeaseMinute": 60}, 'unknown field LeaseMinute (did you mean "LeaseMinutes"?)'),
        ({"Operation": "test", "Complete": "run-1"}, "of a drill its CLEANUP alone"),
        ({"Operation": "test", "Complete": "run-1", "Phases": ["CLEANUP"], "LeaseMinutes": 60}, "goes only with"),
    ],
)
def test_bad_field_is_named_with_what_was_expected(changes: dict[str, Any], told: str) -> None:
    assert told in refusal(**changes)


def test_every_problem_is_named_at_once_also_those_between_good_fields() -> None:
    # Given a request wrong in seven ways, two of them only in how good fields fit together
    message = refusal(
        Custommer="X",
        Customer=None,
        Environment="prod",
        DRRegion="us-east-1",
        Waves=[0],
        DetectedAt="noon",
        Operation="test",
        Emergency=True,
    )
    # Then all are told in one answer
    assert "the input has 7 problem(s)" in message
    for part in ("Custommer", "Customer is missing", "Environment", "differ", "numbered from 1", "DetectedAt", "drill"):
        assert part in message


@pytest.mark.parametrize("raw", [None, [], "text", 7, True])
def test_input_that_is_no_object_is_refused_with_an_example(raw: object) -> None:
    with pytest.raises(ValidationError, match="not a JSON object"):
        parse(raw)


def test_hub_in_the_other_region_answers_with_the_command_to_paste() -> None:
    # Given a request with a reason that would break a careless quotation
    request = parse({**REQUEST, "Reason": "region's down"})
    # When the hub of the Region being left is asked
    with pytest.raises(RefusedError) as refused:
        check_hub_region(request, "us-east-1")
    # Then the remedy, pasted into a shell, starts the same run in the right Region
    words = shlex.split(refused.value.remedy)
    assert words[words.index("--region") + 1] == "us-west-2"
    assert parse(json.loads(words[words.index("--input") + 1])) == request


def test_hub_in_the_right_region_goes_on() -> None:
    check_hub_region(parse(REQUEST), "us-west-2")


def test_suggestion_is_silent_about_words_that_resemble_nothing() -> None:
    assert closest("zzzzzz", ["alpha", "beta"]) == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=8,
)
FIELDS = st.sampled_from([*Request.model_fields, "customer", "Region", "Wave"])


@given(st.dictionaries(FIELDS, JSON, max_size=12))
def test_any_json_is_accepted_or_refused_but_never_crashes(changes: dict[str, Any]) -> None:
    try:
        request = parse({**REQUEST, **changes})
    except ValidationError as err:
        assert err.message.startswith("the input has ")  # noqa: PT017 - either outcome is right, a third is not
        assert err.remedy
    else:
        assert request.source_region != request.target_region


BAD: dict[str, Any] = {
    "Environment": "prod",
    "Operation": "move",
    "ApprovalMode": "maybe",
    "Mode": "zigzag",
    "Phases": ["DANCE"],
    "Waves": ["x"],
    "DryRun": "perhaps",
    "Emergency": [],
    "Reason": 5,
    "DetectedAt": "noon",
    "Region": "us-east-1",
}


@given(st.sets(st.sampled_from(sorted(BAD)), min_size=1))
def test_as_many_problems_are_told_as_there_are(wrong: set[str]) -> None:
    message = refusal(**{name: BAD[name] for name in wrong})
    assert all(name in message for name in wrong)
    assert f"the input has {len(wrong)} problem(s)" in message


@given(
    st.sampled_from(Operation),
    st.booleans(),
    st.sampled_from(Approval),
    st.booleans(),
    st.none() | st.sets(st.sampled_from(LIFECYCLE)).map(sorted),
)
def test_accepted_request_survives_being_written_and_read(
    operation: Operation, emergency: bool, approval: Approval, accept: bool, phases: list[Phase] | None
) -> None:
    raw = {
        **REQUEST,
        "Operation": operation,
        "Emergency": emergency,
        "ApprovalMode": approval,
        "AcceptDataLoss": accept,
        "Phases": phases,
    }
    try:
        request = parse(raw)
    except ValidationError:
        return
    assert parse(json.loads(request.model_dump_json())) == request

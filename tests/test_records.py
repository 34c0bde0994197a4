"""Records out: their bytes, their keys, and what is said of bytes that are something else."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.records import (
    Alert,
    Cause,
    Counts,
    InvalidRecordError,
    Metric,
    OfficialCounts,
    Scope,
    decode_alert,
    decode_key,
    decode_metric,
    encode,
    encode_key,
)

AS_OF = datetime(2026, 11, 22, 10, tzinfo=UTC)
METRIC = Metric(
    seller_id="A1",
    marketplace="DE",
    category=None,
    as_of=AS_OF,
    live=Counts(counted=200, valid=190, defects=10, pending=12, exempt=3, ambiguous=0, vtr=0.95),
    official=OfficialCounts(
        from_=date(2026, 10, 14),
        to=date(2026, 11, 12),
        counted=0,
        valid=0,
        defects=0,
        pending=0,
        exempt=2,
        ambiguous=0,
        vtr=None,
    ),
    threshold=0.95,
    status="at_risk",
    allowance=0,
    needed_to_recover=0,
    policy="amazon-2025-01-15",
)
ALERT = Alert(
    alert_id="00ff",
    type="vtr-at-risk",
    severity="warning",
    seller_id="A1",
    marketplace="DE",
    category=None,
    status="at_risk",
    previous_status="ok",
    since=AS_OF,
    metric=METRIC,
    causes=[Cause(reason="no_tracking", carrier="DHL", count=9), Cause(reason="no_carrier", carrier=None, count=1)],
)
METRIC_JSON = (
    b'{"seller_id":"A1","marketplace":"DE","category":null,"as_of":"2026-11-22T10:00:00Z",'
    b'"live":{"counted":200,"valid":190,"defects":10,"pending":12,"exempt":3,"ambiguous":0,"vtr":0.95},'
    b'"official":{"from":"2026-10-14","to":"2026-11-12","counted":0,"valid":0,"defects":0,"pending":0,"exempt":2,"ambiguous":0,'
    b'"vtr":null},"threshold":0.95,"status":"at_risk","allowance":0,"needed_to_recover":0,"policy":"amazon-2025-01-15"}'
)


def test_a_metric_has_the_bytes_that_subscribers_parse() -> None:
    assert encode(METRIC) == METRIC_JSON
    assert decode_metric(METRIC_JSON) == METRIC
    assert METRIC.scope == Scope("A1", "DE")


def test_an_alert_carries_its_metric() -> None:
    said = json.loads(encode(ALERT))
    assert said.pop("metric") == json.loads(METRIC_JSON)
    assert said == {
        "alert_id": "00ff",
        "type": "vtr-at-risk",
        "severity": "warning",
        "seller_id": "A1",
        "marketplace": "DE",
        "category": None,
        "status": "at_risk",
        "previous_status": "ok",
        "since": "2026-11-22T10:00:00Z",
        "causes": [
            {"reason": "no_tracking", "carrier": "DHL", "count": 9},
            {"reason": "no_carrier", "carrier": None, "count": 1},
        ],
    }
    assert decode_alert(encode(ALERT)) == ALERT
    assert ALERT.scope == Scope("A1", "DE")


def test_later_versions_may_add_fields() -> None:
    assert decode_metric(METRIC_JSON[:-1] + b',"margin":1}') == METRIC


@pytest.mark.parametrize(
    ("scope", "key"),
    [
        (Scope("A1"), b'["A1",null,null]'),
        (Scope("A1", "DE"), b'["A1","DE",null]'),
        (Scope("A1", "DE", "Home"), b'["A1","DE","Home"]'),
        (Scope('"\n\0', "ß"), '["\\"\\n\\u0000","ß",null]'.encode()),
    ],
)
def test_a_key_is_a_compact_array(scope: Scope, key: bytes) -> None:
    assert encode_key(scope) == key
    assert decode_key(key) == scope


@settings(deadline=None, max_examples=50)
@given(st.builds(Scope, st.text(), st.none() | st.text(), st.none() | st.text()))
def test_any_scope_survives_its_key(scope: Scope) -> None:
    assert decode_key(encode_key(scope)) == scope


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (b'"seller_id":"A1",', b"", "`seller_id`"),
        (b'"A1"', b"null", "`$.seller_id`"),
        (b'"at_risk"', b'"fine"', "`$.status`"),
        (b'"vtr":0.95', b'"vtr":1.01', "`$.live.vtr`"),
        (b'"counted":200', b'"counted":-1', "`$.live.counted`"),
        (b'"valid":190', b'"valid":190.5', "`$.live.valid`"),
        (b"2026-10-14", b"yesterday", "`$.official.from`"),
        (b'"as_of":"2026-11-22T10:00:00Z"', b'"as_of":1', "`$.as_of`"),
        (b'"as_of":"2026-11-22T10:00:00Z"', b'"as_of":"2026-11-22T10:00:00"', "`$.as_of`"),
        (b'"A1"', b'"\xff"', ""),
        (b"}", b"", ""),
    ],
)
def test_what_is_no_metric(old: bytes, new: bytes, named: str) -> None:
    assert old in METRIC_JSON
    with pytest.raises(InvalidRecordError, match=r"^not a metric: ") as caught:
        decode_metric(METRIC_JSON.replace(old, new, 1))
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (b'"vtr-at-risk"', b'"vtr-fine"', "`$.type`"),
        (b'"no_carrier"', b'"no_idea"', "`$.causes[1].reason`"),
        (b'"count":9', b'"count":0', "`$.causes[0].count`"),
        (b'"defects":10', b'"defects":"10"', "`$.metric.live.defects`"),
        (b'"alert_id":"00ff",', b"", "`alert_id`"),
    ],
)
def test_what_is_no_alert(old: bytes, new: bytes, named: str) -> None:
    assert old in encode(ALERT)
    with pytest.raises(InvalidRecordError, match=r"^not an alert: ") as caught:
        decode_alert(encode(ALERT).replace(old, new, 1))
    assert named in str(caught.value)


@pytest.mark.parametrize("key", [b"", b"A1", b'"A1"', b'["A1"]', b'["A1",null]', b"[null,null,null]", b'["\xff",1,1]'])
def test_what_is_no_key(key: bytes) -> None:
    with pytest.raises(InvalidRecordError, match=r"^not a scope: "):
        decode_key(key)


@pytest.mark.parametrize("decode", [decode_metric, decode_alert, decode_key])
@settings(deadline=None, max_examples=30)
@given(value=st.binary(max_size=50))
def test_no_bytes_raise_anything_else(decode: Callable[[bytes], object], value: bytes) -> None:
    with pytest.raises(InvalidRecordError):
        decode(value)

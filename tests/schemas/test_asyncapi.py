"""The AsyncAPI document is whole, and says of topics and messages what the settings and the code say."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import get_args

import pytest
from jsonschema import Draft202012Validator

from stream import events, records
from stream.events import Rejection, RejectionCode, decoding
from stream.kafka.cluster import bootstrap_servers
from stream.settings import Settings
from stream.topics import required_topics
from tests.schemas.asyncapi import ASYNCAPI, COMPONENTS, DEFAULTS, kafka, message, resolved
from tests.schemas.contracts import CONTRACTS, contract_in
from tests.schemas.documents import INBOUND, KEY, SCHEMAS, Json, parts, validator

CHANNELS = {
    "orderShipped": (DEFAULTS.order_shipped_topic, "receive"),
    "trackingUploaded": (DEFAULTS.tracking_uploaded_topic, "receive"),
    "trackingScanned": (DEFAULTS.tracking_scanned_topic, "receive"),
    "vtrMetrics": (DEFAULTS.metrics_topic, "send"),
    "vtrAlerts": (DEFAULTS.alerts_topic, "send"),
    "vtrDeadLetters": (DEFAULTS.dead_letters_topic, "send"),
}
"""By channel: its address, and what the product does there."""

SELLER_KEY: Json = COMPONENTS["schemas"]["sellerKey"]
MESSAGES = {
    ("orderShipped", "orderShipped"): (SCHEMAS["order-shipped"], SELLER_KEY),
    ("trackingUploaded", "trackingUploaded"): (SCHEMAS["tracking-uploaded"], SELLER_KEY),
    ("trackingScanned", "trackingScanned"): (SCHEMAS["tracking-scanned"], SELLER_KEY),
    ("vtrMetrics", "vtrMetric"): (SCHEMAS["vtr-metric"], SCHEMAS[KEY]),
    ("vtrMetrics", "vtrMetricGone"): (COMPONENTS["schemas"]["tombstone"], SCHEMAS[KEY]),
    ("vtrAlerts", "vtrAlert"): (SCHEMAS["vtr-alert"], SCHEMAS[KEY]),
    ("vtrDeadLetters", "deadLetter"): (
        COMPONENTS["schemas"]["deadLetterValue"],
        COMPONENTS["schemas"]["deadLetterKey"],
    ),
}
"""By channel and message: the payload, and the record's key."""


def references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_the_document_has_what_it_needs() -> None:
    assert ASYNCAPI["asyncapi"] == "3.0.0"
    assert ASYNCAPI.keys() == {
        *("asyncapi", "info", "defaultContentType", "servers"),
        *("channels", "operations", "components"),
    }
    assert ASYNCAPI["info"].keys() >= {"title", "version", "description"}
    assert ASYNCAPI["defaultContentType"] == "application/json"


def test_the_server_is_the_default_broker() -> None:
    assert [server["host"] for server in ASYNCAPI["servers"].values()] == bootstrap_servers(DEFAULTS.broker)
    assert {server["protocol"] for server in ASYNCAPI["servers"].values()} == {"kafka"}


@pytest.mark.parametrize("reference", sorted(set(references(ASYNCAPI))))
def test_every_reference_resolves(reference: str) -> None:
    assert resolved({"$ref": reference})


def test_the_document_uses_every_schema_file_and_every_component() -> None:
    components = {f"#/components/{kind}/{name}" for kind, members in ASYNCAPI["components"].items() for name in members}
    files = {f"./{name}.schema.json" for name in SCHEMAS}
    assert {ref for ref in references(ASYNCAPI) if not ref.startswith("#/channels/")} == components | files


def test_channels_are_the_topics() -> None:
    addresses = {name: channel["address"] for name, channel in ASYNCAPI["channels"].items()}
    assert addresses == {name: address for name, (address, _) in CHANNELS.items()}


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_channel_names_its_setting(channel: str) -> None:
    found = ASYNCAPI["channels"][channel]
    setting = next(name for name in Settings.__struct_fields__ if getattr(DEFAULTS, name) == found["address"])
    assert f"`{setting}`" in found["description"]


def test_topics_are_configured_as_they_are_declared() -> None:
    declared = {topic.name: topic for topic in required_topics(DEFAULTS)}
    for channel in ASYNCAPI["channels"].values():
        topic, binding = declared[channel["address"]], kafka(channel)
        documented = {
            option: ",".join(value) if isinstance(value, list) else str(value)
            for option, value in binding.get("topicConfiguration", {}).items()
        }
        assert documented == topic.configs
        assert (binding["partitions"], binding["replicas"]) == (topic.partitions, topic.replication)


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_channel_has_one_operation(channel: str) -> None:
    own = {"$ref": f"#/channels/{channel}"}
    operations = [operation for operation in ASYNCAPI["operations"].values() if operation["channel"] == own]
    assert [operation["action"] for operation in operations] == [CHANNELS[channel][1]]
    assert operations[0]["messages"] == [
        {"$ref": f"#/channels/{channel}/messages/{name}"} for name in ASYNCAPI["channels"][channel]["messages"]
    ]
    if operations[0]["action"] == "receive":
        group = kafka(operations[0])["groupId"]
        assert (group["type"], group["default"]) == ("string", DEFAULTS.group)


def test_the_interval_of_metrics_is_named() -> None:
    interval = f"`metrics_interval` ({DEFAULTS.metrics_interval:g} second by default)"
    assert interval in ASYNCAPI["channels"]["vtrMetrics"]["description"]


def test_there_is_no_other_operation() -> None:
    assert len(ASYNCAPI["operations"]) == len(CHANNELS)


def test_these_are_the_messages() -> None:
    found = {(channel, name) for channel in CHANNELS for name in ASYNCAPI["channels"][channel]["messages"]}
    assert found == MESSAGES.keys()


@pytest.mark.parametrize(("channel", "name"), MESSAGES)
def test_a_message_has_payload_headers_and_key(channel: str, name: str) -> None:
    found = message(channel, name)
    assert found.keys() >= {"name", "title", "summary", "payload", "headers", "bindings"}
    assert resolved(found["headers"])["type"] == "object"
    payload, key = MESSAGES[channel, name]
    assert resolved(found["payload"]) is payload
    if payload.get("$id"):
        assert found["payload"] == {"$ref": f"./{found['name']}.schema.json"}
        assert found["contentType"] == "application/json"
    assert resolved(kafka(found)["key"]) is key


@pytest.mark.parametrize("name", COMPONENTS["schemas"])
def test_an_inline_schema_is_valid_and_described(name: str) -> None:
    schema = COMPONENTS["schemas"][name]
    Draft202012Validator.check_schema(schema)
    for path, part in parts(schema):
        assert part.get("description"), path
        for value in part.get("examples", ()):
            validator(part).validate(value)


@pytest.mark.parametrize("name", INBOUND)
def test_the_seller_key_is_the_seller_id(name: str) -> None:
    assert contract_in(SELLER_KEY, SELLER_KEY) == CONTRACTS[name]["properties"]["seller_id"]


def test_cloud_event_headers_are_those_of_the_design() -> None:
    headers = COMPONENTS["schemas"]["cloudEventHeaders"]
    assert set(headers["required"]) == headers["properties"].keys()
    assert headers["properties"].keys() == {"ce_id", "ce_type", "ce_source", "ce_time", "ce_specversion"}
    assert headers["properties"]["ce_specversion"]["const"] == "1.0"


@pytest.mark.parametrize("name", ["cloudEventHeaders", "deadLetterHeaders"])
def test_headers_are_text(name: str) -> None:
    assert {header["type"] for header in COMPONENTS["schemas"][name]["properties"].values()} == {"string"}


def test_cloud_events_have_the_types_of_alerts() -> None:
    header = COMPONENTS["schemas"]["cloudEventHeaders"]["properties"]["ce_type"]
    assert header["enum"] == ["vtr-metric", *get_args(records.AlertType)]


def test_error_codes_are_the_rejection_codes() -> None:
    header = COMPONENTS["schemas"]["deadLetterHeaders"]["properties"]["vtr_error_code"]
    codes = [code.value for code in RejectionCode]
    assert header["enum"] == codes
    assert re.findall(r"^- `(\w+)`", header["description"], re.MULTILINE) == codes
    assert f"{decoding.MAX_EVENT_BYTES:,} bytes" in header["description"]


def test_the_length_of_a_message_is_that_of_the_code() -> None:
    header = COMPONENTS["schemas"]["deadLetterHeaders"]["properties"]["vtr_error_message"]
    assert f"about {decoding.MAX_MESSAGE} characters" in header["description"]


def test_the_example_of_a_dead_letter_is_one() -> None:
    found = message("vtrDeadLetters", "deadLetter")
    (shown,) = found["examples"]
    validator(resolved(found["headers"])).validate(shown["headers"])
    event = events.decode(shown["payload"].encode())
    assert not isinstance(event, Rejection)
    clock = datetime.fromisoformat(shown["headers"]["vtr_rejected_at"])
    rejection = decoding.check_arrival(event, event.seller_id.encode(), clock + decoding.MAX_FUTURE)
    assert rejection is not None
    assert (rejection.code, rejection.message) == (
        shown["headers"]["vtr_error_code"],
        shown["headers"]["vtr_error_message"],
    )

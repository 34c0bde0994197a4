"""``vtr topics``: declare the topics, and check them."""

import asyncio

import click

from stream.cli.options import settings_options
from stream.kafka.cluster import CLUSTER_SETTINGS
from stream.settings import Settings
from stream.topics import check_topics, create_topics

_TOPIC_SETTINGS = (
    *CLUSTER_SETTINGS,
    "group",
    "order_shipped_topic",
    "tracking_uploaded_topic",
    "tracking_scanned_topic",
    "metrics_topic",
    "alerts_topic",
    "dead_letters_topic",
)


@click.group
def topics() -> None:
    """Declare the topics of a deployment, or check them."""


@topics.command
@settings_options(*_TOPIC_SETTINGS, "partitions", "replication")
def create(settings: Settings) -> None:
    """Create the topics that are missing; the others stay as they are."""
    report = asyncio.run(create_topics(settings))
    for name in report.created:
        click.echo(f"created  {name}")
    for name in report.existing:
        click.echo(f"exists   {name}")


@topics.command
@settings_options(*_TOPIC_SETTINGS)
def check(settings: Settings) -> None:
    """Check that the topics exist and are co-partitioned."""
    partitions = asyncio.run(check_topics(settings))
    click.echo(f"all topics of group {settings.group} are there, with {partitions} partitions each")

"""``vtr run``: one worker."""

import click

from stream.cli.options import settings_options
from stream.kafka.cluster import CLUSTER_SETTINGS
from stream.settings import REPLAY_SETTINGS, Settings


@click.command
@settings_options(
    *CLUSTER_SETTINGS,
    "group",
    "store",
    "data_dir",
    "order_shipped_topic",
    "tracking_uploaded_topic",
    "tracking_scanned_topic",
    "metrics_topic",
    "alerts_topic",
    "dead_letters_topic",
    *REPLAY_SETTINGS,
    "metrics_interval",
    "idle_after",
    "batch_size",
    "reject_ratio",
    "reject_run",
    "session_timeout",
    "rebalance_timeout",
    "web_host",
    "web_port",
    "web_url",
    "metrics_sellers",
    "log_level",
    "log_format",
)
def run(settings: Settings) -> int:
    """Run one worker until Ctrl-C.

    Start more with the same --group to scale, up to the number of partitions of the topics. The topics must exist:
    `vtr topics create` declares them. With `--store rocksdb`, workers on one machine may share --data-dir.
    """
    from stream.worker import run_worker  # Faust takes a second to import, and only this command needs it

    return run_worker(settings)

"""The Faust app: topics, agent, tables, web server, rebalancing and recovery are Faust's."""

from pathlib import Path
from typing import cast

import faust
from faust.auth import Credentials, SASLCredentials, SSLCredentials
from faust.streams import Stream
from faust.types import StreamT
from faust.types.transports import TransportT
from faust.types.web import Web

from stream.kafka.cluster import Cluster
from stream.settings import Settings
from stream.state import MemoryStore, Store
from stream.state.rocks import RocksStore
from stream.worker.api.routes import Api
from stream.worker.collector import WorkerCollector
from stream.worker.consumer import BatchConsumer
from stream.worker.header_names import accept_any_header_name
from stream.worker.health import Health
from stream.worker.processor import Processor
from stream.worker.tables import AlertsTable, PassThrough, ShipmentsTable
from stream.worker.transport import BatchTransport
from stream.worker.web import WorkerWeb

COMMIT_INTERVAL = 1.0
"""Seconds between commits. What a crash makes the successor read again is this much, and changes nothing."""

PRODUCER_BATCH_BYTES = 900_000
"""A request may have 1 MiB by default on brokers; batches are built up to just below it."""

PRODUCER_REQUEST_BYTES = 2 * 1024 * 1024
"""A dead letter is a whole record and its headers, so it may be larger than any record the broker took before."""

LONGEST_HEARTBEAT = 5.0
"""Seconds between two heartbeats at most: a worker without partitions hears of the broker by them only."""

REQUEST_TIMEOUT = 90.0
"""Seconds a broker may take to answer or to be replaced by another; longer than an election takes."""

BUFFERED_BATCHES = 16
"""Batches that wait for the agent before fetching pauses: enough to keep it busy, few enough for memory."""


class VtrApp(faust.App):
    """Faust's app on the batch transport."""

    cluster: Cluster
    processor: Processor
    health: Health
    api: Api

    def _new_transport(self) -> TransportT:
        return BatchTransport(
            self.conf.broker_consumer, self, self.loop, processing=self.processor, cluster=self.cluster
        )

    def _new_web(self) -> Web:
        return WorkerWeb(self)

    async def on_start(self) -> None:
        """Before anything else, and while all else starts."""
        self.add_future(self.health.watch())
        self.add_future(self.health.watch_entry())
        await super().on_start()

    def on_rebalance_end(self) -> None:
        """The partitions are restored and read on from their committed offsets."""
        if cast("BatchConsumer", self.consumer).is_rebalancing():
            return  # another rebalance began as the last steps were made, and will end here again
        super().on_rebalance_end()
        self.processor.resume()

    async def on_stop(self) -> None:
        """Finish what is under way before the tables close."""
        await self.processor.pause()
        await super().on_stop()

    def _create_directories(self) -> None:
        """None needed: Faust would create its own for stores that are not used."""


def create_app(settings: Settings, partitions: int) -> VtrApp:
    """The worker's app, for topics of ``partitions`` partitions."""
    accept_any_header_name()
    app = VtrApp(
        settings.group,
        broker=";".join(f"kafka://{server}" for server in settings.servers),
        broker_credentials=credentials(settings),
        store="memory://",
        autodiscover=False,
        origin="stream.worker",
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        stream_buffer_maxsize=BUFFERED_BATCHES,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        consumer_auto_offset_reset="earliest",
        broker_max_poll_records=settings.batch_size,
        broker_commit_interval=COMMIT_INTERVAL,
        broker_session_timeout=settings.session_timeout,
        broker_heartbeat_interval=min(settings.session_timeout / 10, LONGEST_HEARTBEAT),
        broker_rebalance_timeout=settings.rebalance_timeout,
        broker_request_timeout=REQUEST_TIMEOUT,
        producer_request_timeout=REQUEST_TIMEOUT,
        producer_max_batch_size=PRODUCER_BATCH_BYTES,
        producer_max_request_size=PRODUCER_REQUEST_BYTES,
        producer_acks=-1,
        web_enabled=settings.web_port != 0,
        web_bind=settings.web_host,
        web_host=settings.web_host,
        canonical_url=settings.own_web_url,
        web_in_thread=True,
        web_port=settings.web_port or 1,  # Faust takes no 0, not even where the server is off
        worker_redirect_stdouts=False,
    )
    app.cluster = settings
    processor = app.processor = Processor(app, settings, partitions)
    app.health = Health(app)
    app.api = Api(app, settings, partitions)
    processor.instruments.registry.register(WorkerCollector(app, settings))
    processor.shipments = ShipmentsTable(
        app,
        topic=settings.changelog_topic,
        partitions=partitions,
        open_store=lambda partition: open_store(settings, partition),
        on_close=processor.keep,
        on_change=processor.forget,
    )
    processor.alerts = AlertsTable(app, topic=settings.alerts_topic, partitions=partitions, on_change=processor.forget)
    inputs = app.topic(*settings.input_topics, schema=PassThrough(), partitions=partitions, allow_empty=True)

    async def vtr(stream: StreamT[bytes]) -> None:
        # Acknowledged by hand: Faust would acknowledge a batch whose processing failed.
        await processor.process(cast("Stream[bytes]", stream).noack().events())

    app.agent(inputs, concurrency=1)(vtr)
    app.task(processor.pass_idle_time)
    return app


def credentials(cluster: Cluster) -> Credentials | None:
    """What Faust makes its clients of. Raises :class:`~stream.settings_error.SettingsError`."""
    options = cluster.client_options()
    tls = options.get("ssl_context")
    if cluster.uses_sasl:
        return SASLCredentials(
            username=options["sasl_plain_username"],
            password=options["sasl_plain_password"],
            mechanism=options["sasl_mechanism"],
            ssl_context=tls,
        )
    return None if tls is None else SSLCredentials(tls)


def open_store(settings: Settings, partition: int) -> Store:
    """The store that the settings ask for. Raises :class:`~stream.state.rocks.StoreLockedError`."""
    if settings.store == "memory":
        return MemoryStore()
    return RocksStore(Path(settings.data_dir) / settings.group / str(partition))

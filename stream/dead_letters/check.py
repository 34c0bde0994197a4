"""Whether a worker would take a record now: by what the worker itself asks of it, and of no more."""

from datetime import datetime

from stream.engine import Engine, EngineSettings
from stream.events import MAX_FUTURE, Rejection, check_arrival, decode
from stream.policy import RulesPolicy
from stream.settings import Settings
from stream.state import HeldShipments


class Check:
    """Judges records as a worker does whose time has come to ``now``."""

    def __init__(self, settings: Settings, now: datetime) -> None:
        self._latest = now + MAX_FUTURE
        shipments = HeldShipments(settings.lag_days)
        self._engine = Engine(RulesPolicy.of(settings), EngineSettings.of(settings), shipments)
        self._engine.advance(now)

    def rejection(self, key: bytes | None, value: bytes | None) -> Rejection | None:
        """Why a worker would reject the record; None where it would take it."""
        event = decode(value)
        if isinstance(event, Rejection):
            return event
        rejection = check_arrival(event, key, self._latest)
        if rejection is not None:
            return rejection
        # Only the engine knows what is too late for its windows.
        too_late = self._engine.apply([event]).rejected
        return too_late[0][1] if too_late else None

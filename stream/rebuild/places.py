"""In which partition a seller is: where its events arrive, or there its workers would not find it."""

from collections.abc import Mapping

from aiokafka.partitioner import DefaultPartitioner

from stream.topics import TopicError


class Places:
    """The partitions of sellers. ``seen`` are those in which their events were found.

    A seller that only files speak of is where Kafka's default partitioner puts it, unless producers use another one.
    """

    def __init__(self, partitions: int, seen: Mapping[bytes | None, set[int]]) -> None:
        self.partitions = partitions
        self._numbers = list(range(partitions))
        self._partitioner = DefaultPartitioner()
        self._places: dict[str, int] = {}
        self._seen = seen
        self._is_default = all(numbers == {self._default(key)} for key, numbers in seen.items() if key is not None)

    def of(self, seller_id: str) -> int:
        """The number of a seller's partition. Raises :class:`~stream.topics.TopicError` where there is no telling."""
        place = self._places.get(seller_id)
        if place is None:
            place = self._places[seller_id] = self._find(seller_id)
        return place

    def _find(self, seller_id: str) -> int:
        numbers = self._seen.get(seller_id.encode())
        if numbers is None:
            if not self._is_default:
                raise TopicError(
                    f"seller {seller_id} is in history files only, and nobody knows in which partition its events will "
                    "arrive: producers use a partitioner other than Kafka's default one"
                )
            return self._default(seller_id.encode())
        if len(numbers) > 1:
            raise TopicError(
                f"events of seller {seller_id} are in the partitions {', '.join(map(str, sorted(numbers)))}; all "
                "producers must use the same partitioner, and the number of partitions must not change"
            )
        (number,) = numbers
        return number

    def _default(self, key: bytes) -> int:
        return int(self._partitioner(key, self._numbers, self._numbers))

"""librdkafka's mock cluster, driven through ctypes: brokers in this process that can be made to fail in chosen ways.

It comes with the confluent-kafka wheel. It answers no ApiVersions request that kafka-python sends, so clients must be
given OPTIONS; transactions, codecs and timestamps are better tried on a real broker.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any, Final

OPTIONS: Final = {"api_version": (2, 3)}
"""What kafka-python needs to speak with the mock."""

FETCH, LIST_OFFSETS, METADATA = 1, 2, 3
"""Numbers of requests."""

NOT_LEADER, REQUEST_TIMED_OUT, KAFKA_STORAGE_ERROR, CORRUPT_MESSAGE, UNKNOWN_SERVER_ERROR = 6, 7, 56, 2, -1
"""Error codes."""

_PRODUCER = 0


def _library() -> ctypes.CDLL:
    import confluent_kafka

    folder = Path(confluent_kafka.__file__).parent.with_name("confluent_kafka.libs")
    found = sorted(folder.glob("librdkafka-*.so*"))
    if not found:
        raise RuntimeError(f"no librdkafka in {folder}: is confluent-kafka installed from a wheel?")
    library = ctypes.CDLL(str(found[0]))
    library.rd_kafka_conf_new.restype = ctypes.c_void_p
    library.rd_kafka_new.restype = ctypes.c_void_p
    library.rd_kafka_new.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
    library.rd_kafka_destroy.argtypes = [ctypes.c_void_p]
    library.rd_kafka_mock_cluster_new.restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_new.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    library.rd_kafka_mock_cluster_bootstraps.argtypes = [ctypes.c_void_p]
    library.rd_kafka_mock_cluster_destroy.argtypes = [ctypes.c_void_p]
    return library


class MockCluster:
    """Brokers 1 to `brokers`, until `close`."""

    def __init__(self, brokers: int = 3) -> None:
        self._library = _library()
        error, conf = ctypes.create_string_buffer(512), ctypes.c_void_p(self._library.rd_kafka_conf_new())
        self._library.rd_kafka_conf_set(conf, b"log_level", b"0", error, ctypes.c_size_t(len(error)))
        self._handle = self._library.rd_kafka_new(_PRODUCER, conf, error, len(error))
        if not self._handle:
            raise RuntimeError(f"librdkafka: {error.value.decode()}")
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._handle, brokers)
        self.servers: str = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        self.brokers = range(1, brokers + 1)

    def close(self) -> None:
        """End all brokers."""
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._handle)

    def make_topic(self, topic: str, partitions: int = 1) -> None:
        """A topic with a replica of each partition on every broker."""
        self._call("rd_kafka_mock_topic_create", topic.encode(), partitions, len(self.brokers))

    def down(self, broker: int) -> None:
        """Close its connections and take no more."""
        self._call("rd_kafka_mock_broker_set_down", broker)

    def up(self, broker: int) -> None:
        """Take connections again."""
        self._call("rd_kafka_mock_broker_set_up", broker)

    def delay(self, broker: int, milliseconds: int) -> None:
        """Answer every request this much later."""
        self._call("rd_kafka_mock_broker_set_rtt", broker, milliseconds)

    def lead(self, topic: str, partition: int, broker: int) -> None:
        """Move the leader of a partition; -1: it has none."""
        self._call("rd_kafka_mock_partition_set_leader", topic.encode(), partition, broker)

    def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """Delete the messages before an offset."""
        self._call("rd_kafka_mock_partition_delete_records", topic.encode(), partition, ctypes.c_int64(offset))

    def fail_next(self, request: int, *errors: int) -> None:
        """Answer the next requests of a kind with these errors."""
        array = (ctypes.c_int * len(errors))(*errors)
        function = self._library.rd_kafka_mock_push_request_errors_array
        function(ctypes.c_void_p(self._cluster), ctypes.c_int16(request), ctypes.c_size_t(len(errors)), array)

    def _call(self, name: str, *arguments: Any) -> None:
        code = getattr(self._library, name)(ctypes.c_void_p(self._cluster), *arguments)
        if code:
            raise RuntimeError(f"{name}{arguments} failed with error {code}")

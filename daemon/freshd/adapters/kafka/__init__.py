"""Kafka: messages as bytes from topics, read by hand-kept positions. kafka-python is known here alone."""

from freshd.adapters.kafka.intake import KafkaIntake
from freshd.adapters.kafka.settings import KafkaSettings

__all__ = ["KafkaIntake", "KafkaSettings"]

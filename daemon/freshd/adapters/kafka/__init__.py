"""Kafka: messages as bytes from topics, read by hand-kept positions. kafka-python is known here alone."""

from freshd.adapters.kafka.figures import KafkaFigures, KafkaHealth
from freshd.adapters.kafka.intake import KafkaIntake
from freshd.adapters.kafka.settings import KafkaSettings, SecuritySettings, TopicSettings

__all__ = ["KafkaFigures", "KafkaHealth", "KafkaIntake", "KafkaSettings", "SecuritySettings", "TopicSettings"]

"""A real Kafka broker for tests, benches and the demo: `python -m tests.broker start FOLDER`, or `Broker`."""

from tests.broker.recipe import Broker, MissingComponent, fetch

__all__ = ["Broker", "MissingComponent", "fetch"]

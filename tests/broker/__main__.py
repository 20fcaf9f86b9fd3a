"""A real Kafka broker from the command line: `python -m tests.broker start|stop|kill|fetch|install [FOLDER]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.broker.recipe import Broker, MissingComponent, fetch, install


def main() -> int:
    """Do what the arguments say; `start` prints the broker's address."""
    parser = argparse.ArgumentParser(prog="python -m tests.broker", description=__doc__)
    parser.add_argument("command", choices=["fetch", "install", "start", "stop", "kill"])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(".demo/kafka"), help="where its data lies")
    parser.add_argument("--port", type=int, default=0, help="the plaintext port; the next three are taken too")
    arguments = parser.parse_args()
    broker = Broker(arguments.folder, arguments.port)
    try:
        match arguments.command:
            case "fetch":
                print(fetch())
            case "install":
                install()
            case "start":
                print(broker.start())
            case "stop":
                broker.stop()
            case "kill":
                broker.kill()
    except (MissingComponent, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`freshd demo`."""


def demo() -> None:
    """The demo."""

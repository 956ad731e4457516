"""SIGTERM ends a benchmark as Ctrl-C does."""

import signal
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def stopped_by_sigterm() -> Generator[None]:
    """Treat SIGTERM as Ctrl-C, so that the Job is deleted."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

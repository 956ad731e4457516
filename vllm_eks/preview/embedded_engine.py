"""Replaces the engine behind Pulumi's SDK with the mock cloud."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import pulumi
from pulumi.runtime.sync_await import _ensure_event_loop  # pyright: ignore[reportPrivateUsage]  (no public name)

from vllm_eks.preview.mock_cloud import RecordingMonitor

P = ParamSpec("P")
T = TypeVar("T")


class _ImmediateExecutor(ThreadPoolExecutor):
    """Makes each call when it is submitted. It starts no thread."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Make the call, and return a finished future with its result or exception."""
        done: Future[T] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:
            done.set_exception(error)
        return done


def set_engine(monitor: RecordingMonitor, *, project: str, stack: str, logger: logging.Logger | None = None) -> None:
    """Make the SDK register resources with the mock cloud, in the SDK's own thread.

    The SDK gives each call to another thread, because a real engine takes time to answer. The mock cloud answers from
    memory, and the switches between threads take a fifth of a run.
    """
    _ensure_event_loop().set_default_executor(_ImmediateExecutor())
    pulumi.runtime.set_mocks(monitor.mocks, project=project, stack=stack, preview=False, monitor=monitor, logger=logger)

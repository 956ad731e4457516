"""A world in which the hook Job waits, poll by poll."""

from typing import Any

from tests.fakes.kube_stub import World, run


def look(world: World, **options: Any) -> tuple[int, list[str]]:
    return run(world, direct=True, **options)


def wait(world: World) -> tuple[int, list[str]]:
    return look(world, timeout_seconds=3600, poll_seconds=30)

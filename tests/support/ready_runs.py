"""A world in which the hook Job's script runs as a process."""

from tests.fakes.kube_stub import World, run


def run_out_of_time(world: World) -> str:
    """Run until the deadline, and return the last line."""
    code, lines = run(world, timeout_seconds=0.2)
    assert code == 1
    return lines[-1]

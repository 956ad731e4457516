"""Which resource is created after, and so deleted before, another one, by the engine's own rules.

Pulumi deletes a resource before its dependencies, its provider and its parent. A component's dependencies are therefore
also its children's. A dependency on a local component means all its children, which the SDK has added to the request.
The children of pulumi-eks's component do not exist under mocks, so the component represents them.
"""

from collections.abc import Iterable
from functools import cached_property

from vllm_eks.preview.mock_cloud import Registration
from vllm_eks.preview.recording import Recording


class Graph:
    """The resources of one run, by `Type name`, such as `Release lws`."""

    def __init__(self, recording: Recording) -> None:
        self._by_urn = {one.urn: one for one in recording.registrations}

    def find(self, label: str) -> Registration:
        """Return the only resource with this label. The end of its name is enough."""
        kind, _, name = label.partition(" ")
        found = [
            one for one in self._by_urn.values() if one.type.rpartition(":")[2] == kind and one.name.endswith(name)
        ]
        assert len(found) == 1, f"{label}: {[one.name for one in found]}"
        return found[0]

    def goes_before(self, first: str, second: str) -> bool:
        """Return whether a destroy deletes the first before the second."""
        return self.find(second).urn in self._after[self.find(first).urn]

    @cached_property
    def _after(self) -> dict[str, frozenset[str]]:
        """URN -> everything that is deleted later."""
        found: dict[str, frozenset[str]] = {}

        def visit(urn: str) -> frozenset[str]:
            if urn not in found:
                found[urn] = frozenset()  # a cycle would end here, but the engine allows none
                direct = set(self._direct(urn))
                found[urn] = frozenset(direct.union(*(visit(other) for other in direct)))
            return found[urn]

        for urn in self._by_urn:
            visit(urn)
        return found

    def _direct(self, urn: str) -> Iterable[str]:
        one = self._by_urn[urn]
        provider = one.request.provider.rpartition("::")[0]
        for other in (*one.request.dependencies, provider, one.parent):
            if other in self._by_urn:
                yield other

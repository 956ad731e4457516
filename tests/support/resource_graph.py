"""Which resource is made after, and so deleted before, which other one, by the engine's own rules.

Pulumi deletes a resource before everything in its dependencies, before its provider, and before its parent; a
component's own dependencies are thereby its children's too. A dependency on a local component is one on all its
children, which the SDK has written out in the request. The children of pulumi-eks's component are not there under
mocks: the component stands for them.
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
        """Return the one resource of this label; its name may be given by its end alone."""
        kind, _, name = label.partition(" ")
        found = [
            one for one in self._by_urn.values() if one.type.rpartition(":")[2] == kind and one.name.endswith(name)
        ]
        assert len(found) == 1, f"{label}: {[one.name for one in found]}"
        return found[0]

    def goes_before(self, first: str, second: str) -> bool:
        """Tell whether a destroy deletes the first before it touches the second."""
        return self.find(second).urn in self._after[self.find(first).urn]

    @cached_property
    def _after(self) -> dict[str, frozenset[str]]:
        """URN -> everything that is deleted later."""
        found: dict[str, frozenset[str]] = {}

        def visit(urn: str) -> frozenset[str]:
            if urn not in found:
                found[urn] = frozenset()  # a cycle would end here; the engine allows none
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

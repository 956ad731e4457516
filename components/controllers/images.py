"""Container images in the form that third-party Helm charts need."""

from typing import TypedDict


class SplitImage(TypedDict):
    """Repository and tag, which charts join with a colon."""

    repository: str
    tag: str


def split_image(reference: str) -> SplitImage:
    """Split a reference with a tag or a digest for a chart with separate values for repository and tag.

    >>> split_image("registry.example.com:5000/lws/lws:v0.10.0")
    {'repository': 'registry.example.com:5000/lws/lws', 'tag': 'v0.10.0'}
    >>> split_image("registry.example.com/lws@sha256:0f1e")
    {'repository': 'registry.example.com/lws@sha256', 'tag': '0f1e'}
    """
    repository, _, tag = reference.rpartition(":")
    return {"repository": repository, "tag": tag}

"""Finds the client of an API key in a mounted Secret, and reads the Secret again when it changes.

    apiKey, secondApiKey   a key of the client `default`, as text; so is any other entry
    client.<name>          a digest of the key of a client that may use this model
    denied.<name>          a digest of the key of a client that may not

A digest does not work as a key, so a pod holds no named key that it could use on another model.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

DEFAULT_CLIENT = "default"
UNKNOWN_CLIENT = "unknown"
"""The name in metrics and logs for requests without a valid key."""
ALLOWED, DENIED = "client.", "denied."
"""Prefixes of the entries for named clients."""
FORM = "sha256"


@dataclass(frozen=True, kw_only=True)
class Client:
    """A client whose key is known."""

    name: str
    may_use_model: bool = True


class ClientKeys:
    """The keys in a folder. Without keys, no client is found."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._link = str(folder / "..data")
        self._seen: object = None
        # Keys that are stored as text get a digest too, so that a lookup takes as long for each key.
        self._own_salt = os.urandom(16).hex()
        self._clients: dict[str, dict[bytes, Client]] = {}

    def find(self, key: bytes) -> Client | None:
        """Return the client of a key.

        The time does not depend on how much of a key is right, because only digests are compared: one per salt.
        """
        self._refresh()
        if key:
            for salt, clients in self._clients.items():
                if client := clients.get(_digest(salt, key)):
                    return client
        return None

    def _refresh(self) -> None:
        """Read the keys again if the kubelet has replaced the folder."""
        try:
            seen = self._version()
            if seen != self._seen:
                self._clients = self._read()
                self._seen = seen
        except FileNotFoundError:
            # The kubelet is replacing the folder: use the previous keys for this request.
            pass

    def _version(self) -> object:
        """Return a value that changes with the folder: the target of the kubelet's link, or each file's state."""
        try:
            return os.readlink(self._link)  # noqa: PTH115  (a Path would double the time of a lookup)
        except OSError:
            return [(path.name, (stat := path.stat()).st_mtime_ns, stat.st_ino) for path in key_files(self._folder)]

    def _read(self) -> dict[str, dict[bytes, Client]]:
        found: dict[str, dict[bytes, Client]] = {}
        for path in key_files(self._folder):
            text = path.read_bytes().strip()
            client = _client_of(path.name)
            if client is None:
                salt, digest = self._own_salt, _digest(self._own_salt, text) if text else b""
                client = Client(name=DEFAULT_CLIENT)
            else:
                salt, digest = _parsed(text)
            if digest:
                # A key that is valid under two names is valid: `client.` sorts before `denied.`.
                found.setdefault(salt, {}).setdefault(digest, client)
        return found


def key_files(folder: Path) -> list[Path]:
    """Return the files with keys, sorted by name, without the kubelet's own links."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def is_named(entry: str) -> bool:
    """Return whether an entry belongs to a named client, so that it has a digest and no key."""
    return entry.startswith((ALLOWED, DENIED))


def stored_digest(salt: str, key: str) -> str:
    """Return what an entry of a named client contains. `salt` must not contain a colon."""
    return f"{FORM}:{salt}:{_digest(salt, key.encode()).hex()}"


def _client_of(entry: str) -> Client | None:
    if not is_named(entry):
        return None
    prefix = ALLOWED if entry.startswith(ALLOWED) else DENIED
    return Client(name=entry.removeprefix(prefix), may_use_model=prefix == ALLOWED)


def _parsed(text: bytes) -> tuple[str, bytes]:
    """Return the salt and the digest of an entry, or nothing if it is not one: a wrong entry is no key."""
    form, salt, digest = ([*text.decode(errors="replace").split(":"), "", ""])[:3]
    try:
        return (salt, bytes.fromhex(digest)) if form == FORM else ("", b"")
    except ValueError:
        return "", b""


def _digest(salt: str, key: bytes) -> bytes:
    return hashlib.sha256(salt.encode() + b":" + key).digest()

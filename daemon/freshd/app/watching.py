"""Which files a reading was made of, and whether they are other ones now.

A file is looked at by its contents, so that a touch changes nothing, and a mounted ConfigMap, whose `..data` link is
put to another folder, is seen like any edit. Contents are read only where the file system says that something
moved. What is half written is not taken: a change counts once two looks in a row agree. It decides nothing about
what the files say.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Final

import structlog

from freshd.adapters.catalog import DbtEntry, PythonEntry, digest_of_url
from freshd.documents import files_named, shown_below
from freshd.model.errors import FreshdError
from freshd.model.time import SECOND, Duration, Instant
from freshd.ports import Clock
from freshd.settings import Settings

LOOK_EVERY: Final[Duration] = 2 * SECOND
"""How often the files of the configuration are looked at; one with a `poll` of its own, as that says."""

DIGEST_BYTES: Final = 16

log = structlog.get_logger("freshd.daemon")

Look = Callable[[], str]
"""The digest of what a place holds now; empty: nothing that can be read."""


class Marks:
    """Digests of files, each read again only when the file system says that it may be another."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, int, int, int], str]] = {}

    def of(self, path: Path) -> str:
        """The digest of a file's contents; empty if it cannot be read."""
        try:
            found = path.stat()
            stamp = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
            known = self._known.get(path)
            if known is not None and known[0] == stamp:
                return known[1]
            with path.open("rb") as file:
                digest = blake2b(digest_size=DIGEST_BYTES)
                while part := file.read(1 << 20):
                    digest.update(part)
        except OSError:
            self._known.pop(path, None)
            return ""
        self._known[path] = stamp, digest.hexdigest()
        return digest.hexdigest()


def named_files(path: Path, settings: Settings) -> dict[str, Path]:
    """The files that the settings at `path` name, as they are found now, by how messages show them."""
    base = settings.base
    found = [path]
    patterns = (settings.policies,) if isinstance(settings.policies, str) else settings.policies
    for pattern in (*patterns, *(entry for entry in settings.catalog if isinstance(entry, str))):
        found += files_named(pattern, base)
    for entry in settings.catalog:
        if isinstance(entry, PythonEntry):
            found += _modules(base / entry.path, entry.python)
        elif isinstance(entry, DbtEntry) and not entry.is_remote:
            found.append(base / entry.dbt)
    return {shown_below(file, base): file for file in found}


def marks_of(path: Path, settings: Settings, marks: Marks | None = None) -> dict[str, str]:
    """The digest of every file that the settings name, by how messages show it."""
    marks = marks or Marks()
    return {name: marks.of(file) for name, file in named_files(path, settings).items()}


class Watcher:
    """A thread that looks at the files of the reading in force, and says when they are others."""

    def __init__(
        self,
        clock: Clock,
        named: Callable[[], tuple[Path, Settings]],
        read: Mapping[str, str],
        changed: Callable[[tuple[str, ...]], None],
        every: Duration = LOOK_EVERY,
    ) -> None:
        """`named`: the settings to go by; `read`: the digests of what was read; `changed` is told names, from here."""
        self._clock = clock
        self._named = named
        self._changed = changed
        self._every = every
        self._taken = dict(read)
        self._last: dict[str, str] = dict(read)
        self._marks = Marks()
        self._remote: dict[str, str] = {}
        self._due: dict[str, Instant] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; a fetch that is under way is left alone."""
        self._ending.set()

    def take(self, read: Mapping[str, str]) -> None:
        """These contents were tried: they are no news any more, whatever came of it."""
        remote = {name: digest for name, digest in self._taken.items() if "://" in name}
        self._taken = {**remote, **read}

    def again(self) -> None:
        """What was tried could not be taken now: the next look tells of it again."""
        self._taken = {}

    def look(self) -> tuple[str, ...]:
        """Look once; the names of what changed, once it has come to rest."""
        path, settings = self._named()
        found = self._looked(path, settings)
        settled, self._last = found == self._last, found
        if not settled or found == self._taken:
            return ()
        before, self._taken = self._taken, found
        return tuple(sorted(name for name in found.keys() | before.keys() if found.get(name) != before.get(name)))

    def _looked(self, path: Path, settings: Settings) -> dict[str, str]:
        now = self._clock.now()
        polled = {entry.dbt: entry for entry in settings.catalog if isinstance(entry, DbtEntry) and entry.poll}
        found: dict[str, str] = {}
        for name, file in named_files(path, settings).items():
            slow = polled.get(name)
            if slow is None or self._is_due(name, slow.poll or 0, now) or name not in self._last:
                found[name] = self._marks.of(file)
            else:
                found[name] = self._last[name]
        for entry in settings.catalog:
            if isinstance(entry, DbtEntry) and entry.is_remote:
                found[entry.shown] = self._fetched(entry, now)
        return found

    def _is_due(self, name: str, poll: Duration, now: Instant) -> bool:
        """Whether the place is to be looked at; until it has come to rest it is looked at each time."""
        if self._last.get(name) == self._taken.get(name) and now < self._due.get(name, 0):
            return False
        self._due[name] = now + poll
        return True

    def _fetched(self, entry: DbtEntry, now: Instant) -> str:
        name, known = entry.shown, self._taken.get(entry.shown, "")
        if not entry.poll:
            return known
        if now < self._due.setdefault(name, now + entry.poll):
            return self._remote.get(name, known)
        self._due[name] = now + entry.poll
        try:
            self._remote[name] = digest_of_url(entry.dbt)
        except FreshdError as error:
            log.warning("catalog.not_fetched", place=name, error=str(error), note="it is tried again")
        return self._remote.get(name, known)

    def _run(self) -> None:
        while not self._ending.wait(self._every / SECOND):
            try:
                names = self.look()
                if names:
                    self._changed(names)
            except Exception:
                log.exception("watch.failed")


def _modules(folder: Path, module: str) -> list[Path]:
    place = folder.joinpath(*module.split("."))
    top = folder / module.partition(".")[0]
    if top.is_dir():
        return sorted(top.rglob("*.py"))
    return [place.with_suffix(".py")]

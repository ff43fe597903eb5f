"""Keeps a store in step with folders of this machine while they change, until told to stop.

The store is held only while something is brought in step, so that others can read it in between.
How a source is brought in step is the caller's business; which of its files count, its connector's.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ragmem.app import Agent
from ragmem.errors import RagmemError, StoreLocked, UnknownSource, UsageError
from ragmem.parts import Parts, Replacements
from ragmem.ports import Watchable
from ragmem.settings import Settings, load_settings
from ragmem.types import SourceDescription, SyncReport

SyncOne = Callable[[Agent, SourceDescription], SyncReport]
"""Brings an open store in step with one source, as `agent.knowledge.add` does."""

_GATHERING_SECONDS = 0.4  # the longest that changes in a row are gathered
_QUIET_SECONDS = 0.05  # a pause that ends them sooner
_LOOKING_SECONDS = 0.2  # how often it is looked whether to stop and whether the folder is there
_LONGEST_REST_SECONDS = 0.5


def watch(
    store: str | Path,
    sources: Sequence[SourceDescription],
    *,
    sync: SyncOne,
    on_report: Callable[[SourceDescription, SyncReport], None],
    on_trouble: Callable[[SourceDescription, RagmemError], None],
    settings: Settings | None = None,
    replacements: Replacements | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Sync every source, then whichever changes, until stopped or interrupted (Ctrl-C).

    Args:
        store: the store's folder; it may lie in a folder that is watched.
        sources: folders, globs and files of this machine.
        sync: brings the store, opened for it, in step with one source.
        on_report: told what each sync did, when the store is free again.
        on_trouble: told why a source must wait: another process holds the store (it is tried
            again until it is free), or nothing is there any more (until it is back).
        settings: as for `Agent.open`.
        replacements: as for `Agent.open`.
        stop: set it to end the watching.

    Raises:
        UnknownSource: nothing is there to begin with.
        UsageError: a source cannot be watched, or there is none.
        RagmemError: whatever else opening or writing the store raises.
    """
    settings = settings or load_settings()
    stop = stop or threading.Event()
    parts = Parts(Path(store), settings, replacements=replacements)
    watched = [(source, _watchable(parts, source)) for source in sources]
    if not watched:
        raise UsageError("there is nothing to watch; name a folder")
    # Loaded and started once, although an agent is opened for every sync.
    kept = replace(replacements or Replacements(), embedder=parts.embedder, parser=parts.parser)

    def bring_in_step(source: SourceDescription) -> SyncReport | None:
        told = False
        while not stop.is_set():
            try:
                with Agent.open(
                    store, settings=settings, replacements=kept, timeout_seconds=_LOOKING_SECONDS
                ) as agent:
                    return sync(agent, source)
            except StoreLocked as error:
                if not told:
                    on_trouble(source, error)
                told = True
            except UnknownSource as error:
                on_trouble(source, error)
                return None
        return None

    woken = threading.Event()
    with (
        contextlib.suppress(KeyboardInterrupt),
        contextlib.closing(parts),
        _listening(watched, Path(store), woken) as listeners,
    ):
        while not stop.is_set():
            woken.wait(_LOOKING_SECONDS)
            woken.clear()
            for listener in listeners:
                if not listener.changed_since_asked() or stop.is_set():
                    continue
                began = time.monotonic()
                report = bring_in_step(listener.source)
                if report is not None:
                    on_report(listener.source, report)
                # Others must get at the store even where changes never end.
                stop.wait(min(time.monotonic() - began, _LONGEST_REST_SECONDS))


def _watchable(parts: Parts, source: SourceDescription) -> Watchable:
    connector = parts.connector_for(source)
    if not isinstance(connector, Watchable):
        raise UsageError(
            f"{source.location} cannot be watched: only files of this machine can; "
            "ingest it from time to time instead"
        )
    return connector


@contextmanager
def _listening(
    watched: Sequence[tuple[SourceDescription, Watchable]], store: Path, woken: threading.Event
) -> Iterator[list[_Listener]]:
    done = threading.Event()
    listeners = [
        _Listener(source, connector, store=store, woken=woken, done=done)
        for source, connector in watched
    ]
    for listener in listeners:
        listener.start()
    try:
        yield listeners
    finally:
        done.set()
        for listener in listeners:
            listener.join()


class _Listener(threading.Thread):
    """Notes whether a source has changed; it has as soon as it is listened to."""

    def __init__(
        self,
        source: SourceDescription,
        connector: Watchable,
        *,
        store: Path,
        woken: threading.Event,
        done: threading.Event,
    ) -> None:
        """Prepare to listen until `done`; `woken` is set with each change."""
        super().__init__(name=f"watching {source.location}", daemon=True)
        self.source = source
        self._connector = connector
        self._store = store.resolve()
        self._woken = woken
        self._done = done
        self._changed = threading.Event()
        self._failure: RagmemError | None = None

    def changed_since_asked(self) -> bool:
        """Whether something changed since this was last called.

        Raises:
            UsageError: the system cannot listen to the folder.
        """
        if self._failure is not None:
            raise self._failure
        changed = self._changed.is_set()
        self._changed.clear()
        return changed

    def run(self) -> None:
        """Listen, also to a folder that goes and comes back."""
        while not self._done.is_set():
            try:
                self._listen()
            except FileNotFoundError:
                pass  # not there, or no more
            except (OSError, RuntimeError) as error:  # the latter is watchfiles' own
                self._failure = UsageError(
                    f"{self._connector.watched_folder} cannot be watched: {error}; where too many "
                    "folders are watched already, raise the system's limit "
                    "(fs.inotify.max_user_watches on Linux) or set WATCHFILES_FORCE_POLLING=1"
                )
                self._woken.set()
                return
            self._done.wait(_LOOKING_SECONDS)

    def _listen(self) -> None:
        """Listen to the folder until another takes its place or it goes.

        Raises:
            OSError, RuntimeError: it is not there, or cannot be listened to.
        """
        from watchfiles import watch as listen

        folder = self._connector.watched_folder.resolve(strict=True)
        identity = _identity(self._connector.watched_folder)
        before_any = True
        for changes in listen(
            folder,
            watch_filter=None,
            debounce=round(_GATHERING_SECONDS * 1000),
            step=round(_QUIET_SECONDS * 1000),
            rust_timeout=round(_LOOKING_SECONDS * 1000),
            yield_on_timeout=True,
            stop_event=self._done,
            recursive=self._connector.watches_subfolders,
            ignore_permission_denied=True,
            raise_interrupt=False,
        ):
            replaced = _identity(self._connector.watched_folder) != identity
            if before_any or replaced or self._concerns(folder, [Path(at) for _, at in changes]):
                self._changed.set()
                self._woken.set()
            if replaced:
                return
            before_any = False

    def _concerns(self, folder: Path, paths: list[Path]) -> bool:
        """Whether changes matter, those that syncing makes in the store left out."""
        named = self._connector.watched_folder
        return self._connector.concerns(
            [
                named / path.relative_to(folder)
                for path in paths
                if not path.is_relative_to(self._store)
            ]
        )


def _identity(folder: Path) -> tuple[int, int] | None:
    """Tells a folder from one that took its place; None where there is none."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino

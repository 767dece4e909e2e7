"""The ways that a file goes to an originator: a POST, a folder, an object store.

Each gives the whole file or nothing, and may be gone any number of times.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from schemas.catalog import Originator
from streams.webhooks.client import WebhookError, Webhooks

if TYPE_CHECKING:
    from obstore.store import ObjectStore

LIMIT_S: Final = 60.0
CONTENT_TYPE: Final = "application/jsonl"
ENDING: Final = ".jsonl"
RETRIES: Final = {"max_retries": 2, "retry_timeout": timedelta(seconds=20)}

Way = Callable[[str, bytes], Awaitable[None]]  # name without its ending, content; raises DeliveryError


class DeliveryError(Exception):
    """The file was not taken, or nobody knows; why, in one line without secrets."""


def way_to(originator: Originator, webhooks: Webhooks) -> Way:
    """How files go to `originator`, which has `deliver_to`."""
    name, url = originator.originator, originator.deliver_to
    if not url.startswith(("http:", "https:")):
        return Stored(url)

    async def post(file: str, content: bytes) -> None:
        try:
            await webhooks.post(name, url, file, content, limit_s=LIMIT_S, content_type=CONTENT_TYPE)
        except WebhookError as fault:
            raise DeliveryError(str(fault)) from fault

    return post


class Stored:
    """Writes files below a URL of obstore's: file:///folder, s3://bucket/prefix. Nobody sees a part of one.

    obstore is called in a thread: its own coroutines now and then abort the interpreter at its end (PyO3/pyo3-async-runtimes, issue 40). It
    is one thread, so that a store that hangs takes no more than that, whatever is tried again.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._store: ObjectStore | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="notices")

    async def __call__(self, file: str, content: bytes) -> None:
        """Raises DeliveryError."""
        try:
            async with asyncio.timeout(LIMIT_S):
                await asyncio.get_running_loop().run_in_executor(self._thread, self._put, file + ENDING, content)
        except TimeoutError:
            raise DeliveryError(f"the store does not answer within {LIMIT_S:g} s") from None

    def _put(self, name: str, content: bytes) -> None:
        import obstore  # noqa: PLC0415 - only for those who have a folder or an object store
        from obstore.exceptions import BaseError  # noqa: PLC0415
        from obstore.store import from_url  # noqa: PLC0415

        local = self._url.startswith("file:")
        try:
            if self._store is None:
                given: dict[str, Any] = {"mkdir": True} if local else {"retry_config": RETRIES}
                self._store = from_url(self._url, **given)
            obstore.put(self._store, name, content)
            if local:
                _sync(Path(unquote(urlsplit(self._url).path)), name)
        except (BaseError, OSError, ValueError) as fault:
            raise DeliveryError((str(fault).splitlines() or [type(fault).__name__])[0][:500]) from fault


def _sync(folder: Path, name: str) -> None:
    """Wait until the disk has the file and its name: from then on ours is the only copy no more, and it is dropped."""
    for path in (folder / name, folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

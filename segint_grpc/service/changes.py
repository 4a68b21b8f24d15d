"""Changes of the models: one at a time, so that none sees half of another, and who hears of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable


async def _nobody(version_id: str) -> None:
    """Nothing is loaded."""


class Changes:
    """The right to change the models (`lock`), and what follows a change."""

    def __init__(
        self,
        unload: Callable[[str], Awaitable[object]] = _nobody,
        publish: Callable[[], None] = lambda: None,
    ) -> None:
        """Await `unload` with each version that its processes no longer fit; call `publish` after changes."""
        self.lock = asyncio.Lock()
        self._unload = unload
        self._publish = publish

    async def tell(self, unloaded: Iterable[str] = ()) -> None:
        """End the processes of the versions `unloaded`, and say that what is offered may have changed."""
        for version_id in unloaded:
            await self._unload(version_id)
        self._publish()

"""Where a question is answered: what is typed ahead means what it means once all before it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from textual.events import Key
from textual.widgets import Input

_MOST_S = 1.0


class Prompt(Input):
    """Acts at once on each key. Textual's Input lets Enter, Esc and Backspace go round by the screen: letters overtake them.

    `typed` hears each change, `answered` an Enter, `pressed` every key before it is taken as text; True: it was no text.
    """

    def __init__(self, typed: Callable[[str], None], answered: Callable[[str], None], pressed: Callable[[str], bool]) -> None:
        super().__init__(id="prompt")
        self._typed, self._answered, self._pressed = typed, answered, pressed

    def watch_value(self, value: str) -> None:
        self._typed(value)

    async def action_submit(self) -> None:
        self._answered(self.value)

    async def _on_key(self, event: Key) -> None:
        own = self._bindings.key_to_bindings.get(event.key, [])
        if self._pressed(event.key) or own:
            event.stop()
            event.prevent_default()
            for binding in own[:1]:
                await self.run_action(binding.action)
        else:
            await super()._on_key(event)

    async def settled(self) -> None:
        """Until the keys that it was given have been acted on."""
        done = asyncio.Event()
        self.call_later(done.set)
        with suppress(asyncio.TimeoutError):  # the screen is being taken down
            await asyncio.wait_for(done.wait(), _MOST_S)

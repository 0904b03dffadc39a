"""An instance begun ahead: taken where it is as wanted, undone where nobody took it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftracepy.live import ahead
from ftracepy.tracefs import Tracefs

pytestmark = pytest.mark.kernel


@pytest.fixture
def begun(clean_kernel: Tracefs, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the instance is that was begun ahead."""
    monkeypatch.setenv("FTRACEPY_TRACEFS", str(clean_kernel.root))
    ahead.begin()
    return ahead._waiting[-1].finish().path


def test_a_source_takes_it_and_undoes_it(clean_kernel: Tracefs, begun: Path) -> None:
    with ahead.take(clean_kernel, "mono", None) as making:
        making.start()
        assert making.finish().path == begun
        assert begun.is_dir()
    assert not begun.exists()


@pytest.mark.parametrize(("clock", "buffer_kb"), [("boot", None), ("mono", 64)])
def test_another_one_is_made_where_it_does_not_fit(clean_kernel: Tracefs, begun: Path, clock: str, buffer_kb: int | None) -> None:
    with ahead.take(clean_kernel, clock, buffer_kb) as making:
        making.start()
        assert making.finish().path != begun
    ahead.drop()
    assert not begun.exists()


def test_what_nobody_took_is_undone(begun: Path) -> None:
    ahead.drop()
    assert not begun.exists()

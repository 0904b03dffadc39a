"""An instance begun ahead: taken where it is as wanted, undone where nobody took it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftracepy.live import ahead, first, room
from ftracepy.live.instance import Instance
from ftracepy.tracefs import Tracefs, buffer, clock

pytestmark = pytest.mark.kernel


@pytest.fixture
def begun(clean_kernel: Tracefs, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the instance is that was begun ahead."""
    monkeypatch.setenv("FTRACEPY_TRACEFS", str(clean_kernel.root))
    ahead.begin("opensnoop")
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


@pytest.mark.parametrize("tool", ["opensnoop", "killsnoop"])
def test_the_first_steps_are_those_that_an_instance_takes_by_itself(
    tool: str, clean_kernel: Tracefs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clock and size as they would be; what is asked for besides is done by whoever goes on with it."""
    monkeypatch.delenv("FTRACEPY_TRACEFS", raising=False)
    monkeypatch.delenv("FTRACEPY_STATE", raising=False)
    if not first.is_usual() or clean_kernel.root != Path(first.ROOT):
        pytest.skip("tracefs or journals do not lie where they usually do")
    begun = first.First(tool)
    try:
        assert begun.start()
        begun.wait()
        path = Path(begun.path)
        assert (begun.made, begun.sized, clock.chosen(path)) == (True, True, first.CLOCK)
        with Instance(clean_kernel, buffer_kb=begun.wanted_kb) as other:
            assert buffer.size_kb(path) == buffer.size_kb(other.path)
        with Instance(clean_kernel) as untouched:
            as_made = buffer.size_kb(untouched.path) == buffer.size_kb(path)
        assert as_made == (tool == "killsnoop" and room.default_buffer_kb() >= room._ENOUGH_KB)
        assert begun.header_page == buffer.header_page(clean_kernel.root)
        assert begun.header_event == buffer.header_event(clean_kernel.root)
        with Instance(clean_kernel, buffer_kb=64, first=begun) as instance:
            assert instance.path == path
            assert 64 <= (buffer.size_kb(path) or 0) < 128
    finally:
        begun.drop()
    assert not path.exists()
    assert not Path(begun.journal).exists()

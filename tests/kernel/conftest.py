"""Tests on this machine's own kernel: FTRACEPY_KERNEL_TESTS=auto (default: skip where it cannot be traced) | off | require.

`require` turns a machine that cannot be traced into a failure, so that a skipped suite is never taken for a passed one:
there a test may be skipped only with words that name what the machine itself has not, "this kernel ...". In a guest of the
lab, whose Debian is small, shells may be missing too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from ftracepy import tracefs as tracefs_files
from ftracepy.errors import FtracepyError
from ftracepy.live.owner import PREFIX
from ftracepy.tracefs import Tracefs, instances, probes
from tests.support import guard

_MODES = ("auto", "off", "require")
_HERE = Path(__file__).parent
_REASONS: tuple[str, ...] = ("this kernel", "this architecture", "only where nobody else traces")
# A guest of the lab has a small Debian.
_REASONS_IN_GUESTS = ("no bash here", "no zsh here", "no fish here")
if Path("/lab/init").exists():
    _REASONS += _REASONS_IN_GUESTS


def _mode() -> str:
    mode = os.environ.get("FTRACEPY_KERNEL_TESTS", "auto")
    if mode not in _MODES:
        raise pytest.UsageError(f"FTRACEPY_KERNEL_TESTS={mode!r}: one of {', '.join(_MODES)}")
    return mode


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is a kernel test, marked or not."""
    skip = pytest.mark.skip(reason="FTRACEPY_KERNEL_TESTS=off") if _mode() == "off" else None
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.kernel)
            if skip is not None:
                item.add_marker(skip)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and _mode() == "require" and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not reason.startswith(_REASONS):
            report.outcome, report.longrepr = "failed", f"skipped, which FTRACEPY_KERNEL_TESTS=require forbids: {reason}"
    return report


@pytest.fixture(scope="session")
def tracefs() -> Tracefs:
    """This machine's tracefs, mounted if need be, with private instances to be had."""
    try:
        found = tracefs_files.find()
        if os.geteuid() != 0 or not (found.root / "instances").is_dir():
            raise FtracepyError("not root, or a kernel without instances")
        return found
    except FtracepyError as error:
        if _mode() == "require":
            pytest.fail("\n".join(error.lines()), pytrace=False)
        pytest.skip("; ".join(error.lines()))


@pytest.fixture(autouse=True, scope="session")
def _state_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Journals of tests stay out of the machine's own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FTRACEPY_STATE", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True, scope="session")
def guarded(tracefs: Tracefs, request: pytest.FixtureRequest) -> None:
    """No process of these tests calls bpf(2) or perf_event_open(2) and lives; perf-tools' originals alone may."""
    if all(item.get_closest_marker("originals") for item in request.session.items):
        return
    if not guard.stand():
        pytest.fail("this kernel has no seccomp filters, so nothing is proved of bpf(2)", pytrace=False)


@pytest.fixture(scope="session")
def features(tracefs: Tracefs) -> dict[str, bool | None]:
    """What this kernel can do: doctor's findings, which test_doctor.py holds to the kernel's configuration."""
    from ftracepy.live import doctor

    return {one.name: one.ok for one in doctor.examine(str(tracefs.root))}


@pytest.fixture
def requires(features: dict[str, bool | None]) -> Callable[[str], None]:
    """Ask for a feature by doctor's name of it: skips the test where this kernel lacks it."""

    def ask(feature: str) -> None:
        if not features[feature]:
            pytest.skip(f"this kernel has no {feature}")

    return ask


@pytest.fixture
def clean_kernel(tracefs: Tracefs) -> Iterator[Tracefs]:
    """Fails the test if this process leaves an instance or a probe group behind."""
    yield tracefs
    mine = f"{PREFIX}{os.getpid()}_"
    left = [name for name in instances.names(tracefs.root) if name.startswith(mine)]
    left += [probe.group for file in probes.FILES for probe in probes.listed(tracefs.root, file) if probe.group.startswith(mine)]
    assert not left

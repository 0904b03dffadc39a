"""What guests run, from memory: a Debian with Python and the test tools, made once, and on top the checkout as it is."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from lab import cpio, cross
from lab.debian import Apt, LabFault, locked, run, unpack

PYTHON = "3.11"
CHECKOUT = "checkout"
_PROGRAMS = ("base-files", "python3", "dash", "coreutils", "mount", "util-linux", "procps", "grep", "sed", "tar", "gzip",
             "busybox", "trace-cmd", "strace", "tmux", "ncurses-base", "libc-bin")  # fmt: skip
_MODULES = ("click", "psutil", "textual", "pytest", "hypothesis", "backports.zstd", "pyelftools", "pydemumble")
# Dependencies that only their packages' scripts need.
_UNUSED = ("perl", "libperl", "usrmerge", "dpkg", "gcc-12", "media-types", "init-system-helpers", "libdb5", "debconf", "libtirpc")
_DROPPED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/perl", "usr/share/lintian",
            "usr/share/bash-completion", "usr/share/zoneinfo", "usr/share/bug", "usr/lib/python3.11/lib2to3",
            "usr/lib/python3.11/idlelib", "usr/lib/python3.11/ensurepip", "usr/lib/python3.11/distutils",
            "usr/lib/python3.11/test", "usr/lib/python3.11/pydoc_data",
            "usr/share/gcc", "usr/lib/udev", "usr/lib/systemd")  # fmt: skip
# How the above becomes an archive; another number makes all of them anew.
_RECIPE = 1
_MERGED = ("bin", "sbin", "lib", "lib64")
_PARTS = ("ftracepy", "tests", "fixtures", "scripts", "lab", "pyproject.toml", "constraints.txt")
_LOADERS = {"amd64": "lib64/ld-linux-x86-64.so.2", "arm64": "lib/ld-linux-aarch64.so.1"}
_TRIPLES = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def machine(architecture: str) -> str:
    """uname's name of a Debian architecture."""
    return _MACHINES[architecture]


def base(apt: Apt, root: Path, cache: Path) -> Path:
    """The archive with everything but the checkout; made if what it is made from has changed."""
    what = repr((PYTHON, _PROGRAMS, _MODULES, _UNUSED, _DROPPED, _RECIPE, _pins(root)))
    archive = cache / f"base-{apt.architecture}-{hashlib.sha256(what.encode()).hexdigest()[:12]}.cpio"
    with locked(cache, f"base-{apt.architecture}"):
        if not archive.exists():
            shutil.rmtree(archive.with_suffix(".root"), ignore_errors=True)
            _make_base(apt, root, archive)
            _forget_old(archive)
    return archive


def _forget_old(archive: Path) -> None:
    """Remove what nobody has made a guest of for a day; other runs may have begun with one of them."""
    for old in archive.parent.glob(f"{archive.name.rpartition('-')[0]}-*.cpio"):
        if old != archive and old.stat().st_mtime < archive.stat().st_mtime - 86400:
            shutil.rmtree(old.with_suffix(".root"), ignore_errors=True)
            old.unlink()


def _make_base(apt: Apt, root: Path, archive: Path) -> None:
    print(f"lab: making the guests' Debian for {apt.architecture}, once", file=sys.stderr)
    if not apt.is_ready:
        apt.update()
    folder = archive.with_suffix(".root")
    for name in _MERGED:
        (folder / "usr" / name).mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(f"usr/{name}")
    for package in apt.fetch_with_dependencies(_PROGRAMS):
        if not package.name.startswith(_UNUSED):
            unpack(package, folder)
        package.unlink()
    (folder / "usr/bin/sh").unlink(missing_ok=True)
    (folder / "usr/bin/sh").symlink_to("dash")
    _install_modules(root, folder / "usr/lib/python3/dist-packages", apt.architecture)
    for name in _DROPPED:
        shutil.rmtree(folder / name, ignore_errors=True)
    _compile(folder, apt.architecture, folder / "usr/lib/python3.11", "/usr/lib/python3.11")
    _compile(folder, apt.architecture, folder / "usr/lib/python3/dist-packages", "/usr/lib/python3/dist-packages")
    _pack_base(folder, archive)


def _pack_base(folder: Path, archive: Path) -> None:
    draft = archive.with_suffix(f".{os.getpid()}")
    with draft.open("wb") as out:
        packed = cpio.Writer(out)
        packed.device("dev/console", 0o600, 5, 1)
        packed.device("dev/null", 0o666, 1, 3)
        packed.tree(folder)
        packed.text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/sh\n")
        packed.text("etc/group", "root:x:0:\nnogroup:x:65534:\n")
        for name in ("proc", "sys", "tmp", "run", "root"):
            (folder / name).mkdir(exist_ok=True)
            packed.path(folder / name, name)
        packed.close()
    draft.replace(archive)


def _install_modules(root: Path, into: Path, architecture: str) -> None:
    """Ready-made wheels for the guest's Python and processor, at the versions that the checkout's environment has."""
    platforms = [f"--platform={name}_{_MACHINES[architecture]}" for name in ("manylinux2014", "manylinux_2_17", "manylinux_2_28")]
    python = [f"--python-version={PYTHON}", "--implementation=cp", "--only-binary=:all:", *platforms]
    pins = Path(into.parent / "pins.txt")
    pins.write_text(_pins(root))
    pip = [str(root / ".venv/bin/python"), "-m", "pip", "install", "-q", "--no-compile", "--disable-pip-version-check"]
    run([*pip, "--target", str(into), *python, "-c", str(pins), *_MODULES])
    pins.unlink()


def _pins(root: Path) -> str:
    both = (root / "constraints.txt").read_text() + (root / "constraints-dev.txt").read_text()
    return "".join(f"{line}\n" for line in both.splitlines() if "==" in line)


def interpreter(folder: Path, architecture: str) -> tuple[list[str], dict[str, str]] | None:
    """How to run the guest's Python here, without root and without entering it.

    For another processor this machine's own, if it is of the same version (bytecode is alike); None where it is not.
    """
    if _MACHINES[architecture] != os.uname().machine:
        same = f"{sys.version_info.major}.{sys.version_info.minor}" == PYTHON
        return ([sys.executable], dict(os.environ)) if same else None
    libraries = f"{folder}/usr/lib/{_TRIPLES[architecture]}"
    loader = [str(folder / _LOADERS[architecture]), "--library-path", libraries, f"{folder}/usr/bin/python{PYTHON}"]
    return loader, {**os.environ, "PYTHONHOME": f"{folder}/usr", "LC_ALL": "C.UTF-8"}


def _compile(folder: Path, architecture: str, tree: Path, shown_as: str) -> None:
    """Bytecode beside the sources, by the guest's own Python: an emulated processor is slow at compiling."""
    found = interpreter(folder, architecture)
    if found is None:
        return
    command, environment = found
    # Some sources are there to fail.
    subprocess.run(
        [*command, "-S", "-m", "compileall", "-q", "-s", tree, "-p", shown_as, tree], env=environment, capture_output=True
    )


def extras(apt: Apt, packages: tuple[str, ...], base: Path, cache: Path) -> Path:
    """An archive of more packages, with all that they depend on and the base has not; made where it is not kept."""
    what = hashlib.sha256(repr((packages, base.name, _RECIPE)).encode()).hexdigest()[:12]
    archive = cache / f"extras-{apt.architecture}-{what}.cpio"
    with locked(cache, f"extras-{apt.architecture}"):
        if not archive.exists():
            _make_extras(apt, packages, base.with_suffix(".root"), archive)
    return archive


def _make_extras(apt: Apt, packages: tuple[str, ...], base: Path, archive: Path) -> None:
    print(f"lab: packing {' '.join(packages)} for {apt.architecture}, once", file=sys.stderr)
    folder, draft = archive.with_suffix(".root"), archive.with_suffix(f".{os.getpid()}")
    shutil.rmtree(folder, ignore_errors=True)
    for name in _MERGED:
        (folder / "usr" / name).mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(f"usr/{name}")
    for package in apt.fetch_with_dependencies(packages):
        unpack(package, folder)
        package.unlink()
    for name in _DROPPED:
        if name != "usr/share/perl":
            shutil.rmtree(folder / name, ignore_errors=True)
    with draft.open("wb") as out:
        packed = cpio.Writer(out)
        packed.tree(folder, keep=lambda name: (folder / name).is_dir() or not os.path.lexists(base / name))
        packed.close()
    shutil.rmtree(folder)
    draft.replace(archive)


def overlay(root: Path, archive: Path, architecture: str, out: Path, job: dict[str, str]) -> None:
    """The checkout as it is now, compiled, and the job's files (path -> text, run as root at start) in one archive."""
    stage = _stage(root, archive.parent, architecture)
    with locked(archive.parent, stage.name), out.open("wb") as file:
        kept = set(_refresh(root, stage, architecture))
        _compile(archive.with_suffix(".root"), architecture, stage, f"/{CHECKOUT}")
        packed = cpio.Writer(file)
        packed.tree(stage, CHECKOUT, lambda name: name in kept or "__pycache__" in name)
        for name, text in job.items():
            packed.text(name, text, 0o755)
        packed.close()


def _stage(root: Path, cache: Path, architecture: str) -> Path:
    """Where this checkout is kept compiled; those of checkouts that are gone are removed."""
    for told in cache.glob("stage-*/.checkout"):
        if not Path(told.read_text()).is_dir():
            shutil.rmtree(told.parent, ignore_errors=True)
    stage = cache / f"stage-{architecture}-{hashlib.sha256(os.fsencode(root)).hexdigest()[:8]}"
    stage.mkdir(exist_ok=True)
    (stage / ".checkout").write_text(str(root))
    return stage


def _refresh(root: Path, stage: Path, architecture: str) -> Iterator[str]:
    """Copy what has changed, so that what was compiled is kept; yields every name that belongs there."""
    is_native = _MACHINES[architecture] == os.uname().machine
    for path in _sources(root):
        if path.suffix == ".so" and not is_native:
            continue
        name = path.relative_to(root)
        copy = stage / name
        if path.is_dir():
            copy.mkdir(parents=True, exist_ok=True)
        elif not copy.exists() or copy.stat().st_mtime != path.stat().st_mtime or copy.stat().st_size != path.stat().st_size:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
        yield name.as_posix()
    if not is_native and (made := cross.decoder(root, stage, architecture)):
        yield made
    yield from cross.programs(root, stage, architecture)


def _sources(root: Path) -> Iterator[Path]:
    for part in _PARTS:
        path = root / part
        if path.is_dir():
            yield path
            for folder, names, files in os.walk(path):
                names[:] = [name for name in names if name != "__pycache__"]
                yield from (Path(folder) / name for name in (*names, *files))
        elif path.exists():
            yield path
    decoder = root / "ftracepy/_fastparse"
    made = max((path.stat().st_mtime for path in decoder.glob("_core*.so")), default=0.0)
    if made < max(path.stat().st_mtime for path in decoder.glob("**/*.[ch]")):
        raise LabFault("the C decoder is not built, or older than its source\n  try     scripts/bootstrap --dev")

"""Kernels and programs from Debian, found by name in the package lists of the mirror that this machine uses already.

apt runs with sources, lists and cache of its own, so the machine's are not changed, and root is not needed. Everything
comes through apt's signature checks.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

# What guests run; its Python must be one that the checkout's compiled decoder fits (stable ABI, 3.11 and newer).
GUEST_SUITE = "bookworm"
_SUITES = ("bullseye", "bookworm", "bookworm-updates", "bookworm-backports", "trixie", "trixie-backports", "sid")
_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
_NAME = re.compile(r"linux-image-(\d+)\.(\d+)(?:\.\d+)?[-+.~0-9a-z]*?-(?:cloud-)?(amd64|arm64)(-unsigned)?$")


class LabFault(Exception):
    """Something outside the guest is missing or failed; the text says what and what to try."""


class Unreachable(LabFault):
    """Debian's archive cannot be had from here: that says nothing of the checkout."""


def cache_dir() -> Path:
    """Where kernels and images are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ftracepy-lab"


@contextlib.contextmanager
def locked(cache: Path, name: str) -> Iterator[None]:
    """One run at a time: several guests may be started at once."""
    with (cache / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run(command: list[str], env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """The command's output. Raises LabFault with the end of what it said if it fails or is not there."""
    try:
        done = subprocess.run(command, env={**os.environ, **(env or {})}, cwd=cwd, capture_output=True, text=True)
    except FileNotFoundError:
        raise LabFault(f"{command[0]} is not installed here\n  try     apt-get install {_package(command[0])}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-5:]
        raise LabFault(f"{' '.join(command[:3])} failed\n" + "\n".join(f"  {line}" for line in said))
    return done.stdout


def _package(program: str) -> str:
    return {"apt-get": "apt", "apt-cache": "apt", "dpkg-deb": "dpkg"}.get(program, program.replace("x86_64", "x86"))


def natural(text: str) -> tuple[tuple[int, str], ...]:
    """A sort key under which 6.12.107 comes after 6.12.95."""
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text) if part)


def newest(names: Iterable[str], series: str, architecture: str) -> str:
    """The package with the newest cloud kernel of a series ("6.1"; "newest" for any), signed if there is one.

    Raises LabFault where the lists have none.
    """
    found = []
    for name in names:
        match = _NAME.match(name)
        if match and "-cloud-" in name and match[3] == architecture and series in (f"{match[1]}.{match[2]}", match[1], "newest"):
            found.append((natural(name.removesuffix("-unsigned")), match[4] is None, name))
    if not found:
        raise LabFault(f"Debian's lists have no cloud kernel {series!r} for {architecture}\n  {_known(names, architecture)}")
    return max(found)[2]


def _known(names: Iterable[str], architecture: str) -> str:
    """What there is instead, as a hint."""
    matches = (_NAME.match(name) for name in names if "-cloud-" in name)
    series = {f"{match[1]}.{match[2]}" for match in matches if match and match[3] == architecture}
    return f"try     {', '.join([*sorted(series, key=natural), 'newest'])}; --update looks for newer ones first"


class Apt:
    """apt with its own state below `folder`, for one architecture."""

    def __init__(self, folder: Path, architecture: str) -> None:
        self.folder, self.architecture = folder, architecture
        self._config = folder / "apt.conf"

    def update(self) -> None:
        """Fetch the package lists. Raises LabFault."""
        for part in ("lists/partial", "cache/archives/partial"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        (self.folder / "sources.list").write_text(_sources(mirrors()))
        self._config.write_text(self._settings())
        self._from_archive("update")
        if not self.is_ready:  # a mirror that cannot be reached is a warning to apt
            raise Unreachable("Debian's archive cannot be had: none of its package lists came")

    @property
    def is_ready(self) -> bool:
        return any((self.folder / "lists").glob("*_Packages*"))

    def _settings(self) -> str:
        here = self.folder
        pairs = {
            "Dir::State": here, "Dir::State::status": here / "status", "Dir::State::lists": here / "lists",
            "Dir::Cache": here / "cache", "Dir::Etc::sourcelist": here / "sources.list", "Dir::Etc::sourceparts": "-",
            "Dir::Etc::preferences": "/dev/null", "Dir::Etc::preferencesparts": "-",
            "APT::Architecture": self.architecture, "APT::Architectures": self.architecture, "Acquire::Languages": "none",
            "APT::Install-Recommends": "false", "Debug::NoLocking": "true", "APT::Sandbox::User": "",
        }  # fmt: skip
        return "".join(f'{name} "{value}";\n' for name, value in pairs.items())

    def _apt(self, *command: str, cwd: Path | None = None) -> str:
        return run(list(command), {"APT_CONFIG": str(self._config), "LC_ALL": "C"}, cwd)

    def _from_archive(self, *order: str, cwd: Path | None = None) -> None:
        try:
            self._apt("apt-get", "-q", *order, cwd=cwd)
        except LabFault as fault:
            raise Unreachable(f"Debian's archive cannot be had: {fault}") from None

    def kernels(self) -> list[str]:
        return self._apt("apt-cache", "pkgnames", "linux-image-").split()

    def fetch(self, package: str) -> Path:
        """Download one package, whatever suite has it."""
        place = self.folder / "cache" / "archives"
        self._from_archive("download", package, cwd=place)
        return max(place.glob(f"{package}_*.deb"), key=lambda path: path.stat().st_mtime)

    def exact_dependencies(self, package: str, *prefixes: str) -> list[str]:
        """The packages whose names begin so that it depends on: newer kernels' images and configurations are in such."""
        text = self._apt("apt-cache", "show", "--no-all-versions", package)
        depends = next((line for line in text.splitlines() if line.startswith("Depends:")), "")
        names = (part.split()[0] for part in depends.removeprefix("Depends:").split(",") if part.strip())
        return [name for name in names if name.startswith(prefixes)]

    def fetch_with_dependencies(self, packages: Iterable[str]) -> list[Path]:
        """Download packages of the guests' suite with all that they depend on."""
        order = ["-y", "-t", GUEST_SUITE, "install", "--download-only", *packages]
        for old in (self.folder / "cache" / "archives").glob("*.deb"):
            old.unlink()
        self._from_archive(*order)
        return sorted((self.folder / "cache" / "archives").glob("*.deb"))


def unpack(package: Path, into: Path, *members: str) -> None:
    """The files of a package (all, or those that match), without its scripts."""
    into.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as deb:
        only = ["--wildcards", *members] if members else []
        # A directory that the root has as a link (/lib, merged into /usr) stays a link.
        tar = subprocess.run(["tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", into, *only], stdin=deb.stdout)
    if tar.returncode or deb.returncode:
        raise LabFault(f"cannot unpack {package.name}")


def mirrors() -> list[tuple[str, str]]:
    """(URI, suite) of the Debian archives this machine takes packages from. Raises LabFault where there is none."""
    if given := os.environ.get("FTRACEPY_LAB_MIRROR"):
        return [(given, "")]
    wanted = ["Created-By: Packages", "Origin: Debian"]
    lines = run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", *wanted]).splitlines()
    found = sorted({(uri, release) for uri, _, release in (line.partition(" ") for line in lines)})
    if not found:
        hint = "apt-get update, or set FTRACEPY_LAB_MIRROR to the address of a Debian mirror"
        raise Unreachable(f"apt knows no Debian archive on this machine\n  try     {hint}")
    return found


def _sources(found: list[tuple[str, str]]) -> str:
    """All suites from the main mirror; a security archive is asked for the oldest suite, whose last kernels are only there."""
    main = next((uri for uri, suite in found if "security" not in suite), found[0][0])
    security = {uri for uri, suite in found if suite.endswith("-security")}
    lines = [f"deb [signed-by={_KEYS}] {main} {suite} main" for suite in _SUITES]
    lines += [
        f"deb [signed-by={_KEYS}] {uri} {suite}-security main" for uri in sorted(security) for suite in ("bullseye", "bookworm")
    ]
    return "\n".join(lines) + "\n"

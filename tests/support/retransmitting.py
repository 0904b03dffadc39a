"""Makes a peer deaf and counts what the kernel sends it again, in a network of its own; prints the kernel's counts as JSON.

    python retransmitting.py 4|6 KIND...     KIND: data, syn, synack, tail, fresh

A classic socket filter that passes nothing drops every segment before it is acknowledged (net/ipv4/tcp_ipv4.c, tcp_filter).
"""

from __future__ import annotations

import ctypes
import json
import select
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

_CLONE_NEWNET, _SO_ATTACH_FILTER, _SO_DETACH_FILTER = 0x40000000, 26, 27
_DROP = struct.pack("HBBI", 6, 0, 0, 0)  # BPF_RET | BPF_K, 0 bytes
_DROP_ACK = b"".join((struct.pack("HBBI", 0x30, 0, 0, 13), struct.pack("HBBI", 0x45, 0, 1, 0x02),
                      struct.pack("HBBI", 6, 0, 0, 0xFFFF), _DROP))  # fmt: skip
_LOOPBACK = {4: "127.0.0.1", 6: "::1"}


def filter_out(one: socket.socket, program: bytes = _DROP) -> object:
    """What is kept alive by the caller is the program's memory."""
    memory = ctypes.create_string_buffer(program)
    one.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(program) // 8, ctypes.addressof(memory)))
    return memory


def hear_again(one: socket.socket) -> None:
    one.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)


def counts() -> dict[str, int]:
    found: dict[str, int] = {}
    for name in ("snmp", "netstat"):
        lines = Path(f"/proc/self/net/{name}").read_text().splitlines()
        for heads, values in zip(lines[::2], lines[1::2], strict=True):
            found |= dict(zip(heads.split()[1:], map(int, values.split()[1:]), strict=True))
    return {name: found.get(name, 0) for name in ("RetransSegs", "TCPLossProbes", "TCPSynRetrans", "TCPTimeouts")}


def abort(*sockets: socket.socket) -> None:
    """No goodbye that somebody deaf would have to be told again and again while the counts are read."""
    for one in sockets:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()


def listener(version: int) -> socket.socket:
    one = socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_STREAM)
    one.bind((_LOOPBACK[version], 0))
    one.listen(8)
    return one


def data(version: int) -> None:
    """Segments are sent again until the peer hears again."""
    server = listener(version)
    client = socket.create_connection(server.getsockname()[:2])
    peer, _ = server.accept()
    kept = filter_out(peer)
    client.sendall(b"unheard")
    time.sleep(1.7)
    hear_again(peer)
    assert peer.recv(7, socket.MSG_WAITALL) == b"unheard"
    abort(client, peer, server)
    del kept


def tail(version: int) -> None:
    """Several segments under way: the last is sent again before its time."""
    server = listener(version)
    client = socket.create_connection(server.getsockname()[:2])
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer, _ = server.accept()
    for _ in range(5):
        client.sendall(b"x")
        peer.recv(1)
    kept = filter_out(peer)
    for _ in range(3):
        client.sendall(b"y")
    time.sleep(0.6)
    hear_again(peer)
    assert peer.recv(3, socket.MSG_WAITALL) == b"yyy"
    abort(client, peer, server)
    del kept


def fresh(version: int) -> None:
    """More to send than may be under way: before anything is sent again, the next of it is."""
    server = listener(version)
    client = socket.socket(server.family, socket.SOCK_STREAM)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    client.connect(server.getsockname()[:2])
    peer, _ = server.accept()
    for _ in range(5):
        client.sendall(b"x")
        peer.recv(1)
    kept = filter_out(peer)
    client.sendall(bytes(40_000))
    time.sleep(0.6)
    hear_again(peer)
    assert len(peer.recv(40_000, socket.MSG_WAITALL)) == 40_000
    abort(client, peer, server)
    del kept


def syn(version: int) -> None:
    """Nobody answers the first segment."""
    server = listener(version)
    kept = filter_out(server)
    client = socket.socket(server.family, socket.SOCK_STREAM)
    client.setblocking(False)
    client.connect_ex(server.getsockname())
    time.sleep(1.5)
    hear_again(server)
    select.select([], [client], [], 10)
    assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    abort(client, server)
    del kept


def synack(version: int) -> None:
    """The listener hears first segments alone, so that it answers again and again."""
    server = listener(version)
    kept = filter_out(server, _DROP_ACK)
    client = socket.create_connection(server.getsockname()[:2])
    time.sleep(1.5)
    abort(client, server)
    del kept


def main() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    up = ["ip", "link", "set", "lo", "up"]
    try:
        subprocess.run(up, check=True)
    except FileNotFoundError:
        subprocess.run(["busybox", *up], check=True)
    before = counts()
    for kind in sys.argv[2:]:
        {"data": data, "syn": syn, "synack": synack, "tail": tail, "fresh": fresh}[kind](int(sys.argv[1]))
    after = counts()
    while (more := later()) != after:
        after = more
    print(json.dumps({name: count - before[name] for name, count in after.items()}))


def later() -> dict[str, int]:
    """The counts once nothing is under way any more: every socket has been aborted."""
    time.sleep(0.3)
    return counts()


if __name__ == "__main__":
    main()

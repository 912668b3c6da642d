"""Requests at a steady rate, timed from the moment each was due (Python's standard library alone).

A client that waits for an answer before it sends the next request measures least when a server is
slowest (coordinated omission). Here every request has a moment at which it is due, whatever
became of the ones before; the time it waits for a free connection counts. At rate 0 each sends its
next request at once: the most that the server holds. Run as a process of its own; prints JSON.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Target:
    """What is sent and where to."""

    host: str
    port: int
    request: bytes


@dataclass(slots=True)
class Seen:
    """Latencies in seconds and how often each status was answered."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)


def target_of(url: str, body: bytes | None, kind: str) -> Target:
    """Return what to send to an address: GET, or POST where there is a body."""
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", f"Host: {parts.netloc}"]
    if body is not None:
        lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    head = "\r\n".join([*lines, "", ""]).encode()
    return Target(str(parts.hostname), parts.port or 80, head + (body or b""))


async def answered(reader: asyncio.StreamReader) -> str:
    """Read one answer and return its status."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    output = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
    if "content-length" in output:
        await reader.readexactly(int(output["content-length"]))
    elif output.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    return first.split(" ")[1]


async def worker(
    target: Target, due: Sequence[float], end: float, place: list[int], seen: Seen
) -> None:
    """Send one request after the other over one connection, the next one due each time."""
    reader, writer = await asyncio.open_connection(target.host, target.port)
    while True:
        if due:
            if (number := place[0]) >= len(due):
                break
            place[0] += 1
            begun = due[number]
            await asyncio.sleep(begun - time.perf_counter())
        elif (begun := time.perf_counter()) >= end:
            break
        try:
            writer.write(target.request)
            seen.statuses[await answered(reader)] += 1
        except (OSError, asyncio.IncompleteReadError):
            seen.statuses["lost"] += 1
            reader, writer = await asyncio.open_connection(target.host, target.port)
        seen.seconds.append(time.perf_counter() - begun)
    writer.close()


async def run(target: Target, *, rate: float, seconds: float, connections: int) -> Seen:
    """Ask for some seconds; at ``rate`` a second, or as fast as answers come if it is 0."""
    seen, begin = Seen(), time.perf_counter() + 0.2
    due = [begin + number / rate for number in range(int(rate * seconds))] if rate else []
    place = [0]
    if rate:  # a connection that idles for seconds is closed by the server
        connections = min(connections, max(1, round(rate)))
    workers = (worker(target, due, begin + seconds, place, seen) for _ in range(connections))
    await asyncio.gather(*workers)
    return seen


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest value that so large a share does not exceed."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--body", type=Path)
    parser.add_argument("--kind", default="application/json")
    asked = parser.parse_args()
    body = asked.body.read_bytes() if asked.body else None
    target = target_of(asked.url, body, asked.kind)
    begun = time.perf_counter()
    seen = asyncio.run(
        run(target, rate=asked.rate, seconds=asked.seconds, connections=asked.connections)
    )
    ordered = sorted(seen.seconds)
    shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
    result = {name: 1000 * quantile(ordered, share) for name, share in shares.items()}
    held = len(ordered) / (time.perf_counter() - begun - 0.2)
    print(json.dumps({**result, "held": held, "statuses": seen.statuses}))


if __name__ == "__main__":
    main()

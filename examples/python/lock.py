#!/usr/bin/env python3
"""Hold a lock of a maekawa cluster from Python, through plain gRPC.

Make the modules that this imports with the ordinary tools, from the folder that holds `proto`:

    python3 -m grpc_tools.protoc -I proto --python_out=examples/python --grpc_python_out=examples/python \
        maekawa/v1/locks.proto

    python3 examples/python/lock.py 127.0.0.1:7001 invoices 10

A lock is a stream: it is held for as long as the stream is open.
"""

from __future__ import annotations

import queue
import sys
import threading
import time

import grpc

from maekawa.v1 import locks_pb2, locks_pb2_grpc

# Counts the time that the machine sleeps, where there is such a clock: the lease goes on meanwhile.
CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now_ms() -> float:
    """Our own time. Only we ever read it, so it may begin anywhere."""
    return time.clock_gettime(CLOCK) * 1000


class LockError(Exception):
    """The lock was not granted, or is lost."""


class Lock:
    """A lock that is wanted or held, to be used in a `with` statement: it holds the lock inside."""

    def __init__(self, channel: grpc.Channel, name: str, wait_ms: int | None = None):
        self.name = name
        #: Larger than that of every earlier holder. Show it to the resource that the lock protects.
        self.token = 0
        self._stub = locks_pb2_grpc.LocksStub(channel)
        self._wait_ms = wait_ms
        self._requests: queue.Queue = queue.Queue()
        self._changed = threading.Condition()
        self._valid_until_ms = 0.0
        self._over: str | None = None  # why it is not held any more, or never will be
        self._listener = threading.Thread(target=self._listen, daemon=True)

    def valid_for_ms(self) -> float:
        """How long the lock is held if it cannot be renewed; 0 when it is not held."""
        return 0 if self._over is not None else max(0.0, self._valid_until_ms - now_ms())

    def wait(self, seconds: float) -> bool:
        """Sleep, but not longer than the lock is held. Returns whether it still is."""
        until_ms = now_ms() + seconds * 1000
        with self._changed:
            while self.valid_for_ms() > 0 and (left_ms := until_ms - now_ms()) > 0:
                self._changed.wait(min(left_ms, self.valid_for_ms()) / 1000)
        return self.valid_for_ms() > 0

    def __enter__(self) -> Lock:
        acquire = locks_pb2.Acquire(
            lock=self.name.encode(), mode=locks_pb2.LOCK_MODE_EXCLUSIVE, pings=True, sent_at_ms=now_ms()
        )
        if self._wait_ms is not None:
            acquire.wait_ms = self._wait_ms
        self._requests.put(locks_pb2.HoldRequest(acquire=acquire))
        self._listener.start()
        try:
            with self._changed:
                self._changed.wait_for(lambda: self.token > 0 or self._over is not None)
        except BaseException:  # Ctrl-C while it waits
            self._close()
            raise
        if self.valid_for_ms() <= 0:
            self._close()
            raise LockError(self._over or "the lock had run out when its grant arrived; take it again")
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        self._requests.put(None)  # closing our side releases the lock at once
        self._listener.join(timeout=1)  # the node says that it is released

    def _listen(self) -> None:
        pinging = False
        try:
            for event in self._stub.Hold(iter(self._requests.get, None)):
                kind = event.WhichOneof("kind")
                if kind in ("queued", "held") and not pinging:
                    pinging = True
                    lease_ms = getattr(event, kind).lease_ms
                    threading.Thread(target=self._ping, args=(lease_ms / 5000,), daemon=True).start()
                with self._changed:
                    if kind in ("held", "valid"):
                        valid = getattr(event, kind)
                        # Counted from when *we* sent what the node answers, so no delay can stretch it.
                        self._valid_until_ms = max(self._valid_until_ms, valid.sent_at_ms + valid.valid_for_ms)
                    if kind == "held":
                        self.token = event.held.token
                    elif kind == "ended" and self._over is None:
                        self._over = event.ended.message
                    self._changed.notify_all()
            reason = "the node ended the stream"
        except grpc.RpcError as error:
            reason = error.details()
        with self._changed:
            self._over = self._over or reason
            self._changed.notify_all()

    def _ping(self, every_seconds: float) -> None:
        """Signs of life, several in each lease. Each answer tells how long the lock is valid."""
        with self._changed:
            while not self._changed.wait_for(lambda: self._over is not None, timeout=every_seconds):
                self._requests.put(locks_pb2.HoldRequest(ping=locks_pb2.Ping(sent_at_ms=now_ms())))


def main() -> int:
    address, name = sys.argv[1], sys.argv[2]
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 0
    try:
        with grpc.insecure_channel(address) as channel:
            with Lock(channel, name, wait_ms=10_000) as lock:
                print(f"holding {name} with token {lock.token}", flush=True)
                if seconds > 0 and not lock.wait(seconds):
                    raise LockError(f"lost {name}")
            print("released", flush=True)
        return 0
    except LockError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

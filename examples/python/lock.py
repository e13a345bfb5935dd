#!/usr/bin/env python3
"""Hold a lock of a maekawa cluster from Python, through plain gRPC.

Make the modules that this imports with the ordinary tools, from the folder that holds `proto`:

    python3 -m grpc_tools.protoc -I proto --python_out=examples/python --grpc_python_out=examples/python \
        maekawa/v1/locks.proto

    python3 examples/python/lock.py 127.0.0.1:7001 invoices

A lock is a stream: it is held for as long as the stream is open.
"""

import queue
import sys
import threading
import time

import grpc

from maekawa.v1 import locks_pb2, locks_pb2_grpc


class Lock:
    """A lock that is wanted or held. Use it as a context manager."""

    def __init__(self, channel: grpc.Channel, name: str, wait_ms: int | None = None):
        self._requests: queue.Queue = queue.Queue()
        self.token = 0
        self._valid_until = 0.0
        self._changed = threading.Condition()
        self._ended: locks_pb2.Ended | None = None
        acquire = locks_pb2.Acquire(
            lock=name.encode(), mode=locks_pb2.LOCK_MODE_EXCLUSIVE, pings=True, sent_at_ms=self._now_ms()
        )
        if wait_ms is not None:
            acquire.wait_ms = wait_ms
        self._requests.put(locks_pb2.HoldRequest(acquire=acquire))
        self._events = locks_pb2_grpc.LocksStub(channel).Hold(iter(self._requests.get, None))
        threading.Thread(target=self._listen, daemon=True).start()

    @staticmethod
    def _now_ms() -> float:
        return time.monotonic() * 1000

    def _listen(self) -> None:
        try:
            for event in self._events:
                with self._changed:
                    kind = event.WhichOneof("kind")
                    if kind == "queued":
                        threading.Thread(target=self._ping, args=(event.queued.lease_ms,), daemon=True).start()
                    elif kind == "held":
                        self.token = event.held.token
                        # Counted from when *we* sent what the node answers, so no delay can stretch it.
                        self._valid_until = event.held.sent_at_ms + event.held.valid_for_ms
                        threading.Thread(target=self._ping, args=(event.held.lease_ms,), daemon=True).start()
                    elif kind == "valid":
                        self._valid_until = max(self._valid_until, event.valid.sent_at_ms + event.valid.valid_for_ms)
                    elif kind == "ended":
                        self._ended = event.ended
                    self._changed.notify_all()
        except grpc.RpcError as error:
            with self._changed:
                self._ended = locks_pb2.Ended(message=error.details())
                self._changed.notify_all()

    def _ping(self, lease_ms: int) -> None:
        while self._ended is None:
            time.sleep(lease_ms / 4000)
            self._requests.put(locks_pb2.HoldRequest(ping=locks_pb2.Ping(sent_at_ms=self._now_ms())))

    def valid_for_ms(self) -> float:
        """How long the lock is held if it cannot be renewed; 0 when it is not held."""
        return 0 if self._ended is not None else max(0.0, self._valid_until - self._now_ms())

    def __enter__(self) -> "Lock":
        with self._changed:
            self._changed.wait_for(lambda: self.token > 0 or self._ended is not None)
        if self._ended is not None:
            raise RuntimeError(self._ended.message)
        return self

    def __exit__(self, *_: object) -> None:
        self._requests.put(None)  # closing our side releases the lock at once
        with self._changed:
            self._changed.wait_for(lambda: self._ended is not None, timeout=0.1)
            self._ended = self._ended or locks_pb2.Ended(message="released")


def main() -> None:
    address, name = sys.argv[1], sys.argv[2]
    with grpc.insecure_channel(address) as channel:
        with Lock(channel, name, wait_ms=10_000) as lock:
            print(f"holding {name} with token {lock.token}", flush=True)
            if lock.valid_for_ms() > 0:
                time.sleep(float(sys.argv[3]) if len(sys.argv) > 3 else 0)
        print("released", flush=True)


if __name__ == "__main__":
    main()

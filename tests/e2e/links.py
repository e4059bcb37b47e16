"""Ways between programs of this machine that a test cuts, silences, slows and heals: what a network does between hosts."""

import contextlib
import dataclasses
import queue
import random
import socket
import threading
import time

LOST = 0.2  # seconds after which TCP sends again what was lost


@dataclasses.dataclass(frozen=True)
class Condition:
    """What a way is like. `loss` is the share of the pieces that arrive late by what TCP takes to send them again."""

    cut: bool = False
    silent: bool = False
    delay: float = 0.0
    loss: float = 0.0


OPEN = Condition()


class Link:
    """A way to a port of this machine. It is open to everybody; `of` in what follows means one source alone, of those that
    `whose` tells apart: a function of the near end's port, asked once for each connection."""

    def __init__(self, lab, to, whose=lambda port: None, seed=0):
        self.to, self._whose, self._random = to, whose, random.Random(seed)
        self._conditions, self._changed = {}, threading.Condition()
        self._pairs = {}  # (near, far) -> source
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        lab.on_close(self.close)
        threading.Thread(target=self._accept, daemon=True).start()

    # ---- what a test does ----

    def cut(self, of=None):
        """Connections break, and new ones too."""
        self._set(of, Condition(cut=True))
        self._break(of)

    def lead_to(self, port):
        """From now on it is the way to another port; connections break."""
        self.to = port
        self._break(None)

    def silence(self, of=None):
        """Nothing arrives any more, and nobody is told. After healing all of it arrives."""
        self._set(of, Condition(silent=True))

    def slow(self, delay=0.04, loss=0.02, of=None):
        """Everything takes `delay` seconds more in each direction, and some of it longer still."""
        self._set(of, Condition(delay=delay, loss=loss))

    def heal(self, of=None):
        self._set(of, OPEN)

    def close(self):
        self._listener.close()
        self._conditions = {}
        self.cut()

    # ---- how ----

    def _set(self, source, condition):
        with self._changed:
            self._conditions[source] = condition
            self._changed.notify_all()

    def _condition(self, source):
        everybody = self._conditions.get(None, OPEN)
        return everybody if everybody != OPEN else self._conditions.get(source, OPEN)

    def _break(self, source):
        for pair, whose in list(self._pairs.items()):
            if source is None or whose == source:
                self._end(pair)

    def _accept(self):
        while True:
            try:
                near = self._listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near):
        far = None
        try:
            source = self._whose(near.getpeername()[1])
            if not self._condition(source).cut:
                far = socket.create_connection(("127.0.0.1", self.to), timeout=5)
                far.settimeout(None)
        except OSError:
            pass
        if far is None:
            near.close()
            return
        pair = (near, far)
        self._pairs[pair] = source
        if self._condition(source).cut:  # meanwhile
            self._end(pair)
        for one, other in ((near, far), (far, near)):
            under_way = queue.SimpleQueue()
            threading.Thread(target=self._receive, args=(one, under_way, source), daemon=True).start()
            threading.Thread(target=self._deliver, args=(under_way, other, pair, source), daemon=True).start()

    def _receive(self, near, under_way, source):
        """What comes in, with when it is to arrive; nothing: the end."""
        due = 0.0
        data = b"more"
        while data:
            try:
                data = near.recv(65536)
            except OSError:
                data = b""
            condition = self._condition(source)
            late = LOST if condition.loss and self._random.random() < condition.loss else 0.0
            due = max(due, time.monotonic() + condition.delay + late)  # nothing overtakes
            under_way.put((due, data))

    def _deliver(self, under_way, far, pair, source):
        with contextlib.suppress(OSError):
            while True:
                due, data = under_way.get()
                time.sleep(max(0.0, due - time.monotonic()))
                with self._changed:
                    self._changed.wait_for(lambda: not self._condition(source).silent)
                if not data:
                    break
                far.sendall(data)
        self._end(pair)

    def _end(self, pair):
        self._pairs.pop(pair, None)
        for one in pair:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

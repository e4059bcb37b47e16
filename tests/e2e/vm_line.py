"""Connections from the host into a virtual machine, one after the other, over virtio-serial.

A virtio-serial port is one stream of bytes without an end: a host that hangs up and calls again at once goes unnoticed in the
machine. So each line is two ports. When a client has come, we connect the data port and write a line to the control port;
guest_init.sh then connects keyclaved. When the client has gone we write another, and guest_init.sh answers with a line once
the connection is over, as it does when keyclaved ends it. Only then is the next client served.
"""

import contextlib
import select
import socket
import threading

from processes import PATIENCE

CHUNK = 65536


class Line:
    """Listens on the unix socket `path` and carries what comes there to the ports behind the sockets `data` and `control`."""

    def __init__(self, path, data, control):
        self.data_path = str(data)
        path.unlink(missing_ok=True)
        self.control = connect(control)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(16)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.control.close()
        self.thread.join(timeout=30 * PATIENCE)

    def _serve(self):
        with contextlib.suppress(OSError):  # the machine is off, or close() was called
            while True:
                client, _ = self.listener.accept()
                with client:
                    self._carry(client)

    def _carry(self, client):
        with connect(self.data_path) as data:
            self.control.sendall(b"next\n")
            with contextlib.suppress(OSError):  # of the client; the machine's show below
                pump(client, data, self.control)
            self.control.sendall(b"end\n")
            if not self.control.recv(CHUNK):
                raise ConnectionError("the machine is off")


def connect(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(60 * PATIENCE)
    connection.connect(str(path))
    return connection


def connect_if_listening(path):
    """The connection, or None as long as nobody listens there."""
    try:
        return connect(path)
    except (FileNotFoundError, ConnectionRefusedError):
        return None


def pump(client, data, control):
    """Copies both ways until one side is at its end, or the machine says that it is (which it does on `control`)."""
    other = {client: data, data: client}
    while True:
        ready = select.select([client, data, control], [], [])[0]
        if ready == [control]:
            return
        for end in ready:
            if end is not control:
                chunk = end.recv(CHUNK)
                if not chunk:
                    return
                other[end].sendall(chunk)

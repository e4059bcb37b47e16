"""What stands behind servers that only forward: a plain HTTP server with one answer, on threads of the test."""

import socketserver
import threading

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\nConnection: close\r\n\r\nserved by a backend\n"


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline() not in (b"\r\n", b""):
            pass
        self.wfile.write(ANSWER)


class Backend(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, lab):
        """Serves until the lab closes."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        lab.on_close(self.server_close)
        lab.on_close(self.shutdown)

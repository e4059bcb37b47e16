"""A program that uses a key of the enclave through its own OpenSSL, as provider_process_test.py starts it:

    provider_program.py WHAT CERTIFICATE KEY [DAEMON | MODULE TOKEN LABEL]

Each handshake is a whole one, between two ends in this process, so that nothing but the signature leaves it."""

import os
import pathlib
import signal
import ssl
import sys
import threading
import warnings

warnings.filterwarnings("ignore", "This process .* is multi-threaded")  # Python 3.12 and later, of what is tested here


def server_context(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def handshake(server, certificate):
    """A TLS 1.3 handshake with certificate check; raises if it fails."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(certificate)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(to_client, to_server, server_hostname="localhost"), server.wrap_bio(to_server, to_client, server_side=True)]
    waiting = list(ends)
    for _ in range(10):
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                pass
        if not waiting:
            return
    raise AssertionError("the handshake does not end")


def in_children(count, work, forked=lambda: None):
    """Runs `work` in forked children, after `forked` here; they end as programs do. True if all ended well."""
    children = []
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            try:
                work()
            except SystemExit:  # a child's child ends through here
                raise
            except BaseException as error:  # noqa: BLE001 (it must not go on as the parent)
                print(repr(error), file=sys.stderr)
                os._exit(1)
            sys.exit(0)
        children.append(pid)
    forked()
    return all(os.waitpid(pid, 0)[1] == 0 for pid in children)


def all_wait(threads, stop):
    """Returns when each of the threads sleeps, and goes on sleeping."""
    looks = 0
    while looks < 5:
        stop.wait(0.01)
        states = [pathlib.Path(f"/proc/self/task/{one.native_id}/stat").read_text().rpartition(")")[2].split()[0] for one in threads]
        looks = looks + 1 if set(states) == {"S"} else 0


def together(count, work):
    """Runs `work` in threads that begin at the same moment; their errors."""
    errors, barrier = [], threading.Barrier(count)

    def run():
        barrier.wait()
        try:
            work()
        except Exception as error:  # noqa: BLE001 (any error is the answer)
            errors.append(repr(error))
    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def open_module(path):
    import cryptoki
    client = cryptoki.Cryptoki(path)
    client.initialize()
    return client


def sign_by_module(client, token, label):
    session = client.open_session(client.slot_of(token))
    key = client.private_key(session, label)
    assert len(client.sign(session, key, 0x1041, b"d" * 32)) == 64  # CKM_ECDSA


def main():
    what, certificate, key, *more = sys.argv[1:]
    server = server_context(certificate, key)

    def once():
        handshake(server, certificate)
    if what == "threads":
        errors = together(16, once)
        assert not errors, errors
    elif what == "fork":
        assert in_children(4, once), "children of a process that has only loaded the key"
        once()
        assert in_children(4, once), "children of a process that has used the key"
        assert in_children(2, lambda: in_children(2, once) or sys.exit(1)), "their children"
        once()
    elif what == "fork-while-signing":
        # While libcrypto is at work in another thread, its locks are copied as they are, and a child may wait for one forever. So
        # the daemon stops, until all other threads are where they wait for it.
        daemon = int(more[0])
        stop = threading.Event()

        def sign():
            while not stop.is_set():
                once()
        threads = [threading.Thread(target=sign) for _ in range(3)]
        for thread in threads:
            thread.start()
        good = True
        for _ in range(5):
            os.kill(daemon, signal.SIGSTOP)
            all_wait(threads, stop)
            good = in_children(4, once, lambda: os.kill(daemon, signal.SIGCONT)) and good
        stop.set()
        for thread in threads:
            thread.join()
        assert good
    elif what == "exit-while-signing":
        begun = threading.Barrier(5)

        def sign():
            once()
            begun.wait()
            while True:
                once()
        for _ in range(4):
            threading.Thread(target=sign, daemon=True).start()
        begun.wait()
        sys.exit(0)
    elif what == "both":
        once()
        module, *name = more
        client = open_module(module)
        sign_by_module(client, *name)
        once()
        sign_by_module(client, *name)
        errors = together(4, lambda: [once(), sign_by_module(client, *name)])
        assert not errors, errors
    print("done")


if __name__ == "__main__":
    main()

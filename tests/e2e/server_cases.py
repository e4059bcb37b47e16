"""What every TLS server has to do with keys of the enclave: the same cases for all of them, and for each road to the key.

    class HaproxyTest(ServerCases, LabTest):
        def make(self, name): return Haproxy(self.lab, name=name)
"""

import contextlib
import os
import pathlib
import pwd
import ssl
import threading

from provider_keys import make_keys, operations_during
from processes import wait_until

PAIRS = {"rsa": "rsa:2048", "p256": "ec:p256", "other": "ec:p256"}
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class ServerCases:
    """Mixed in before LabTest. A server belongs to one test, which it is named after."""

    user = None                     # whose the serving processes are
    reason = "cannot be reached"    # what the server's log says of a daemon that is away
    mismatch = None                 # what it says of a certificate and a key that do not belong together
    survives_wrong_pair = True      # at reload: the old pair stays
    greeting = ("Hello", "Attest")  # what a process asks when it is new

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        make_keys(cls.lab, kinds=PAIRS)

    def make(self, name):
        """The server under test, which has not been configured."""
        raise NotImplementedError

    def key_of(self, pair):
        """How this server is told which key it is: here the reference file."""
        return self.lab.dir / f"{pair}.key"

    def configure(self, server, pair):
        return server.configure(self.lab.dir / f"{pair}.crt", self.key_of(pair))

    def serve(self, pair):
        server = self.configure(self.make(f"{self._testMethodName[5:]}-{pair}"), pair).start()
        self.addCleanup(self.end, server)
        return server

    def end(self, server):
        """It runs until it is asked to end, unless a test has seen it end, and then has no process any more."""
        if server.process is not None:
            self.assertIsNone(server.process.poll())
            self.assertIn(server.stop(), server.exit_status)

    def context(self, pair="p256", version="1.3"):
        """A client of its own: what one has stored of its sessions, no other knows."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.lab.dir / f"{pair}.crt")
        context.minimum_version = context.maximum_version = VERSIONS[version]
        return context

    def request(self, server, context, session=None):
        """One request on a connection of its own; (whether the session was resumed, the session that it leaves)."""
        with contextlib.ExitStack() as stack:
            plain = stack.enter_context(server.connect())
            tls = stack.enter_context(context.wrap_socket(plain, server_hostname="localhost", session=session))
            server.talk(tls)
            return tls.session_reused, tls.session

    def full(self, server, context):
        self.assertFalse(self.request(server, context)[0])

    def asked_during(self, action):
        """What the action made the daemon do, without the greetings of new processes."""
        return {name: count for name, count in operations_during(self.lab, action).items() if name not in self.greeting}

    def serves(self, server, pair):
        """Whether new connections get this certificate."""
        try:
            self.request(server, self.context(pair))
            return True
        except (ssl.SSLCertVerificationError, ConnectionError):
            return False

    # ---- cases ----

    def test_one_full_handshake_is_one_request(self):
        for pair in ("rsa", "p256"):
            server = self.serve(pair)
            for version in VERSIONS:
                with self.subTest(pair, version=version):
                    context = self.context(pair, version)
                    self.full(server, context)
                    done = self.asked_during(lambda s=server, c=context: [self.full(s, c) for _ in range(8)])
                    self.assertEqual(done, {"Sign": 8})

    def test_a_resumed_session_asks_nothing(self):
        server = self.serve("p256")
        for version in VERSIONS:
            with self.subTest(version=version):
                context = self.context(version=version)
                _, session = self.request(server, context)

                def resume():
                    for _ in range(4):
                        self.assertTrue(self.request(server, context, session)[0])
                self.assertEqual(self.asked_during(resume), {})

    def test_serves_as_a_user_of_its_own(self):
        server = self.serve("p256")
        self.full(server, self.context())
        self.assertTrue(server.workers())
        if os.geteuid() == 0:
            uid = pwd.getpwnam(self.user).pw_uid
            for pid in server.workers():
                self.assertEqual(pathlib.Path(f"/proc/{pid}").stat().st_uid, uid)

    def test_starting_asks_nothing(self):
        self.assertEqual(self.asked_during(lambda: self.serve("rsa")), {})

    def test_reload_under_load_loses_nothing(self):
        """Certificate and key change with each reload; whoever connects gets either pair."""
        server = self.serve("p256")
        with self.load(server) as served:
            for pair in ("other", "p256", "other"):
                self.reload_to(server, pair)
                before = len(served)
                wait_until(lambda b=before: served.failures or len(served) > b + 8, "answers after the reload")

    def reload_to(self, server, pair):
        self.configure(server, pair)
        server.reload()
        wait_until(lambda: self.serves(server, pair), f"{pair} to be served", process=server.process)

    @contextlib.contextmanager
    def load(self, server, threads=4):
        """Requests over full handshakes on several threads for as long as the block takes; fails if one of them did."""
        served, stop = Served(), threading.Event()
        context = self.context()
        context.load_verify_locations(self.lab.dir / "other.crt")

        def work():
            while not stop.is_set():
                try:
                    self.full(server, context)
                    served.append(1)
                except Exception as error:  # noqa: BLE001 (whatever it is, it is a lost request)
                    served.failures.append(repr(error))
                    return
        pool = [threading.Thread(target=work) for _ in range(threads)]
        for thread in pool:
            thread.start()
        try:
            yield served
        finally:
            stop.set()
            for thread in pool:
                thread.join()
        self.assertEqual(served.failures, [])

    def test_the_daemon_is_killed_and_comes_back(self):
        server = self.serve("p256")
        context = self.context()
        self.full(server, context)
        workers = server.workers()
        self.lab.kill_daemon()
        try:
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                self.request(server, context)
            wait_until(lambda: self.reason in server.log_text(), f"the log to say: {self.reason}")
        finally:
            self.lab.start_daemon()
        for _ in range(8):
            self.full(server, context)
        if server.replaces_workers:  # with a reload, that is; without one they stay
            self.assertLessEqual(set(workers), set(server.workers()))

    def test_reload_while_the_daemon_is_away(self):
        """Loading a reference asks nothing; what was loaded serves once the daemon is back."""
        server = self.serve("p256")
        self.configure(server, "other")
        self.lab.stop()
        try:
            server.reload()
        finally:
            self.lab.start_daemon()
        wait_until(lambda: self.serves(server, "other"), "the new pair", process=server.process)

    def test_a_certificate_of_another_key_is_refused(self):
        server = self.make("wrong").configure(self.lab.dir / "other.crt", self.key_of("p256"))
        checked = server.check()
        self.assertNotEqual(checked.returncode, 0)
        self.assertIn(self.mismatch, checked.stderr + checked.stdout)

    def test_a_wrong_pair_at_reload(self):
        server = self.serve("p256")
        server.configure(self.lab.dir / "other.crt", self.key_of("p256"))
        server.ask_to_reload()
        wait_until(lambda: self.mismatch in server.log_text(), f"the log to say: {self.mismatch}")
        if not self.survives_wrong_pair:
            self.assertNotEqual(server.process.wait(timeout=60), 0)
            server.process = None
            return
        self.full(server, self.context("p256"))
        self.reload_to(server, "other")


class Served(list):
    """A mark for each request that was answered; `failures` of the others."""

    def __init__(self):
        super().__init__()
        self.failures = []

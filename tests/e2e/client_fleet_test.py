#!/usr/bin/env python3
# ctest: TIMEOUT=900 RUN_SERIAL
"""Callers over a fleet of three daemons that share their store in etcd: nginx under continuous handshakes loses none while members are killed, stopped,
drained and restarted; nothing is done twice that must be done once."""

import contextlib
import signal
import threading

from fleet import make_fleet
from lab import LabTest, Nginx, main, wait_until
from processes import state
from provider_keys import TOKEN, make_keys
from server_cases import ServerCases

MEMBERS = 3
ANSWERS = 40  # handshakes that are awaited after each event


class ClientFleet(LabTest):
    context, request, full, load = ServerCases.context, ServerCases.request, ServerCases.full, ServerCases.load

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        make_keys(cls.lab, kinds={"p256": "ec:p256", "other": "ec:p256"})
        cls.etcd, cls.members = make_fleet(cls.lab, MEMBERS)

    def serve(self, name):
        server = Nginx(self.lab, name=name).configure(self.lab.dir / "p256.crt", self.lab.dir / "p256.key").start()
        self.addCleanup(server.stop)
        return server

    def wait_for_answers(self, served):
        """The load goes on: so many more are served, or one failed."""
        before = len(served)
        wait_until(lambda: served.failures or len(served) >= before + ANSWERS, "answers", seconds=60)

    def sign(self):
        """A signature by a process of its own."""
        self.lab.openssl("dgst", "-sha256", "-sign", self.lab.dir / "p256.key", "-out", self.lab.dir / "signature",
                         self.lab.client_config)
        return True

    def restart(self, member, drain):
        if drain:
            member.cli("drain", "--wait")
        self.assertEqual(member.end(), 0)
        member.start()

    def test_processes_are_spread(self):
        wait_until(lambda: self.sign() and all(member.signatures() for member in self.members), "each member to sign")

    def test_no_handshake_is_lost_when_members_are_killed(self):
        with self.load(self.serve("killed")) as served:
            for member in self.members:
                self.wait_for_answers(served)
                member.end(signal.SIGKILL)
                self.wait_for_answers(served)
                member.start()

    def test_no_handshake_is_lost_when_members_are_stopped(self):
        with self.load(self.serve("stopped")) as served:
            for member in self.members:
                self.wait_for_answers(served)
                member.process.send_signal(signal.SIGSTOP)
                wait_until(lambda m=member: state(m.process.pid) == "T", "a member to stop")
                self.wait_for_answers(served)
                member.process.send_signal(signal.SIGCONT)

    def test_no_handshake_is_lost_when_members_of_etcd_are_killed_or_cut_off(self):
        with self.load(self.serve("partition")) as served:
            for number in range(len(self.etcd.processes)):
                self.wait_for_answers(served)
                self.etcd.kill(number)
                self.wait_for_answers(served)
                self.etcd.start(number)
            for member in self.members:
                for link in member.links:
                    link.cut()
                self.wait_for_answers(served)
                for link in member.links:
                    link.heal()

    def test_a_rolling_restart_signs_once_for_each_handshake(self):
        """What each member has signed is asked when all have left it; nobody signs there afterwards."""
        before = sum(member.signatures() for member in self.members)
        signatures = 0
        with self.load(self.serve("rolling")) as served:
            for member in self.members:
                self.wait_for_answers(served)
                member.cli("drain", "--wait")
                signatures += member.signatures()
                self.wait_for_answers(served)
                self.restart(member, drain=False)
                self.wait_for_answers(served)
        signatures += sum(member.signatures() for member in self.members)
        self.assertEqual(signatures - before, len(served))

    def test_a_daemon_that_is_asked_to_end_drains_by_itself(self):
        with self.load(self.serve("ended")) as served:
            for member in self.members:
                self.wait_for_answers(served)
                self.restart(member, drain=False)
            self.wait_for_answers(served)

    def test_who_is_drained_gets_no_more_until_it_takes_callers_again(self):
        drained = self.members[0]
        with self.load(self.serve("drained")) as served:
            self.wait_for_answers(served)
            drained.cli("drain", "--wait")
            self.addCleanup(drained.cli, "drain", "--off")
            before = drained.signatures()
            self.wait_for_answers(served)
            self.assertEqual(drained.signatures(), before)
            self.assertTrue(drained.cli("status", json=True)["draining"])
            self.assertIn("draining", drained.cli("status").stdout)
            drained.cli("drain", "--off")
            self.assertFalse(drained.cli("status", json=True)["draining"])
        # New processes choose among all again.
        wait_until(lambda: self.sign() and drained.signatures() > before, "a signature of the member")

    def made_of(self, label):
        """How many keys of this label there are; every member comes to say the same."""
        def counts():
            listed = [member.cli("key", "list", "--token", TOKEN, json=True)["objects"] for member in self.members]
            return {sum((one["label"], one["class"]) == (label, "private key") for one in objects) for objects in listed}
        wait_until(lambda: len(counts()) == 1, "all members to agree")
        return counts().pop()

    @contextlib.contextmanager
    def keys_being_made(self, prefix):
        """Keys are generated one after the other for as long as the block takes; label -> whether it was acknowledged."""
        made, stop = {}, threading.Event()

        def work():
            while not stop.is_set():
                label = f"{prefix}{len(made)}"
                made[label] = self.lab.cli("key", "generate", "--token", TOKEN, "--type", "rsa:2048", "--label", label,
                                           check=False).returncode == 0
        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield made
        finally:
            stop.set()
            thread.join()

    def wait_for_keys(self, made, count=3):
        before = len(made)
        wait_until(lambda: len(made) >= before + count, "keys to be made", seconds=60)

    def test_a_key_is_not_made_twice_when_a_daemon_dies(self):
        with self.keys_being_made("killed") as made:
            for member in self.members[:2]:
                self.wait_for_keys(made)
                member.end(signal.SIGKILL)
                self.wait_for_keys(made)
                member.start()
        for label, acknowledged in made.items():
            self.assertIn(self.made_of(label), [1] if acknowledged else [0, 1], label)
        self.assertGreater(sum(made.values()), 0)

    def test_making_keys_does_not_fail_in_a_rolling_restart(self):
        with self.keys_being_made("rolled") as made:
            for member in self.members:
                self.wait_for_keys(made)
                self.restart(member, drain=True)
        for label, acknowledged in made.items():
            self.assertTrue(acknowledged, label)
            self.assertEqual(self.made_of(label), 1, label)

    def test_status_and_doctor_show_each_member(self):
        status = self.lab.cli("status", json=True)["endpoints"]
        self.assertEqual([one["endpoint"] for one in status], [member.endpoint for member in self.members])
        self.assertEqual(len({one["enclave"] for one in status}), 1)
        one = self.lab.cli("status", "--endpoint", self.members[1].endpoint, json=True)
        self.assertEqual(one["endpoint"], self.members[1].endpoint)
        doctor = self.lab.cli("doctor", check=False).stdout
        for member in self.members:
            self.assertRegex(doctor, rf"KD204 +ok +.*{member.endpoint}")
        unknown = self.lab.cli("status", "--endpoint", "unix:/nobody", check=False)
        self.assertEqual(unknown.returncode, 2, unknown.stderr)
        which = self.lab.cli("drain", check=False)
        self.assertEqual(which.returncode, 2, which.stderr)
        self.assertIn("--endpoint", which.stderr)

    def test_a_member_that_is_away_hides_no_other(self):
        away = self.members[2]
        self.assertEqual(away.end(), 0)
        self.addCleanup(away.start)
        status = self.lab.cli("status", check=False)
        self.assertEqual(status.returncode, 3)
        for member in self.members:
            self.assertIn(member.endpoint, status.stdout)
        self.assertIn("cannot be reached", status.stdout)
        doctor = self.lab.cli("doctor", check=False)
        self.assertEqual(doctor.returncode, 1)
        self.assertRegex(doctor.stdout, r"KD20[03] +problem")
        self.assertRegex(doctor.stdout, rf"KD204 +ok +.*{self.members[0].endpoint}")
        self.assertTrue(self.sign())


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# ctest: TIMEOUT=900 RUN_SERIAL
"""Three daemons, three members of etcd and nginx under load, while one after the other is killed, stopped, cut off, silenced and slowed down, for about a
minute; KEYCLAVE_FLEET_MINUTES=10 makes it long, KEYCLAVE_FLEET_SEED repeats an order. Nothing fails that must not, nothing acknowledged is lost, no limit
is exceeded, and in the end all are the same.

The hosts are processes on loopback and the network between them are links (links.py): network namespaces want root, delays in them (tc netem) a kernel
module, and neither is there on every machine that tests run on. Callers reach their daemons over unix sockets, which nothing cuts."""

import collections
import contextlib
import os
import random
import shutil
import signal
import sqlite3
import threading
import time

from fleet import counted, make_fleet
from lab import LabTest, Nginx, main, wait_until
from provider_keys import TOKEN, make_keys
from server_cases import ServerCases

MEMBERS = 3
FAULTS = ("kill", "stop", "cut", "silence", "slow")
SECONDS = 60 * float(os.environ.get("KEYCLAVE_FLEET_MINUTES", "0.75"))  # and then what goes on is finished
SEED = int(os.environ.get("KEYCLAVE_FLEET_SEED") or random.randrange(1 << 32))
COUNTED = "counted"  # the token
USES = 60  # of each of its keys
USERS = 2


class Changes:
    """Keys are made and some of them destroyed, one change after the other, by whichever daemon answers."""

    def __init__(self, lab):
        self.lab, self.random = lab, random.Random(SEED + 1)
        self.made, self.destroyed, self.doubtful, self.failed = [], [], set(), collections.Counter()

    def _cli(self, *arguments):
        done = self.lab.cli("key", *arguments, "--token", TOKEN, check=False)
        if done.returncode != 0:
            self.failed[arguments[0]] += 1
        return done.returncode == 0

    def step(self):
        """What was refused may have been done all the same, if the answer was lost."""
        label = f"made{len(self.made) + self.failed['generate']}"
        if self._cli("generate", "--type", "ec:p256", "--label", label):
            self.made.append(label)
        else:
            self.doubtful.add(label)
        there = [one for one in self.made if one not in self.destroyed and one not in self.doubtful]
        if len(there) > 2 and self.random.random() < 0.4:
            label = self.random.choice(there)
            if self._cli("delete", label, "--yes"):
                self.destroyed.append(label)
            else:
                self.doubtful.add(label)


class Uses:
    """Keys that may be used USES times, one after the other, each until every member says that it is used up."""

    def __init__(self, lab, members):
        self.lab, self.members, self.random = lab, members, random.Random(SEED + 2)
        self.used, self.refused, self.failed, self.keys = collections.Counter(), set(), 0, 0
        self.message = lab.write("message", "message")
        self.lock = threading.Lock()
        self.key = None

    def step(self):
        with self.lock:
            if self.key is None:
                self.key = self._make()
            key, member = self.key, self.random.choice(self.members)
        if key is None:
            return
        done = member.openssl("dgst", "-sha256", "-sign", f"pkcs11:token={COUNTED};object={key};type=private", self.message, check=False,
                              text=False)
        with self.lock:
            if done.returncode == 0:
                self.used[key] += 1
            elif b"limit is reached" in done.stderr:
                if key == self.key:
                    self.refused.add(member.name)
                if len(self.refused) == len(self.members):
                    self.key = None
            else:
                self.failed += 1

    def _make(self):
        self.refused, self.keys = set(), self.keys + 1
        label = f"counted{self.keys}"
        made = self.lab.cli("key", "generate", "--token", COUNTED, "--type", "ec:p256", "--label", label, check=False)
        return label if made.returncode == 0 else None


class FleetLoad(LabTest):
    context, request, full, load = ServerCases.context, ServerCases.request, ServerCases.full, ServerCases.load

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        make_keys(cls.lab, kinds={"p256": "ec:p256", "other": "ec:p256"})
        cls.lab.make_token(COUNTED, counted(USES))
        cls.etcd, cls.members = make_fleet(cls.lab, MEMBERS)

    # ---- faults ----

    def ways(self, target):
        """All links between a daemon, or a member of etcd, and the others: (link, whose connections of it)."""
        kind, number = target
        if kind == "daemon":
            return [(link, None) for link in self.members[number].links]
        return [(member.links[number], None) for member in self.members] + self.etcd.between(number)

    @contextlib.contextmanager
    def fault(self, target, what):
        """`target` is faulty for as long as the block takes."""
        kind, number = target
        member = self.members[number]
        if what == "kill":
            member.end(signal.SIGKILL) if kind == "daemon" else self.etcd.kill(number)
            yield
            member.start() if kind == "daemon" else self.etcd.start(number)
        elif what == "stop":
            process = member.process if kind == "daemon" else self.etcd.processes[number]
            process.send_signal(signal.SIGSTOP)
            try:
                yield
            finally:
                process.send_signal(signal.SIGCONT)
        else:
            for link, of in self.ways(target):
                getattr(link, what)(of=of)
            yield
            for link, of in self.ways(target):
                link.heal(of=of)

    def schedule(self):
        """Passes without end, in each of which everybody has a fault and every fault is somebody's."""
        order = random.Random(SEED)
        targets = [(kind, number) for kind in ("daemon", "etcd") for number in range(MEMBERS)]
        shift = 0
        while True:
            yield [(target, FAULTS[(index + shift) % len(FAULTS)]) for index, target in order.sample(list(enumerate(targets)), len(targets))]
            shift += 1

    def wait_until_all_are_well(self):
        for number in range(MEMBERS):
            self.etcd.wait_for(number)
        for member in self.members:
            wait_until(lambda m=member: not m.cli("status", json=True)["fleet"]["trouble"], f"{member.name} to be well", seconds=60)

    # ---- load ----

    @contextlib.contextmanager
    def repeated(self, *steps):
        """Each step is done again and again by a thread of its own, for as long as the block takes."""
        stop, wrong = threading.Event(), []

        def work(step):
            try:
                while not stop.is_set():
                    step()
            except Exception as error:  # noqa: BLE001 (of the test, then)
                wrong.append(error)
        threads = [threading.Thread(target=work, args=(step,)) for step in steps]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(wrong, [])

    def wait_for_answers(self, served, count):
        before = len(served)
        wait_until(lambda: served.failures or len(served) >= before + count, "answers", seconds=60)

    def trouble_goes_round(self, served):
        """Returns how many faults there were."""
        started, faults, order = time.monotonic(), 0, random.Random(SEED + 3)
        for one in self.schedule():
            for target, what in one:
                with self.fault(target, what):
                    self.wait_for_answers(served, order.randint(10, 120))
                self.assertEqual(served.failures, [], (what, target))
                self.wait_until_all_are_well()
                faults += 1
            if time.monotonic() - started >= SECONDS:
                return faults

    # ---- what must hold ----

    def objects(self, member, token):
        listed = member.cli("key", "list", "--token", token, json=True)["objects"]
        return sorted((one["id"], one["class"], one["label"]) for one in listed)

    def rows(self, member):
        """The member's copy of the store: the head, which is of one epoch, and all rows, as they were sealed. The daemon has the
        file for itself, so a copy of it is read, with its write-ahead log."""
        folder = self.lab.dir / "copy"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name in ("store.db", "store.db-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(member.state / name, folder)
        with contextlib.closing(sqlite3.connect(folder / "store.db")) as database:
            return [database.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in ("head", "record")]

    def check_that_all_are_the_same(self):
        first = self.members[0]
        for other in self.members[1:]:
            wait_until(lambda m=other: self.rows(m) == self.rows(first), f"{other.name} to have what {first.name} has", seconds=60)
            for token in (TOKEN, COUNTED):
                self.assertEqual(self.objects(other, token), self.objects(first, token))
        for member in self.members:
            member.cli("store", "check")

    def check_changes(self, changes):
        there = collections.Counter(label for _, kind, label in self.objects(self.members[0], TOKEN) if kind == "private key")
        for label in changes.made:
            if label not in changes.doubtful:
                self.assertEqual(there[label], 0 if label in changes.destroyed else 1, label)
        for label in changes.doubtful:
            self.assertIn(there[label], (0, 1), label)

    def test_whatever_is_away_nothing_fails_and_nothing_is_lost(self):
        print(f"seed {SEED}", flush=True)
        server = Nginx(self.lab, name="load").configure(self.lab.dir / "p256.crt", self.lab.dir / "p256.key").start()
        self.addCleanup(server.stop)
        changes, uses = Changes(self.lab), Uses(self.lab, self.members)
        started = time.monotonic()
        with self.load(server) as served, self.repeated(changes.step, *[uses.step] * USERS):
            faults = self.trouble_goes_round(served)
        seconds = time.monotonic() - started
        self.check_that_all_are_the_same()
        self.check_changes(changes)
        for key, used in uses.used.items():
            self.assertLessEqual(used, USES, key)
        finished = [used for key, used in uses.used.items() if key != uses.key]
        print(f"seed {SEED}: {seconds:.0f} s, {faults} faults; {len(served)} handshakes, {len(served.failures)} failed; {len(changes.made)} keys made "
              f"and {len(changes.destroyed)} destroyed, {sum(changes.failed.values())} changes refused or without an answer; {sum(uses.used.values())} "
              f"limited uses ({uses.failed} without an answer), {len(finished)} keys used up, by which {len(finished) * USES - sum(finished)} uses were "
              f"lost; {len(self.rows(self.members[0])[1])} rows", flush=True)
        self.assertGreater(len(changes.made), 0)
        self.assertGreater(len(changes.destroyed), 0)
        self.assertGreater(sum(uses.used.values()), 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""kill -9 under load: the daemon is killed 50 times while callers make keys; whatever was acknowledged is there afterwards."""

import json
import random
import threading
from lab import KEYCLAVE, LabTest, main, wait_until

KILLS = 50
CALLERS = 2


class Kill(LabTest):
    def make_keys(self, caller):
        """Makes keys until told to stop; notes the labels of those that were acknowledged."""
        number = 0
        while not self.stopping.is_set():
            label = f"key-{caller}-{number}"
            number += 1
            process = self.lab.run([KEYCLAVE, "key", "generate", "--token", "load", "--type", "ec:p256", "--label", label,
                                    "--json"], check=False)
            if process.returncode == 0:
                self.assertTrue(json.loads(process.stdout))
                self.acknowledged.append(label)

    def test_acknowledged_keys_survive(self):
        self.lab.make_token("load")
        self.acknowledged = []  # append is atomic
        self.stopping = threading.Event()
        callers = [threading.Thread(target=self.make_keys, args=(i,)) for i in range(CALLERS)]
        for caller in callers:
            caller.start()
        try:
            for _ in range(KILLS):
                seen = len(self.acknowledged)
                # At any moment: after a random number of further keys, none included.
                wanted = seen + random.randrange(0, 3)
                wait_until(lambda: len(self.acknowledged) >= wanted, "keys to be made", process=self.lab.daemon)
                self.lab.kill_daemon()
                self.lab.start_daemon()
        finally:
            self.stopping.set()
            for caller in callers:
                caller.join()
        listed = [o["label"] for o in self.lab.cli("key", "list", "--token", "load", json=True)["objects"]]
        missing = [label for label in self.acknowledged if label not in listed]
        print(f"{KILLS} kills, {len(self.acknowledged)} keys acknowledged, {len(missing)} missing")
        self.assertEqual(missing, [])
        self.assertGreater(len(self.acknowledged), KILLS // 2)
        # No half pairs: what is there can be used.
        for label in random.sample(self.acknowledged, 5):
            self.lab.cli("cert", "csr", "--key", label, "--token", "load", "--subject", "CN=x",
                         "--out", self.lab.dir / f"{label}.csr")
        self.assertEqual(self.lab.cli("audit", "verify", self.lab.state / "audit").returncode, 0)


if __name__ == "__main__":
    main()

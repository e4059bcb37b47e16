"""Full TLS handshakes of nginx with its key in the enclave, against the same nginx with a key file.

The load is bench/handshake_bench: no resumption, no tickets, a connection for each handshake. It runs on the same processors
as the servers, so what it takes itself bears on both sides alike: a row says so where it is the most of all.
"""

import statistics

from lab import BUILD_DIR, Nginx, free_port
from labs import PLAIN, TOKEN, key_file, lab_with_keys
from measuring import compare

HANDSHAKE_BENCH = BUILD_DIR / "bin" / "handshake_bench"
KINDS = ("RSA-2048", "P-256", "P-384", "Ed25519")
OURS, THEIRS = "nginx, key in enclave", "nginx, key file"
# kind of key, TLS, connections at a time -> at least
PROMISED = {("RSA-2048", "1.3", 64): 1.5, ("P-256", "1.3", 64): 0.97}
LINES = ("ssl_session_cache off;", "ssl_session_tickets off;")


def servers(lab, kind, workers):
    """Both of them, started, for this kind of key."""
    certificate, reference = lab.dir / f"{kind}-enclave.crt", lab.dir / f"{kind}-reference.pem"
    lab.cli("cert", "self-sign", "--token", TOKEN, kind, "--subject", "CN=localhost", "--out", certificate)
    lab.cli("key", "reference", "--token", TOKEN, kind, "--out", reference)
    plain = lab.dir / f"{kind}-file.crt"
    lab.openssl("req", "-x509", "-new", "-key", key_file(lab, kind), "-subj", "/CN=localhost", "-days", "2", "-out", plain,
                env={"OPENSSL_CONF": "/etc/ssl/openssl.cnf"})
    started = {}
    for name, pair in ((OURS, (certificate, reference)), (THEIRS, (plain, key_file(lab, kind)))):
        folder = f"{name}-{kind}".replace(",", "").replace(" ", "-")
        started[name] = Nginx(lab, [(free_port(), *pair, *LINES)], workers=workers, name=folder).start()
    return started


def by_cpu(found):
    """What processor time alone says of a row: all share the same processors, and the load program has its part."""
    ours, theirs = ({name: statistics.median(one["cpu_us"][name] for one in side) for name in side[0]["cpu_us"]}
                    for side in (found[OURS], found[THEIRS]))
    whole, others = sum(ours.values()), sum(theirs.values())
    said = f"by CPU alone {others / whole:.2f}, and {others / (whole - ours['daemon']):.2f} if the daemon took none"
    shares = [side["caller"] / sum(side.values()) for side in (ours, theirs)]
    if max(shares) > 0.5:
        said += "; the load program is the limit: {:.0%} of the CPU beside the enclave, {:.0%} beside the key file".format(*shares)
    return said


def rows(options, measure, interleaved):
    with lab_with_keys(kinds=KINDS) as lab:
        for kind in KINDS:
            wanted = [(tls, clients, PROMISED.get((kind, tls, clients)))
                      for tls in ("1.3", "1.2") for clients in options.clients]
            wanted = [one for one in wanted if one[2] is not None or not options.promises]
            if not wanted:
                continue
            nginx = servers(lab, kind, options.workers)
            watch = {name: {"nginx": one.process.pid} for name, one in nginx.items()}
            watch[OURS]["daemon"] = lab.daemon.pid
            for tls, clients, budget in wanted:
                work = f"nginx, {kind}, full TLS {tls} handshakes, {clients} at a time"
                once = {name: lambda name=name: measure(lab, [HANDSHAKE_BENCH], PLAIN, watch=watch[name], port=nginx[name].port,
                                                        tls=tls, threads=clients, seconds=options.seconds,
                                                        warm_up=options.warm_up) for name in nginx}
                found = interleaved(options.repeats, once, work)
                yield compare(work, found, unit="handshakes/s", by=OURS, against=THEIRS, budget=budget, note=by_cpu(found))
            for one in nginx.values():
                one.stop()

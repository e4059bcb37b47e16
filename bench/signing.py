"""Signatures through PKCS#11 and through a provider, on few threads and many, against everybody whom one could use instead."""

import trixie
from labs import lab_with_keys
from measuring import compare
from signers import KINDS, contenders

# ours -> those whose interface, or place, is the same
PEERS = {"keyclave pkcs11": ("OpenSSL in process", "SoftHSM2 in process", "SoftHSM2 over p11-kit", "tpm2-pkcs11 on swtpm"),
         "keyclave provider": ("OpenSSL in process", "pkcs11-provider on SoftHSM2", *trixie.NAMES)}
# ours, kind of key, threads, against -> at least
PROMISED = {("keyclave pkcs11", "P-256", 8, "SoftHSM2 in process"): 3.0,
            ("keyclave pkcs11", "P-256", 8, "SoftHSM2 over p11-kit"): 8.0}


def rows(options, measure, interleaved):
    with lab_with_keys(kinds=KINDS) as lab:
        signers = contenders(lab)
        if "trixie" in options.suites:
            signers.update(trixie.contenders(lab))
        for kind in KINDS:
            for threads in options.threads:
                pairs = [(ours, other, PROMISED.get((ours, kind, threads, other)))
                         for ours, others in PEERS.items() for other in others if other in signers]
                yield from compared(lab, signers, kind, threads, pairs, options, measure, interleaved)


def compared(lab, signers, kind, threads, pairs, options, measure, interleaved):
    """The pairs, those without a budget left out if only promises were asked for, in one run."""
    pairs = [pair for pair in pairs if pair[2] is not None or not options.promises]
    if not pairs:
        return
    wanted = {name for ours, other, _ in pairs for name in (ours, other)}
    work = f"{kind} sign, {threads} thread{'s' if threads > 1 else ''}"
    once = {name: lambda signer=signer: measure(lab, signer.command(kind), signer.env, watch=signer.watch, threads=threads,
                                                seconds=options.seconds, warm_up=options.warm_up)
            for name, signer in signers.items() if name in wanted}
    found = interleaved(options.repeats, once, work)
    for ours, other, budget in pairs:
        yield compare(work, found, unit="signatures/s", by=ours, against=other, budget=budget, note=signers[other].note)

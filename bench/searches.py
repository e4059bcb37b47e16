"""The same search in a token with a hundred objects and in one with many: what it finds is one object each time."""

from lab import BUILD_DIR, PKCS11_MODULE, Lab
from measuring import compare

FIND_BENCH = BUILD_DIR / "bin" / "find_bench"


def rows(options, measure, interleaved):
    if options.promises:
        return
    with Lab() as lab:
        few, many = "100 objects", f"{options.objects:,} objects"
        sizes = {few: 100, many: options.objects}
        command = [FIND_BENCH, "--module", PKCS11_MODULE, "--token"]
        for name, size in sizes.items():
            lab.make_token(name)
            lab.run([*command, name, "--fill", size], timeout=1800)
        for by in ("id", "label", "class"):
            once = {name: lambda name=name, size=size: measure(lab, [*command, name], None, watch={"daemon": lab.daemon.pid}, by=by,
                                                               objects=size, seconds=options.seconds, warm_up=options.warm_up)
                    for name, size in sizes.items()}
            yield compare(f"find by {by}", interleaved(options.repeats, once, f"find by {by}"), unit="searches/s", by=many, against=few)

"""The text that Prometheus reads (exposition format 0.0.4), read strictly: what a lenient parser lets pass is wrong here."""

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'(?:[a-zA-Z_][a-zA-Z0-9_]*)="(?:[^"\\\n]|\\["\\n])*"'
COMMENT = re.compile(r"# (HELP|TYPE) (%s) (.+)" % NAME)
SAMPLE = re.compile(r"(%s)(?:\{(%s(?:,%s)*)\})? (-?[0-9]+(?:\.[0-9]+)?)" % (NAME, LABEL, LABEL))
ENDINGS = {"counter": [""], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}


class Family:
    def __init__(self, name):
        self.name, self.kind, self.help, self.samples = name, None, None, {}


def unescape(text):
    return re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m.group(1), m.group(1)), text)


def labels_of(text):
    pairs = re.findall(r'([a-zA-Z0-9_]+)="((?:[^"\\\n]|\\.)*)"', text or "")
    assert len(dict(pairs)) == len(pairs), "a label twice: %s" % text
    return tuple((name, unescape(value)) for name, value in pairs)


def read(text):
    """{name: Family}, each with samples {(sample name, labels): number}."""
    families, now = {}, None
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        said = COMMENT.fullmatch(line)
        if said:
            what, name, rest = said.groups()
            if not now or now.name != name:
                assert name not in families, "%s is not in one piece" % name
                now = families[name] = Family(name)
            assert not now.samples, "%s of %s behind its samples" % (what, name)
            assert getattr(now, "help" if what == "HELP" else "kind") is None, "%s of %s twice" % (what, name)
            if what == "HELP":
                now.help = rest
            else:
                assert rest in ENDINGS, line
                now.kind = rest
            continue
        found = SAMPLE.fullmatch(line)
        assert found, "no such line: %r" % line
        name, labels, value = found.groups()
        assert now and now.kind and name in [now.name + ending for ending in ENDINGS[now.kind]], "%s stands under %s" % (name, now and now.name)
        assert now.kind != "counter" or name.endswith("_total"), name
        key = name, labels_of(labels)
        assert key not in now.samples, "twice: %s" % line
        now.samples[key] = float(value)
    for family in families.values():
        assert family.help and family.kind and family.samples, family.name
        if family.kind == "histogram":
            histogram(family)
    return families


def histogram(family):
    """Buckets grow to +Inf, whose number is the count."""
    by_daemon = {}
    for (name, labels), value in family.samples.items():
        rest = tuple(pair for pair in labels if pair[0] != "le")
        by_daemon.setdefault(rest, {}).setdefault(name[len(family.name):], []).append((dict(labels).get("le"), value))
    for parts in by_daemon.values():
        counts = [value for _, value in parts["_bucket"]]
        assert counts == sorted(counts)
        assert [float(le) for le, _ in parts["_bucket"]] == sorted(float(le) for le, _ in parts["_bucket"])
        assert parts["_bucket"][-1][0] == "+Inf" and parts["_bucket"][-1][1] == parts["_count"][0][1]
        assert len(parts["_sum"]) == len(parts["_count"]) == 1


def value(families, name, daemon):
    """The number of one daemon's sample."""
    found = [number for (sample, labels), number in families[name].samples.items() if sample == name and dict(labels)["daemon"] == daemon]
    assert len(found) == 1, (name, daemon, found)
    return found[0]


def up(families):
    """{daemon: whether it has answered}."""
    return {dict(labels)["daemon"]: bool(number) for (_, labels), number in families["bulkhead_up"].samples.items()}

"""Option tables and conf files say the same. Every option of a table stands once in conf/NAME.conf, commented out, with its default and
the word on reload, and the file has no others; options common to all daemons stand in each file."""
import re
import sys

from sources import ROOT, code, files, report

OPTION = re.compile(r'OPTION_(\w+)\s*\(\s*"([^"]+)"\s*,\s*"([^"]+)"\s*,(.*)', re.S)
WHERE = {"c2s": "c2s/*.c", "router": "router/*.c", "sessman": "sessman/*.c", "s2s": "s2s/*.c", "httpgw": "httpgw/*.c",
         "bulkhead": "common/tools/bulkhead.c"}

SHARED = {"RLINK_OPTIONS": "common/daemon/linkconf.h", "CLIENTS_OPTIONS": "common/edge/clients.h"}


def split_arguments(rest):
    """The arguments up to the closing parenthesis."""
    out, depth, start, i, quoted = [], 0, 0, 0, False
    while i < len(rest):
        c = rest[i]
        if quoted:
            i += c == "\\"
            quoted = c != '"'
        elif c == '"':
            quoted = True
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            if depth == 0:
                out.append(rest[start:i].strip())
                return out
            depth -= 1
        elif c == "," and depth == 0:
            out.append(rest[start:i].strip())
            start = i + 1
        i += 1
    return out


def options_in(text):
    found = {}
    for m in re.finditer(r"\bOPTION_[A-Z]+\s*\(", text):
        option = OPTION.match(text, m.start())
        if not option or option.group(1) == "T":
            continue
        kind, section, name, rest = option.groups()
        arguments = split_arguments(rest)
        default = "".join(re.findall(r'"((?:\\.|[^"\\])*)"', arguments[2])) if len(arguments) > 2 else ""
        found[(section, name)] = (default, "RELOAD" if arguments[-1] == "RELOAD" else "RESTART")
    return found


def table_of(daemon):
    found = {}
    for name in files(WHERE[daemon]):
        text = code(name)
        found.update(options_in(text))
        for rows, header in SHARED.items():
            if rows + "(" in text:
                found.update(options_in(code(header).replace("\\\n", "\n")))
    if daemon != "bulkhead":
        for name in files("common/daemon/daemon.c"):
            found.update(options_in(code(name)))
    return found


def conf_of(path):
    """{(section, option): [default, comment in front]} of the commented-out options; named sections are left out."""
    found, problems, section, comment = {}, [], "", []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        header = re.match(r";?\[([^\]]+)\]$", line)
        option = re.match(r";?\s*([a-z0-9_]+) =\s?(.*)$", line) if not line.startswith("#") else None
        if header:
            section, comment = header.group(1), []
        elif line.startswith("#"):
            comment.append(line)
        elif option and " " not in section:
            key = (section, option.group(1))
            if key in found:
                problems.append("%s:%d: [%s] %s stands there twice" % (path.name, number, *key))
            found[key] = (option.group(2).strip(), " ".join(comment), number)
        elif not line.strip():
            comment = []
    return found, problems


problems = []
for daemon in WHERE:
    table = table_of(daemon)
    if not table or not files(WHERE[daemon]):
        continue
    path = ROOT / "conf" / (daemon + ".conf")
    if not path.exists():
        problems.append("conf/%s.conf: not there" % daemon)
        continue
    shown, wrong = conf_of(path)
    problems += wrong
    for key, (default, reload) in table.items():
        label = "conf/%s.conf: [%s] %s" % (daemon, *key)
        if key not in shown:
            problems.append(label + ": not there")
            continue
        value, comment, number = shown[key]
        if value != default:
            problems.append("%s: says %r, the table %r" % (label, value, default))
        said = re.findall(r"Reload: (yes|no)", comment)
        if said and said[-1] != ("yes" if reload == "RELOAD" else "no"):
            problems.append("%s: reload is said to be %s" % (label, said[-1]))
    for key in shown:
        if key not in table:
            problems.append("conf/%s.conf:%d: [%s] %s: no such option" % (daemon, shown[key][2], *key))
sys.exit(report(problems))

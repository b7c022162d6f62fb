"""Who includes whom. The directory says what a file may know:

base <- {xmpp, net} <- link <- edge; daemon on base, net and link; a daemon includes common/ and itself; a module of sessman
includes sessman's headers, never another module; only common/net sees libuv and certificates, only the store sees SQLite."""
import re
import sys

from sources import code, files, report

MAY = {
    "common/base": {"common/base"},
    "common/xmpp": {"common/base", "common/xmpp"},
    "common/net": {"common/base", "common/net"},
    "common/link": {"common/base", "common/xmpp", "common/net", "common/link"},
    "common/edge": {"common/base", "common/xmpp", "common/net", "common/link", "common/edge"},
    "common/daemon": {"common/base", "common/net", "common/link", "common/xmpp", "common/daemon"},
    "common/tools": {"common/base", "common/xmpp", "common/net", "common/link", "common/daemon", "common/tools",
                     "sessman", "sessman/store"},
}
COMMON = {"common/" + name for name in ("base", "xmpp", "net", "link", "edge", "daemon")}
for daemon in ("router", "c2s", "s2s", "httpgw"):
    MAY[daemon] = COMMON | {daemon}
MAY["sessman"] = COMMON | {"sessman", "sessman/store"}
MAY["sessman/store"] = {"common/base", "common/net", "sessman/store"}
MAY["sessman/mod"] = COMMON | {"sessman", "sessman/store"}

LIBRARIES = {                      # header -> the only folders that see it
    "uv.h": {"common/net"},
    "gnutls/x509.h": {"common/net"},
    "libxml": {"common/xmpp"},
    "unbound.h": {"s2s"},
    "sqlite3.h": {"sessman/store", "common/tools"},
    "ini.h": {"common/daemon", "common/tools"},
}

problems = []
for name in files("common/*.[ch]", "router/*.[ch]", "c2s/*.[ch]", "s2s/*.[ch]", "httpgw/*.[ch]", "sessman/*.[ch]"):
    folder = name.rpartition("/")[0]
    if folder not in MAY:
        problems.append("%s: a folder that the rules do not know" % name)
        continue
    for number, line in enumerate(code(name).splitlines(), 1):
        own = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        system = re.match(r"\s*#\s*include\s+<([^>]+)>", line)
        if own:
            target = own.group(1).rpartition("/")[0]
            if target not in MAY[folder]:
                problems.append("%s:%d: %s may not include %s" % (name, number, folder, own.group(1)))
        if system:
            for library, folders in LIBRARIES.items():
                if system.group(1).startswith(library) and folder not in folders:
                    problems.append("%s:%d: <%s> is only for %s" % (name, number, system.group(1), ", ".join(folders)))
    if name.endswith(".c"):
        header = name[:-1] + "h"
        first = re.search(r'#\s*include\s+["<]([^">]+)[">]', code(name))
        if header in files(header) and first and first.group(1) != header:
            problems.append("%s: includes its own header first" % name)
sys.exit(report(problems))

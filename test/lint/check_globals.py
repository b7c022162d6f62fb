"""No mutable variables at file scope. Looks into the objects of build/: nothing may lie in .data or .bss, for all state hangs from
a context."""
import os
import re
import subprocess
import sys

from sources import ROOT, report

build = ROOT / os.environ.get("BULKHEAD_BUILD", "build") / "obj"
problems = []
for folder in ("common", "router", "c2s", "s2s", "sessman", "httpgw"):
    for path in sorted((build / folder).rglob("*.o")):
        source = path.relative_to(build).with_suffix(".c")
        if not (ROOT / source).exists():
            continue
        table = subprocess.run(["objdump", "-t", path], check=True, capture_output=True, text=True).stdout
        for symbol in re.findall(r"^[0-9a-f]+ .....\wO \.(?:data|bss)(?:\.(?!rel\.ro)\S*)?\t[0-9a-f]+ (?:\.hidden )?(\S+)$", table, re.M):
            problems.append("%s: %s" % (source, symbol))
if not build.exists():
    problems.append("%s: build first" % build)
sys.exit(report(problems))

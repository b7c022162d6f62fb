"""Who is linked with what. A library that one daemon needs is not loaded by the others: it costs each of them memory, and is code
beside their secrets."""
import os
import subprocess
import sys

from sources import ROOT, report

ONLY = {"libunbound": {"bulkhead-s2s"}, "libjansson": {"bulkhead-httpgw", "bulkhead-sessman"}}  # library -> programs that may load it

build = ROOT / os.environ.get("BULKHEAD_BUILD", "build")
problems = []
for path in sorted(build.glob("bulkhead*")):
    needed = subprocess.run(["readelf", "-d", path], check=True, capture_output=True, text=True).stdout
    for library, programs in ONLY.items():
        if "[%s." % library in needed and path.name not in programs:
            problems.append("%s: loads %s, which is only for %s" % (path.name, library, ", ".join(sorted(programs))))
if not build.exists():
    problems.append("%s: build first" % build)
sys.exit(report(problems))

"""The page of protocols agrees with the modules. Every specification that a module's .spec names stands in PROTOCOLS.md with that version, and every
file named there exists."""
import re
import sys

from sources import ROOT, code, files, report, text

problems = []
modules = {}
for name in files("sessman/mod/*.c"):
    for spec in re.findall(r'\.spec\s*=\s*"([^"]+)"', code(name)):
        for one in re.split(r"\s*[,;]\s*", spec):
            modules.setdefault(one, name)
if modules and not (ROOT / "PROTOCOLS.md").exists():
    problems.append("PROTOCOLS.md: not there")
elif modules:
    page = text("PROTOCOLS.md")
    rows = [line for line in page.splitlines() if line.startswith("|")]
    for spec, name in sorted(modules.items()):
        number, _, version = spec.partition(" ") if spec.startswith("XEP") else (spec, "", "")
        row = [line for line in rows if re.search(r"\b%s\b" % re.escape(number), line)]
        if not row:
            problems.append("PROTOCOLS.md: %s (of %s) has no row" % (number, name))
        elif version and not any(version.strip() in line for line in row):
            problems.append("PROTOCOLS.md: %s: %s says %s" % (number, name, version))
    for path in sorted(set(re.findall(r"\b(?:common|router|c2s|s2s|sessman|httpgw|test)/[\w/.*-]*", page))):
        if not list(ROOT.glob(path.rstrip("/."))):
            problems.append("PROTOCOLS.md: %s does not exist" % path)
sys.exit(report(problems))

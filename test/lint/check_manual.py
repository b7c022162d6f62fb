"""Every program and every conf file has its manual page, and groff finds nothing wrong with any. A page names its program."""
import subprocess
import sys
import tempfile
from pathlib import Path

from sources import ROOT, files, report, text

problems = []
programs = ["bulkhead", "bulkheadctl", "bulkhead-echo"]
programs += ["bulkhead-" + name[:-len("/main.c")] for name in files("*/main.c") if name.count("/") == 1]
pages = {Path(name).stem: name for name in files("*.8")}
for program in programs:
    if program not in pages:
        problems.append("%s.8: not there" % program)
    elif "%s \\- " % program.replace("-", "\\-") not in text(pages[program]) and "%s \\- " % program not in text(pages[program]):
        problems.append("%s: NAME does not begin with %s" % (pages[program], program))
with tempfile.TemporaryDirectory() as folder:
    subprocess.run([ROOT / "common/tools/confpage", folder, *files("conf/*.conf")], cwd=ROOT, check=True)
    for page in [*(ROOT / name for name in pages.values()), *Path(folder).iterdir()]:
        said = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", page], capture_output=True, text=True).stderr
        problems += said.splitlines()
sys.exit(report(problems))

"""The page of the architecture names what there is. Every file, and every file:function, of ARCHITECTURE.md and README.md exists; a file of
sessman or of the tools may stand there by its name alone."""
import re
import sys

from sources import ROOT, code, files, report, text

FOLDERS = ("", "sessman/", "common/", "sessman/store/", "common/tools/")
problems = []
for page in ("ARCHITECTURE.md", "README.md"):
    for number, line in enumerate(text(page).splitlines(), 1):
        for path, function in re.findall(r"(?<![\w/.])((?:[a-z0-9_]+/)*[a-z0-9_]+\.(?:[ch]|py))\b(?::([a-z_0-9]+))?", line):
            there = [folder + path for folder in FOLDERS if files(folder + path)]
            if not there:
                problems.append("%s:%d: %s does not exist" % (page, number, path))
            elif function and not any(re.search(r"^[\w*][^\n;]*\b%s\([^;]*?\)\n\{" % function, code(name), re.M) for name in there):
                problems.append("%s:%d: %s defines no %s" % (page, number, there[0], function))
        for folder in re.findall(r"(?<![\w/.])((?:common|router|c2s|sessman|conf|test)/(?:[a-z0-9_]+/)*)(?![\w.])", line):
            if not (ROOT / folder).is_dir():
                problems.append("%s:%d: %s does not exist" % (page, number, folder))
sys.exit(report(problems))

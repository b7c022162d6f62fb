"""Sources are ASCII outside comments. In comments no character is invisible or changes the direction of reading."""
import re
import sys
import unicodedata

from sources import code, files, report, text

problems = []
for name in files("common/", "router/", "c2s/", "s2s/", "sessman/", "httpgw/", "conf/"):
    for number, line in enumerate((code(name) if name[-2:] in (".c", ".h") else "").splitlines(), 1):
        if re.search(r"[^\x00-\x7f]", line):
            problems.append("%s:%d: not ASCII" % (name, number))
    for number, line in enumerate(text(name).splitlines(), 1):
        if any(unicodedata.category(c) in ("Cf", "Cc", "Co") and c != "\t" for c in line):
            problems.append("%s:%d: an invisible character" % (name, number))
        if line != line.rstrip():
            problems.append("%s:%d: white space at the end" % (name, number))
sys.exit(report(problems))

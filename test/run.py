#!/usr/bin/python3
"""Runs the unit and the black-box tests of a build folder; the last line is "N passed, N failed" over both.

  run.py BUILD [--unit] [--blackbox] [PYTEST ARGUMENTS]...

A unit program that dies counts as one failure more than it reported. Exit code 0 only if nothing failed."""
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def unit(build):
    passed = failed = 0
    for source in sorted((ROOT / "test/unit").glob("test_*.c")):
        program = build / "unit" / source.stem
        done = subprocess.run([program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", cwd=ROOT)
        good = sum(map(int, re.findall(r"^\[  PASSED  \] (\d+) test", done.stdout, re.M)))
        bad = sum(map(int, re.findall(r"^\[  FAILED  \] (\d+) test", done.stdout, re.M)))
        if not bad and (done.returncode != 0 or not good):
            bad = 1
        print("%s %s: %d passed, %d failed" % ("ok  " if not bad else "FAIL", source.stem, good, bad), flush=True)
        if bad:
            print(done.stdout, "exit status", done.returncode)
        passed, failed = passed + good, failed + bad
    return passed, failed


def blackbox(build, arguments):
    tests = ROOT / "test/blackbox"
    if not list(tests.glob("test_*.py")):
        return 0, 0
    env = dict(os.environ, BULKHEAD_BUILD=os.path.relpath(build, ROOT), PYTHONDONTWRITEBYTECODE="1")
    with tempfile.TemporaryDirectory(prefix="bulkhead-test-") as folder:
        report = Path(folder) / "report.xml"
        done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=%s" % report,
                               *(arguments or [tests])], env=env, cwd=ROOT)
        if not report.exists():
            return 0, 1
        suites = ElementTree.parse(report).getroot().iter("testsuite")
        total = bad = skipped = 0
        for suite in suites:
            total += int(suite.get("tests"))
            bad += int(suite.get("failures")) + int(suite.get("errors"))
            skipped += int(suite.get("skipped"))
        if skipped:
            print("%d tests were skipped, which none may be" % skipped)
        if done.returncode != 0 and not bad + skipped:
            bad = 1
        return max(total - bad - skipped, 0), bad + skipped


def main():
    arguments = sys.argv[1:]
    build = ROOT / arguments.pop(0)
    chosen = [arguments.pop(0) for a in list(arguments) if a in ("--unit", "--blackbox")]
    passed = failed = 0
    if not chosen or "--unit" in chosen:
        good, bad = unit(build)
        passed, failed = passed + good, failed + bad
    if not chosen or "--blackbox" in chosen:
        good, bad = blackbox(build, arguments)
        passed, failed = passed + good, failed + bad
    print("%d passed, %d failed" % (passed, failed), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""What the checks share: the files of the tree, and C without its comments."""
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def files(*patterns):
    """Paths below ROOT as strings, tracked or new."""
    out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns], cwd=ROOT, check=True,
                         capture_output=True, text=True).stdout
    return [name for name in out.splitlines() if (ROOT / name).is_file()]


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def code(name):
    """Without comments, line numbers kept; strings stay."""
    token = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', re.S)
    return token.sub(lambda m: m.group() if m.group()[0] in "\"'" else "\n" * m.group().count("\n"), text(name))


def report(problems):
    for problem in problems:
        print(problem)
    return 1 if problems else 0

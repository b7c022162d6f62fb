"""The administration page (httpgw/web/admin): its pure parts under node, and the page in a browser, with what an administrator does there."""

import socket
import subprocess
import threading
from xml.sax.saxutils import escape

import pytest

from adhoc_component import Commands
from client import PATIENCE
from server import ROOT

ECHO, SECRET = "echo.im.example", "the component's secret"
SERVER = {"http": True, "s2s": True, "domains": ("im.example", "second.example"), "components": {ECHO: SECRET}}
EVIL = "<script>window.hurt='jid'</script><img src=x onerror=window.hurt=1>"


def test_pure_parts_under_node():
    """Forms, validation, commands, rates, tables: test/web/admin/*.test.mjs."""
    done = subprocess.run(["node", "--test", *sorted((ROOT / "test/web/admin").glob("*.test.mjs"))], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE * 6)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# tests 0" not in done.stdout


@pytest.fixture
def page(server, browser):
    """page("test", ...) runs a test of test/web/admin.mjs, as the administrator where nothing else is said."""
    def run(test, **args):
        return browser.run("admin.mjs", test=test, **{"url": "https://im.example:%d/admin/" % server.port("https"), "jid": server.admin,
                                                      "password": server.admin_password, "component": ECHO, "domain": server.domain, **args})
    return run


@pytest.fixture
def commands(server):
    it = Commands(server, ECHO, SECRET)
    yield it
    it.stop()


def test_add_a_user_and_see_its_session(server, page):
    """Through its form, with a mistake first; then the account logs in, is on the plot and in the list, is thrown out and deleted."""
    page("addUser", user="juliet@im.example", secret="her pass word")
    assert "juliet@im.example" not in server.run("users", "im.example").stdout


def test_every_kind_of_field(page, commands):
    told = page("fields")
    node, action, got = commands.submitted[-1]
    assert (node, action, len(commands.submitted)) == ("fields", "complete", 1)     # what was not filled in well was not sent
    assert got == {"secret": ["kept as it is"], "name": ["A <b>thing</b>"], "key": ["secret"], "active": ["0"], "owner": ["romeo@im.example"],
                   "members": ["a@im.example", "b@im.example"], "colour": ["blue"], "size": ["l"], "days": ["tu", "we"], "kind": ["Something else"],
                   "notes": ["one", "", "three"], "port": ["5269"], "code": ["123-ab"], "day": ["2026-02-28"]}
    assert told == [[var, " | ".join(values)] for var, values in sorted(got.items(), reverse=True)]


def test_steps_refusals_and_notes(page, commands):
    page("steps")
    assert [(action, got) for node, action, got in commands.submitted if node == "steps"] == [
        ("next", {"first": ["eins"]}), ("prev", {}), ("next", {"first": ["one"]}), ("next", {"second": ["two"]}), ("complete", {"third": ["three"]}), ("cancel", {})]


def test_a_command_added_at_run_time_is_there(page, commands):
    before = page("commandsOf", first="Three steps")
    commands.commands["later"] = ("A command of later", lambda step, action, got: ("completed", "<note>It runs.</note>"))
    assert page("commandsOf", first="A command of later") == before + ["A command of later"]


def test_a_domain_is_added_changed_and_removed(page):
    page("domains")


def test_a_wrong_password(page):
    page("wrongPassword")


def test_who_is_no_administrator_is_told(page, person):
    romeo = person("romeo")
    page("noAdmin", jid=romeo.jid, password=romeo.password)


def test_texts_of_strangers_are_texts(page, person, connect, commands):
    """Markup in a resource, in all of a component's forms, and in a log line."""
    romeo = person("romeo")
    client = romeo.login(escape(EVIL))
    assert client.jid.endswith(EVIL)
    with pytest.raises(AssertionError):
        romeo.connect().login("<script>window.hurt='log'</script>", "any", mechanism="PLAIN")
    page("hostile", resource=EVIL)


def test_the_keyboard_is_enough(server, page):
    page("keyboard", user="mercutio")
    assert "mercutio@im.example" in server.run("users", "im.example").stdout


def test_every_view_on_every_screen(page, commands):
    page("screens")


def test_what_a_server_does_not_know_is_said(page):
    page("without")


def test_the_page_comes_back_by_itself(server, page):
    """Its gateway is killed; it says that it is cut off, and is there again when the gateway is."""
    failed = []

    def look():
        try:
            page("comesBack", port=listener.getsockname()[1])
        except BaseException as error:
            failed.append(error)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE * 2)
        looking = threading.Thread(target=look)
        looking.start()
        listener.accept()[0].close()
        server.kill_daemon("httpgw")
        looking.join()
    assert not failed, failed


def test_nothing_of_the_page_is_run_in_line():
    """The policy would refuse it; the source does not try."""
    for path in (ROOT / "httpgw/web/admin").rglob("*"):
        if path.suffix in (".js", ".html"):
            text = path.read_text()
            for never in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", " style=", "localStorage", "sessionStorage"):
                assert never not in text, "%s: %s" % (path.name, never)

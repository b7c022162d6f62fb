"""/metrics of the gateway: the figures of all daemons in Prometheus' text format, collected over the router, and what the daemons tell of
themselves: figures, the last lines of the log."""

import contextlib
import os
import signal
import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

import control
import promtext
from frames import CONTROL, Edge
from hostile import bystanders      # noqa: F401
from http_raw import Http
from server import poll

SERVER = {"http": True, "s2s": True, "processes": {"c2s": 2}}
ALL = {"router-1", "c2s-1", "c2s-2", "s2s-1", "httpgw-1", "sessman-1"}


def scrape(server, **headers):
    http = Http(server)
    answer = http.ask("GET", "/metrics", headers={"Connection": "close", **headers})
    http.sock.close()
    return answer


def page(server):
    answer = scrape(server)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return promtext.read(answer.body.decode())


def fresh(server, condition):
    """A page for which condition holds: one that was collected before is told for a second."""
    def look():
        it = page(server)
        return it if condition(it) else None
    return poll("such a page", look)


@contextlib.contextmanager
def supervisor_asleep(server):
    """What is killed stays dead meanwhile."""
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.process.pid, signal.SIGCONT)


def test_all_daemons_on_one_page(server, person):
    person("romeo").login("here").online()
    it = fresh(server, lambda it: promtext.value(it, "bulkhead_sessman_sessions", "sessman-1") == 1)
    assert promtext.up(it) == dict.fromkeys(ALL, True)
    roles = {dict(labels)["daemon"]: dict(labels)["role"] for _, labels in it["bulkhead_up"].samples}
    assert roles == {"router-1": "router", "c2s-1": "edge", "c2s-2": "edge", "s2s-1": "s2s", "httpgw-1": "edge", "sessman-1": "sessman"}
    for name in ("bulkhead_cpu_seconds_total", "bulkhead_uptime_seconds", "bulkhead_resident_bytes", "bulkhead_open_files", "bulkhead_ready",
                 "bulkhead_loop_turns_total", "bulkhead_loop_busy_seconds_total", "bulkhead_loop_longest_turn_seconds"):
        assert {dict(labels)["daemon"] for _, labels in it[name].samples} == ALL, name
    assert it["bulkhead_cpu_seconds_total"].kind == "counter"
    assert promtext.value(it, "bulkhead_resident_bytes", "sessman-1") > 1 << 20
    assert promtext.value(it, "bulkhead_c2s_sessions", "c2s-1") + promtext.value(it, "bulkhead_c2s_sessions", "c2s-2") == 1
    assert it["bulkhead_sessman_commit_seconds"].kind == "histogram"
    for name, daemon in (("bulkhead_router_waiting_bytes", "router-1"), ("bulkhead_sessman_store_waiting", "sessman-1"),
                         ("bulkhead_sessman_outbox", "sessman-1"), ("bulkhead_sessman_link_unacked_bytes", "sessman-1"),
                         ("bulkhead_c2s_link_unacked_bytes", "c2s-2"), ("bulkhead_s2s_queued", "s2s-1"),
                         ("bulkhead_httpgw_link_waiting_bytes", "httpgw-1")):
        assert promtext.value(it, name, daemon) >= 0


def test_all_that_a_daemon_counts_is_there(server):
    page(server)
    it = fresh(server, lambda it: promtext.value(it, "bulkhead_httpgw_http_requests_total", "httpgw-1") > 1)
    assert promtext.value(it, "bulkhead_httpgw_metrics_bad_total", "httpgw-1") == 0
    assert promtext.value(it, "bulkhead_c2s_stream_error_bad_format_total", "c2s-1") == 0


def test_a_library_reads_it_too(server):
    """python3-prometheus-client, as a second opinion."""
    text = scrape(server).body.decode()
    own = promtext.read(text)
    theirs = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            theirs[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    assert theirs == {(name, tuple(sorted(labels))): number for family in own.values()
                      for (name, labels), number in family.samples.items()}


def test_head_has_no_body(server):
    http = Http(server)
    answer = http.ask("HEAD", "/metrics")
    assert answer.status == 200 and answer.body == b""
    http.sock.close()


def test_no_other_method(server):
    http = Http(server)
    assert http.ask("POST", "/metrics", body=b"x").status == 405


def test_without_sessman(server, person):
    """It is dead, and nobody starts it: the figures of the others come, and it is told as down."""
    fresh(server, lambda it: promtext.up(it)["sessman-1"])
    pid, = [pid for pid, name in server.daemons().items() if "sessman" in name]
    with supervisor_asleep(server):
        os.kill(pid, signal.SIGKILL)
        it = fresh(server, lambda it: not promtext.up(it)["sessman-1"])
        assert promtext.up(it) == {**dict.fromkeys(ALL, True), "sessman-1": False}
        assert "bulkhead_sessman_sessions" not in it
        assert promtext.value(it, "bulkhead_router_peers", "router-1") > 0
    fresh(server, lambda it: promtext.up(it).get("sessman-1"))
    poll("everybody", lambda: server.run("users", server.domain, check=False).returncode == 0 and server.answers())
    server.pids = server.daemons()


def test_a_daemon_that_hangs(server, bystanders):
    """It is waited for, not for ever; and asked once, however many ask for the page."""
    def crowd():
        answers = []
        before = control.counter(server, "bulkhead_router_asks", "router-1")
        threads = [threading.Thread(target=lambda: answers.append(scrape(server))) for _ in range(60)]
        for it in threads:
            it.start()
        for it in threads:
            it.join()
        asks = control.counter(server, "bulkhead_router_asks", "router-1") - before
        assert asks <= 2 and [answer.status for answer in answers] == [200] * 60
        for answer in answers:
            assert promtext.up(promtext.read(answer.body.decode())) == {**dict.fromkeys(ALL, True), "s2s-1": False}
        return asks
    with server.without("s2s"):
        fresh(server, lambda it: not promtext.up(it)["s2s-1"])
        poll("a crowd that found no page from before", crowd)
        bystanders.chat()


def test_more_than_may_wait(server):
    """Over the limit they are told to come again."""
    held = []
    with server.without("s2s"):
        def crowd():
            held.extend(Http(server) for _ in range(110))
            for http in held:
                http.head("GET", "/metrics", {"Connection": "close"})
            got = [http.answer().status for http in held]
            for http in held:
                http.sock.close()
            held.clear()
            assert set(got) <= {200, 503}
            return 503 in got and got.count(200) >= 100
        poll("a crowd that found no page from before", crowd)


def test_from_elsewhere(server):
    """[metrics] allow; and what came through a proxy that nobody has named has no address that could be believed."""
    refused = control.counter(server, "bulkhead_httpgw_metrics_refused", "httpgw-1")
    for headers in ({"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"}):
        answer = scrape(server, **headers)
        assert answer.status == 403 and b"bulkhead_" not in answer.body
    path = server.dir / "httpgw.conf"
    was = path.read_text()
    try:
        for allow, status in (("192.0.2.0/24, 2001:db8::/32", 403), ("", 403), ("127.0.0.0/8", 200)):
            path.write_text(was + "\n[metrics]\nallow = %s\n" % allow)
            server.run("reload")
            assert scrape(server).status == status, allow
        path.write_text(was + "\n[metrics]\nallow = everybody\n")
        assert server.run("reload", check=False).returncode != 0
        assert scrape(server).status == 200
    finally:
        path.write_text(was)
        server.run("reload")
    assert control.counter(server, "bulkhead_httpgw_metrics_refused", "httpgw-1") == refused + 4


FORGED = """# TYPE bulkhead_sessman_sessions gauge
# HELP bulkhead_sessman_sessions Bound sessions
bulkhead_sessman_sessions{daemon="sessman-1"} 666
bulkhead_sessman_sessions{daemon="evil-1"} 666 1234
bulkhead_sessman_sessions{daemon="evil-1",x="y"} 666
bulkhead_sessman_sessions{daemon="evil-1"} NaN
bulkhead_sessman_sessions 666
# TYPE bulkhead_up gauge
bulkhead_up{daemon="evil-1"} 666
# TYPE bulkhead_evil_total gauge
bulkhead_evil_total{daemon="evil-1"} 666
# TYPE bulkhead_evil counter
# HELP bulkhead_evil good
bulkhead_evil_total{daemon="evil-1"} 1
bulkhead_evil_total{daemon="evil-1"} 2
# TYPE bulkhead_cpu_seconds gauge
bulkhead_cpu_seconds{daemon="evil-1"} 666
x" y
"""


@pytest.mark.parametrize("instance, text", [("evil-1", FORGED), ("evil-2", ""), ("evil-3", "\n" * 1000), ("evil-4", "x" * 100000),
                                            ("evil-5", "# TYPE \n# HELP \n# TYPE a summary\na 1\n")],
                         ids=["forged", "empty", "line ends", "one line", "shapes"])
def test_35_an_edge_that_lies_in_its_metrics(server, connections, instance, text, bystanders):
    """It is on the page as itself, and under no other name."""
    evil = Edge(server, instance=instance)
    connections.append(evil.stream)
    evil.up()
    ended = threading.Event()
    lies = threading.Thread(target=lie, args=(evil, text, ended))
    lies.start()
    try:
        it = fresh(server, lambda it: promtext.up(it).get(instance))
    finally:
        ended.set()
        lies.join()
    evil.stream.cut()
    assert 666 not in [number for family in it.values() for number in family.samples.values()]
    assert promtext.value(it, "bulkhead_sessman_sessions", "sessman-1") >= 0
    if text == FORGED:
        assert promtext.value(it, "bulkhead_evil_total", "evil-1") == 1
        assert control.counter(server, "bulkhead_httpgw_metrics_bad", "httpgw-1") > 0


def lie(evil, text, ended):
    """Answers whatever is asked."""
    while not ended.is_set() and not evil.stream.eof:
        evil.pump(0.1)
        for frame in [f for f in evil.inbox if f.is_control("ask")]:
            evil.inbox.remove(frame)
            evil.raw(CONTROL, "<told xmlns='urn:bulkhead:session:0' id='%s'>%s</told>" % (
                frame.element().get("id"), text.replace("&", "&amp;").replace("<", "&lt;")))


@pytest.mark.parametrize("instance", ["sessman-1", "a&quot;b\\c", "x" * 100], ids=["another's", "quotes", "long"])
def test_35_an_edge_with_a_name_that_lies(server, connections, instance, bystanders):
    """An instance's name is the daemon's own to choose; what it says in the name of a session manager or a router does not count."""
    evil = Edge(server, instance=instance)
    connections.append(evil.stream)
    evil.up()
    ended = threading.Event()
    lies = threading.Thread(target=lie, args=(evil, FORGED, ended))
    lies.start()
    try:
        own = ("bulkhead_up", (("daemon", instance.replace("&quot;", '"')), ("role", "edge")))
        it = fresh(server, lambda it: it["bulkhead_up"].samples.get(own))
    finally:
        ended.set()
        lies.join()
    evil.stream.cut()
    assert 666 not in [number for family in it.values() for number in family.samples.values()]
    assert promtext.value(it, "bulkhead_sessman_sessions", "sessman-1") >= 0


def test_figures_of_a_daemon(server):
    """What status and metrics tell, a line each."""
    for instance in ALL:
        lines = control.ask(server, "figures", instance).splitlines()
        got = dict(line.split(" ", 1) for line in lines)
        assert len(got) == len(lines)
        assert got["instance"] == instance and instance.startswith(got["name"]) and got["ready"] == "1"
        assert int(got["rss_kib"]) > int(got["pss_kib"]) > 0 and int(got["loop.longest_turn_us"]) > 0
        numbers = {name: value for name, value in got.items() if name.startswith("bulkhead_")}
        assert numbers and all(value.lstrip("-").isdigit() for value in numbers.values())
        assert "bulkhead_%s_%s" % (got["name"], {"router": "peers", "sessman": "commit_seconds_p99_us"}.get(got["name"], "link_unacked_bytes")) in numbers


def test_last_lines_of_the_log(server, person):
    """By level and number; the newest are the last."""
    romeo = person("romeo")
    romeo.login("here").online()
    lines = control.ask(server, "log", "sessman-1").splitlines()
    written = (server.dir / "log" / "sessman-1.log").read_text().splitlines()
    assert lines and lines == [line for line in written if line in lines]
    assert len(control.ask(server, "log 1", "sessman-1").splitlines()) == 1
    assert len(control.ask(server, "log info 3", "sessman-1").splitlines()) == 3
    for line in control.ask(server, "log warn 5", "sessman-1").splitlines():
        assert "level=warn" in line or "level=error" in line
    assert len(control.ask(server, "log", "c2s-1")) < 17000
    with pytest.raises(AssertionError, match="neither a level"):
        control.ask(server, "log everything", "sessman-1")

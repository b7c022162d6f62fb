"""Rates that bind where the installation is not a test one: guessed passwords, registrations , by sessman alone."""

import pytest

from client import NS_REGISTER, error_of, local

SERVER = {"tls": "required", "register": "open",
          "conf": {"sessman.conf": "[auth]\nfailures_per_min = 1\nfailures_burst = 4\n[register]\nper_hour = 1\nburst = 2\n",
                   "c2s.conf": "[limits]\nauth_failures = 0\n"}}


def secured(connect):
    client = connect()
    client.begin()
    client.starttls().begin()
    return client


def register(connect, user):
    return secured(connect).ask("set", "<query xmlns='%s'><username>%s</username><password>pw</password></query>" % (
        NS_REGISTER, user))


def test_registrations_from_one_address_are_limited(connect):
    """XEP-0077 3.1: after the burst, an error that says to come back, and no account; names that are taken cost little."""
    assert register(connect, "first").get("type") == "result"
    assert error_of(register(connect, "first"))[1] == "conflict"
    assert register(connect, "second").get("type") == "result"
    replies = [register(connect, "later-%d" % i) for i in range(3)]
    assert error_of(replies[-1]) == ("wait", "resource-constraint")
    assert local(secured(connect).authenticate("later-2", "pw", "PLAIN")) == "failure"


def test_guessing_is_stopped_before_the_password_is_looked_at(server, connect):
    """RFC 6120 13.11: after so many failures from one address even the right password is answered with temporary-auth-failure."""
    for _ in range(20):
        outcome = secured(connect).authenticate("admin", "a guess", "PLAIN")
        assert local(outcome) == "failure"
        if local(outcome[0]) == "temporary-auth-failure":
            break
        assert local(outcome[0]) == "not-authorized"
    else:
        pytest.fail("twenty guesses, and none was refused unseen")
    outcome = secured(connect).authenticate("admin", server.admin_password, "PLAIN")
    assert local(outcome[0]) == "temporary-auth-failure"

"""In-band registration where it is open: new accounts, new passwords, farewell (XEP-0077)."""

import itertools

import pytest

from client import NS_REGISTER, befriend, error_of, local, q
from conftest import Person
from roster import fetch, items_of, push

SERVER = {"register": "open"}
FEATURE = q("http://jabber.org/features/iq-register", "register")
numbers = itertools.count(1)


def fields(**values):
    return "<query xmlns='%s'>%s</query>" % (
        NS_REGISTER, "".join("<%s>%s</%s>" % (name, value, name) for name, value in values.items()))


def secured(connect):
    """A connection under TLS, not logged in."""
    client = connect()
    client.begin()
    client.starttls().begin()
    return client


@pytest.fixture
def newcomer(server, connections):
    """Somebody who has no account yet."""
    user = "newcomer-%d" % next(numbers)
    return Person(server, user, server.domain, connections, "a secret of " + user)


def test_registration_is_advertised(connect):
    """XEP-0077 8: a stream feature before authentication."""
    assert secured(connect).features.find(FEATURE) is not None


def test_form_asks_for_name_and_password(connect):
    """XEP-0077 3.1."""
    reply = secured(connect).ask("get", fields())
    query = reply.find(q(NS_REGISTER, "query"))
    assert reply.get("type") == "result"
    assert {"username", "password"} <= {local(el) for el in query}
    assert query.find(q(NS_REGISTER, "registered")) is None


def test_registered_account_can_log_in(newcomer, connect):
    """XEP-0077 3.1; by SCRAM and by PLAIN."""
    client = secured(connect)
    assert client.ask("set", fields(username=newcomer.user, password=newcomer.password)).get("type") == "result"
    assert newcomer.login("one", mechanism="SCRAM-SHA-256").bare == newcomer.jid
    assert newcomer.login("two", mechanism="PLAIN").ping().get("type") == "result"


def test_login_goes_on_in_the_same_stream(newcomer, connect):
    """XEP-0077 3.1: registration does not end the stream."""
    client = secured(connect)
    client.ask("set", fields(username=newcomer.user, password=newcomer.password))
    assert local(client.authenticate(newcomer.user, newcomer.password)) == "success"


def test_name_that_is_taken(person, connect):
    """XEP-0077 3.1: <conflict/>, also for a name that is the same once prepared; the account stays as it is."""
    romeo = person("romeo")
    for name in (romeo.user, romeo.user.upper()):
        client = secured(connect)
        reply = client.ask("set", fields(username=name, password="stolen"))
        assert error_of(reply) == ("cancel", "conflict")
    romeo.login()


@pytest.mark.parametrize("values", [{"username": "x-only"}, {"password": "y"}, {}, {"username": "", "password": "y"},
                                    {"username": "x-empty", "password": ""}, {"username": "a b", "password": "y"},
                                    {"username": "a@b", "password": "y"}, {"username": "x" * 1024, "password": "y"}],
                         ids=["no password", "no name", "nothing", "empty name", "empty password", "space in name",
                              "at in name", "long name"])
def test_incomplete_or_impossible_registration(connect, values):
    """XEP-0077 3.1: <not-acceptable/>; <bad-request/> and <jid-malformed/> say it as well."""
    client = secured(connect)
    assert error_of(client.ask("set", fields(**values)))[1] in ("not-acceptable", "bad-request", "jid-malformed")


# -- with an account -----------------------------------------------------------------------------------------------

def test_account_sees_that_it_is_registered(person):
    """XEP-0077 3.1: <registered/> and the name."""
    romeo = person("romeo")
    query = romeo.login().ask("get", fields()).find(q(NS_REGISTER, "query"))
    assert query.find(q(NS_REGISTER, "registered")) is not None
    assert query.find(q(NS_REGISTER, "username")).text == romeo.user


def test_password_changed_in_band(person):
    """XEP-0077 3.3: the new one works at once in every mechanism, the old one no longer; the session goes on."""
    romeo = person("romeo")
    client = romeo.login("balcony")
    reply = client.ask("set", fields(username=romeo.user, password="new &amp; better"), to="im.example")
    assert reply.get("type") == "result"
    assert client.ping().get("type") == "result"
    old = romeo.connect()
    old.begin()
    old.starttls().begin()
    assert local(old.authenticate(romeo.user, romeo.password)) == "failure"
    romeo.password = "new & better"
    for mechanism in ("SCRAM-SHA-1", "SCRAM-SHA-256", "PLAIN"):
        romeo.login(mechanism=mechanism)


def test_password_of_another_cannot_be_changed(people):
    """XEP-0077 3.3: whatever name is in the form, it is one's own account or none."""
    romeo, juliet = people("romeo", "juliet")
    reply = romeo.login().ask("set", fields(username=juliet.user, password="hijacked"))
    assert reply.get("type") == "error"
    juliet.login(), romeo.login()


def test_empty_new_password_is_refused(person):
    """XEP-0077 3.3."""
    romeo = person("romeo")
    client = romeo.login()
    assert client.ask("set", fields(username=romeo.user, password="")).get("type") == "error"
    romeo.login()


def test_removed_account_is_gone_with_all_its_sessions(people):
    """XEP-0077 3.2: a result, then every stream of it ends, and nobody logs in again."""
    romeo, juliet = people("romeo", "juliet")
    other, client = romeo.login("orchard").online(), romeo.login("balcony")
    client.send("<iq type='set' id='x1'>%s</iq>" % fields().replace("></query>", "><remove/></query>"))
    client.expect("iq", id="x1", type="result")
    client.expect_stream_error(("not-authorized", "reset", "conflict"))
    other.expect_stream_error(("not-authorized", "reset", "conflict"))
    again = romeo.connect()
    again.begin()
    again.starttls().begin()
    assert local(again.authenticate(romeo.user, romeo.password)) == "failure"


def test_contacts_of_a_removed_account_are_told(people):
    """XEP-0077 3.2: its subscriptions end on both sides, and they see it leave."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber")
    befriend(his, hers)
    hers.interested()
    his.online(), hers.online()
    hers.sync()
    his.ask("set", "<query xmlns='%s'><remove/></query>" % NS_REGISTER)
    hers.expect("presence", type="unavailable", from_=his.jid)
    while push(hers, romeo.jid).subscription != "none":
        pass


def test_new_account_of_an_old_name_starts_empty(person, connect):
    """What belonged to the account before is not there for the next: no roster, no messages."""
    romeo, juliet = person("romeo"), person("juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber")
    befriend(his, hers)
    his.sync()
    hers.message(romeo.jid, "for the old one")
    hers.sync()
    his.ask("set", "<query xmlns='%s'><remove/></query>" % NS_REGISTER)
    client = secured(connect)
    assert client.ask("set", fields(username=romeo.user, password="next")).get("type") == "result"
    romeo.password = "next"
    his = romeo.login("balcony")
    assert items_of(fetch(his)) == {}
    his.send("<presence/>")
    his.expect_nothing("message")

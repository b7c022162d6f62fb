"""Several domains on one server: accounts of one are nothing to the other."""

from client import befriend, error_of, local
from roster import fetch, items_of, item, put

SERVER = {"domains": ["im.example", "other.example", "m\u00fcnchen.example"]}


def test_same_name_on_two_domains_is_two_accounts(server, connections):
    """RFC 7622 3: the domain is part of the address."""
    from conftest import Person
    clients = []
    for domain in ("im.example", "other.example"):
        it = Person(server, "twin", domain, connections, "password at " + domain)
        server.adduser(it.jid, it.password)
        clients.append(it.login("here").online())
    one, two = clients
    put(one, item("friend@im.example"))
    assert items_of(fetch(two)) == {}
    wrong = Person(server, "twin", "other.example", connections, "password at im.example").connect()
    wrong.begin()
    wrong.starttls().begin()
    assert local(wrong.authenticate("twin", "password at im.example")) == "failure"


def test_people_of_two_domains_chat(person):
    """RFC 6121: subscriptions, presence and messages cross from domain to domain on the same server."""
    his = person("romeo").login("balcony")
    hers = person("juliet", domain="other.example").login("chamber")
    befriend(his, hers)
    his.online()
    hers.send("<presence/>")
    his.expect("presence", type=None, from_=hers.jid)
    hers.expect("presence", type=None, from_=his.jid)
    his.message(hers.jid, "hello")
    hers.expect("message", body="hello", from_=his.jid)
    hers.message(his.bare, "hello yourself")
    his.expect("message", body="hello yourself", from_=hers.jid)


def test_offline_messages_cross_too(person):
    """XEP-0160."""
    his, juliet = person("romeo").login("balcony"), person("juliet", domain="other.example")
    his.message(juliet.jid, "later")
    his.settle()
    hers = juliet.login("chamber")
    hers.send("<presence/>")
    hers.expect("message", body="later")


def test_account_of_one_domain_cannot_log_in_to_the_other(person):
    """RFC 6120 6.3.7: the stream's `to` says where the account is."""
    romeo = person("romeo")
    romeo.domain = "other.example"
    client = romeo.connect()
    client.begin()
    client.starttls().begin()
    assert local(client.authenticate(romeo.user, romeo.password, "PLAIN")) == "failure"


def test_stream_cannot_change_its_domain_after_login(person):
    """RFC 6120 6.4.6: the stream after SASL is of the same domain."""
    romeo = person("romeo")
    client = romeo.connect()
    client.begin()
    client.starttls().begin()
    client.authenticate(romeo.user, romeo.password)
    client.open("other.example")
    client.expect_stream_error(("host-unknown", "not-authorized", "policy-violation", "invalid-from", "conflict",
                                "improper-addressing", "bad-format", "undefined-condition", "invalid-xml"))


def test_each_domain_answers_for_itself(person):
    """XEP-0030, XEP-0199: both from either."""
    client = person("romeo").login("balcony")
    for domain in ("im.example", "other.example", "m\u00fcnchen.example"):
        reply = client.ask("get", "<ping xmlns='urn:xmpp:ping'/>", to=domain)
        assert reply.get("type") == "result" and reply.get("from") == domain


def test_domain_in_its_own_script(person):
    """RFC 7622 3.2: an internationalised domain, by its U-label and, as some clients have it, by its A-label."""
    hers = person("juliet", domain="m\u00fcnchen.example").login("chamber").online()
    assert hers.bare.endswith("@m\u00fcnchen.example")
    his = person("romeo").login("balcony")
    his.message(hers.jid, "gr\u00fcezi")
    hers.expect("message", body="gr\u00fcezi")
    his.message(hers.jid.replace("m\u00fcnchen.example", "xn--mnchen-3ya.example"), "again")
    hers.expect("message", body="again")


def test_subdomain_of_a_hosted_domain_is_not_hosted(person):
    """RFC 6120 8.3.3.16."""
    client = person("romeo").login("balcony")
    reply = client.ask("get", "<ping xmlns='urn:xmpp:ping'/>", to="sub.im.example")
    assert error_of(reply)[1] in ("remote-server-not-found", "remote-server-timeout")

"""In-band registration where it is closed, as it is by default (XEP-0077)."""

from client import NS_DISCO_INFO, NS_REGISTER, error_of, local, q

FEATURE = q("http://jabber.org/features/iq-register", "register")
FORM = "<query xmlns='%s'><username>intruder</username><password>x</password></query>" % NS_REGISTER


def test_registration_is_not_offered_and_not_done(connect, person):
    """XEP-0077 3.1: closed means no feature, and an error to who asks all the same."""
    client = connect()
    client.begin()
    client.starttls().begin()
    assert client.features.find(FEATURE) is None
    client.send("<iq type='set' id='r1'>%s</iq>" % FORM)
    el = client.expect()
    assert local(el) == "error" or error_of(el)[1] in ("not-allowed", "forbidden", "service-unavailable",
                                                       "not-authorized")
    again = connect()
    again.begin()
    again.starttls().begin()
    assert local(again.authenticate("intruder", "x")) == "failure"


def test_account_holder_cannot_register_others(person):
    """XEP-0077 3.1."""
    client = person("romeo").login()
    assert client.ask("set", FORM).get("type") == "error"
    assert client.ask("set", FORM, to="im.example").get("type") == "error"


def test_own_password_can_be_changed_all_the_same(person):
    """XEP-0077 3.3: who has an account keeps the use of it."""
    romeo = person("romeo")
    reply = romeo.login().ask("set", "<query xmlns='%s'><username>%s</username><password>changed</password></query>" % (
        NS_REGISTER, romeo.user), to="im.example")
    assert reply.get("type") == "result"
    romeo.password = "changed"
    romeo.login()


def test_feature_says_what_there_is(person):
    """XEP-0077 9: who is logged in can change the password, so the namespace is advertised."""
    info = person("romeo").login().ask("get", "<query xmlns='%s'/>" % NS_DISCO_INFO, to="im.example")
    assert NS_REGISTER in [el.get("var") for el in info.iter(q(NS_DISCO_INFO, "feature"))]

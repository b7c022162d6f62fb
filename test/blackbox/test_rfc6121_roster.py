"""Rosters: get, set, remove, pushes, versions (RFC 6121 2)."""

import pytest

import control
from client import NS_ROSTER, error_of, q
from roster import VERSIONING_FEATURE, fetch, item, items_of, push, pushes, put, query

NURSE = "nurse@im.example"


@pytest.fixture
def romeo(person):
    return person("romeo")


# -- get -----------------------------------------------------------------------------------------------------------

def test_new_account_has_an_empty_roster(romeo):
    """RFC 6121 2.1.3, 2.1.4: a result with an empty query."""
    client = romeo.login("balcony")
    reply = fetch(client)
    assert reply.get("type") == "result" and reply.get("to") in (None, client.jid)
    assert reply.find(q(NS_ROSTER, "query")) is not None and items_of(reply) == {}


def test_roster_of_another_is_nobody_elses(people):
    """RFC 6121 2.1.3, 2.3.3: <forbidden/> or what hides whether the account is there; the server never tells."""
    romeo, juliet = people("romeo", "juliet")
    hers, his = juliet.login("chamber"), romeo.login("balcony")
    put(hers, item(NURSE))
    for to in (juliet.jid, "nobody@im.example"):
        assert error_of(his.ask("get", query(), to=to))[1] in ("forbidden", "not-allowed", "service-unavailable")
        assert error_of(his.ask("set", query(item(his.bare)), to=to))[1] in (
            "forbidden", "not-allowed", "service-unavailable", "not-authorized")
    assert set(items_of(fetch(hers))) == {NURSE}


# -- set -----------------------------------------------------------------------------------------------------------

def test_added_item_is_there(romeo):
    """RFC 6121 2.3."""
    client = romeo.login("balcony")
    reply = put(client, item(NURSE, "Nurse", ["Servants", "Verona"]))
    assert reply.get("type") == "result" and len(reply) == 0
    got = items_of(fetch(client))[NURSE]
    assert (got.name, got.groups, got.subscription, got.ask) == ("Nurse", {"Servants", "Verona"}, "none", None)


def test_updated_item_is_replaced_whole(romeo):
    """RFC 6121 2.4: name and groups are what the last set says."""
    client = romeo.login("balcony")
    put(client, item(NURSE, "Nurse", ["Servants", "Verona"]))
    put(client, item(NURSE, "Angelica", ["Friends"]))
    got = items_of(fetch(client))[NURSE]
    assert (got.name, got.groups) == ("Angelica", {"Friends"})
    put(client, item(NURSE))
    got = items_of(fetch(client))[NURSE]
    assert (got.name or "", got.groups) == ("", set())


def test_client_cannot_grant_itself_a_subscription(romeo):
    """RFC 6121 2.1.2.5, 2.1.2.2, 2.3.2: the server ignores subscription (save remove), ask and approved in a set."""
    client = romeo.login("balcony")
    put(client, item(NURSE, subscription="both", ask="subscribe", approved="true"))
    got = items_of(fetch(client))[NURSE]
    assert (got.subscription, got.ask, got.approved) == ("none", None, False)


def test_removed_item_is_gone(romeo):
    """RFC 6121 2.5."""
    client = romeo.login("balcony")
    put(client, item(NURSE))
    assert put(client, item(NURSE, subscription="remove")).get("type") == "result"
    assert items_of(fetch(client)) == {}


def test_removing_what_is_not_there(romeo):
    """RFC 6121 2.5.3: <item-not-found/>."""
    assert error_of(put(romeo.login("balcony"), item(NURSE, subscription="remove")))[1] == "item-not-found"


@pytest.mark.parametrize("items, errors", [
    ([], ["bad-request"]),
    ([item(NURSE), item("friar@im.example")], ["bad-request"]),
    (["<item name='nobody'/>"], ["bad-request", "jid-malformed"]),
    ([item("")], ["bad-request", "jid-malformed"]),
    ([item("a@b@c")], ["bad-request", "jid-malformed"]),
    ([item(NURSE, groups=["Same", "Same"])], ["bad-request"]),
    ([item(NURSE, groups=[""])], ["not-acceptable"]),
    ([item(NURSE, name="n" * 5000)], ["not-acceptable"]),
    ([item(NURSE, groups=["g" * 5000])], ["not-acceptable"]),
], ids=["no item", "two items", "no jid", "empty jid", "malformed jid", "group twice", "empty group", "long name",
        "long group"])
def test_bad_sets_change_nothing(romeo, items, errors):
    """RFC 6121 2.3.3."""
    client = romeo.login("balcony")
    assert error_of(put(client, *items))[1] in errors
    assert items_of(fetch(client)) == {}
    client.expect_nothing()


def test_addresses_are_kept_prepared_and_bare_ones_match_whatever_their_case(romeo):
    """RFC 6121 2.1.2.3, RFC 7622."""
    client = romeo.login("balcony")
    put(client, item("Nurse@IM.Example", "one"))
    put(client, item(NURSE, "two"))
    got = items_of(fetch(client))
    assert set(got) == {NURSE} and got[NURSE].name == "two"


def test_markup_in_names_and_groups_stays_text(romeo):
    """Whatever is in a name, it comes back as it was."""
    client = romeo.login("balcony")
    put(client, item(NURSE, "&lt;b&gt; &amp; &quot;&apos; \U0001F339", ["a&lt;/group&gt;b", " two  spaces "]))
    got = items_of(fetch(client))[NURSE]
    assert got.name == "<b> & \"' \U0001F339"
    assert "a</group>b" in got.groups


def test_domain_alone_may_be_a_contact(romeo):
    """RFC 6121 2.1.2.3: any JID, such as a gateway."""
    client = romeo.login("balcony")
    put(client, item("gateway.im.example", "Gateway"))
    assert set(items_of(fetch(client))) == {"gateway.im.example"}


def test_hundreds_of_items(romeo):
    """RFC 6121 2.1.4: all of them come in one result."""
    client = romeo.login("balcony")
    client.send("".join("<iq type='set' id='r%d'>%s</iq>" % (n, query(item("c%d@im.example" % n, groups=["g%d" % (n % 9)])))
                        for n in range(500)))
    client.expect("iq", id="r499", type="result")
    assert len(items_of(fetch(client))) == 500


# -- pushes --------------------------------------------------------------------------------------------------------

def test_every_interested_resource_gets_the_push(romeo):
    """RFC 6121 2.1.6, 2.3.2: also the one that made the change; available or not does not matter."""
    orchard, balcony, garden = romeo.login("orchard"), romeo.login("balcony"), romeo.login("garden")
    orchard.interested(), balcony.interested()
    garden.online()
    put(balcony, item(NURSE, "Nurse", ["Servants"]))
    for client in (orchard, balcony):
        got = push(client, NURSE)
        assert (got.name, got.groups, got.subscription) == ("Nurse", {"Servants"}, "none")
    assert not pushes(garden.sync()), "it has not asked for the roster (RFC 6121 2.1.6)"
    put(balcony, item(NURSE, subscription="remove"))
    assert push(orchard, NURSE).subscription == push(balcony, NURSE).subscription == "remove"


def test_push_carries_the_name_that_the_roster_gives(romeo):
    """RFC 6121 2.1.6: push and roster tell the same."""
    client = romeo.login("balcony")
    client.interested()
    put(client, item(NURSE, "Nurse", ["a", "b"]))
    pushed, kept = push(client), items_of(fetch(client))[NURSE]
    assert (pushed.name, pushed.groups) == (kept.name, kept.groups)


def test_forged_push_is_not_taken_by_the_server(people):
    """RFC 6121 2.1.6: a push goes from server to client; another client's is an IQ like any other."""
    romeo, juliet = people("romeo", "juliet")
    his, hers = romeo.login("balcony"), juliet.login("chamber")
    hers.interested()
    his.ask("set", query(item(his.bare)), to=hers.bare)
    assert items_of(fetch(hers)) == {}


# -- versions ------------------------------------------------------------------------------------------------------

def test_versioning_is_advertised(romeo):
    """RFC 6121 2.6.1."""
    assert romeo.login("balcony").features.find(VERSIONING_FEATURE) is not None


def test_roster_with_a_version_costs_nothing_while_it_holds(romeo):
    """RFC 6121 2.6.2, 2.6.3: an empty result where nothing has changed."""
    client = romeo.login("balcony")
    put(client, item(NURSE))
    first = fetch(client, ver="")
    version = first.find(q(NS_ROSTER, "query")).get("ver")
    assert version and set(items_of(first)) == {NURSE}
    client.sync()
    again = fetch(romeo.login("orchard"), ver=version)
    assert again.get("type") == "result" and len(again) == 0


def test_changes_since_a_version_come_as_pushes_or_as_the_whole(romeo):
    """RFC 6121 2.6.3: after either the client knows the roster and its version."""
    client = romeo.login("balcony")
    put(client, item(NURSE)), put(client, item("friar@im.example"))
    version = fetch(client, ver="").find(q(NS_ROSTER, "query")).get("ver")
    put(client, item("mercutio@im.example"))
    put(client, item(NURSE, subscription="remove"))
    late = romeo.login("orchard")
    reply = fetch(late, ver=version)
    known = {NURSE, "friar@im.example"}
    if len(reply):
        known = set(items_of(reply))
    for change in pushes(late.sync()):
        (known.discard if change.subscription == "remove" else known.add)(change.jid)
    assert known == {"friar@im.example", "mercutio@im.example"}


def test_pushes_carry_versions_that_lead_to_the_current_one(romeo):
    """RFC 6121 2.6.3: the last push's version is the roster's."""
    client = romeo.login("balcony")
    fetch(client, ver="")
    put(client, item(NURSE))
    one = push(client)
    put(client, item("friar@im.example"))
    two = push(client)
    assert one.ver and two.ver and one.ver != two.ver
    assert len(fetch(client, ver=two.ver)) == 0


def test_version_that_was_never_given_brings_the_whole_roster(romeo):
    """RFC 6121 2.6.3."""
    client = romeo.login("balcony")
    put(client, item(NURSE))
    for version in ("bogus", "99999999999999999999999", "-1", "1' OR '1'='1".replace("'", "&apos;")):
        assert set(items_of(fetch(client, ver=version))) == {NURSE}


def test_roster_is_kept_when_all_clients_have_left(romeo):
    """RFC 6121 2.1.1: it lives on the server."""
    client = romeo.login("balcony")
    put(client, item(NURSE, "Nurse", ["Servants"]))
    client.end()
    got = items_of(fetch(romeo.login("orchard")))[NURSE]
    assert (got.name, got.groups) == ("Nurse", {"Servants"})


def test_commits_are_counted_and_timed(server, person):
    """What a roster set waited for shows in the metrics."""
    romeo = person("romeo").login("balcony")
    before = control.counter(server, "bulkhead_sessman_commit_seconds_count", "sessman-1")
    assert put(romeo, item("juliet@im.example")).get("type") == "result"
    assert control.counter(server, "bulkhead_sessman_commit_seconds_count", "sessman-1") > before

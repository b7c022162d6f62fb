"""Tokens have an end (XEP-0484 4.2). Here it comes after two seconds, which are the server's to measure."""

import sasl2
from client import local
from sasl2 import condition, get_token, new_agent, ready, use_token
from server import poll

SERVER = dict(conf={"sessman.conf": "[tokens]\nlife = 2s\n"})


def test_a_token_expires(person):
    """credentials-expired for who has the token, and for nobody else; a new one is as good as ever."""
    romeo, agent = person("romeo"), new_agent()
    token = get_token(romeo, agent)

    def refusal():
        client, outcome = use_token(romeo, token, agent)
        client.cut()
        return outcome if local(outcome) == "failure" else None

    def accepted():
        return local(use_token(romeo, get_token(romeo, agent), agent)[1]) == "success"

    assert condition(poll("the token to expire", refusal)) == "credentials-expired"
    assert condition(use_token(romeo, token + "x", agent)[1]) == "not-authorized"
    assert poll("a new token to be good", accepted)
    assert local(sasl2.authenticate(ready(romeo), romeo.user, romeo.password)) == "success"

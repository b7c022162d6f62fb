"""A stop in the middle of work: passwords being derived, commands and logins under way. The server fixture says what went wrong."""

import base64

from client import NS_REGISTER, NS_SASL, local

SERVER = {"register": "open", "conf": {"sessman.conf": "[auth]\niterations = 200000\n"}}


def test_server_stops_in_order_with_logins_and_registrations_under_way(server, connect):
    """No daemon dies, no sanitizer speaks, nothing hangs: seen when the server is stopped after this."""
    clients = []
    for _ in range(12):
        client = connect()
        client.begin()
        client.starttls().begin()
        clients.append(client)
    for number, client in enumerate(clients):
        if number % 2:
            client.send("<iq type='set' id='r'><query xmlns='%s'><username>user-%d</username><password>p</password></query></iq>"
                        % (NS_REGISTER, number))
        else:
            client.send("<auth xmlns='%s' mechanism='PLAIN'>%s</auth>" % (
                NS_SASL, base64.b64encode(b"\0admin\0wrong").decode()))
    assert local(clients[0].expect()) == "failure"  # the others are behind it in the queue

// test/web/xmppjs.mjs '{"service": URL, "domain": …, "people": […]}' - @xmpp/client as it comes from npm, under node
import xmpp from '@xmpp/client';
import { Mailbox, finish } from './mailbox.mjs';

const { client, xml } = xmpp;
const { service, domain, people } = JSON.parse(process.argv[2]);

class Person {
  constructor({ user, jid, password }) {
    this.jid = jid;
    this.box = new Mailbox(jid);
    this.client = client({ service, domain, username: user, password });
    this.client.on('error', (error) => this.box.put({ kind: 'error', text: String(error) }));
    this.client.on('stanza', (stanza) => {
      this.box.put({ kind: stanza.name, from: stanza.attrs.from, type: stanza.attrs.type, body: stanza.getChildText('body') });
    });
    this.client.on('status', (status) => this.box.put({ kind: 'status', status }));
  }

  says(to, text) {
    return this.client.send(xml('message', { to: String(to), type: 'chat' }, xml('body', {}, text)));
  }

  hears(text) {
    return this.box.take((it) => it.kind === 'message' && it.body === text);
  }
}

const [romeo, juliet] = people.map((it) => new Person(it));
const result = {};
for (const who of [romeo, juliet]) who.address = await who.client.start();

const roster = await romeo.client.iqCaller.request(xml('iq', { type: 'get' }, xml('query', 'jabber:iq:roster')));
result.roster = roster.getChild('query').getChildren('item').map((item) => [item.attrs.jid, item.attrs.subscription]);

for (const who of [romeo, juliet]) await who.client.send(xml('presence'));
await romeo.box.take((it) => it.kind === 'presence' && it.from.startsWith(juliet.jid + '/') && !it.type);
await juliet.box.take((it) => it.kind === 'presence' && it.from.startsWith(romeo.jid + '/') && !it.type);

await romeo.says(juliet.jid, 'hello <&> "you"');
await juliet.hears('hello <&> "you"');
await juliet.says(romeo.jid, 'h\u00e9llo \u{1f44b}');
await romeo.hears('h\u00e9llo \u{1f44b}');

// The connection is cut. The library comes back by itself and resumes the session (XEP-0198): it keeps its id, and what was said meanwhile comes.
const { id } = romeo.client.streamManagement;
const socket = romeo.client.socket.socket || romeo.client.socket;
(socket.terminate || socket.destroy).call(socket);
await romeo.box.take((it) => it.kind === 'status' && it.status === 'disconnect');
await juliet.says(romeo.address, 'meanwhile');
await romeo.hears('meanwhile');
result.resumed = Boolean(id) && romeo.client.streamManagement.id === id;
await romeo.says(juliet.jid, 'still here');
await juliet.hears('still here');

await romeo.client.stop();
await juliet.box.take((it) => it.kind === 'presence' && it.from.startsWith(romeo.jid + '/') && it.type === 'unavailable');
await juliet.client.stop();
finish(result);

// test/web/strophe.mjs '{"service": URL, "people": [{jid, password}, {jid, password}]}' - strophe.js as it comes from npm, under node
import { webcrypto } from 'node:crypto';
import { MemoryStorageBackend, Strophe, $iq, $msg, $pres } from 'strophe.js';
import { Mailbox, finish } from './mailbox.mjs';
import { XMLHttpRequest } from './xhr.mjs';

// As browsers have them, and later versions of node.
globalThis.XMLHttpRequest = XMLHttpRequest;
globalThis.crypto ??= webcrypto;
const { service, people } = JSON.parse(process.argv[2]);
const overWebSocket = service.startsWith('ws');
const STATUS = Object.fromEntries(Object.entries(Strophe.Status).map(([name, number]) => [number, name]));

class Person {
  constructor({ jid, password }) {
    Object.assign(this, { jid, password });
    this.box = new Mailbox(jid);
    this.connection = new Strophe.Connection(service, {
      explicitResourceBinding: false,
      enableStreamManagement: overWebSocket,
      streamManagement: { requestResume: true, storage: new MemoryStorageBackend() },
    });
  }

  login() {
    this.connection.connect(this.connection.jid || this.jid, this.password, (status, why) => {
      if (status === Strophe.Status.CONNECTED) this.listen(); // at once: what was missed may come in the same piece
      this.box.put({ kind: 'status', status: STATUS[status], why });
    });
    return this.box.take((it) => it.kind === 'status' && /^(CONNECTED|CONNFAIL|AUTHFAIL|DISCONNECTED)$/.test(it.status));
  }

  listen() {
    for (const kind of ['message', 'presence']) {
      this.connection.addHandler((stanza) => {
        const body = stanza.getElementsByTagName('body')[0];
        this.box.put({ kind, from: stanza.getAttribute('from'), type: stanza.getAttribute('type'), body: body && body.textContent });
        return true;
      }, null, kind);
    }
  }

  ask(iq) {
    return new Promise((resolve, reject) => this.connection.sendIQ(iq, resolve, reject));
  }

  says(to, text) {
    this.connection.send($msg({ to, type: 'chat' }).c('body').t(text));
  }

  hears(text) {
    return this.box.take((it) => it.kind === 'message' && it.body === text);
  }
}

const [romeo, juliet] = people.map((it) => new Person(it));
const result = {};
for (const who of [romeo, juliet]) {
  const { status, why } = await who.login();
  if (status !== 'CONNECTED') throw new Error(who.jid + ': ' + status + ' ' + why);
}
result.mechanism = romeo.connection._sasl_mechanism && romeo.connection._sasl_mechanism.mechname;

const roster = await romeo.ask($iq({ type: 'get' }).c('query', { xmlns: 'jabber:iq:roster' }));
result.roster = [...roster.getElementsByTagName('item')].map((item) => [item.getAttribute('jid'), item.getAttribute('subscription')]);

for (const who of [romeo, juliet]) who.connection.send($pres());
await romeo.box.take((it) => it.kind === 'presence' && it.from.startsWith(juliet.jid + '/') && !it.type);
await juliet.box.take((it) => it.kind === 'presence' && it.from.startsWith(romeo.jid + '/') && !it.type);

romeo.says(juliet.jid, 'hello <&> "you"');
await juliet.hears('hello <&> "you"');
juliet.says(romeo.jid, 'h\u00e9llo \u{1f44b}');
await romeo.hears('h\u00e9llo \u{1f44b}');
for (let i = 0; i < 50; i++) romeo.says(juliet.jid, 'number ' + i);
for (let i = 0; i < 50; i++) await juliet.hears('number ' + i);

if (overWebSocket) {
  // The connection is cut, and what was said meanwhile comes once the session has been resumed (XEP-0198).
  romeo.connection._proto.socket.terminate();
  await romeo.box.take((it) => it.kind === 'status' && it.status === 'DISCONNECTED');
  juliet.says(romeo.connection.jid, 'meanwhile');
  const { status } = await romeo.login();
  result.resumed = status === 'CONNECTED' && romeo.connection.hasResumed();
  await romeo.hears('meanwhile');
} else {
  // A new session after the old one was ended.
  romeo.connection.disconnect('bye');
  await romeo.box.take((it) => it.kind === 'status' && it.status === 'DISCONNECTED');
  await juliet.box.take((it) => it.kind === 'presence' && it.from.startsWith(romeo.jid + '/') && it.type === 'unavailable');
  const { status } = await romeo.login();
  result.again = status;
  romeo.connection.send($pres());
  juliet.says(romeo.jid, 'welcome back');
  await romeo.hears('welcome back');
}
romeo.says(juliet.jid, 'still here');
await juliet.hears('still here');

romeo.connection.disconnect('bye');
await juliet.box.take((it) => it.kind === 'presence' && it.from.startsWith(romeo.jid + '/') && it.type === 'unavailable');
juliet.connection.disconnect('bye');
await juliet.box.take((it) => it.kind === 'status' && it.status === 'DISCONNECTED');
finish(result);

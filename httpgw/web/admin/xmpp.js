// xmpp.js - the connection: Strophe over WebSocket, as promises, which comes back by itself
//
// The password lives as long as the first login; after SCRAM only the key made of it is kept, in memory, to come back with.

import { Strophe } from './lib/strophe.js';
import { NS, el, fromDom, toDom } from './xml.js';
import { StanzaError, readError } from './commands.js';

const IQ_MS = 15000;
const LOGIN_MS = 30000;
const SILENT_MOST = 3; // requests in a row without an answer from anybody: the connection is dead
const BACK_OFF_MS = [500, 1000, 2000, 4000, 8000, 15000, 30000];

const SAID = {
  'not-authorized': 'The address or the password is wrong.',
  'account-disabled': 'This account is disabled.',
  'credentials-expired': 'This password is no longer valid.',
  'temporary-auth-failure': 'The server cannot check passwords now, or there were too many attempts. Try again in a while.',
  'host-unknown': 'This server does not know that domain.',
  'policy-violation': 'The server has refused this connection.',
  'no-auth-mech': 'The server takes no login over this connection. It may want TLS: an address that begins with https.',
};

export class LoginError extends Error {
  constructor(condition, hopeless) {
    super(SAID[condition] || 'The server cannot be reached.');
    this.condition = condition;
    this.hopeless = hopeless; // the same again would fail the same way
  }
}

Strophe.setLogLevel(Strophe.LogLevel.WARN);

function randomId() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

// PLAIN shows the password to the server: over TLS, or to this very host.
function mechanisms(url) {
  const list = [Strophe.SASLSHA512, Strophe.SASLSHA384, Strophe.SASLSHA256, Strophe.SASLSHA1];
  const { protocol, hostname } = new URL(url);
  if (protocol === 'wss:' || ['localhost', '127.0.0.1', '[::1]'].includes(hostname)) list.push(Strophe.SASLPlain);
  return list;
}

export class Client {
  // onState({name, in, why}): offline, connecting, online, waiting (in: ms until the next attempt), refused (log in anew).
  constructor({ url, jid, onState }) {
    Object.assign(this, { url, jid, onState });
    this.bare = jid;
    this.secret = null;
    this.pending = new Map();
    this.attempts = 0;
    this.silent = 0;
    this.wanted = false;
    this.state = 'offline';
    this.timer = null;
    this.retry = () => {
      if (this.state === 'waiting') this.reconnect();
    };
    this.iq = this.iq.bind(this);
  }

  change(name, more = {}) {
    this.state = name;
    this.onState({ name, ...more });
  }

  // Resolves when bound; rejects with a LoginError.
  async login(password) {
    this.change('connecting');
    try {
      await this.open(password);
    } catch (error) {
      this.change('offline');
      throw error;
    }
    this.wanted = true;
    window.addEventListener('online', this.retry);
    this.change('online');
  }

  open(secret) {
    const conn = new Strophe.Connection(this.url, { mechanisms: mechanisms(this.url) });
    this.conn = conn;
    return new Promise((resolve, reject) => {
      let settled = false,
        why = '';
      const fail = (condition, hopeless) => {
        if (settled) return;
        settled = true;
        clearTimeout(limit);
        reject(new LoginError(condition, hopeless));
        conn.disconnect();
      };
      const limit = setTimeout(() => fail('', false), LOGIN_MS);
      conn.connect(this.jid, secret, (status, condition, element) => {
        const S = Strophe.Status;
        if (status === S.CONNECTED) {
          settled = true;
          clearTimeout(limit);
          this.secret = conn.scram_keys || secret;
          conn.pass = null;
          this.full = conn.jid;
          conn.addHandler((iq) => this.onAnswer(iq), null, 'iq', ['result', 'error']);
          resolve();
        } else if (status === S.AUTHFAIL) {
          const said = element && element.firstElementChild ? element.firstElementChild.localName : 'not-authorized';
          fail(said, said !== 'temporary-auth-failure');
        } else if (status === S.CONNFAIL || status === S.CONNTIMEOUT || status === S.ERROR) {
          why = condition || '';
          fail(why, why === 'host-unknown' || why === 'no-auth-mech');
        } else if (status === S.DISCONNECTED) {
          fail(why, false);
          if (conn === this.conn) this.onGone(why);
        }
      });
    });
  }

  onGone(why) {
    this.conn = null;
    this.silent = 0;
    for (const { reject } of this.pending.values()) reject(new StanzaError('lost', 'The connection was lost before there was an answer.'));
    this.pending.clear();
    if (this.wanted && this.state === 'online') this.wait(why);
  }

  wait(why) {
    const base = BACK_OFF_MS[Math.min(this.attempts, BACK_OFF_MS.length - 1)];
    const ms = base / 2 + Math.random() * base;
    this.attempts += 1;
    this.change('waiting', { in: ms, why });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.reconnect(), ms);
  }

  async reconnect() {
    clearTimeout(this.timer);
    if (!this.wanted) return;
    this.change('connecting');
    try {
      await this.open(this.secret);
    } catch (error) {
      if (!this.wanted) return;
      if (error.hopeless) {
        this.end();
        this.change('refused', { why: error.message });
      } else {
        this.wait(error.condition);
      }
      return;
    }
    if (!this.wanted) {
      this.conn.disconnect();
      return;
    }
    this.attempts = 0;
    this.change('online');
  }

  end() {
    this.wanted = false;
    this.secret = null;
    clearTimeout(this.timer);
    window.removeEventListener('online', this.retry);
  }

  logout() {
    this.end();
    const conn = this.conn;
    this.change('offline');
    if (conn) conn.disconnect();
  }

  // --- requests ---

  // The answer as a plain element; a StanzaError where it is an error or there is none.
  iq(type, to, payload, { timeout = IQ_MS } = {}) {
    if (!this.conn || this.state !== 'online') return Promise.reject(new StanzaError('lost', 'There is no connection now.'));
    const id = randomId();
    const doc = document.implementation.createDocument(null, null, null);
    const stanza = toDom(el('iq', NS.client, { type, id, to, 'xml:lang': 'en' }, payload), doc);
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => {
        this.pending.delete(id);
        reject(new StanzaError('remote-server-timeout'));
        this.silent += 1;
        if (this.silent >= SILENT_MOST && this.conn) this.conn.disconnect();
      }, timeout);
      const settle = (then) => (value) => {
        clearTimeout(limit);
        then(value);
      };
      this.pending.set(id, { to, resolve: settle(resolve), reject: settle(reject) });
      this.conn.send(stanza);
    });
  }

  // An answer counts only from whom was asked.
  onAnswer(element) {
    this.silent = 0;
    const iq = fromDom(element);
    const asked = this.pending.get(iq.attrs.id);
    if (asked && (iq.attrs.from || this.bare) === (asked.to || this.bare)) {
      this.pending.delete(iq.attrs.id);
      if (iq.attrs.type === 'result') asked.resolve(iq);
      else asked.reject(readError(iq));
    }
    return true;
  }

  // From here to the session manager and back, in ms.
  async ping(to) {
    const began = performance.now();
    await this.iq('get', to, el('ping', NS.ping));
    return performance.now() - began;
  }
}

// Where to connect to, and for which domain: what the gateway says of itself, else where this page came from.
export async function readSettings() {
  let told = {};
  try {
    const answer = await fetch('settings.json', { credentials: 'omit' });
    if (answer.ok) told = await answer.json();
  } catch (e) {
    /* then without */
  }
  const url = new URL(told.websocket || '../ws', location.href);
  url.protocol = url.protocol.replace(/^http/, 'ws');
  return { url: url.href, domain: told.domain || '' };
}

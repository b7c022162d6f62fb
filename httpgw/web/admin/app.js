// app.js - log in, the frame of the page, which view is shown

import { button, errorNotice, fill, h, notice } from './dom.js';
import { ADMIN, OURS, list, query, rows } from './commands.js';
import { Client, readSettings } from './xmpp.js';
import { Monitor } from './monitor.js';
import { NS, child, children, el } from './xml.js';
import { runCommand } from './runner.js';
import { checkJid } from './validate.js';
import overview from './views/overview.js';
import sessions from './views/sessions.js';
import users from './views/users.js';
import domains from './views/domains.js';
import certificates from './views/certificates.js';
import log from './views/log.js';
import commands from './views/commands.js';

const VIEWS = { overview, sessions, users, domains, certificates, log, commands };
const $ = (id) => document.getElementById(id);

class App {
  constructor(client) {
    this.client = client;
    this.iq = client.iq;
    this.home = client.jid.slice(client.jid.indexOf('@') + 1);
    this.domain = this.home;
    this.domains = [this.home];
    this.asked = new Set(); // addresses that are no part of the installation and that people wanted to ask
    this.leave = null; // what ends the view that is shown
    this.polls = new Set(); // of that view
  }

  // --- for views ---

  // Calls ask() now and every ms while the view is shown and there is a connection; never twice at a time. Gives back
  // what calls it at once.
  every(ms, ask) {
    const poll = { timer: null, busy: false, ended: false };
    const turn = async () => {
      clearTimeout(poll.timer);
      if (poll.busy || poll.ended) return;
      poll.busy = true;
      try {
        if (this.client.state === 'online' && !document.hidden) await ask();
      } finally {
        poll.busy = false;
      }
      if (!poll.ended) poll.timer = setTimeout(turn, ms);
    };
    poll.end = () => {
      poll.ended = true;
      clearTimeout(poll.timer);
    };
    this.polls.add(poll);
    turn();
    return turn;
  }

  run(node, name, options = {}) {
    return runCommand({ iq: this.iq, jid: this.domain, node, name, ...options });
  }

  ask(name, values = {}, jid = this.domain) {
    return query(this.iq, jid, name, values);
  }

  // The nodes that the domain lets us run.
  async nodes(jid = this.domain) {
    return list(this.iq, jid);
  }

  // --- the frame ---

  async begin() {
    $('top').hidden = false;
    $('nav').hidden = false;
    document.body.classList.add('inside');
    $('who').textContent = this.client.jid;
    $('logout').onclick = () => this.end();
    fill(
      $('nav'),
      Object.entries(VIEWS).map(([name, view]) => h('a', { href: `#/${name}`, 'data-view': name }, view.title)),
    );
    this.monitor = new Monitor(this.client, this.home);
    this.onHash = () => this.show();
    window.addEventListener('hashchange', this.onHash);
    if (!VIEWS[location.hash.split('/')[1]]) history.replaceState(null, '', '#/overview');
    this.show();
    await this.readDomains();
  }

  async readDomains() {
    try {
      const got = rows(await this.ask(OURS('domains'), {}, this.home))
        .map((row) => row.domain)
        .filter(Boolean);
      if (got.length) this.domains = got;
    } catch (error) {
      /* then the own one only */
    }
    const select = $('domain');
    fill(
      select,
      this.domains.map((name) => h('option', { value: name }, name)),
    );
    if (!this.domains.includes(this.domain)) this.domain = this.domains[0];
    select.value = this.domain;
    select.onchange = () => {
      this.domain = select.value;
      this.show();
    };
    $('domain-box').hidden = this.domains.length < 2;
  }

  close() {
    if (this.leave) this.leave();
    this.leave = null;
    for (const poll of this.polls) poll.end();
    this.polls.clear();
  }

  show() {
    const [, name, ...rest] = location.hash.split('/');
    const view = VIEWS[name];
    if (!view) return; // the skip link
    const again = name === this.shown;
    for (const box of document.querySelectorAll('dialog')) box.close();
    this.close();
    this.shown = name;
    for (const link of $('nav').children) {
      if (link.dataset.view === name) {
        link.setAttribute('aria-current', 'page');
        link.scrollIntoView({ block: 'nearest', inline: 'center' });
      } else link.removeAttribute('aria-current');
    }
    document.title = `${view.title} – Bulkhead`;
    const root = h('div', { class: `view ${name}` });
    fill($('main'), root);
    this.leave =
      view.mount(
        this,
        root,
        rest.map((part) => decode(part)),
      ) || null;
    if (!again) window.scrollTo(0, 0);
    if (document.activeElement && document.activeElement.closest('nav')) return; // people walk through the views
    $('main').focus({ preventScroll: true });
  }

  onState(state) {
    const words = { online: 'Connected', connecting: 'Connecting …', offline: 'Not connected', refused: 'Logged out' };
    const chip = $('state');
    chip.className = `state ${state.name}`;
    clearInterval(this.countdown);
    if (state.name === 'waiting') {
      const until = performance.now() + state.in;
      const say = () => {
        chip.textContent = `Connection lost, again in ${Math.max(1, Math.ceil((until - performance.now()) / 1000))} s`;
      };
      say();
      this.countdown = setInterval(say, 1000);
    } else {
      chip.textContent = words[state.name];
    }
    document.body.classList.toggle('cut', ['waiting', 'connecting'].includes(state.name) && this.shown !== undefined);
    if (state.name === 'refused') this.end(state.why);
  }

  end(why = '') {
    this.close();
    clearInterval(this.countdown);
    if (this.monitor) this.monitor.stop();
    window.removeEventListener('hashchange', this.onHash);
    this.client.logout();
    for (const box of document.querySelectorAll('dialog')) box.close();
    loginView(why ? notice('error', why) : notice('ok', 'You are logged out.'), this.client.jid);
  }
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch (e) {
    return part;
  }
}

// --- log in ---

// An administrator's own account says so (XEP-0030 identity); else who may list accounts is one.
async function isAdmin(client, domain) {
  const info = await client.iq('get', client.jid, el('query', NS.info)).catch(() => null);
  const identities = children(info && child(info, 'query', NS.info), 'identity');
  if (identities.some((it) => it.attrs.category === 'account' && it.attrs.type === 'admin')) return true;
  const nodes = await list(client.iq, domain).catch(() => []);
  return nodes.some((it) => it.node === ADMIN('get-registered-users-list') || it.node === OURS('sessions'));
}

// "admin" is admin at this host's domain.
function readAddress(value, domain) {
  const jid = value.trim().replace(/\/.*$/, '');
  return jid.includes('@') || !jid || !domain ? jid : `${jid}@${domain}`;
}

function loginView(said = null, jid = '') {
  $('top').hidden = true;
  $('nav').hidden = true;
  document.body.classList.remove('inside', 'cut');
  document.title = 'Log in – Bulkhead';
  const address = h('input', {
    id: 'login-jid',
    type: 'text',
    name: 'username',
    autocomplete: 'username',
    inputmode: 'email',
    autocapitalize: 'none',
    spellcheck: 'false',
    required: true,
    placeholder: 'admin@example.net',
    'aria-describedby': 'login-said',
  });
  const password = h('input', {
    id: 'login-password',
    type: 'password',
    name: 'password',
    autocomplete: 'current-password',
    required: true,
    'aria-describedby': 'login-said',
  });
  const settings = readSettings();
  settings.then(({ domain }) => {
    if (domain) address.placeholder = `admin@${domain}`;
  });
  const box = h('div', { id: 'login-said', class: 'trouble' }, said);
  const go = h('button', { type: 'submit', class: 'button primary' }, 'Log in');
  const form = h(
    'form',
    { class: 'login panel', novalidate: true },
    h(
      'div',
      { class: 'login-head' },
      h('img', { src: 'icon.svg', alt: '', width: 44, height: 44 }),
      h('div', {}, h('h1', {}, 'Bulkhead'), h('p', { class: 'quiet' }, 'Administration')),
    ),
    box,
    h('div', { class: 'field' }, h('label', { class: 'label', for: 'login-jid' }, 'Address of an administrator'), address),
    h('div', { class: 'field' }, h('label', { class: 'label', for: 'login-password' }, 'Password'), password),
    go,
  );
  address.value = jid;
  const complain = (message, at) => {
    fill(box, notice('error', message));
    go.disabled = false;
    go.textContent = 'Log in';
    if (at) at.focus();
  };
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const { url, domain } = await settings;
    const who = readAddress(address.value, domain);
    if (!who.includes('@') || checkJid(who)) return complain('Please write the whole address, such as admin@example.net.', address);
    if (!password.value) return complain('Please write the password.', password);
    go.disabled = true;
    go.textContent = 'Logging in …';
    fill(box);
    let app = null;
    try {
      const client = new Client({
        url,
        jid: who,
        onState: (state) => {
          if (app) app.onState(state);
        },
      });
      await client.login(password.value);
      password.value = '';
      if (!(await isAdmin(client, who.slice(who.indexOf('@') + 1)))) {
        client.logout();
        return complain(`${who} is not an administrator.`, address);
      }
      app = new App(client);
      app.onState({ name: 'online' });
      await app.begin();
    } catch (error) {
      if (app) throw error;
      complain(error.message, error.condition === 'not-authorized' ? password : null);
    }
    return undefined;
  });
  fill($('main'), h('div', { class: 'login-box' }, insecure(), form));
  (jid ? password : address).focus();
}

function insecure() {
  return window.isSecureContext
    ? null
    : notice('warn', 'This page came without TLS, so nobody can log in safely. Open it by an address that begins with https.');
}

window.addEventListener('unhandledrejection', (event) => {
  if (document.body.classList.contains('inside'))
    $('main').prepend(
      errorNotice(event.reason),
      button('Reload', () => location.reload(), 'small'),
    );
});

document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault(); // the address says which view it is
  $('main').focus();
});
loginView();

// views/users.js - the accounts of a domain, page by page; one account with all that can be seen and done

import { button, errorNotice, fill, h, notice } from '../dom.js';
import { Table } from '../table.js';
import { ADMIN, OURS, describe, query, resultValues, rows } from '../commands.js';
import { isAsked, isTrue } from '../forms.js';
import { resultView } from '../formview.js';
import { badge, heading, offered, trouble, userLink } from './common.js';

const LIST = ADMIN('get-registered-users-list');
const ONLINE = ADMIN('get-online-users-list');
const COUNT = ADMIN('get-registered-users-num');
const PAGE = '100';
const DANGER = /delete|remove/i;

// What XEP-0133 knows for one account, where the server does not tell its forms at once: what only looks, and what changes.
const LOOKS = ['get-user-lastlogin', 'user-stats', 'get-user-roster'].map(ADMIN);
const DOES = ['change-user-password', 'end-user-session', 'disable-user', 'reenable-user', 'delete-user'].map(ADMIN);

// What is listed after this: addresses that begin with the word, in the order of bytes.
export function before(word) {
  const chars = [...word];
  if (!chars.length) return '';
  const last = chars.pop().codePointAt(0);
  return last > 0x21 ? `${chars.join('')}${String.fromCodePoint(last - 1)}\u{10fffd}` : chars.join('');
}

function mountList(app, root) {
  const said = h('div', { class: 'said' });
  const count = h('span', { class: 'quiet' });
  const back = []; // where the pages before begin
  let from = '',
    online = new Set(),
    last = '',
    more = false,
    turn = 0;
  const prefill = (jid) => ({ accountjid: [jid], accountjids: [jid] });
  const small = (label, node, title, jid, kind = '') =>
    button(
      label,
      () => app.run(node, title, { submit: label === 'Delete' ? label : 'Change', prefill: prefill(jid), onDone: load }),
      `small ${kind}`,
      { 'aria-label': `${label}: ${jid}` },
    );
  const table = new Table({
    label: 'Accounts',
    filter: false,
    id: (row) => row.jid,
    empty: 'There are no accounts here.',
    columns: [
      { key: 'jid', label: 'Account', show: (row) => userLink(row.jid) },
      { key: 'online', label: 'Online', show: (row) => (row.online === 'yes' ? badge('ok', 'online') : '') },
    ],
    actions: (row) => [
      small('Password', ADMIN('change-user-password'), 'Change password', row.jid),
      small('Delete', ADMIN('delete-user'), 'Delete user', row.jid, 'danger-text'),
    ],
  });
  const previous = button('Previous', () => {
    from = back.pop() || '';
    load();
  });
  const next = button('Next', () => {
    back.push(from);
    from = last;
    load();
  });
  const pages = h('div', { class: 'pages' }, previous, next);
  const find = h('input', {
    type: 'search',
    id: 'user-find',
    placeholder: 'Begins with …',
    autocapitalize: 'none',
    spellcheck: 'false',
    'aria-label': 'Show accounts from here on',
  });
  const search = h('form', { class: 'search', role: 'search' }, find, h('button', { type: 'submit', class: 'button' }, 'Find'));
  search.addEventListener('submit', (event) => {
    event.preventDefault();
    back.length = 0;
    from = before(find.value.trim().replace(/@.*$/, ''));
    load();
  });

  async function load() {
    const mine = ++turn,
      domain = app.domain;
    try {
      const [state, there, number] = await Promise.all([
        app.ask(LIST, { max_items: PAGE, ...(from ? { after: from.includes('@') ? from : `${from}@${domain}` } : {}) }),
        app
          .ask(ONLINE, {})
          .then((it) => resultValues(it, 'onlineuserjids'))
          .catch(() => []),
        app
          .ask(COUNT, {})
          .then((it) => resultValues(it, 'registeredusersnum')[0])
          .catch(() => ''),
      ]);
      if (mine !== turn) return;
      const jids = resultValues(state, 'registereduserjids').filter(Boolean);
      online = new Set(there);
      more = resultValues(state, 'more').some(isTrue);
      last = jids[jids.length - 1] || from;
      table.update(jids.map((jid) => ({ jid, online: online.has(jid) ? 'yes' : '' })));
      count.textContent = number ? `${number} ${number === '1' ? 'account' : 'accounts'} on ${domain}` : domain;
      fill(said);
    } catch (error) {
      if (mine === turn) fill(said, trouble(error, 'the list of accounts', LIST));
    }
    previous.disabled = from === '';
    next.disabled = !more;
    pages.hidden = previous.disabled && next.disabled;
  }

  fill(
    root,
    heading(
      'Users',
      count,
      button('Refresh', load),
      button(
        'Add a user',
        () => app.run(ADMIN('add-user'), 'Add a user', { submit: 'Add', prefill: { accountjid: [`@${app.domain}`] }, onDone: load }),
        'primary',
      ),
    ),
    said,
    h('section', { class: 'panel' }, table.element, pages),
  );
  table.element.firstElementChild.prepend(search);
  pages.hidden = true;
  load();
}

// The commands that are about one account: [{node, name, looks}].
async function about(app) {
  const nodes = await app.nodes();
  const known = await describe(app.iq, app.domain).catch(() => null);
  if (known && known.size) {
    return nodes
      .filter((it) => known.has(it.node))
      .map((it) => ({ ...it, ...known.get(it.node), name: it.name }))
      .filter((it) => it.form && it.form.fields.some((field) => field.var === 'accountjid' || field.var === 'accountjids'))
      .filter((it) => it.node !== ADMIN('add-user'))
      .map((it) => ({
        ...it,
        looks: !it.changes && it.form.fields.filter(isAsked).every((field) => field.var.startsWith('accountjid') || !field.required),
      }));
  }
  return [...LOOKS, ...DOES]
    .map((node) => offered(nodes, node))
    .filter(Boolean)
    .map((it) => ({ ...it, looks: LOOKS.includes(it.node) }));
}

function mountUser(app, root, jid) {
  const said = h('div', { class: 'said' }),
    does = h('div', { class: 'heading-buttons wrap' }),
    cards = h('div', { class: 'cards' });
  const prefill = { accountjid: [jid], accountjids: [jid] };
  const table = new Table({
    label: `Sessions of ${jid}`,
    filter: false,
    csv: false,
    id: (row) => row.jid,
    empty: 'Not connected.',
    columns: [
      { key: 'jid', label: 'Session' },
      {
        key: 'available',
        label: 'Available',
        numeric: false,
        show: (row) => (isTrue(row.available) ? badge('ok', 'yes') : badge('off', 'no')),
      },
      { key: 'priority', label: 'Priority' },
    ],
    actions: (row) =>
      button(
        'End',
        () =>
          app.run(ADMIN('end-user-session'), 'End session', { submit: 'End session', prefill: { accountjids: [row.jid] }, onDone: again }),
        'small danger-text',
        { 'aria-label': `End the session ${row.jid}` },
      ),
  });

  async function card(command) {
    const box = h('section', { class: 'panel' }, h('h2', {}, command.name), h('p', { class: 'quiet' }, 'Asking …'));
    cards.append(box);
    try {
      const state = await query(app.iq, app.domain, command.node, {
        accountjid: jid,
        ...(command.form && command.form.fields.some((it) => it.var === 'accountjids') ? { accountjids: jid } : {}),
      });
      fill(
        box,
        h('h2', {}, command.name),
        state.notes.map((it) => notice(it.type === 'warn' ? 'warn' : 'info', it.text)),
        state.form ? resultView(state.form, true) : null,
      );
    } catch (error) {
      fill(box, h('h2', {}, command.name), errorNotice(error));
    }
  }

  async function load() {
    try {
      const list = await about(app);
      fill(
        does,
        list
          .filter((it) => !it.looks)
          .sort((a, b) => DANGER.test(a.node) - DANGER.test(b.node))
          .map((it) =>
            button(
              it.name,
              () =>
                app.run(it.node, it.name, {
                  prefill,
                  onDone: () => {
                    again();
                    load();
                  },
                }),
              DANGER.test(it.node) ? 'danger-text' : '',
            ),
          ),
      );
      fill(cards);
      await Promise.all(list.filter((it) => it.looks).map(card));
    } catch (error) {
      fill(said, trouble(error, 'accounts', LIST));
    }
  }

  const again = app.every(5000, async () => {
    try {
      const state = await app.ask(OURS('sessions'), { domain: jid.slice(jid.indexOf('@') + 1), after: jid }, app.home);
      table.update(rows(state).filter((row) => row.jid && row.jid.startsWith(`${jid}/`)));
    } catch (error) {
      if (!error.missing) fill(said, trouble(error, 'the list of sessions', OURS('sessions')));
    }
  });
  const domain = jid.slice(jid.indexOf('@') + 1);
  if (app.domains.includes(domain)) app.domain = domain;
  document.getElementById('domain').value = app.domain;
  fill(
    root,
    h('p', { class: 'crumbs' }, h('a', { href: '#/users' }, 'Users')),
    heading(jid, null),
    said,
    does,
    h('section', { class: 'panel' }, h('h2', {}, 'Sessions'), table.element),
    cards,
  );
  load();
}

export default {
  title: 'Users',
  mount(app, root, [jid]) {
    if (jid) mountUser(app, root, jid);
    else mountList(app, root);
  },
};

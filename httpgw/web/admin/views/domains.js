// views/domains.js - the hosted domains and how many people each has; one domain with all that can be set for it

import { button, fill, h } from '../dom.js';
import { Table } from '../table.js';
import { ADMIN, OURS, describe, resultValues } from '../commands.js';
import { labelOf, readable, shown } from '../forms.js';
import { formatBytes } from '../series.js';
import { heading, trouble, yesNo } from './common.js';

const NODE = OURS('domains');
const COUNTED_MOST = 20; // domains whose accounts are counted at once
const SHORT = { registration: 'Registration', anonymous: 'Anonymous', kept: 'Offline', archive: 'Archive' }; // a table has no room for sentences
const WITH_ARCHIVE = ['days', 'bytes']; // are told beside it
const KNOWN = ['set-registration', 'set-archive', 'set-offline', 'remove-domain'].map(OURS);
const LAST = OURS('remove-domain');

async function count(app, domain, node, field) {
  return app
    .ask(node, {}, domain)
    .then((state) => resultValues(state, field)[0] || '')
    .catch(() => '');
}

async function people(app, domain) {
  const [accounts, online] = await Promise.all([
    count(app, domain, ADMIN('get-registered-users-num'), 'registeredusersnum'),
    count(app, domain, ADMIN('get-online-users-num'), 'onlineusersnum'),
  ]);
  return { accounts, online };
}

// The commands with a field for a domain: told by the server, or those that we know.
async function about(app) {
  const nodes = await app.nodes(app.home);
  const known = await describe(app.iq, app.home).catch(() => null);
  const takes = (it) => it.changes && it.form && it.form.fields.some((field) => field.var === 'domain');
  const fits = (it) => (known && known.has(it.node) ? takes(known.get(it.node)) : KNOWN.includes(it.node));
  return nodes.filter((it) => it.node !== OURS('add-domain') && fits(it)).sort((a, b) => (a.node === LAST) - (b.node === LAST));
}

async function read(app) {
  return (await app.ask(NODE, {}, app.home)).form || { reported: [], items: [] };
}

// How long and how much of the archive is kept, where that has an end.
function kept(row) {
  const parts = [Number(row.days) > 0 ? `${row.days} days` : '', Number(row.bytes) > 0 ? formatBytes(Number(row.bytes)) : ''].filter(
    Boolean,
  );
  return parts.length && row.archive === 'yes' ? h('span', { class: 'quiet' }, ` ${parts.join(', ')}`) : null;
}

function rowOf(form, item) {
  return Object.fromEntries(form.reported.map((field) => [field.var, shown(field, item[field.var])]));
}

function mountList(app, root) {
  const said = h('div', { class: 'said' });
  const link = (row) => h('a', { href: `#/domains/${encodeURIComponent(row.domain)}` }, row.domain);
  const table = new Table({ label: 'Domains', columns: [{ key: 'domain', label: 'Domain', show: link }], id: (row) => row.domain });

  async function load() {
    try {
      const form = await read(app);
      const counted = await Promise.all(form.items.slice(0, COUNTED_MOST).map((item) => people(app, (item.domain || [''])[0])));
      const told = form.reported
        .filter(
          (field) =>
            field.type !== 'hidden' &&
            (field.var in SHORT || field.type !== 'boolean') &&
            !WITH_ARCHIVE.includes(field.var) &&
            field.var !== 'domain',
        )
        .map((field) => ({
          key: field.var,
          label: SHORT[field.var] || labelOf(field),
          ...(field.type === 'boolean' ? { show: (row) => [yesNo(row[field.var]), field.var === 'archive' ? kept(row) : null] } : {}),
        }));
      table.update(
        form.items.map((item, i) => ({ ...rowOf(form, item), ...counted[i] })),
        [
          { key: 'domain', label: 'Domain', show: link },
          { key: 'accounts', label: 'Accounts' },
          { key: 'online', label: 'Online' },
          ...told,
        ],
      );
      fill(said);
      await app.readDomains();
    } catch (error) {
      fill(said, trouble(error, 'the list of domains', NODE));
    }
  }

  fill(
    root,
    heading(
      'Domains',
      'That this installation hosts.',
      button('Refresh', load),
      button('Add a domain', () => app.run(OURS('add-domain'), 'Add a domain', { jid: app.home, submit: 'Add', onDone: load }), 'primary'),
    ),
    said,
    h('section', { class: 'panel' }, table.element),
  );
  load();
}

function pair(label, value) {
  return h('div', { class: 'pair' }, h('dt', {}, label), h('dd', {}, value));
}

function mountDomain(app, root, domain) {
  const said = h('div', { class: 'said' }),
    does = h('div', { class: 'heading-buttons wrap' });
  const now = h('dl', { class: 'result' });

  async function load() {
    try {
      const [form, list, n] = await Promise.all([read(app), about(app), people(app, domain)]);
      const item = form.items.find((it) => (it.domain || [''])[0] === domain);
      if (!item) return fill(said, h('p', { class: 'quiet' }, 'This domain is not hosted here (any more).'), fill(does), fill(now));
      const row = rowOf(form, item);
      // forms to change something are filled with how it is now
      fill(
        does,
        list.map((it) =>
          button(
            it.name,
            () => app.run(it.node, it.name, { jid: app.home, submit: it.node === LAST ? 'Remove' : 'Change', prefill: item, onDone: load }),
            it.node === LAST ? 'danger-text' : '',
          ),
        ),
      );
      fill(
        now,
        pair('Accounts', n.accounts),
        pair('Online', n.online),
        form.reported
          .filter((field) => field.type !== 'hidden' && field.var !== 'domain')
          .map((field) => pair(labelOf(field), field.type === 'boolean' ? yesNo(row[field.var]) : readable(row[field.var]) || '–')),
      );
      return fill(said);
    } catch (error) {
      return fill(said, trouble(error, 'the list of domains', NODE));
    }
  }

  fill(
    root,
    h('p', { class: 'crumbs' }, h('a', { href: '#/domains' }, 'Domains')),
    heading(domain, null, button('Refresh', load)),
    said,
    does,
    h('section', { class: 'panel' }, h('h2', {}, 'How it is now'), now),
  );
  load();
}

export default {
  title: 'Domains',
  mount(app, root, [domain]) {
    if (domain) mountDomain(app, root, domain);
    else mountList(app, root);
  },
};

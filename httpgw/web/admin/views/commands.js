// views/commands.js - whoever can be asked: domains, components, services; the commands of each, whatever they are

import { button, fill, h, notice } from '../dom.js';
import { OURS, list, pick, rows } from '../commands.js';
import { NS, child, children, el } from '../xml.js';
import { checkJid } from '../validate.js';
import { matches } from '../rows.js';
import { heading, trouble } from './common.js';

const OTHER = 'Address'; // what is no part of the installation

// Everybody who may have commands: {jid, name, kind}, each once.
async function entities(app) {
  const found = new Map();
  const add = (jid, name, kind) => {
    if (jid && !found.has(jid)) found.set(jid, { jid, name, kind });
  };
  for (const domain of app.domains) add(domain, '', 'Domain');
  const [components, items] = await Promise.all([
    app
      .ask(OURS('components'), {}, app.home)
      .then(rows)
      .catch(() => []),
    app
      .iq('get', app.domain, el('query', NS.items))
      .then((it) => children(child(it, 'query', NS.items), 'item'))
      .catch(() => []),
  ]);
  for (const row of components) add(pick(row, 'name', 'component', 'jid', 'hostname'), '', 'Component');
  for (const item of items) if (!item.attrs.node) add(item.attrs.jid, item.attrs.name || '', 'Service');
  return [...found.values()];
}

function commandButton(app, jid, it, again) {
  return h(
    'li',
    {},
    h(
      'button',
      { type: 'button', class: 'command', onclick: () => app.run(it.node, it.name, { jid, onDone: again }) },
      h('span', { class: 'command-name' }, it.name),
      h('span', { class: 'command-node', title: it.node }, it.node.replace(/^http:\/\/jabber\.org\/protocol\//, '')),
    ),
  );
}

export default {
  title: 'Commands',

  mount(app, root, [chosen]) {
    const jid = chosen || app.domain;
    const who = h('ul', { class: 'entities' });
    const what = h('ul', { class: 'command-list' });
    const said = h('div', { class: 'said' });
    const words = h('input', { type: 'search', class: 'filter', placeholder: 'Filter', 'aria-label': 'Filter the commands' });
    const other = h('input', {
      type: 'text',
      id: 'other-jid',
      placeholder: 'Another address',
      'aria-label': 'Another address',
      inputmode: 'email',
      autocapitalize: 'none',
      spellcheck: 'false',
    });
    const form = h('form', { class: 'search' }, other, h('button', { type: 'submit', class: 'button' }, 'Open'));
    let nodes = [],
      ended = false;

    function draw() {
      const list = nodes.filter((it) => matches([it.name, it.node], words.value));
      fill(
        what,
        list.map((it) => commandButton(app, jid, it, load)),
      );
      if (!list.length && nodes.length) fill(what, h('li', { class: 'empty' }, 'Nothing fits the filter.'));
    }

    async function load() {
      try {
        nodes = await list(app.iq, jid);
        if (ended) return;
        draw();
        fill(said, nodes.length ? null : notice('info', 'There are no commands here that you may run.'));
      } catch (error) {
        if (ended) return;
        nodes = [];
        draw();
        fill(said, error.missing ? notice('info', `${jid} has no commands.`) : trouble(error, 'commands', NS.commands));
      }
    }

    async function loadEntities() {
      const all = await entities(app);
      if (ended) return all;
      if (!all.some((it) => it.jid === jid)) all.push({ jid, name: '', kind: OTHER });
      fill(
        who,
        all.map((it) =>
          h(
            'li',
            {},
            h(
              'a',
              { href: `#/commands/${encodeURIComponent(it.jid)}`, 'aria-current': it.jid === jid ? 'true' : null },
              h('span', { class: 'entity-name' }, it.name || it.jid),
              h('span', { class: 'entity-kind' }, it.name ? `${it.kind}, ${it.jid}` : it.kind),
            ),
          ),
        ),
      );
      return all;
    }

    // A link that somebody has sent asks nobody outside by itself: they would learn who the administrator is.
    async function begin() {
      const known = app.domains.includes(jid) || app.asked.has(jid);
      const all = loadEntities();
      if (known || (await all).some((it) => it.jid === jid && it.kind !== OTHER)) return load();
      const ask = button(
        'Ask for its commands',
        () => {
          app.asked.add(jid);
          load();
        },
        'small',
      );
      return fill(said, notice('info', `${jid} is no part of this installation. `, ask));
    }

    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const to = other.value.trim();
      if (to && !checkJid(to)) app.asked.add(to);
      if (app.asked.has(to)) location.hash = `#/commands/${encodeURIComponent(to)}`;
      else other.focus();
    });
    words.addEventListener('input', draw);
    fill(
      root,
      heading(
        'Commands',
        'Of the domains, of components that are connected, and of services. New ones are here when the page is opened or refreshed.',
        button('Refresh', () => {
          load();
          loadEntities();
        }),
      ),
      h(
        'div',
        { class: 'split' },
        h('section', { class: 'panel', 'aria-label': 'Who' }, who, form),
        h('section', { class: 'panel', 'aria-label': 'Commands' }, h('div', { class: 'panel-head' }, h('h2', {}, jid), words), said, what),
      ),
    );
    begin();
    return () => {
      ended = true;
    };
  },
};

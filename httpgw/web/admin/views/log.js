// views/log.js - the last lines of the daemons' logs, and those that come

import { button, fill, h } from '../dom.js';
import { OURS, pick, rows } from '../commands.js';
import { byTime, join, readLine } from '../tail.js';
import { heading, trouble } from './common.js';

const NODE = OURS('log');
const LEVELS = ['debug', 'info', 'warn', 'error'];
const SHOWN = 500;

function labelled(label, control) {
  return h('label', { class: 'inline' }, h('span', {}, label), control);
}

function lineView(line) {
  const { time, level, rest } = readLine(line);
  return h(
    'div',
    { class: `log-line ${LEVELS.includes(level) ? level : ''}` },
    time ? h('span', { class: 'log-time' }, time.slice(11, 23)) : null,
    level ? h('span', { class: 'log-level' }, level) : null,
    h('span', { class: 'log-text' }, level ? rest.replace(/^level=\S*\s*/, '') : rest),
  );
}

export default {
  title: 'Log',

  mount(app, root) {
    let lines = [],
      following = true,
      turn = 0;
    const said = h('div', { class: 'said' });
    const daemon = h('select', { id: 'log-daemon' }, h('option', { value: '' }, 'All'));
    const level = h(
      'select',
      { id: 'log-level' },
      LEVELS.map((it) => h('option', { value: it }, it === 'debug' ? 'debug and up' : it === 'error' ? 'error' : `${it} and up`)),
    );
    level.value = 'info';
    const words = h('input', { type: 'search', class: 'filter', placeholder: 'Filter', 'aria-label': 'Filter the lines' });
    const own = h('input', { type: 'checkbox', id: 'log-own' });
    own.checked = true;
    const box = h('div', { class: 'log-box', role: 'log', 'aria-label': 'Log', tabindex: '0', 'aria-live': 'off' });
    const follow = button(
      'Pause',
      () => {
        following = !following;
        follow.textContent = following ? 'Pause' : 'Follow';
        follow.setAttribute('aria-pressed', String(!following));
        if (following) again();
      },
      '',
      { 'aria-pressed': 'false' },
    );

    function draw() {
      const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      const mine = app.client.full || app.client.jid;
      const list = lines.filter(
        (line) => (!own.checked || !line.includes(mine)) && wanted.every((word) => line.toLowerCase().includes(word)),
      );
      const down = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
      fill(
        box,
        list.length ? list.slice(-SHOWN).map(lineView) : h('p', { class: 'empty' }, lines.length ? 'No line fits.' : 'No lines yet.'),
      );
      if (down || following) box.scrollTop = box.scrollHeight;
    }

    async function load() {
      const mine = turn;
      try {
        const state = await app.ask(
          NODE,
          { ...(daemon.value ? { daemon: daemon.value } : {}), level: level.value, lines: '200' },
          app.home,
        );
        if (mine !== turn || !following) return;
        const got = rows(state)
          .map((row) => ({ from: pick(row, 'daemon', 'instance'), line: pick(row, 'line', 'text', 'message') }))
          .filter((it) => it.line);
        // each daemon's lines are joined on their own, then all are put in the order of time
        const froms = [...new Set(got.map((it) => it.from))];
        for (const from of froms)
          tails.set(
            from,
            join(
              tails.get(from) || [],
              got.filter((it) => it.from === from).map((it) => it.line),
            ),
          );
        const now = byTime([...tails.values()].flat());
        if (now.length !== lines.length || now.some((line, i) => line !== lines[i])) {
          lines = now;
          draw();
        }
        fill(said);
      } catch (error) {
        fill(said, trouble(error, 'the log', NODE));
      }
    }

    const tails = new Map();
    const anew = () => {
      turn += 1;
      tails.clear();
      lines = [];
      draw();
      again();
    };
    for (const it of [daemon, level]) it.addEventListener('change', anew);
    words.addEventListener('input', draw);
    own.addEventListener('change', draw);
    fill(
      root,
      heading('Log', 'What the daemons keep of their last lines.', follow),
      said,
      h(
        'section',
        { class: 'panel' },
        h(
          'div',
          { class: 'log-tools' },
          labelled('Daemon', daemon),
          labelled('Level', level),
          words,
          h('label', { class: 'choice', for: 'log-own' }, own, h('span', {}, 'Without what this page does')),
        ),
        box,
      ),
    );
    draw();
    const again = app.every(2000, async () => {
      if (following) await load();
    });
    const names = (list) => {
      for (const name of list) if (![...daemon.options].some((it) => it.value === name)) daemon.append(h('option', { value: name }, name));
    };
    app
      .ask(OURS('daemons'), {}, app.home)
      .then((state) =>
        names(
          rows(state)
            .map((row) => pick(row, 'daemon', 'instance'))
            .filter(Boolean),
        ),
      )
      .catch(() => names(app.monitor.daemons || []));
  },
};

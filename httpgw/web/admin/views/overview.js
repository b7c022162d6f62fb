// views/overview.js - how the daemons are doing: plots of the last ten minutes, and a table

import { fill, h } from '../dom.js';
import { Plot } from '../plot.js';
import { Table } from '../table.js';
import { OURS, pick, rows } from '../commands.js';
import { byRole, formatBytes, formatMs, formatNumber, formatPercent, roleOf } from '../series.js';
import { badge, heading, trouble } from './common.js';

const PLOTS = [
  { key: 'sessions', title: 'Sessions', about: 'Clients with a bound resource', whole: true },
  { key: 'in', title: 'Stanzas in', about: 'A second, from clients and servers' },
  { key: 'out', title: 'Stanzas out', about: 'A second, to clients and servers' },
  { key: 'latency', title: 'Latency', about: 'A ping of this page; a commit of the store', format: formatMs, headline: 'most' },
  { key: 'turn', title: 'Turn of the loop', about: 'Mean time that a daemon works at a stretch', format: formatMs, headline: 'most' },
  { key: 'cpu', title: 'CPU', about: 'Of one processor', format: formatPercent },
  { key: 'memory', title: 'Memory', about: 'Proportional set size', format: formatBytes, binary: true },
  { key: 'bytes', title: 'Queues', about: 'Bytes between daemons, and to servers', format: formatBytes, binary: true },
  { key: 'items', title: 'Waiting', about: 'For the store, and for other servers', whole: true },
];
const ORDER = ['sessman', 'router', 'c2s', 'httpgw', 's2s'];
const DAEMONS_MOST = 8;
const NODE = OURS('daemons');

// The same daemon has the same colour in every plot, as long as the page lives: first come, in the order of roles.
const slots = new Map();
function claim(names) {
  const rank = (name) => {
    const i = ORDER.indexOf(roleOf(name));
    return i < 0 ? ORDER.length : i;
  };
  for (const name of [...names].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b, undefined, { numeric: true }))) {
    if (!slots.has(name)) slots.set(name, slots.size);
  }
}

export function duration(seconds) {
  const s = Number(seconds);
  if (seconds === '' || !Number.isFinite(s)) return String(seconds);
  if (s < 120) return `${Math.floor(s)} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min`;
  if (s < 172800) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

function daemonTable() {
  const ready = (row) => pick(row, 'ready');
  return new Table({
    label: 'Daemons',
    filter: false,
    csv: false,
    id: (row) => pick(row, 'daemon', 'instance'),
    empty: 'Nobody has answered.',
    columns: [
      { key: 'daemon', label: 'Daemon', text: (row) => pick(row, 'daemon', 'instance') },
      {
        key: 'ready',
        label: 'State',
        numeric: false,
        text: ready,
        show: (row) =>
          ['1', 'true', 'yes'].includes(ready(row)) ? badge('ok', 'ready') : badge('bad', ready(row) === '' ? 'no answer' : 'not ready'),
      },
      { key: 'version', label: 'Version' },
      { key: 'uptime', label: 'Up', numeric: true, show: (row) => duration(pick(row, 'uptime')) },
      { key: 'sessions', label: 'Sessions', numeric: true },
      {
        key: 'cpu',
        label: 'CPU time',
        numeric: true,
        show: (row) =>
          row.cpu === undefined || row.cpu === '' ? '' : /^\d+(\.\d+)?$/.test(row.cpu) ? `${formatNumber(Number(row.cpu))} s` : row.cpu,
      },
      {
        key: 'memory',
        label: 'Memory',
        numeric: true,
        show: (row) => (/^\d+$/.test(row.memory || '') ? formatBytes(Number(row.memory)) : row.memory || ''),
      },
    ],
  });
}

export default {
  title: 'Overview',

  mount(app, root) {
    const said = h('div', { class: 'said' });
    const plots = PLOTS.map((how) => ({ how, plot: new Plot(how) }));
    const table = daemonTable();
    const tableSaid = h('div', { class: 'said' });
    fill(
      root,
      heading('Overview', 'Every two seconds, and the last ten minutes of it.'),
      said,
      h(
        'div',
        { class: 'plots' },
        plots.map((it) => it.plot.element),
      ),
      h('section', { class: 'panel' }, h('h2', {}, 'Daemons'), tableSaid, table.element),
    );

    const draw = (monitor) => {
      const now = performance.now();
      const text = monitor.trouble ? monitor.trouble.message : '';
      if (text !== said.dataset.text) {
        said.dataset.text = text;
        fill(said, monitor.trouble ? trouble(monitor.trouble, 'figures of the daemons', OURS('figures')) : null);
      }
      const all = plots.map(({ how }) => monitor.history.series(how.key));
      claim(new Set(all.flatMap((list) => list.map((it) => it.name))));
      plots.forEach(({ plot }, i) => {
        const many = all[i].length > DAEMONS_MOST;
        const list = many ? byRole(all[i]) : all[i];
        if (many) claim(list.map((it) => it.name));
        plot.update(list, now, slots);
      });
    };
    const unwatch = app.monitor.watch(draw);
    draw(app.monitor);
    app.every(10000, async () => {
      try {
        table.update(rows(await app.ask(NODE, {}, app.home)));
        fill(tableSaid);
      } catch (error) {
        fill(tableSaid, trouble(error, 'the list of daemons', NODE));
      }
    });
    return () => {
      unwatch();
      for (const it of plots) it.plot.close();
    };
  },
};

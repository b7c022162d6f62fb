// views/certificates.js - the certificates in use, and how long they last

import { button, fill, h } from '../dom.js';
import { Table } from '../table.js';
import { OURS, pick, rows } from '../commands.js';
import { badge, heading, trouble } from './common.js';

const NODE = OURS('certificates');
const SOON = 30,
  URGENT = 7; // days

export function daysLeft(row, now = Date.now()) {
  const told = pick(row, 'days-left', 'days_left', 'daysleft', 'days');
  if (/^-?\d+$/.test(told)) return Number(told);
  const at = Date.parse(pick(row, 'not-after', 'not_after', 'expires'));
  return Number.isNaN(at) ? null : Math.floor((at - now) / 86400000);
}

export function urgency(days) {
  if (days === null) return 'off';
  return days < URGENT ? 'bad' : days < SOON ? 'warn' : 'ok';
}

function daysBadge(row) {
  const days = daysLeft(row);
  if (days === null) return badge('off', 'unknown');
  return badge(urgency(days), days < 0 ? `expired ${-days} d ago` : `${days} days`);
}

function when(value) {
  const at = new Date(value);
  return Number.isNaN(at.getTime())
    ? value
    : h('time', { datetime: at.toISOString() }, at.toISOString().slice(0, 16).replace('T', ' ') + ' UTC');
}

export default {
  title: 'Certificates',

  mount(app, root) {
    const said = h('div', { class: 'said' });
    const table = new Table({
      label: 'Certificates',
      id: (row) => JSON.stringify(row),
      empty: 'No daemon has told one.',
      sort: { column: 'days', down: false },
      columns: [
        { key: 'daemon', label: 'Daemon' },
        { key: 'names', label: 'Names', text: (row) => pick(row, 'names', 'name', 'subject') },
        { key: 'days', label: 'Left', numeric: true, text: (row) => String(daysLeft(row) ?? ''), show: daysBadge },
        {
          key: 'until',
          label: 'Until',
          text: (row) => pick(row, 'not-after', 'not_after', 'expires'),
          show: (row) => when(pick(row, 'not-after', 'not_after', 'expires')),
        },
        { key: 'issuer', label: 'Issuer' },
      ],
    });
    const again = app.every(60000, async () => {
      try {
        const list = rows(await app.ask(NODE, {}, app.home));
        table.update(list);
        const soon = list.filter((row) => urgency(daysLeft(row)) !== 'ok' && daysLeft(row) !== null).length;
        fill(
          said,
          soon
            ? h(
                'div',
                { class: 'notice warn', role: 'status' },
                h('span', { class: 'mark', 'aria-hidden': 'true' }, '!'),
                h(
                  'div',
                  {},
                  `${soon} of ${list.length} ${soon === 1 ? 'ends' : 'end'} within ${SOON} days. Put new files in place and reload: connections stay.`,
                ),
              )
            : null,
        );
      } catch (error) {
        fill(said, trouble(error, 'certificates', NODE));
      }
    });
    fill(
      root,
      heading('Certificates', `Warned of from ${SOON} days on.`, button('Refresh', again)),
      said,
      h('section', { class: 'panel' }, table.element),
    );
  },
};

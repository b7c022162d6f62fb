// views/sessions.js - who is connected, of all domains; ends sessions

import { button, fill, h } from '../dom.js';
import { Table } from '../table.js';
import { ADMIN, OURS, resultValues } from '../commands.js';
import { labelOf, isTrue, shown } from '../forms.js';
import { heading, trouble, userLink, yesNo } from './common.js';

const NODE = OURS('sessions');
const END = ADMIN('end-user-session');
const MANY = 500; // more than these are asked for only each SELDOM-th time
const SELDOM = 6;

export default {
  title: 'Sessions',

  mount(app, root) {
    const said = h('div', { class: 'said' });
    const table = new Table({
      label: 'Sessions',
      columns: [{ key: 'jid', label: 'Session' }],
      id: (row) => row.jid,
      empty: 'Nobody is connected.',
      actions: (row) =>
        button(
          'End',
          () => app.run(END, 'End session', { submit: 'End session', prefill: { accountjids: [row.jid] }, onDone: again }),
          'small danger-text',
          { 'aria-label': `End the session ${row.jid}` },
        ),
    });
    let turn = 0;
    const again = app.every(5000, async () => {
      turn += 1;
      if (table.rows.length > MANY && turn % SELDOM) return;
      try {
        const state = await app.ask(NODE, {}, app.home);
        const form = state.form || { reported: [], items: [] };
        const columns = form.reported
          .filter((field) => field.type !== 'hidden')
          .map((field) => ({
            key: field.var,
            label: labelOf(field),
            text: (row) => row[field.var],
            show: field.type === 'boolean' ? (row) => yesNo(row[field.var]) : field.var === 'jid' ? (row) => userLink(row.jid) : null,
          }));
        table.update(
          form.items.map((item) =>
            Object.fromEntries(
              form.reported.map((field) => [
                field.var,
                field.type === 'boolean' ? (isTrue((item[field.var] || [])[0]) ? 'yes' : 'no') : shown(field, item[field.var]),
              ]),
            ),
          ),
          columns.map((column) => (column.show === null ? { ...column, show: undefined } : column)),
        );
        fill(
          said,
          resultValues(state, 'more').some(isTrue)
            ? h('p', { class: 'quiet' }, 'There are more than one answer can hold; choose in Commands what to list.')
            : null,
        );
      } catch (error) {
        fill(said, trouble(error, 'the list of sessions', NODE));
      }
    });
    fill(
      root,
      heading(
        'Sessions',
        'Of all domains; new ones appear by themselves.',
        button('Refresh', () => {
          turn = -1;
          again();
        }),
      ),
      said,
      h('section', { class: 'panel' }, table.element),
    );
  },
};

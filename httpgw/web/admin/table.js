// table.js - a table on the page: sorted by its headings, filtered, in pages, copied as CSV
//
// In a narrow window each row is a stack of its cells (style.css), which is why the roles are spelled out.

import { button, fill, h, uid } from './dom.js';
import { copyText } from './dialog.js';
import { isNumeric, matches, sorted, toCsv } from './rows.js';

const PAGE = 100;

// columns: [{key, label, text(row), show(row) node or text, numeric}]; text is what is sorted, filtered and copied.
// actions(row): nodes at the end of a row. id(row): what a row is known by when the table is made anew.
export class Table {
  constructor({
    label,
    columns,
    rows = [],
    actions = null,
    id = null,
    filter = true,
    csv = true,
    empty = 'There is nothing here.',
    sort = null,
    hideTools = false,
  }) {
    Object.assign(this, { label, columns, rows, actions, id, empty, hideTools });
    this.sort = sort || { column: null, down: false };
    this.words = '';
    this.most = PAGE;
    this.input = h('input', {
      type: 'search',
      class: 'filter',
      placeholder: 'Filter',
      'aria-label': `Filter: ${label}`,
      id: uid('filter'),
      oninput: () => {
        this.words = this.input.value;
        this.most = PAGE;
        this.draw();
      },
    });
    this.count = h('span', { class: 'count', role: 'status' });
    this.copied = button('Copy as CSV', () => this.copy(), 'small');
    this.head = h('tr', { role: 'row' });
    this.body = h('tbody', { role: 'rowgroup' });
    this.more = button(
      'Show more',
      () => {
        this.most += PAGE * 5;
        this.draw();
      },
      'small',
    );
    this.tools = h('div', { class: 'table-tools' }, filter ? this.input : null, this.count, csv ? this.copied : null);
    this.element = h(
      'div',
      { class: 'table-box' },
      this.tools,
      h(
        'div',
        { class: 'table-scroll', role: 'region', tabindex: '0', 'aria-label': label },
        h('table', { class: 'stacks', role: 'table' }, h('thead', { role: 'rowgroup' }, this.head), this.body),
      ),
      this.more,
    );
    this.draw();
  }

  update(rows, columns = this.columns) {
    const now = JSON.stringify([rows, columns.map((column) => column.label)]);
    if (now === this.last) return;
    this.last = now;
    this.rows = rows;
    this.columns = columns;
    this.draw();
  }

  text(column, row) {
    return String((column.text ? column.text(row) : row[column.key]) ?? '');
  }

  visible() {
    let rows = this.rows;
    if (this.words.trim())
      rows = rows.filter((row) =>
        matches(
          this.columns.map((column) => this.text(column, row)),
          this.words,
        ),
      );
    const by = this.columns.find((column) => column.key === this.sort.column);
    return by ? sorted(rows, (row) => this.text(by, row), this.sort.down) : rows;
  }

  heading(column, numeric) {
    const here = this.sort.column === column.key;
    const arrow = h('span', { class: 'arrow', 'aria-hidden': 'true' }, here ? (this.sort.down ? '↓' : '↑') : '');
    const turn = () => {
      this.sort = { column: column.key, down: here ? !this.sort.down : numeric };
      this.draw();
      this.head.querySelector('[aria-sort] button').focus();
    };
    return h(
      'th',
      {
        scope: 'col',
        role: 'columnheader',
        class: numeric ? 'number' : null,
        'aria-sort': here ? (this.sort.down ? 'descending' : 'ascending') : null,
      },
      h('button', { type: 'button', class: 'sorter', onclick: turn }, numeric ? arrow : null, column.label, numeric ? null : arrow),
    );
  }

  row(row, numeric) {
    const cells = this.columns.map((column, i) => {
      const shown = column.show ? column.show(row) : this.text(column, row);
      return h(
        i === 0 ? 'th' : 'td',
        {
          scope: i === 0 ? 'row' : null,
          role: i === 0 ? 'rowheader' : 'cell',
          class: numeric[i] ? 'number' : null,
          'data-label': i === 0 ? null : column.label,
        },
        shown,
      );
    });
    if (this.actions) cells.push(h('td', { class: 'actions', role: 'cell' }, this.actions(row)));
    return h('tr', { role: 'row', 'data-row': this.id ? this.id(row) : null }, cells);
  }

  // Where the focus is within the body, so that it is there again when the rows are new.
  focused() {
    const at = document.activeElement;
    const row = at && this.body.contains(at) ? at.closest('tr') : null;
    return row && { id: row.dataset.row, i: [...row.querySelectorAll('button, a')].indexOf(at) };
  }

  draw() {
    const numeric = this.columns.map((column) => column.numeric ?? isNumeric(this.rows, (row) => this.text(column, row)));
    const rows = this.visible(),
      focus = this.focused();
    fill(
      this.head,
      this.columns.map((column, i) => this.heading(column, numeric[i])),
      this.actions ? h('th', { scope: 'col', role: 'columnheader', class: 'actions' }, h('span', { class: 'hidden' }, 'Actions')) : null,
    );
    const span = this.columns.length + (this.actions ? 1 : 0);
    fill(
      this.body,
      rows.length
        ? rows.slice(0, this.most).map((row) => this.row(row, numeric))
        : h(
            'tr',
            { role: 'row' },
            h('td', { class: 'empty', role: 'cell', colspan: span }, this.rows.length ? 'Nothing fits the filter.' : this.empty),
          ),
    );
    const n = this.rows.length;
    this.count.textContent = rows.length === n ? `${n} ${n === 1 ? 'row' : 'rows'}` : `${rows.length} of ${n}`;
    this.more.hidden = rows.length <= this.most;
    this.tools.hidden = this.hideTools && n === 0;
    this.copied.disabled = rows.length === 0;
    if (focus && focus.id) {
      const row = [...this.body.rows].find((it) => it.dataset.row === focus.id);
      const to = row && [...row.querySelectorAll('button, a')][focus.i];
      if (to) to.focus();
    }
  }

  async copy() {
    const lines = [
      this.columns.map((column) => column.label),
      ...this.visible().map((row) => this.columns.map((column) => this.text(column, row))),
    ];
    if (await copyText(toCsv(lines))) {
      this.copied.textContent = 'Copied';
      setTimeout(() => {
        this.copied.textContent = 'Copy as CSV';
      }, 2000);
    }
  }
}

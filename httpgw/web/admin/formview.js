// formview.js - a data form on the page and back: forms.js says what it means

import { button, fill, h, notice, uid } from './dom.js';
import { checkField, isAsked, isTrue, labelOf, readable, shown, tidy } from './forms.js';
import { hint, isInteger, isNumeric } from './validate.js';
import { Table } from './table.js';

const RADIOS_MOST = 4;

// One asked field: {element, values(), focus(), complain(message or null)}.
function inputs(field, given) {
  const id = uid('field');
  const values = given || field.values;
  const notes = [`${id}-desc`, `${id}-wrong`].join(' ');
  const common = { id, 'aria-describedby': notes, 'aria-required': field.required ? 'true' : null, autocomplete: 'off' };
  const line = (props) => {
    const input = h('input', { type: 'text', ...common, spellcheck: 'false', ...props });
    input.value = values[0] || '';
    return { id, main: input, parts: [input], values: () => [input.value] };
  };
  switch (field.type) {
    case 'boolean': {
      const input = h('input', { type: 'checkbox', ...common });
      input.checked = isTrue(values[0]);
      return { id, main: input, parts: [input], values: () => [input.checked ? '1' : '0'], check: true };
    }
    case 'text-private': {
      const made = line({ type: 'password', autocomplete: 'new-password' });
      const show = button(
        'Show',
        () => {
          const hidden = made.main.type === 'password';
          made.main.type = hidden ? 'text' : 'password';
          show.textContent = hidden ? 'Hide' : 'Show';
          show.setAttribute('aria-pressed', String(hidden));
        },
        'small',
        { 'aria-pressed': 'false', 'aria-label': `Show: ${labelOf(field)}` },
      );
      return { ...made, parts: [h('div', { class: 'with-button' }, made.main, show)] };
    }
    case 'text-multi':
    case 'jid-multi': {
      const input = h('textarea', {
        ...common,
        rows: field.type === 'jid-multi' ? 3 : 5,
        spellcheck: field.type === 'jid-multi' ? 'false' : null,
        autocapitalize: field.type === 'jid-multi' ? 'none' : null,
      });
      input.value = values.join('\n');
      return {
        id,
        main: input,
        parts: [input],
        values: () => input.value.split('\n'),
        extra: field.type === 'jid-multi' ? 'One address on each line.' : '',
      };
    }
    case 'list-single':
      return field.open ? openSingle(field, values, line) : single(field, values, common);
    case 'list-multi':
      return multi(field, values, common);
    case 'jid-single':
      return line({ inputmode: 'email', autocapitalize: 'none' });
    default: {
      const words = ['xs:dateTime', 'xs:date', 'xs:time'];
      return line(
        isNumeric(field.rule)
          ? { inputmode: isInteger(field.rule) ? 'numeric' : 'decimal', class: 'short' }
          : field.rule && words.includes(field.rule.datatype)
            ? { class: 'medium' }
            : {},
      );
    }
  }
}

function openSingle(field, values, line) {
  const list = h(
    'datalist',
    { id: uid('choices') },
    field.options.map((option) => h('option', { value: option.value, label: option.label })),
  );
  const made = line({ list: list.id });
  return {
    ...made,
    parts: [made.main, list],
    extra: field.options.length
      ? `One of the choices (${field.options
          .slice(0, 8)
          .map((it) => it.label)
          .join(', ')}${field.options.length > 8 ? ', …' : ''}) or something else.`
      : '',
  };
}

function single(field, values, common) {
  const at = values[0] ?? '';
  if (field.required && field.options.length <= RADIOS_MOST) {
    const name = uid('radio');
    const radios = field.options.map((option) => {
      const radio = h('input', { type: 'radio', name, id: uid('choice'), value: option.value });
      radio.checked = option.value === at;
      return radio;
    });
    return {
      id: common.id,
      main: radios[0],
      group: 'radiogroup',
      describedby: common['aria-describedby'],
      parts: radios.map((radio, i) => h('label', { class: 'choice', for: radio.id }, radio, h('span', {}, field.options[i].label))),
      values: () => radios.filter((radio) => radio.checked).map((radio) => radio.value),
    };
  }
  const known = field.options.some((option) => option.value === at);
  const select = h(
    'select',
    common,
    !known || !field.required ? h('option', { value: '' }, field.required ? 'Please choose' : '—') : null,
    field.options.filter((option) => option.value !== '').map((option) => h('option', { value: option.value }, option.label)),
  );
  select.value = known ? at : '';
  return { id: common.id, main: select, parts: [select], values: () => (select.value === '' ? [] : [select.value]) };
}

function multi(field, values, common) {
  const boxes = field.options.map((option) => {
    const box = h('input', { type: 'checkbox', id: uid('choice') });
    box.checked = values.includes(option.value);
    return box;
  });
  const parts = [
    h(
      'div',
      { class: boxes.length > 10 ? 'choices long' : 'choices' },
      boxes.map((box, i) => h('label', { class: 'choice', for: box.id }, box, h('span', {}, field.options[i].label))),
    ),
  ];
  const known = new Set(field.options.map((option) => option.value));
  const others = field.open
    ? h('textarea', { rows: 2, id: uid('others'), 'aria-label': `${labelOf(field)}: others, one on each line` })
    : null;
  if (others) {
    others.value = values.filter((value) => !known.has(value)).join('\n');
    parts.push(h('div', { class: 'desc' }, 'Others, one on each line:'), others);
  }
  return {
    id: common.id,
    main: boxes[0] || others,
    group: 'group',
    describedby: common['aria-describedby'],
    parts,
    values: () => [
      ...boxes.flatMap((box, i) => (box.checked ? [field.options[i].value] : [])),
      ...(others ? others.value.split('\n').filter(Boolean) : []),
    ],
  };
}

function listHint(rule) {
  if (!rule || (!rule.least && (rule.most === undefined || rule.most === Infinity))) return '';
  if (rule.least && rule.most !== Infinity) return `Choose ${rule.least} to ${rule.most}.`;
  return rule.least ? `Choose at least ${rule.least}.` : `Choose at most ${rule.most}.`;
}

function sentence(words) {
  return words ? words[0].toUpperCase() + words.slice(1) + (/[.!?]$/.test(words) ? '' : '.') : '';
}

function askedField(field, given) {
  const made = inputs(field, given);
  const star = field.required && field.type !== 'boolean' ? h('span', { class: 'star', 'aria-hidden': 'true' }, ' *') : null;
  const help = [field.desc, made.extra, sentence(hint(field.rule)), field.type === 'list-multi' ? listHint(field.rule) : ''].filter(
    Boolean,
  );
  const desc = h('div', { class: 'desc', id: `${made.id}-desc` }, help.join(' '));
  const wrong = h('div', { class: 'wrong', id: `${made.id}-wrong` });
  const lead = made.group
    ? h('div', { class: 'label', id: `${made.id}-label` }, labelOf(field), star)
    : h('label', { class: made.check ? 'label beside' : 'label', for: made.id }, labelOf(field), star);
  const box = made.check
    ? h('div', { class: 'field check' }, h('div', { class: 'choice' }, made.parts, lead), desc, wrong)
    : h(
        'div',
        {
          class: 'field',
          role: made.group || null,
          'aria-labelledby': made.group ? `${made.id}-label` : null,
          'aria-describedby': made.describedby || null,
          'aria-required': made.group === 'radiogroup' && field.required ? 'true' : null,
        },
        lead,
        help.length ? desc : null,
        made.parts,
        wrong,
      );
  const complain = (message) => {
    wrong.textContent = message || '';
    box.classList.toggle('bad', Boolean(message));
    for (const part of box.querySelectorAll('input, select, textarea')) {
      if (message) part.setAttribute('aria-invalid', 'true');
      else part.removeAttribute('aria-invalid');
    }
  };
  box.addEventListener('input', () => {
    if (wrong.textContent) complain(checkField(field, tidy(field, made.values())));
  });
  return { field, element: box, values: made.values, focus: () => made.main && made.main.focus(), complain };
}

export class FormView {
  // prefill: {var: [values]}, for fields that the form has.
  constructor(form, prefill = {}) {
    this.form = form;
    this.parts = [];
    const shownFields = form.fields.map((field) => {
      if (field.type === 'fixed')
        return h('p', { class: 'fixed' }, field.label ? h('strong', {}, `${field.label} `) : null, field.values.join('\n'));
      if (!isAsked(field)) return null;
      const part = askedField(field, Object.hasOwn(prefill, field.var) ? prefill[field.var] : null);
      this.parts.push(part);
      return part.element;
    });
    this.element = h(
      'div',
      { class: 'form' },
      form.instructions.map((it) => h('p', { class: 'instructions' }, it)),
      shownFields,
      this.parts.some((part) => part.field.required) ? h('p', { class: 'legend-star' }, '* needed') : null,
    );
  }

  values() {
    return Object.fromEntries(this.parts.map((part) => [part.field.var, part.values()]));
  }

  // Whether it may be sent; else the first that is wrong has the focus.
  check() {
    let first = null;
    for (const part of this.parts) {
      const message = checkField(part.field, tidy(part.field, part.values()));
      part.complain(message);
      if (message && !first) first = part;
    }
    if (first) first.focus();
    return !first;
  }

  focus() {
    const empty = this.parts.find(
      (part) => part.field.type !== 'boolean' && part.values().every((value) => value === '' || value.startsWith('@')),
    );
    const to = empty || this.parts[0];
    if (to) to.focus();
    if (to && to.field.type === 'jid-single' && to.values()[0].startsWith('@')) document.activeElement.setSelectionRange(0, 0);
    return Boolean(to);
  }
}

export function tableOf(form, label, more = {}) {
  const columns = form.reported
    .filter((field) => field.type !== 'hidden')
    .map((field) => ({
      key: field.var,
      label: labelOf(field),
      text: (row) => shown(field, row[field.var]),
      show: (row) => readable(shown(field, row[field.var])),
    }));
  return new Table({ label, columns, rows: form.items, hideTools: true, ...more });
}

function pair(field, values) {
  if (field.type === 'fixed' && !field.label) return h('div', { class: 'pair' }, h('dd', { class: 'fixed' }, values.join('\n')));
  const list = field.type.endsWith('-multi') && values.length > 1;
  return h(
    'div',
    { class: 'pair' },
    h('dt', {}, labelOf(field)),
    h(
      'dd',
      {},
      list
        ? h(
            'ul',
            { class: 'values' },
            values.map((value) => h('li', {}, shown({ ...field, type: 'text-single' }, [value]))),
          )
        : readable(shown(field, values)) || h('span', { class: 'quiet' }, '–'),
    ),
  );
}

// A form of type result, to read. short: as part of something else; a table of one row or none is no table then.
export function resultView(form, short = false) {
  const single = form.fields.filter((field) => field.type !== 'hidden').map((field) => pair(field, field.values));
  const parts = form.instructions.map((it) => h('p', { class: 'instructions' }, it));
  if (short && form.items.length === 1) single.push(...form.reported.map((field) => pair(field, form.items[0][field.var] || [])));
  if (single.length) parts.push(h('dl', { class: 'result' }, single));
  if (short && form.reported.length && !form.items.length) parts.push(h('p', { class: 'quiet' }, 'There is nothing.'));
  else if (form.reported.length && !(short && form.items.length === 1)) parts.push(tableOf(form, form.title || 'Result').element);
  if (!parts.length) parts.push(notice('info', 'The answer is empty.'));
  return fill(h('div', { class: 'result-view' }), parts);
}

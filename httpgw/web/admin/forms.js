// forms.js - data forms (XEP-0004, XEP-0122): what a form asks, whether it is filled in well, what is sent. Pure.

import { NS, el, child, children, text } from './xml.js';
import { checkJid, checkValue } from './validate.js';

const TYPES = [
  'boolean',
  'fixed',
  'hidden',
  'jid-multi',
  'jid-single',
  'list-multi',
  'list-single',
  'text-multi',
  'text-private',
  'text-single',
];
const MULTI = ['jid-multi', 'list-multi', 'text-multi', 'hidden', 'fixed'];

export function isTrue(value) {
  return value === '1' || value === 'true';
}

function readRule(field) {
  const node = child(field, 'validate', NS.validate);
  if (!node) return null;
  const rule = { datatype: node.attrs.datatype || 'xs:string', method: 'basic' };
  for (const kid of children(node)) {
    if (['basic', 'open', 'range', 'regex'].includes(kid.name)) rule.method = kid.name;
    if (kid.name === 'range') Object.assign(rule, { min: kid.attrs.min, max: kid.attrs.max });
    if (kid.name === 'regex') rule.regex = text(kid);
    if (kid.name === 'list-range') {
      rule.least = Number.parseInt(kid.attrs.min, 10) || 0;
      rule.most = Number.parseInt(kid.attrs.max, 10) || Infinity;
    }
  }
  return rule;
}

function readField(node) {
  const rule = readRule(node);
  const type = TYPES.includes(node.attrs.type) ? node.attrs.type : 'text-single';
  const list = type === 'list-single' || type === 'list-multi';
  let values = children(node, 'value').map(text);
  if (!MULTI.includes(type)) values = values.slice(0, 1);
  if (type === 'text-multi' || type === 'fixed') values = values.flatMap((value) => value.split(/\r\n?|\n/));
  return {
    type,
    declared: node.attrs.type || '',
    var: node.attrs.var || '',
    label: node.attrs.label || '',
    desc: text(child(node, 'desc')),
    required: child(node, 'required') !== null,
    values,
    options: children(node, 'option').map((option) => {
      const value = text(child(option, 'value'));
      return { value, label: option.attrs.label || value };
    }),
    rule,
    // XEP-0122 3.2: with any method but <basic/> a list takes what is not in it
    open: list && rule !== null && rule.method !== 'basic',
  };
}

// A form as it came: { type, title, instructions: [], fields: [], reported: [], items: [{var: [values]}] }.
export function readForm(node) {
  const items = children(node, 'item').map((item) => {
    const row = Object.create(null);
    for (const field of children(item, 'field')) row[field.attrs.var || ''] = children(field, 'value').map(text);
    return row;
  });
  let reported = children(child(node, 'reported'), 'field').map(readField);
  if (!reported.length && items.length) {
    reported = Object.keys(items[0]).map((name) => readField(el('field', NS.form, { var: name })));
  }
  return {
    type: node.attrs.type || 'form',
    title: text(child(node, 'title')),
    instructions: children(node, 'instructions').map(text).filter(Boolean),
    fields: children(node, 'field').map(readField),
    reported,
    items,
  };
}

export function labelOf(field) {
  return field.label || field.var || 'Without a name';
}

export function isAsked(field) {
  return field.type !== 'fixed' && field.type !== 'hidden' && field.var !== '';
}

// A field's values as people left them: cut, empty ones and doubles gone where they mean nothing.
export function tidy(field, values) {
  let got = values.map((value) => value.replace(/\r/g, ''));
  if (field.type === 'jid-single' || field.type === 'jid-multi') got = got.map((value) => value.trim());
  if (field.type === 'jid-multi' || field.type === 'list-multi') got = [...new Set(got.filter((value) => value !== ''))];
  if (field.type === 'text-multi') while (got.length && got[got.length - 1] === '') got.pop();
  if (field.type === 'text-single' && field.rule && field.rule.datatype !== 'xs:string') got = got.map((value) => value.trim());
  if (field.type === 'boolean') got = [isTrue(got[0]) ? '1' : '0'];
  return got;
}

function isEmpty(values) {
  return values.every((value) => value === '');
}

function checkList(field, values) {
  const known = new Set(field.options.map((option) => option.value));
  const strange = field.open ? undefined : values.find((value) => value !== '' && !known.has(value));
  if (strange !== undefined) return 'This is not one of the choices.';
  const { least = 0, most = Infinity } = (field.type === 'list-multi' && field.rule) || {};
  if (values.length < least) return `Choose at least ${least}.`;
  if (values.length > most) return `Choose at most ${most}.`;
  return null;
}

// What is wrong with a field's tidied values, or null.
export function checkField(field, values) {
  if (field.required && isEmpty(values)) return field.type.startsWith('list') ? 'Please choose.' : 'This is needed.';
  if (field.type.startsWith('list')) {
    const wrong = checkList(field, values);
    if (wrong) return wrong;
  }
  if (isEmpty(values)) return null;
  if (field.type.startsWith('jid')) return values.map((value) => checkJid(value)).find(Boolean) || null;
  if (field.type === 'boolean' || !field.rule) return null;
  const known = new Set(field.options.map((option) => option.value));
  // XEP-0122 3.2.2: only with a method of its own is each line of a text checked alone
  const parts = field.type === 'text-multi' && field.rule.method === 'basic' && field.rule.datatype === 'xs:string' ? [] : values;
  return (
    parts
      .filter((value) => value !== '' && !known.has(value))
      .map((value) => checkValue(field.rule, value))
      .find(Boolean) || null
  );
}

// {var: what is wrong}, empty where all is well. values: {var: [values]}.
export function checkForm(form, values) {
  const wrong = new Map();
  for (const field of form.fields.filter(isAsked)) {
    const message = checkField(field, tidy(field, values[field.var] || []));
    if (message) wrong.set(field.var, message);
  }
  return wrong;
}

// The <x type='submit'/>. What was empty and is empty stays out (XEP-0004 3.5: its value is kept); what was emptied is sent empty.
export function submission(form, values) {
  const fields = [];
  for (const field of form.fields) {
    if (field.type === 'fixed' || field.var === '') continue;
    const got = field.type === 'hidden' ? field.values : tidy(field, values[field.var] || []);
    if (field.type !== 'hidden' && isEmpty(got) && isEmpty(field.values)) continue;
    const sent = got.length ? got : [''];
    fields.push(
      el(
        'field',
        NS.form,
        { var: field.var, type: field.declared || null },
        sent.map((value) => el('value', NS.form, {}, value)),
      ),
    );
  }
  return el('x', NS.form, { type: 'submit' }, fields);
}

// A submission for who knows the form already: {var: value or [values]}.
export function simpleSubmission(formType, values) {
  const fields = formType ? [['FORM_TYPE', [formType]]] : [];
  for (const [name, value] of Object.entries(values)) fields.push([name, Array.isArray(value) ? value : [value]]);
  return el(
    'x',
    NS.form,
    { type: 'submit' },
    fields.map(([name, list]) =>
      el(
        'field',
        NS.form,
        { var: name },
        list.map((value) => el('value', NS.form, {}, String(value))),
      ),
    ),
  );
}

// A value for reading.
export function shown(field, values) {
  if (!values || !values.length) return '';
  if (field.type === 'boolean') return isTrue(values[0]) ? 'yes' : 'no';
  if (field.options.length) {
    const labels = new Map(field.options.map((option) => [option.value, option.label]));
    return values.map((value) => labels.get(value) ?? value).join(', ');
  }
  return values.join(field.type === 'text-multi' ? '\n' : ', ');
}

// A moment as the server writes it (XEP-0082), as people read it; anything else as it is.
export function readable(value) {
  const [, day, time] = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/.exec(value) || [];
  return day ? `${day} ${time} UTC` : value;
}

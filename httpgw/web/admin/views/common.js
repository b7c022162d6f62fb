// views/common.js - what several views have: a heading with buttons, what is said where a command is missing

import { errorNotice, h, notice } from '../dom.js';

export function heading(title, about, ...buttons) {
  return h(
    'div',
    { class: 'heading' },
    h('div', {}, h('h1', {}, title), about ? h('p', { class: 'quiet' }, about) : null),
    h('div', { class: 'heading-buttons' }, buttons),
  );
}

// Why there is nothing to see: node is the command that would say it.
export function trouble(error, what, node) {
  if (error.missing) return notice('warn', `This server has no command for ${what} (`, h('code', {}, node), ').');
  if (error.condition === 'lost') return notice('info', 'The connection is lost; this goes on by itself when it is back.');
  return errorNotice(error);
}

export function userLink(jid) {
  const bare = jid.replace(/\/.*$/s, '');
  return h('a', { href: `#/users/${encodeURIComponent(bare)}` }, jid);
}

export function badge(kind, text) {
  return h('span', { class: `badge ${kind}` }, text);
}

export function yesNo(value) {
  return ['1', 'true', 'yes'].includes(value) ? badge('ok', 'yes') : badge('off', 'no');
}

// A command's known name and place, as a button that runs it; null: not offered here.
export function offered(nodes, node) {
  return nodes.find((it) => it.node === node) || null;
}

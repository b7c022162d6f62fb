// dom.js - elements of the page. Whatever comes from the wire becomes a text node or an attribute's value, never markup.

const SVG = 'http://www.w3.org/2000/svg';

function put(made, props, kids) {
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  for (const kid of kids.flat(Infinity)) {
    if (kid !== null && kid !== undefined && kid !== false) made.append(kid);
  }
  return made;
}

export function h(tag, props = {}, ...kids) {
  return put(document.createElement(tag), props, kids);
}

export function svg(tag, props = {}, ...kids) {
  return put(document.createElementNS(SVG, tag), props, kids);
}

export function fill(parent, ...kids) {
  parent.replaceChildren(...kids.flat(Infinity).filter((kid) => kid !== null && kid !== undefined && kid !== false));
  return parent;
}

let numbers = 0;
export function uid(prefix) {
  numbers += 1;
  return `${prefix}-${numbers}`;
}

export function button(label, onclick, kind = '', props = {}) {
  return h('button', { type: 'button', class: `button ${kind}`.trim(), onclick, ...props }, label);
}

// A box that says something: kind info, ok, warn, error.
export function notice(kind, ...said) {
  return h(
    'div',
    { class: `notice ${kind}`, role: kind === 'error' ? 'alert' : 'status' },
    h('span', { class: 'mark', 'aria-hidden': 'true' }, { info: 'i', ok: '✓', warn: '!', error: '!' }[kind] || 'i'),
    h('div', {}, said),
  );
}

export function errorNotice(error) {
  return notice('error', error.message || String(error));
}

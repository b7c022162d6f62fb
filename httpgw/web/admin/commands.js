// commands.js - ad-hoc commands (XEP-0050): which there are, and running them step by step. Needs only `iq(type, to, payload)`.

import { NS, el, child, children, text } from './xml.js';
import { readForm, simpleSubmission, submission, tidy } from './forms.js';

export const ADMIN = (name) => `${NS.admin}#${name}`;
export const OURS = (name) => `urn:bulkhead:commands:${name}`;

const ACTIONS = ['prev', 'next', 'complete'];

// An <error/> of a stanza as something to throw.
export class StanzaError extends Error {
  constructor(condition, message, detail = '') {
    super(message || SAID[condition] || `The answer was “${condition}”.`);
    this.name = 'StanzaError';
    this.condition = condition;
    this.detail = detail; // the condition of the commands' own, such as bad-sessionid
    this.explained = Boolean(message);
  }
  // There is no such command, or nobody who knows commands.
  get missing() {
    return ['item-not-found', 'feature-not-implemented', 'service-unavailable'].includes(this.condition);
  }
}

const SAID = {
  forbidden: 'You are not allowed to do this.',
  'not-allowed': 'This is not allowed.',
  'not-authorized': 'You are not allowed to do this.',
  'item-not-found': 'There is no such thing.',
  'jid-malformed': 'This is not an address.',
  conflict: 'There is one of that name already.',
  'bad-request': 'This was not understood.',
  'not-acceptable': 'The form is not filled in well.',
  'resource-constraint': 'That is too much at once.',
  'remote-server-timeout': 'There is no answer.',
  'remote-server-not-found': 'Nobody of that name can be reached.',
  'service-unavailable': 'Nobody there answers this.',
  'feature-not-implemented': 'This is not known there.',
  'internal-server-error': 'Something went wrong at the server; its log says what.',
  'recipient-unavailable': 'Nobody is there now.',
};

export function readError(iq) {
  const error = child(iq, 'error');
  const condition = children(error).find((kid) => kid.ns === NS.stanzas && kid.name !== 'text');
  const detail = children(error).find((kid) => kid.ns === NS.commands);
  const said = text(child(error, 'text', NS.stanzas)).trim();
  return new StanzaError(
    condition ? condition.name : 'undefined-condition',
    said && said[0].toUpperCase() + said.slice(1),
    detail ? detail.name : '',
  );
}

// A <command/> that came: what it says, and what may be done next.
export function readCommand(node) {
  const box = child(node, 'actions', NS.commands);
  const allowed = ACTIONS.filter((name) => child(box, name));
  let normal = box ? box.attrs.execute || 'next' : 'complete';
  if (box && !allowed.includes(normal)) normal = allowed.includes('next') ? 'next' : allowed[allowed.length - 1] || 'complete';
  const form = child(node, 'x', NS.form);
  const url = text(child(child(node, 'x', NS.oob), 'url'));
  return {
    node: node.attrs.node || '',
    session: node.attrs.sessionid || '',
    status: node.attrs.status || 'completed',
    // without <actions/> there is one stage (XEP-0050 3.4)
    actions: allowed.length ? allowed : ['complete'],
    normal,
    staged: Boolean(box),
    notes: children(node, 'note', NS.commands).map((note) => ({ type: note.attrs.type || 'info', text: text(note) })),
    form: form ? readForm(form) : null,
    url: /^https?:\/\//i.test(url) ? url : '',
    strange: children(node).some((kid) => ![NS.commands, NS.form, NS.oob].includes(kid.ns)),
  };
}

// The commands of somebody: [{node, name}]. Nobody speaks for others (XEP-0050 7).
export async function list(iq, jid) {
  const answer = await iq('get', jid, el('query', NS.items, { node: NS.commands }));
  return children(child(answer, 'query', NS.items), 'item')
    .filter((item) => item.attrs.jid === jid && item.attrs.node)
    .map((item) => ({ node: item.attrs.node, name: item.attrs.name || item.attrs.node }));
}

// Their forms at once, where a server tells them: Map node → {name, changes, form or null}.
export async function describe(iq, jid) {
  const answer = await iq('get', jid, el('commands', NS.ours));
  const found = new Map();
  for (const node of children(child(answer, 'commands', NS.ours), 'command')) {
    const form = child(node, 'x', NS.form);
    found.set(node.attrs.node, {
      name: node.attrs.title || node.attrs.node,
      changes: node.attrs.changes !== '0' && node.attrs.changes !== 'false',
      form: form ? readForm(form) : null,
    });
  }
  return found;
}

// One run of one command. state: what came last.
export class Run {
  constructor(iq, jid, node) {
    this.iq = iq;
    this.jid = jid;
    this.node = node;
    this.state = null;
    this.steps = 0;
  }

  async send(action, form = null, session = this.state && this.state.session) {
    const attrs = { node: this.node, action, sessionid: session || null };
    const answer = await this.iq('set', this.jid, el('command', NS.commands, attrs, form));
    const node = child(answer, 'command', NS.commands);
    if (!node) throw new StanzaError('bad-request', 'The answer was no command.');
    this.state = readCommand(node);
    return this.state;
  }

  start(form = null) {
    return this.send('execute', form, null);
  }

  // A step with what is filled in. A server may forget a command's session after a mistake; a command of one step is
  // then simply begun anew.
  async step(action, values) {
    const at = this.state;
    const form = action === 'prev' || !at.form ? null : submission(at.form, values);
    try {
      const next = await this.send(action, form);
      this.steps += action === 'prev' ? -1 : 1;
      return next;
    } catch (error) {
      const lost = error.detail === 'bad-sessionid' || error.detail === 'session-expired';
      if (!lost || this.steps > 0 || action === 'prev') throw error;
    }
    const again = await this.start();
    if (again.status !== 'executing' || !again.form) return again;
    return this.send(again.normal, submission(again.form, values));
  }

  // Nobody waits for the answer.
  cancel() {
    const at = this.state;
    this.state = null;
    if (at && at.status === 'executing') {
      this.iq('set', this.jid, el('command', NS.commands, { node: this.node, action: 'cancel', sessionid: at.session })).catch(() => {});
    }
  }
}

// A command whose fields are known: values go with the first step; a command that wants to show its form first gets them with the second.
export async function query(iq, jid, node, values = {}) {
  const run = new Run(iq, jid, node);
  let state = await run.start(simpleSubmission(NS.admin, values));
  if (state.status === 'executing' && state.form) {
    const all = {};
    for (const field of state.form.fields) {
      all[field.var] = Object.hasOwn(values, field.var) ? tidy(field, [values[field.var]].flat().map(String)) : field.values;
    }
    state = await run.send(state.normal, submission(state.form, all));
  }
  const failed = state.notes.find((note) => note.type === 'error');
  if (failed) throw new StanzaError('undefined-condition', failed.text);
  return state;
}

// A result's field by name: its values.
export function resultValues(state, name) {
  const field = state.form && state.form.fields.find((it) => it.var === name);
  return field ? field.values : [];
}

// The rows of a table as {var: first value}.
export function rows(state) {
  return state.form
    ? state.form.items.map((item) => {
        const row = Object.create(null);
        for (const [name, values] of Object.entries(item)) row[name] = values.join('\n');
        return row;
      })
    : [];
}

// The first of some names that a row has.
export function pick(row, ...names) {
  for (const name of names) if (row[name] !== undefined) return row[name];
  return '';
}

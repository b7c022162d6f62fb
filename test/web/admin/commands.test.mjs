// commands.test.mjs - commands.js of the administration page (XEP-0050), with somebody who answers
import assert from 'node:assert/strict';
import test from 'node:test';
import { NS, child, children, el, text } from '../../../httpgw/web/admin/xml.js';
import { Run, StanzaError, describe, list, query, readCommand, readError, rows } from '../../../httpgw/web/admin/commands.js';

const C = NS.commands;
const command = (attrs, ...kids) => el('command', C, { node: 'n', sessionid: 's', status: 'executing', ...attrs }, kids);
const actions = (execute, ...names) =>
  el(
    'actions',
    C,
    execute ? { execute } : {},
    names.map((name) => el(name, C)),
  );
const form = (type, ...fields) => el('x', NS.form, { type }, fields);
const field = (name, value, attrs = {}) =>
  el('field', NS.form, { var: name, ...attrs }, value === undefined ? [] : el('value', NS.form, {}, value));
const iq = (payload) => el('iq', NS.client, { type: 'result' }, payload);
const error = (condition, said, detail) =>
  el(
    'iq',
    NS.client,
    { type: 'error' },
    el('error', NS.client, {}, el(condition, NS.stanzas), said ? el('text', NS.stanzas, {}, said) : null, detail ? el(detail, C) : null),
  );

// Answers in turn; what was asked is kept in `asked`.
function answering(...answers) {
  const asked = [];
  const ask = async (type, to, payload) => {
    asked.push({ type, to, payload });
    const next = answers.shift();
    if (next instanceof Error) throw next;
    return iq(next);
  };
  return { ask, asked };
}
const values = (payload) =>
  Object.fromEntries(children(child(payload, 'x'), 'field').map((it) => [it.attrs.var, children(it, 'value').map(text)]));

test('without <actions/> there is one step, which completes', () => {
  const got = readCommand(command({}, form('form')));
  assert.deepEqual([got.actions, got.normal, got.staged], [['complete'], 'complete', false]);
});

test('the usual action is what execute says, else next (XEP-0050 3.4)', () => {
  assert.equal(readCommand(command({}, actions('complete', 'prev', 'complete'))).normal, 'complete');
  assert.equal(readCommand(command({}, actions(null, 'prev', 'next'))).normal, 'next');
  assert.equal(readCommand(command({}, actions('next', 'complete'))).normal, 'complete', 'an action that is not allowed is none');
  assert.deepEqual(readCommand(command({}, actions('next', 'next', 'prev', 'cancel'))).actions, ['prev', 'next']);
});

test('notes have a type, info where none is said', () => {
  assert.deepEqual(readCommand(command({}, el('note', C, {}, 'a'), el('note', C, { type: 'warn' }, 'b'))).notes, [
    { type: 'info', text: 'a' },
    { type: 'warn', text: 'b' },
  ]);
});

test('only web addresses are links', () => {
  const url = (it) => readCommand(command({}, el('x', NS.oob, {}, el('url', NS.oob, {}, it)))).url;
  assert.equal(url('https://example.net/'), 'https://example.net/');
  assert.equal(url('javascript:alert(1)'), '');
  assert.equal(url(' data:text/html,x'), '');
});

test('nobody lists commands of others (XEP-0050 7)', async () => {
  const { ask } = answering(
    el(
      'query',
      NS.items,
      {},
      el('item', NS.items, { jid: 'a.example', node: 'x', name: 'X' }),
      el('item', NS.items, { jid: 'b.example', node: 'y' }),
      el('item', NS.items, { jid: 'a.example' }),
    ),
  );
  assert.deepEqual(await list(ask, 'a.example'), [{ node: 'x', name: 'X' }]);
});

test('errors say what their text says, else words for the condition', () => {
  assert.equal(readError(error('not-acceptable', 'the passwords differ')).message, 'The passwords differ');
  assert.match(readError(error('forbidden')).message, /not allowed/);
  assert.equal(readError(error('bad-request', '', 'bad-sessionid')).detail, 'bad-sessionid');
  assert.equal(readError(error('item-not-found')).missing, true);
  assert.equal(readError(error('forbidden')).missing, false);
});

test('steps forward and back carry the session; going back sends no form', async () => {
  const { ask, asked } = answering(
    command({}, actions('next', 'next'), form('form', field('a'))),
    command({}, actions('next', 'prev', 'next'), form('form', field('b'))),
    command({}, actions('next', 'next'), form('form', field('a'))),
    command({ status: 'completed' }),
  );
  const run = new Run(ask, 'x.example', 'n');
  await run.start();
  await run.step('next', { a: ['one'] });
  await run.step('prev', { b: ['lost'] });
  await run.step('next', { a: ['two'] });
  assert.deepEqual(
    asked.map((it) => it.payload.attrs.action),
    ['execute', 'next', 'prev', 'next'],
  );
  assert.deepEqual(
    asked.map((it) => it.payload.attrs.sessionid),
    [null, 's', 's', 's'],
  );
  assert.deepEqual(
    [values(asked[1].payload), child(asked[2].payload, 'x'), values(asked[3].payload)],
    [{ a: ['one'] }, null, { a: ['two'] }],
  );
  assert.equal(run.state.status, 'completed');
});

test('a session that a server forgot after a mistake is begun anew, in a command of one step', async () => {
  const lost = readError(error('bad-request', '', 'bad-sessionid'));
  const { ask, asked } = answering(
    command({}, form('form', field('a'))),
    lost,
    command({ sessionid: 't' }, form('form', field('a'))),
    command({ status: 'completed' }),
  );
  const run = new Run(ask, 'x.example', 'n');
  await run.start();
  assert.equal((await run.step('complete', { a: ['one'] })).status, 'completed');
  assert.deepEqual(
    asked.map((it) => it.payload.attrs.sessionid),
    [null, 's', null, 't'],
  );
  assert.deepEqual(values(asked[3].payload), { a: ['one'] });
});

test('a refusal is told; later steps cannot be begun anew', async () => {
  const { ask } = answering(
    command({}, form('form', field('a'))),
    new StanzaError('not-acceptable', 'no'),
    command({}, actions('next', 'next'), form('form')),
    readError(error('bad-request', '', 'bad-sessionid')),
  );
  const run = new Run(ask, 'x.example', 'n');
  await run.start();
  await assert.rejects(run.step('complete', { a: [''] }), /no/);
  await run.step('complete', {});
  await assert.rejects(run.step('next', {}), (it) => it.detail === 'bad-sessionid');
});

test('cancel is said while something is going on, and only then', async () => {
  const { ask, asked } = answering(command({}, form('form')), command({ status: 'canceled' }), command({ status: 'completed' }));
  const run = new Run(ask, 'x.example', 'n');
  run.cancel();
  await run.start();
  run.cancel();
  await run.start();
  run.cancel();
  assert.deepEqual(
    asked.map((it) => it.payload.attrs.action),
    ['execute', 'cancel', 'execute'],
  );
});

test('a query gives its values with the first step, and with the second where the form is shown first', async () => {
  const table = form('result', el('reported', NS.form, {}, field('d')), el('item', NS.form, {}, field('d', 'x')));
  const once = answering(command({ status: 'completed' }, table));
  assert.deepEqual(
    rows(await query(once.ask, 'x.example', 'n', { max: 5 })).map((row) => row.d),
    ['x'],
  );
  assert.deepEqual(values(once.asked[0].payload), { FORM_TYPE: [NS.admin], max: ['5'] });
  const twice = answering(
    command(
      {},
      actions('complete', 'complete'),
      form('form', field('FORM_TYPE', 'urn:other', { type: 'hidden' }), field('max', '1'), field('after', 'z')),
    ),
    command({ status: 'completed' }, table),
  );
  await query(twice.ask, 'x.example', 'n', { max: 5 });
  assert.deepEqual(values(twice.asked[1].payload), { FORM_TYPE: ['urn:other'], max: ['5'], after: ['z'] });
});

test('a query that ends with an error note has failed', async () => {
  const { ask } = answering(command({ status: 'completed' }, el('note', C, { type: 'error' }, 'it broke')));
  await assert.rejects(query(ask, 'x.example', 'n'), /it broke/);
});

test('commands are described at once where the server knows that', async () => {
  const { ask } = answering(
    el(
      'commands',
      NS.ours,
      {},
      el('command', NS.ours, { node: 'a', title: 'A', changes: '0' }),
      el('command', NS.ours, { node: 'b', title: 'B', changes: '1' }, form('form', field('accountjid'))),
    ),
  );
  const got = await describe(ask, 'x.example');
  assert.deepEqual(
    [got.get('a').changes, got.get('a').form, got.get('b').changes, got.get('b').form.fields[0].var],
    [false, null, true, 'accountjid'],
  );
});

// forms.test.mjs - forms.js and validate.js of the administration page: XEP-0004, XEP-0122
import assert from 'node:assert/strict';
import test from 'node:test';
import { NS, child, children, el, text } from '../../../httpgw/web/admin/xml.js';
import { checkField, checkForm, readForm, readable, shown, simpleSubmission, submission, tidy } from '../../../httpgw/web/admin/forms.js';
import { checkJid, checkValue, compile, hint, repeats } from '../../../httpgw/web/admin/validate.js';

const value = (it) => el('value', NS.form, {}, it);
const field = (attrs, ...kids) =>
  el(
    'field',
    NS.form,
    attrs,
    kids.map((kid) => (typeof kid === 'string' ? value(kid) : kid)),
  );
const option = (it, label) => el('option', NS.form, label ? { label } : {}, value(it));
const required = el('required', NS.form);
const validate = (datatype, ...kids) => el('validate', NS.validate, { datatype }, kids);
const rule = (name, attrs, ...kids) => el(name, NS.validate, attrs, ...kids);
const form = (...fields) => readForm(el('x', NS.form, { type: 'form' }, fields));
const one = (...args) => form(field(...args)).fields[0];
const sent = (node) => Object.fromEntries(children(node, 'field').map((it) => [it.attrs.var, children(it, 'value').map(text)]));

test('a form is read with all that it says', () => {
  const got = readForm(
    el(
      'x',
      NS.form,
      { type: 'form' },
      el('title', NS.form, {}, 'A title'),
      el('instructions', NS.form, {}, 'One.'),
      el('instructions', NS.form, {}, 'Two.'),
      field({ var: 'a', type: 'list-single', label: 'A' }, el('desc', NS.form, {}, 'Which'), required, 'x', option('x', 'Ex'), option('y')),
    ),
  );
  assert.deepEqual([got.type, got.title, got.instructions], ['form', 'A title', ['One.', 'Two.']]);
  const [a] = got.fields;
  assert.deepEqual([a.var, a.type, a.label, a.desc, a.required, a.values, a.open], ['a', 'list-single', 'A', 'Which', true, ['x'], false]);
  assert.deepEqual(a.options, [
    { value: 'x', label: 'Ex' },
    { value: 'y', label: 'y' },
  ]);
});

test('a type that is not known, or none, is text-single (XEP-0004 3.3)', () => {
  assert.equal(one({ var: 'a', type: 'text-colour' }).type, 'text-single');
  assert.equal(one({ var: 'a' }).type, 'text-single');
});

test('only fields of many values keep more than one', () => {
  assert.deepEqual(one({ var: 'a', type: 'text-single' }, 'x', 'y').values, ['x']);
  assert.deepEqual(one({ var: 'a', type: 'hidden' }, 'x', 'y').values, ['x', 'y']);
  assert.deepEqual(one({ var: 'a', type: 'text-multi' }, 'x\ny', 'z').values, ['x', 'y', 'z']);
});

test('a submission has hidden fields as they came, no fixed ones, and all values', () => {
  const it = form(
    field({ var: 'FORM_TYPE', type: 'hidden' }, 'urn:x'),
    field({ type: 'fixed' }, 'A heading'),
    field({ var: 'm', type: 'text-multi' }),
    field({ var: 'b', type: 'boolean' }),
    field({ var: 'j', type: 'jid-multi' }),
  );
  const got = submission(it, { m: ['one', 'two', ''], b: ['true'], j: [' a@b ', 'a@b', '', 'c@d'] });
  assert.equal(got.attrs.type, 'submit');
  assert.deepEqual(sent(got), { FORM_TYPE: ['urn:x'], m: ['one', 'two'], b: ['1'], j: ['a@b', 'c@d'] });
});

test('what is empty stays out, unless it was emptied (XEP-0004 3.5, 3.6)', () => {
  const it = form(field({ var: 'never', type: 'text-single' }), field({ var: 'was', type: 'text-single' }, 'here'));
  assert.deepEqual(sent(submission(it, { never: [''], was: [''] })), { was: [''] });
});

test('an unchecked boolean is sent as false', () => {
  assert.deepEqual(sent(submission(form(field({ var: 'b', type: 'boolean' }, '1')), { b: ['0'] })), { b: ['0'] });
});

test('required fields want a value, each kind in its words', () => {
  assert.match(checkField(one({ var: 'a', type: 'text-single' }, required), ['']), /needed/);
  assert.match(checkField(one({ var: 'a', type: 'list-single' }, required, option('x')), []), /choose/);
  assert.equal(checkField(one({ var: 'a', type: 'text-single' }, required), ['x']), null);
  assert.equal(checkField(one({ var: 'a', type: 'boolean' }, required), ['0']), null);
});

test('all that is wrong in a form is found at once', () => {
  const it = form(
    field({ var: 'a', type: 'text-single' }, required),
    field({ var: 'j', type: 'jid-single' }),
    field({ var: 'ok', type: 'text-single' }),
  );
  assert.deepEqual([...checkForm(it, { a: [''], j: ['@x'], ok: ['y'] }).keys()], ['a', 'j']);
});

test('a closed list takes its options only, an open one others too (XEP-0122 3.2.2)', () => {
  const options = [option('x'), option('y')];
  assert.match(checkField(one({ var: 'a', type: 'list-single' }, ...options), ['z']), /choices/);
  assert.equal(checkField(one({ var: 'a', type: 'list-single' }, ...options, validate('xs:string', rule('open', {}))), ['z']), null);
  const numbers = one({ var: 'a', type: 'list-single' }, option('none'), option('10'), validate('xs:int', rule('open', {})));
  assert.equal(checkField(numbers, ['none']), null, 'what is offered is always good');
  assert.equal(checkField(numbers, ['77']), null);
  assert.match(checkField(numbers, ['seven']), /whole number/);
});

test('list-range bounds how many are chosen (XEP-0122 3.3)', () => {
  const it = one(
    { var: 'a', type: 'list-multi' },
    option('x'),
    option('y'),
    option('z'),
    validate('xs:string', rule('basic', {}), rule('list-range', { min: '1', max: '2' })),
  );
  assert.match(checkField(it, []), /at least 1/);
  assert.equal(checkField(it, ['x', 'y']), null);
  assert.match(checkField(it, ['x', 'y', 'z']), /at most 2/);
});

test('datatypes', () => {
  const good = {
    'xs:int': ['0', '-2147483648', '+7', ' 8 '],
    'xs:unsignedByte': ['255'],
    'xs:positiveInteger': ['99999999999999999999999'],
    'xs:decimal': ['1.5', '-.5'],
    'xs:double': ['1e9', 'INF'],
    'xs:boolean': ['true', '0'],
    'xs:date': ['2028-02-29', '2026-11-28Z'],
    'xs:dateTime': ['2026-11-28T20:15:00Z', '2026-11-28T20:15:00.5+02:00'],
    'xs:time': ['23:59:59'],
    'xs:language': ['en-GB'],
    'xs:hexBinary': ['00ff'],
    'x:ours': ['whatever'],
    'xs:string': ['any thing'],
  };
  const bad = {
    'xs:int': ['', '1.5', '2147483648', 'x', '0x10'],
    'xs:unsignedByte': ['-1', '256'],
    'xs:positiveInteger': ['0'],
    'xs:decimal': ['1e5', '.'],
    'xs:double': ['one'],
    'xs:boolean': ['yes'],
    'xs:date': ['2026-02-29', '2026-13-01', '28.11.2026', '2026-11-31'],
    'xs:dateTime': ['2026-11-28', '2026-11-31T00:00:00Z'],
    'xs:time': ['24:00:01', '7:00'],
    'xs:language': ['much too long'],
    'xs:hexBinary': ['0'],
  };
  for (const [datatype, values] of Object.entries(good))
    for (const it of values) assert.equal(checkValue({ datatype, method: 'basic' }, it), null, `${datatype} ${it}`);
  for (const [datatype, values] of Object.entries(bad))
    for (const it of values) assert.notEqual(checkValue({ datatype, method: 'basic' }, it), null, `${datatype} ${it}`);
});

test('ranges, in the order of the datatype', () => {
  const range = (datatype, min, max) => ({ datatype, method: 'range', min, max });
  assert.match(checkValue(range('xs:int', '1', '10'), '0'), /least is 1/);
  assert.match(checkValue(range('xs:int', '1', '10'), '11'), /most is 10/);
  assert.equal(checkValue(range('xs:int', '9', '100'), '10'), null, 'as numbers, not as texts');
  assert.equal(checkValue(range('xs:long', undefined, '9007199254740993'), '9007199254740993'), null);
  assert.match(
    checkValue(range('xs:long', undefined, '9007199254740992'), '9007199254740993'),
    /most/,
    'beyond what a double can tell apart',
  );
  assert.match(checkValue(range('xs:date', '2026-01-01'), '2025-12-31'), /least/);
  assert.equal(checkValue(range('xs:int', 'rubbish', ''), '5'), null, 'a bound that is none bounds nothing');
});

test('patterns are POSIX ones and are for the whole value', () => {
  const regex = (pattern) => ({ datatype: 'xs:string', method: 'regex', regex: pattern });
  assert.equal(checkValue(regex('([0-9]{3})-([0-9]{2})-([0-9]{4})'), '123-12-1234'), null);
  assert.match(checkValue(regex('([0-9]{3})-([0-9]{2})-([0-9]{4})'), 'x123-12-1234'), /form/);
  assert.equal(checkValue(regex('[[:alpha:]]+'), 'Äpfel'), null);
  assert.match(checkValue(regex('[[:digit:]]{2}'), 'ab'), /form/);
  assert.match(checkValue(regex('a|b'), 'ab'), /form/);
});

test('patterns that could run for ever are not run, nor broken or foreign ones', () => {
  for (const pattern of [
    '(a+)+',
    '(a*)*b',
    '(a|a)*b',
    '(a|aa)+$',
    '([a-z]+)*',
    '((a)+)+',
    '((ab|a)b?)+',
    '(x+x+)+y',
    '(?=a)b',
    '(a)\\1',
    '((',
    '[',
    'a'.repeat(300),
  ])
    assert.equal(compile(pattern), null, pattern);
  assert.equal(checkValue({ datatype: 'xs:string', method: 'regex', regex: '(a+)+' }, 'b'), null, 'then the server decides');
  assert.ok(compile('(ab)+'));
  assert.equal(repeats('a*b*c*'), 3);
  // and these come to an end
  checkValue({ datatype: 'xs:string', method: 'regex', regex: '.*.*.*.*.*.*x' }, 'a'.repeat(100000));
  checkValue({ datatype: 'xs:string', method: 'regex', regex: 'a*'.repeat(60) + 'b' }, 'a'.repeat(5000));
});

test('addresses', () => {
  for (const it of ['juliet@example.net', 'example.net', 'a@b/c d/e', 'ü@bücher.example']) assert.equal(checkJid(it), null, it);
  for (const it of ['', '@example.net', 'a@', 'a@b/', 'a b@c', 'a@b@c', '<a>@b', `${'x'.repeat(1024)}@b`])
    assert.notEqual(checkJid(it), null, it);
});

test('what is asked for is said in words', () => {
  assert.equal(hint({ datatype: 'xs:int', method: 'range', min: '1', max: '9' }), 'a whole number from 1 to 9');
  assert.equal(hint({ datatype: 'xs:unsignedShort', method: 'basic' }), 'a whole number from 0 to 65535');
  assert.equal(hint({ datatype: 'xs:string', method: 'basic' }), '');
  assert.equal(hint(null), '');
});

test('tables: columns of <reported/>, rows of <item/>', () => {
  const it = readForm(
    el(
      'x',
      NS.form,
      { type: 'result' },
      el('reported', NS.form, {}, field({ var: 'a', label: 'A', type: 'boolean' }), field({ var: 'b' })),
      el('item', NS.form, {}, field({ var: 'a' }, '1'), field({ var: 'b' }, 'x', 'y')),
      el('item', NS.form, {}, field({ var: 'b' }, 'z')),
    ),
  );
  assert.deepEqual(
    it.reported.map((column) => column.var),
    ['a', 'b'],
  );
  assert.deepEqual(
    it.items.map((row) => row.b),
    [['x', 'y'], ['z']],
  );
  assert.equal(shown(it.reported[0], it.items[0].a), 'yes');
  assert.equal(shown(it.reported[0], it.items[1].a), '');
});

test('a column named as a property of every object is only a name', () => {
  const it = readForm(
    el('x', NS.form, { type: 'result' }, el('item', NS.form, {}, field({ var: '__proto__' }, 'x'), field({ var: 'constructor' }, 'y'))),
  );
  assert.deepEqual(
    it.reported.map((column) => column.var),
    ['__proto__', 'constructor'],
  );
  assert.deepEqual(it.items[0].constructor, ['y']);
});

test('a submission without a form', () => {
  assert.deepEqual(sent(simpleSubmission('urn:x', { a: 'one', b: ['x', 'y'] })), { FORM_TYPE: ['urn:x'], a: ['one'], b: ['x', 'y'] });
  assert.equal(child(simpleSubmission('', {}), 'field'), null);
});

test('ends of lines and empty lines at the end are tidied', () => {
  assert.deepEqual(tidy({ type: 'text-multi' }, ['a\r', '', 'b', '', '']), ['a', '', 'b']);
});

test('moments are written for people', () => {
  assert.equal(readable('2026-11-28T19:12:16.223Z'), '2026-11-28 19:12:16 UTC');
  assert.equal(readable('2026-11-28T19:12:16+01:00 and more'), '2026-11-28T19:12:16+01:00 and more');
});

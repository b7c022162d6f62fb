// validate.js - whether a value is what a form's field asks for (XEP-0122), as far as a page can tell. Pure.
//
// The server checks again. So what we do not know, or would have to trust a stranger's pattern for, passes here.

const integer = (min, max) => ({ kind: 'integer', min, max });
const TYPES = {
  'xs:byte': integer(-128n, 127n),
  'xs:short': integer(-32768n, 32767n),
  'xs:int': integer(-2147483648n, 2147483647n),
  'xs:long': integer(-(2n ** 63n), 2n ** 63n - 1n),
  'xs:integer': integer(null, null),
  'xs:unsignedByte': integer(0n, 255n),
  'xs:unsignedShort': integer(0n, 65535n),
  'xs:unsignedInt': integer(0n, 4294967295n),
  'xs:unsignedLong': integer(0n, 2n ** 64n - 1n),
  'xs:nonNegativeInteger': integer(0n, null),
  'xs:positiveInteger': integer(1n, null),
  'xs:nonPositiveInteger': integer(null, 0n),
  'xs:negativeInteger': integer(null, -1n),
  'xs:decimal': { kind: 'number', form: /^[+-]?(\d+(\.\d*)?|\.\d+)$/, name: 'a number' },
  'xs:float': { kind: 'number', form: /^([+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|-?INF|NaN)$/, name: 'a number' },
  'xs:double': { kind: 'number', form: /^([+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|-?INF|NaN)$/, name: 'a number' },
  'xs:boolean': { kind: 'string', form: /^(true|false|0|1)$/, name: 'true or false' },
  'xs:dateTime': {
    kind: 'date',
    form: /^-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?$/,
    name: 'a date and time such as 2026-11-28T20:15:00Z',
  },
  'xs:date': { kind: 'date', form: /^-?\d{4,}-\d\d-\d\d(Z|[+-]\d\d:\d\d)?$/, name: 'a date such as 2026-11-28' },
  'xs:time': {
    kind: 'time',
    form: /^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]\d\d:\d\d)?$/,
    name: 'a time such as 20:15:00',
  },
  'xs:language': { kind: 'string', form: /^[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*$/, name: 'a language such as en' },
  'xs:hexBinary': { kind: 'string', form: /^([0-9a-fA-F]{2})*$/, name: 'hexadecimal digits' },
  'xs:base64Binary': { kind: 'string', form: /^[A-Za-z0-9+/=\s]*$/, name: 'Base64' },
  'xs:anyURI': { kind: 'string', form: /^\S*$/, name: 'an address without spaces' },
};

// "xs:int" and what it stands for; a datatype that we do not know is a string (XEP-0122 4.1).
function typeOf(rule) {
  return TYPES[(rule && rule.datatype) || 'xs:string'] || { kind: 'string' };
}

export function isNumeric(rule) {
  const kind = typeOf(rule).kind;
  return kind === 'integer' || kind === 'number';
}

export function isInteger(rule) {
  return typeOf(rule).kind === 'integer';
}

// Something that can be compared, or null: the text is not of that type.
function valueOf(type, value) {
  if (type.kind === 'integer') {
    if (!/^[+-]?\d{1,100}$/.test(value)) return null;
    const n = BigInt(value.replace(/^\+/, ''));
    if ((type.min !== null && n < type.min) || (type.max !== null && n > type.max)) return null;
    return n;
  }
  if (type.form && !type.form.test(value)) return null;
  if (type.kind === 'number') return value === 'INF' ? Infinity : value === '-INF' ? -Infinity : Number(value);
  if (type.kind === 'date') {
    const at = Date.parse(value);
    const day = /-(\d\d)(T|Z|[+-]|$)/.exec(value.slice(5));
    if (Number.isNaN(at)) return null;
    // 31 April is no date, though some engines make 1 May of it.
    const [y, m] = value.split('-').map(Number);
    return Number(day[1]) > new Date(Date.UTC(y, m, 0)).getUTCDate() ? null : at;
  }
  return value;
}

function limits(type, rule) {
  const read = (bound) => (bound === null || bound === undefined || bound === '' ? null : valueOf(type, bound));
  return { min: read(rule.min), max: read(rule.max) };
}

function typeName(type) {
  return type.kind === 'integer' ? 'a whole number' : type.name || 'a text';
}

// What is asked for, in words for people; '' where there is nothing to say.
export function hint(rule) {
  if (!rule) return '';
  const type = typeOf(rule);
  const said = type.kind === 'string' && !type.form ? '' : typeName(type);
  let min = rule.method === 'range' ? rule.min : null,
    max = rule.method === 'range' ? rule.max : null;
  if (type.kind === 'integer') {
    if ((min ?? '') === '' && type.min !== null && type.min > -65536n) min = String(type.min);
    if ((max ?? '') === '' && type.max !== null && type.max < 65536n) max = String(type.max);
  }
  const has = (bound) => bound !== null && bound !== undefined && bound !== '';
  if (has(min) && has(max)) return `${said || 'a text'} from ${min} to ${max}`;
  if (has(min)) return `${said || 'a text'}, at least ${min}`;
  if (has(max)) return `${said || 'a text'}, at most ${max}`;
  return said;
}

// What is wrong with one value, or null.
export function checkValue(rule, value) {
  if (!rule) return null;
  const type = typeOf(rule);
  const got = valueOf(type, type.kind === 'string' ? value : value.trim());
  if (got === null) return `This is not ${hint({ ...rule, method: 'basic' }) || 'allowed'}.`;
  if (rule.method === 'range' && type.kind !== 'string') {
    const { min, max } = limits(type, rule);
    if (min !== null && got < min) return `The least is ${rule.min}.`;
    if (max !== null && got > max) return `The most is ${rule.max}.`;
  }
  if (rule.method === 'regex') {
    const pattern = compile(rule.regex);
    if (pattern && affordable(rule.regex, value) && !pattern.test(value)) return 'This does not have the form that is asked for.';
  }
  return null;
}

// --- patterns of a stranger ---

const CLASSES = {
  alpha: '\\p{L}',
  digit: '\\p{Nd}',
  alnum: '\\p{L}\\p{Nd}',
  upper: '\\p{Lu}',
  lower: '\\p{Ll}',
  space: '\\s',
  punct: '\\p{P}\\p{S}',
  xdigit: '0-9A-Fa-f',
  blank: ' \\t',
  cntrl: '\\p{Cc}',
};
const PATTERN_MAX = 256;
const COST_MAX = 1e6;

// How many quantifiers of a pattern have no small end; -1: a repeated group has quantifiers or branches within it, so that the
// time may grow like a power of two (or we cannot tell).
export function repeats(pattern) {
  const groups = [];
  let open = 0,
    inClass = false;
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i];
    if (c === '\\') {
      i++;
    } else if (inClass) {
      if (c === '[' && pattern[i + 1] === ':') i = Math.max(i, pattern.indexOf(':]', i) + 1);
      else if (c === ']') inClass = false;
    } else if (c === '[') {
      inClass = true;
      if (pattern[i + 1] === '^') i++;
      if (pattern[i + 1] === ']') i++;
    } else if (c === '(') {
      groups.push({ inside: open, branches: false });
    } else if (c === '|' && groups.length) {
      groups[groups.length - 1].branches = true;
    } else if ('*+?{'.includes(c)) {
      const bounds = /^\{(\d*)(,?)(\d*)\}/.exec(pattern.slice(i));
      const closed = pattern[i - 1] === ')' ? groups.closed : null;
      const most = c === '?' ? 1 : bounds && (bounds[3] || !bounds[2]) ? Number(bounds[3] || bounds[1]) : Infinity;
      if (most > 1 && closed && (closed.branches || closed.inside !== open)) return -1;
      if (most > 8) open++;
      if (bounds) i += bounds[0].length - 1;
    }
    if (c === ')' && !inClass) {
      groups.closed = groups.pop();
      if (!groups.closed) return -1;
      const outer = groups[groups.length - 1];
      if (outer && groups.closed.branches) outer.branches = true;
    }
  }
  return open;
}

function affordable(pattern, value) {
  const n = repeats(pattern);
  return n >= 0 && Math.pow(value.length + 1, n + 1) <= COST_MAX;
}

// A POSIX extended expression (XEP-0122 3.2.4) for the whole value, or null: not one that we dare to run.
export function compile(pattern) {
  if (!pattern || pattern.length > PATTERN_MAX || repeats(pattern) < 0) return null;
  if (/\(\?|\\[1-9k]/.test(pattern)) return null;
  const js = pattern.replace(/\[:(\w+):\]/g, (all, name) => CLASSES[name] || all);
  for (const flags of ['u', '']) {
    try {
      return new RegExp(`^(?:${js})$`, flags);
    } catch (e) {
      /* the next, or not at all */
    }
  }
  return null;
}

// --- addresses ---

// What is wrong with an address (RFC 7622), or null. A first look only: the server prepares it.
export function checkJid(value) {
  const [, local, domain, resource] = /^(?:([^@/]*)@)?([^@/]+)(?:\/(.*))?$/s.exec(value) || [];
  const bytes = (part) => new TextEncoder().encode(part || '').length;
  if (!domain || local === '' || resource === '') return 'This is not an address such as juliet@example.net.';
  if ([local, domain, resource].some((part) => bytes(part) > 1023)) return 'A part of this address is too long.';
  if (/[\s"&'/:<>@]/.test(local || '') || /[\s"&'<>@/]/.test(domain)) return 'There is a character in it that no address has.';
  return null;
}

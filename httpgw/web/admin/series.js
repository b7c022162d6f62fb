// series.js - figures of the daemons turned into what is plotted: rates from counters, sums, ten minutes of memory. Pure.

export const STEP_MS = 2000;
export const SPAN_MS = 600000;

// What is asked for: figures whose names begin so.
export const WANTED = [
  'cpu_us',
  'pss_kib',
  'rss_kib',
  'uptime_s',
  'sessions',
  'queued',
  'loop.',
  'store.',
  'links.',
  'peers.',
  'per_second.',
  'bulkhead_c2s_stanzas',
  'bulkhead_httpgw_stanzas',
  'bulkhead_s2s_stanzas',
  'bulkhead_s2s_queued',
  'bulkhead_sessman_commit_seconds',
  'bulkhead_sessman_outbox',
  'bulkhead_sessman_sessions',
];

export function roleOf(daemon) {
  return daemon.replace(/-\d+$/, '');
}

// Rows {daemon, figure, value} → Map daemon → Map figure → number.
export function readFigures(rows) {
  const all = new Map();
  for (const { daemon, figure, value } of rows) {
    const n = Number(value);
    if (!daemon || !figure || value === '' || !Number.isFinite(n)) continue;
    if (!all.has(daemon)) all.set(daemon, new Map());
    all.get(daemon).set(figure, n);
  }
  return all;
}

// Growth a second; null: nothing to compare with, or the daemon has begun anew.
export function rate(before, now, name, seconds) {
  const a = before && before.get(name),
    b = now.get(name);
  if (a === undefined || b === undefined || b < a || !(seconds > 0)) return null;
  const up = [before.get('uptime_s'), now.get('uptime_s')];
  if (up[0] !== undefined && up[1] !== undefined && up[1] < up[0]) return null;
  return (b - a) / seconds;
}

function first(...values) {
  const it = values.find((value) => value !== null && value !== undefined);
  return it === undefined ? null : it;
}

function sumOf(figures, pattern) {
  let sum = null;
  for (const [name, value] of figures) if (pattern.test(name)) sum = (sum || 0) + value;
  return sum;
}

const QUEUED_BYTES = /(^|\.)(waiting_bytes|unacked_bytes|queue_bytes)$|^bulkhead_s2s_queued_bytes$/;
const EDGES = ['c2s', 'httpgw'];

// Of one daemon: {plot: value}. before: its figures the last time, or undefined.
export function derive(daemon, before, now, seconds) {
  const role = roleOf(daemon),
    at = {};
  const set = (plot, value) => {
    if (value !== null && value !== undefined) at[plot] = value;
  };
  const stanzas = (way) => first(rate(before, now, `bulkhead_${role}_stanzas_${way}_total`, seconds), now.get(`per_second.stanzas_${way}`));
  if (EDGES.includes(role)) set('sessions', now.get('sessions'));
  if (EDGES.includes(role) || role === 's2s') {
    set('in', stanzas('in'));
    set('out', stanzas('out'));
  }
  const cpu = rate(before, now, 'cpu_us', seconds);
  set('cpu', cpu === null ? null : cpu / 1e4);
  set('memory', first(now.get('pss_kib'), now.get('rss_kib')) * 1024 || null);
  const busy = rate(before, now, 'loop.busy_us', seconds),
    turns = rate(before, now, 'loop.turns', seconds);
  if (busy !== null && turns) set('turn', busy / turns / 1000);
  set('bytes', sumOf(now, QUEUED_BYTES));
  if (role === 'sessman') {
    const us = rate(before, now, 'bulkhead_sessman_commit_seconds_sum_us', seconds);
    const n = rate(before, now, 'bulkhead_sessman_commit_seconds_count', seconds);
    if (us !== null && n) set('commit', us / n / 1000);
    set('items', (now.get('store.waiting') || 0) + (now.get('bulkhead_sessman_outbox') || 0));
  }
  if (role === 's2s') set('items', first(now.get('bulkhead_s2s_queued'), now.get('queued')));
  return at;
}

// The samples of the last SPAN_MS: [{t, values: {plot: {series: value}}}].
export class History {
  constructor(span = SPAN_MS) {
    this.span = span;
    this.samples = [];
  }

  add(t, values) {
    this.samples.push({ t, values });
    while (this.samples.length && this.samples[0].t < t - this.span) this.samples.shift();
  }

  // [{name, points: [[t, value]]}], by name; a value that is missing is a gap, and so is a time without samples.
  series(plot, gap = STEP_MS * 3) {
    const names = new Set();
    for (const sample of this.samples) for (const name of Object.keys(sample.values[plot] || {})) names.add(name);
    return [...names]
      .sort((a, b) => a.localeCompare(b, undefined, { numeric: true }))
      .map((name) => {
        const points = [];
        let last = null;
        for (const { t, values } of this.samples) {
          if (last !== null && t - last > gap) points.push([(t + last) / 2, null]);
          const value = (values[plot] || {})[name];
          points.push([t, value === undefined ? null : value]);
          last = t;
        }
        return { name, points };
      });
  }
}

// Many daemons are shown by role: what each of a role's has, added.
export function byRole(series) {
  const roles = new Map();
  for (const { name, points } of series) {
    const role = roleOf(name),
      sum = roles.get(role);
    if (!sum) {
      roles.set(
        role,
        points.map((point) => [...point]),
      );
      continue;
    }
    points.forEach(([, value], i) => {
      if (value !== null) sum[i][1] = (sum[i][1] || 0) + value;
    });
  }
  return [...roles].map(([name, points]) => ({ name, points }));
}

// The newest value of a series, or null.
export function latest(points) {
  for (let i = points.length - 1; i >= 0; i--) if (points[i][1] !== null) return points[i][1];
  return null;
}

export function summary(points) {
  const values = points.map((point) => point[1]).filter((value) => value !== null);
  if (!values.length) return null;
  return {
    now: latest(points),
    least: Math.min(...values),
    most: Math.max(...values),
    mean: values.reduce((a, b) => a + b, 0) / values.length,
  };
}

// --- numbers for people, and the ticks of an axis ---

export function formatNumber(value) {
  if (value === null || value === undefined) return '–';
  const abs = Math.abs(value);
  if (abs >= 1e6) return `${(value / 1e6).toFixed(abs >= 1e7 ? 0 : 1)}M`;
  if (abs >= 1e4) return `${(value / 1e3).toFixed(abs >= 1e5 ? 0 : 1)}k`;
  if (abs >= 100 || Number.isInteger(value)) return String(Math.round(value));
  if (abs >= 0.1) return String(Number(value.toFixed(abs >= 10 ? 1 : 2)));
  return abs < 1e-4 ? '0' : String(Number(value.toPrecision(2)));
}

export function formatBytes(value) {
  if (value === null || value === undefined) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let i = 0,
    n = value;
  while (Math.abs(n) >= 1024 && i < units.length - 1) {
    n /= 1024;
    i++;
  }
  return `${Number(n.toFixed(n >= 100 || i === 0 ? 0 : 1))} ${units[i]}`;
}

export const formatMs = (value) =>
  value === null || value === undefined ? '–' : value >= 1000 ? `${formatNumber(value / 1000)} s` : `${formatNumber(value)} ms`;
export const formatPercent = (value) => (value === null || value === undefined ? '–' : `${formatNumber(value)} %`);

// Round steps from 0 to at least `top`: [0, 5, 10]. binary: in powers of 1024.
export function ticks(top, binary = false, whole = false) {
  const unit = binary && top > 0 ? 1024 ** Math.min(4, Math.floor(Math.log(top) / Math.log(1024))) : 1;
  const high = Math.max(top / unit, whole || binary || top <= 0 ? 1 : 0.01);
  const power = 10 ** Math.floor(Math.log10(high / 3));
  let step = [1, 2, 5, 10].map((m) => m * power).find((it) => high / it <= 4);
  if (whole && unit === 1) step = Math.max(1, Math.round(step));
  const list = [];
  for (let i = 0; i === 0 || list[list.length - 1] < high - 1e-9; i++) list.push(Number((i * step).toPrecision(12)));
  return list.map((n) => n * unit);
}

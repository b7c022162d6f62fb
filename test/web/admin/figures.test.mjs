// figures.test.mjs - series.js, rows.js, tail.js of the administration page: rates, ticks, tables, logs
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  History,
  byRole,
  derive,
  formatBytes,
  formatMs,
  formatNumber,
  latest,
  rate,
  readFigures,
  summary,
  ticks,
} from '../../../httpgw/web/admin/series.js';
import { compare, isNumeric, matches, sorted, toCsv } from '../../../httpgw/web/admin/rows.js';
import { byTime, join, readLine } from '../../../httpgw/web/admin/tail.js';

const map = (figures) => new Map(Object.entries(figures));

test('figures are read by daemon; what is no number is left out', () => {
  const got = readFigures([
    { daemon: 'c2s-1', figure: 'sessions', value: '3' },
    { daemon: 'c2s-1', figure: 'version', value: '0.1.0' },
    { daemon: 'c2s-1', figure: 'x', value: '' },
    { daemon: '', figure: 'y', value: '1' },
  ]);
  assert.deepEqual([...got.keys()], ['c2s-1']);
  assert.deepEqual([...got.get('c2s-1')], [['sessions', 3]]);
});

test('a rate is growth a second, and none after a new beginning', () => {
  assert.equal(rate(map({ n: 10 }), map({ n: 30 }), 'n', 2), 10);
  assert.equal(rate(undefined, map({ n: 30 }), 'n', 2), null);
  assert.equal(rate(map({ n: 10 }), map({ n: 5 }), 'n', 2), null);
  assert.equal(
    rate(map({ n: 1, uptime_s: 500 }), map({ n: 30, uptime_s: 1 }), 'n', 2),
    null,
    'a daemon that began anew may have counted further already',
  );
  assert.equal(rate(map({ n: 1 }), map({ n: 30 }), 'n', 0), null);
});

test('what is plotted of an edge', () => {
  const before = map({
    cpu_us: 0,
    bulkhead_c2s_stanzas_in_total: 100,
    bulkhead_c2s_stanzas_out_total: 0,
    'loop.turns': 0,
    'loop.busy_us': 0,
  });
  const now = map({
    cpu_us: 500000,
    bulkhead_c2s_stanzas_in_total: 300,
    bulkhead_c2s_stanzas_out_total: 20,
    sessions: 7,
    pss_kib: 2,
    rss_kib: 9,
    'loop.turns': 10,
    'loop.busy_us': 20000,
    'links.0.waiting_bytes': 5,
    'links.0.nodes.0.unacked_bytes': 6,
    'per_second.stanzas_in': 1,
  });
  assert.deepEqual(derive('c2s-1', before, now, 2), { sessions: 7, in: 100, out: 10, cpu: 25, memory: 2048, turn: 2, bytes: 11 });
  assert.deepEqual(
    derive('c2s-1', undefined, map({ sessions: 7, 'per_second.stanzas_in': 1 }), 0),
    { sessions: 7, in: 1 },
    'the first time there are no rates',
  );
});

test('what is plotted of a session manager', () => {
  const before = map({ bulkhead_sessman_commit_seconds_sum_us: 0, bulkhead_sessman_commit_seconds_count: 0 });
  const now = map({
    bulkhead_sessman_commit_seconds_sum_us: 9000,
    bulkhead_sessman_commit_seconds_count: 3,
    'store.waiting': 2,
    bulkhead_sessman_outbox: 4,
    sessions: 5,
  });
  assert.deepEqual(derive('sessman-1', before, now, 2), { commit: 3, items: 6 });
  assert.equal(derive('sessman-1', now, now, 2).commit, undefined, 'nothing was committed meanwhile');
});

test('ten minutes are kept; what is missing is a gap', () => {
  const history = new History(10000);
  for (const t of [0, 2000, 4000, 12000]) history.add(t, { cpu: t === 4000 ? { a: 1 } : { a: 2, b: 3 } });
  assert.equal(history.samples[0].t, 2000);
  const [a, b] = history.series('cpu');
  assert.deepEqual([a.name, b.name], ['a', 'b']);
  assert.deepEqual(
    a.points,
    [
      [2000, 2],
      [4000, 1],
      [8000, null],
      [12000, 2],
    ],
    'a time without samples is a gap',
  );
  assert.deepEqual(
    b.points.map((it) => it[1]),
    [3, null, null, 3],
  );
  assert.deepEqual(history.series('nothing'), []);
});

test('many daemons are added by role', () => {
  const got = byRole([
    {
      name: 'c2s-1',
      points: [
        [0, 1],
        [1, null],
      ],
    },
    {
      name: 'c2s-2',
      points: [
        [0, 2],
        [1, 4],
      ],
    },
    {
      name: 'router-1',
      points: [
        [0, null],
        [1, 1],
      ],
    },
  ]);
  assert.deepEqual(got, [
    {
      name: 'c2s',
      points: [
        [0, 3],
        [1, 4],
      ],
    },
    {
      name: 'router',
      points: [
        [0, null],
        [1, 1],
      ],
    },
  ]);
});

test('a series in words', () => {
  assert.equal(
    latest([
      [0, 5],
      [1, null],
    ]),
    5,
  );
  assert.deepEqual(
    summary([
      [0, 2],
      [1, null],
      [2, 4],
    ]),
    { now: 4, least: 2, most: 4, mean: 3 },
  );
  assert.equal(summary([[0, null]]), null);
});

test('ticks begin at 0, are round, few, and reach over the top', () => {
  assert.deepEqual(ticks(0, false, true), [0, 1]);
  assert.deepEqual(ticks(0), [0, 0.5, 1]);
  assert.deepEqual(ticks(7), [0, 2, 4, 6, 8]);
  assert.deepEqual(
    ticks(3 * 1048576, true).map((it) => it / 1048576),
    [0, 1, 2, 3],
  );
  for (const top of [0, 0.004, 0.3, 1, 2.5, 9.99, 10, 99, 101, 12345, 1e9]) {
    const list = ticks(top);
    assert.ok(list[0] === 0 && list[list.length - 1] >= top && list.length >= 2 && list.length <= 6, `${top}: ${list}`);
  }
});

test('numbers for people', () => {
  assert.deepEqual([0, 7, 0.1234, 12.34, 1234, 12345, 2500000].map(formatNumber), ['0', '7', '0.12', '12.3', '1234', '12.3k', '2.5M']);
  assert.deepEqual([0.005, 0.08664, 0.00000001].map(formatNumber), ['0.005', '0.087', '0']);
  assert.deepEqual([0, 512, 2048, 1572864].map(formatBytes), ['0 B', '512 B', '2 KiB', '1.5 MiB']);
  assert.deepEqual([null, 1.5, 2500].map(formatMs), ['–', '1.5 ms', '2.5 s']);
});

test('rows are sorted as people do, and stay in order where they are alike', () => {
  assert.deepEqual(['c2s-10', 'c2s-2', 'B', 'a'].sort(compare), ['a', 'B', 'c2s-2', 'c2s-10']);
  assert.deepEqual(
    sorted(
      [
        { k: '10', v: 1 },
        { k: '9', v: 2 },
        { k: '9', v: 3 },
      ],
      (row) => row.k,
      false,
    ).map((row) => row.v),
    [2, 3, 1],
  );
  assert.deepEqual(
    sorted(
      [
        { k: '9', v: 2 },
        { k: '9', v: 3 },
        { k: '10', v: 1 },
      ],
      (row) => row.k,
      true,
    ).map((row) => row.v),
    [1, 2, 3],
  );
  assert.equal(
    isNumeric([{ k: '1' }, { k: '' }, { k: '2.5' }], (row) => row.k),
    true,
  );
  assert.equal(
    isNumeric([{ k: '' }], (row) => row.k),
    false,
  );
  assert.equal(matches(['Romeo@im.example', 'yes'], 'ROMEO yes'), true);
  assert.equal(matches(['romeo'], 'romeo no'), false);
});

test('CSV is quoted, and no cell is a formula', () => {
  assert.equal(
    toCsv([
      ['a', 'b'],
      ['x,y', 'say "hi"\n'],
      ['=1+1', '-5'],
      ['-x', '@sum'],
    ]),
    'a,b\r\n"x,y","say ""hi""\n"\r\n\'=1+1,-5\r\n\'-x,\'@sum\r\n',
  );
});

test('a log that comes again is joined to what is there', () => {
  assert.deepEqual(join([], ['a', 'b']), ['a', 'b']);
  assert.deepEqual(join(['a', 'b', 'c'], ['b', 'c', 'd']), ['a', 'b', 'c', 'd']);
  assert.deepEqual(join(['a', 'b'], ['a', 'b']), ['a', 'b']);
  assert.deepEqual(join(['a', 'x', 'x'], ['x', 'x', 'x']), ['a', 'x', 'x', 'x'], 'alike lines');
  assert.deepEqual(join(['a'], ['y', 'z']), ['a', 'y', 'z'], 'more came than was kept');
  assert.deepEqual(join(['a', 'b'], ['b', 'c', 'd'], 2), ['c', 'd']);
});

test('a line of a log is taken apart, whatever is in it', () => {
  assert.deepEqual(readLine('2026-11-20T15:20:23.112Z level=warn daemon=c2s-1 ev=x text="level=error"'), {
    time: '2026-11-20T15:20:23.112Z',
    level: 'warn',
    daemon: 'c2s-1',
    ev: 'x',
    rest: 'level=warn daemon=c2s-1 ev=x text="level=error"',
  });
  assert.deepEqual(readLine('rubbish'), { time: '', level: '', daemon: '', ev: '', rest: 'rubbish' });
  assert.deepEqual(
    byTime(['2026-11-20T15:20:24.000Z b', '2026-11-20T15:20:23.000Z a']).map((it) => it.slice(-1)),
    ['a', 'b'],
  );
});

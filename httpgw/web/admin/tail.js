// tail.js - lines of logs that come again and again, joined to one tail. Pure.

const KEPT = 2000;

// What of `got` is new after `have`: both end with the newest line; the longest end of `have` that `got` begins with is not.
export function join(have, got, kept = KEPT) {
  let same = 0;
  for (let n = Math.min(have.length, got.length); n > 0 && !same; n--) {
    let i = 0;
    while (i < n && have[have.length - n + i] === got[i]) i++;
    if (i === n) same = n;
  }
  return [...have, ...got.slice(same)].slice(-kept);
}

const FIELD = /([\w.-]+)=("(?:[^"\\]|\\.)*"|\S*)/g;

// {time, level, daemon, ev, rest} of "2026-11-20T15:20:23.112Z level=info daemon=c2s ... ev=auth_failed mech=PLAIN".
export function readLine(line) {
  const [, time, rest] = /^(\d{4}-\d\d-\d\dT[\d:.]+Z?)\s+(.*)$/s.exec(line) || [null, '', line];
  const found = {};
  for (const [, name, value] of rest.matchAll(FIELD)) if (['level', 'daemon', 'ev'].includes(name) && !(name in found)) found[name] = value;
  return { time, level: found.level || '', daemon: found.daemon || '', ev: found.ev || '', rest };
}

export function byTime(lines) {
  return lines
    .map((line, i) => ({ line, i, time: readLine(line).time }))
    .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : a.i - b.i))
    .map((it) => it.line);
}

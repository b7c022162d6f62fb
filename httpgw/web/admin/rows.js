// rows.js - tables as data: order, filter, CSV. Pure.

const NUMBER = /^-?\d+(\.\d+)?$/;

// By number where both are numbers, else as people sort: "c2s-2" before "c2s-10".
export function compare(a, b) {
  if (NUMBER.test(a) && NUMBER.test(b)) return Number(a) - Number(b);
  return a.localeCompare(b, undefined, { numeric: true, sensitivity: 'base' });
}

// keys: functions of a row. What is equal keeps its order.
export function sorted(rows, key, down) {
  const list = rows.map((row, i) => ({ row, i, key: String(key(row) ?? '') }));
  list.sort((a, b) => (down ? compare(b.key, a.key) : compare(a.key, b.key)) || a.i - b.i);
  return list.map((it) => it.row);
}

export function isNumeric(rows, key) {
  const given = rows.map((row) => String(key(row) ?? '')).filter((value) => value !== '');
  return given.length > 0 && given.every((value) => NUMBER.test(value));
}

// Every word is somewhere in the row.
export function matches(values, words) {
  const all = values.join('\n').toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .filter(Boolean)
    .every((word) => all.includes(word));
}

// RFC 4180. A cell that a spreadsheet would run is made a text by an apostrophe.
export function toCsv(lines) {
  const cell = (value) => {
    let text = String(value ?? '');
    if (/^[=+@\t\r]/.test(text) || (text.startsWith('-') && !NUMBER.test(text))) text = `'${text}`;
    return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  return lines.map((line) => line.map(cell).join(',') + '\r\n').join('');
}

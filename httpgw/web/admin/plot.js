// plot.js - lines over the last ten minutes, in SVG: readout by pointer and by arrow keys, and the same in words

import { fill, h, svg, uid } from './dom.js';
import { SPAN_MS, STEP_MS, formatNumber, summary, ticks } from './series.js';

const LEFT = 52,
  RIGHT = 10,
  TOP = 8,
  BOTTOM = 20,
  HEIGHT = 150;
const SLOTS = 8;
const SPANS = [60000, 120000, 300000, SPAN_MS]; // as long as there is no more to show, less is shown

function ago(ms) {
  const s = Math.round(ms / 1000);
  if (s < 3) return 'now';
  return s < 120 ? `${s} s ago` : `${Math.floor(s / 60)} min ${s % 60} s ago`;
}

function length(ms) {
  return ms < 60000 ? `${ms / 1000} s` : `${ms / 60000} min`;
}

export class Plot {
  // headline: 'sum' of all series, or the greatest ('most').
  constructor({ title, about, format = formatNumber, binary = false, whole = false, headline = 'sum' }) {
    Object.assign(this, { title, format, binary, whole, headline });
    this.series = [];
    this.now = 0;
    this.width = 0;
    this.span = SPANS[0];
    this.cursor = null; // a time, or null
    const id = uid('plot');
    this.big = h('span', { class: 'plot-now' }, '–');
    this.lines = svg('g');
    this.marks = svg('g', { class: 'plot-cursor' });
    this.svg = svg(
      'svg',
      { class: 'plot-svg', height: HEIGHT, role: 'img', tabindex: '0', 'aria-labelledby': `${id}-title ${id}-words` },
      this.lines,
      this.marks,
    );
    this.tip = h('div', { class: 'plot-tip', hidden: true });
    this.words = h('p', { class: 'hidden', id: `${id}-words` });
    this.spoken = h('p', { class: 'hidden', 'aria-live': 'polite' });
    this.legend = h('ul', { class: 'plot-legend' });
    this.table = h('tbody');
    this.element = h(
      'figure',
      { class: 'plot' },
      h('figcaption', {}, h('h3', { id: `${id}-title` }, title), this.big, about ? h('p', { class: 'plot-about' }, about) : null),
      h('div', { class: 'plot-area' }, this.svg, this.tip),
      this.legend,
      this.words,
      this.spoken,
      h(
        'details',
        { class: 'plot-table' },
        h('summary', {}, 'As a table'),
        h(
          'div',
          { class: 'table-scroll', tabindex: '0', role: 'region', 'aria-label': `${title}, as a table` },
          h(
            'table',
            {},
            h(
              'thead',
              {},
              h(
                'tr',
                {},
                ['', 'Now', 'Least', 'Mean', 'Most'].map((it, i) =>
                  h('th', { scope: 'col', class: i ? 'number' : null }, it || h('span', { class: 'hidden' }, 'Series')),
                ),
              ),
            ),
            this.table,
          ),
        ),
      ),
    );
    this.svg.addEventListener('pointermove', (event) => this.point(event));
    this.svg.addEventListener('pointerdown', (event) => this.point(event));
    this.svg.addEventListener('pointerleave', (event) => {
      if (event.pointerType === 'mouse') this.look(null);
    });
    this.svg.addEventListener('blur', () => this.look(null));
    this.svg.addEventListener('keydown', (event) => this.key(event));
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(this.svg);
  }

  close() {
    this.watch.disconnect();
  }

  // slots: series name → which colour.
  update(series, now, slots) {
    this.series = series;
    this.now = now;
    this.slots = slots;
    const began = Math.min(now, ...series.flatMap(({ points }) => points.slice(0, 1).map((point) => point[0])));
    this.span = SPANS.find((span) => began >= now - span) || SPAN_MS;
    this.draw();
    this.tell();
  }

  x(t) {
    return LEFT + (this.width - LEFT - RIGHT) * (1 - (this.now - t) / this.span);
  }

  y(value) {
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / this.top);
  }

  slot(name) {
    return (this.slots.get(name) ?? 0) % SLOTS;
  }

  // A path with a new beginning after each gap; a lone value is a dot (round caps).
  path(points) {
    let d = '',
      down = false;
    for (const [t, value] of points) {
      if (value === null || t < this.now - this.span) {
        down = false;
        continue;
      }
      const at = `${this.x(t).toFixed(1)} ${this.y(value).toFixed(1)}`;
      d += down ? `L${at}` : `M${at}h0.01`;
      down = true;
    }
    return d;
  }

  axes(list) {
    const end = this.width - RIGHT,
      parts = [];
    for (const value of list) {
      const y = this.y(value);
      parts.push(
        svg('line', { class: value === 0 ? 'plot-base' : 'plot-grid', x1: LEFT, x2: end, y1: y, y2: y }),
        svg('text', { class: 'plot-label', x: LEFT - 8, y: y + 4, 'text-anchor': 'end' }, this.format(value)),
      );
    }
    for (const [label, ms, anchor] of [
      [`${length(this.span)} ago`, this.span, 'start'],
      [length(this.span / 2), this.span / 2, 'middle'],
      ['now', 0, 'end'],
    ]) {
      parts.push(svg('text', { class: 'plot-label', x: this.x(this.now - ms), y: HEIGHT - 4, 'text-anchor': anchor }, label));
    }
    return parts;
  }

  draw() {
    this.width = Math.max(160, this.svg.clientWidth || this.element.clientWidth);
    let most = 0;
    for (const { points } of this.series) for (const [, value] of points) if (value > most) most = value;
    const list = ticks(most, this.binary, this.whole);
    this.top = list[list.length - 1];
    this.svg.setAttribute('viewBox', `0 0 ${this.width} ${HEIGHT}`);
    const empty = this.series.some(({ points }) => points.some((point) => point[1] !== null))
      ? null
      : svg(
          'text',
          { class: 'plot-label', x: LEFT + (this.width - LEFT - RIGHT) / 2, y: HEIGHT / 2, 'text-anchor': 'middle' },
          'Nothing yet',
        );
    fill(
      this.lines,
      this.axes(list),
      empty,
      this.series.map(({ name, points }) => svg('path', { class: `plot-line s${this.slot(name)}`, d: this.path(points) })),
    );
    this.look(this.cursor);
  }

  tell() {
    const all = this.series.map(({ name, points }) => ({ name, ...summary(points) })).filter((it) => it.now !== undefined);
    const values = all.map((it) => it.now).filter((it) => it !== null);
    const now = !values.length ? null : this.headline === 'sum' ? values.reduce((a, b) => a + b, 0) : Math.max(...values);
    this.big.textContent = this.format(now);
    this.words.textContent = all.length
      ? all.map((it) => `${it.name}: now ${this.format(it.now)}, from ${this.format(it.least)} to ${this.format(it.most)}.`).join(' ')
      : 'There are no values yet.';
    const legend = all.map((it) => it.name).join('\n');
    if (legend !== this.legended) {
      this.legended = legend;
      fill(
        this.legend,
        all.map((it) => h('li', {}, this.swatch(it.name), h('span', {}, it.name), h('span', { class: 'plot-value' }))),
      );
    }
    all.forEach((it, i) => {
      this.legend.children[i].lastElementChild.textContent = this.format(it.now);
    });
    fill(
      this.table,
      all.map((it) =>
        h(
          'tr',
          {},
          h('th', { scope: 'row' }, it.name),
          [it.now, it.least, it.mean, it.most].map((value) => h('td', { class: 'number' }, this.format(value))),
        ),
      ),
    );
  }

  swatch(name) {
    return svg(
      'svg',
      { class: 'swatch', width: 14, height: 8, 'aria-hidden': 'true' },
      svg('line', { class: `plot-line s${this.slot(name)}`, x1: 1, x2: 13, y1: 4, y2: 4 }),
    );
  }

  times() {
    return this.series.length
      ? this.series[0].points.filter((point) => point[1] !== null || this.series.length > 1).map((point) => point[0])
      : [];
  }

  point(event) {
    const box = this.svg.getBoundingClientRect();
    const at = this.now - this.span * (1 - (event.clientX - box.left - LEFT) / (this.width - LEFT - RIGHT));
    this.look(this.nearest(at));
  }

  nearest(at) {
    let best = null;
    for (const t of this.times()) if (best === null || Math.abs(t - at) < Math.abs(best - at)) best = t;
    return best;
  }

  key(event) {
    const times = this.times();
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -15, PageDown: 15 }[event.key];
    if (event.key === 'Escape' && this.cursor !== null) this.look(null);
    else if (event.key === 'Home') this.look(times[0] ?? null);
    else if (event.key === 'End') this.look(times[times.length - 1] ?? null);
    else if (step && times.length) {
      const i = this.cursor === null ? times.length - (step > 0 ? 1 : 0) : times.indexOf(this.nearest(this.cursor));
      this.look(times[Math.min(times.length - 1, Math.max(0, i + step))]);
    } else return;
    event.preventDefault();
    if (this.cursor !== null)
      this.spoken.textContent = `${ago(this.now - this.cursor)}: ${this.at(this.cursor)
        .map((it) => `${it.name} ${this.format(it.value)}`)
        .join(', ')}`;
  }

  at(t) {
    return this.series
      .map(({ name, points }) => {
        const point = points.find((it) => Math.abs(it[0] - t) < STEP_MS / 2);
        return { name, value: point ? point[1] : null };
      })
      .filter((it) => it.value !== null);
  }

  look(t) {
    this.cursor = t !== null && t >= this.now - this.span ? t : null;
    const values = this.cursor === null ? [] : this.at(this.cursor);
    this.tip.hidden = values.length === 0;
    if (!values.length) {
      fill(this.marks);
      return;
    }
    const x = this.x(this.cursor);
    fill(
      this.marks,
      svg('line', { class: 'plot-cross', x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }),
      values.map((it) => svg('circle', { class: `plot-dot s${this.slot(it.name)}`, cx: x, cy: this.y(it.value), r: 4 })),
    );
    fill(
      this.tip,
      h('div', { class: 'plot-when' }, ago(this.now - this.cursor)),
      values
        .sort((a, b) => b.value - a.value)
        .map((it) => h('div', { class: 'plot-tip-row' }, this.swatch(it.name), h('span', {}, it.name), h('b', {}, this.format(it.value)))),
    );
    const right = x > this.width / 2;
    this.tip.style.left = right ? '' : `${x + 10}px`;
    this.tip.style.right = right ? `${this.width - x + 10}px` : '';
  }
}

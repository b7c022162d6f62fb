// monitor.js - asks for the daemons' figures every two seconds, from the login on, and remembers ten minutes of them

import { OURS, query, rows } from './commands.js';
import { History, STEP_MS, WANTED, derive, readFigures } from './series.js';

const MISSING_MS = 30000; // how often it is tried again where there is no such command

export class Monitor {
  constructor(client, domain) {
    this.client = client;
    this.domain = domain;
    this.history = new History();
    this.before = null; // {t, figures} of the last time
    this.trouble = null; // why there are no figures, or null
    this.tried = -Infinity;
    this.listeners = new Set();
    this.stopped = false;
    this.turn();
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  // Calls back after each step; gives back what ends that.
  watch(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async turn() {
    const began = performance.now();
    if (this.client.state === 'online') await this.step(began);
    if (this.stopped) return;
    for (const listener of this.listeners) listener(this);
    this.timer = setTimeout(() => this.turn(), Math.max(200, STEP_MS - (performance.now() - began)));
  }

  async step(began) {
    const values = { latency: {} };
    const [trip] = await Promise.all([this.client.ping(this.domain).catch(() => null), this.figures(values)]);
    if (trip !== null) values.latency['This page and back'] = trip;
    this.history.add(began, values);
  }

  async figures(values) {
    if (this.missing && performance.now() - this.tried < MISSING_MS) return;
    this.tried = performance.now();
    try {
      const state = await query(this.client.iq, this.domain, OURS('figures'), { figures: WANTED });
      this.take(readFigures(rows(state)), performance.now(), values);
      this.trouble = null;
      this.missing = false;
    } catch (error) {
      this.trouble = error;
      this.missing = Boolean(error.missing || error.condition === 'forbidden');
    }
  }

  take(figures, t, values) {
    const before = this.before;
    this.before = { t, figures };
    for (const [daemon, now] of figures) {
      const got = derive(daemon, before ? before.figures.get(daemon) : undefined, now, before ? (t - before.t) / 1000 : 0);
      for (const [plot, value] of Object.entries(got)) {
        if (plot === 'commit') values.latency[`Commit, ${daemon}`] = value;
        else (values[plot] = values[plot] || {})[daemon] = value;
      }
    }
    this.daemons = [...figures.keys()];
    this.figuresNow = figures;
  }
}

// test/web/mailbox.mjs - what has come, and waiting for what must come
const PATIENCE_MS = 1000 * Number(process.env.BLACKBOX_PATIENCE || 20);

export class Mailbox {
  constructor(name) {
    this.name = name;
    this.items = [];
    this.waiting = [];
  }

  put(item) {
    const i = this.waiting.findIndex((it) => it.wanted(item));
    if (i < 0) this.items.push(item);
    else this.waiting.splice(i, 1)[0].resolve(item);
  }

  // The first item that is wanted, taken out; it is waited for.
  take(wanted) {
    const i = this.items.findIndex(wanted);
    if (i >= 0) return Promise.resolve(this.items.splice(i, 1)[0]);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(this.name + ' waits in vain for ' + wanted + '; there is ' + JSON.stringify(this.items))), PATIENCE_MS);
      this.waiting.push({ wanted, resolve: (item) => {
        clearTimeout(timer);
        resolve(item);
      } });
    });
  }
}

// The result is the last line of the output.
export function finish(result) {
  process.stdout.write(JSON.stringify(result) + '\n', () => process.exit(0));
}

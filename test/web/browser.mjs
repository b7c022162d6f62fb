// test/web/browser.mjs - one browser (Debian's chromium), and the scripts that test/blackbox/web.py has run in it
//
// It reads lines of JSON, {"script": "NAME.mjs", "args": {...}}, and answers each with one: {"result": ...} or {"error": "...", "pages": [...]}.
// A script is a module beside this one; its default export is called with a Tab maker and the args (see Browser below). What a page complains
// of (errors on its console, exceptions, what its Content-Security-Policy stopped, requests that failed) fails the script, unless it has said
// that it expects it.
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import path from 'node:path';
import { chromium } from 'playwright-core';

const PATIENCE_MS = 1000 * Number(process.env.BLACKBOX_PATIENCE || 20);
export const DESKTOP = { viewport: { width: 1280, height: 800 } };
export const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

// What a script gets.
class Browser {
  constructor(process, pictures) {
    this.process = process;
    this.pictures = pictures;
    this.tabs = [];
  }

  // A page of a user of its own: nothing is shared with other tabs. how: what playwright calls the options of a context, such as
  // {...PHONE, colorScheme: 'dark'}. Its `problems` are what it has complained of.
  async tab(name, how = {}) {
    const context = await this.process.newContext({ ...DESKTOP, ignoreHTTPSErrors: true, reducedMotion: 'reduce', locale: 'en-GB', ...how });
    const page = await context.newPage();
    const tab = { name, context, page, problems: [], requests: [], expected: [], lines: [] };
    context.setDefaultTimeout(PATIENCE_MS);
    this.tabs.push(tab);
    watch(tab);
    tab.expect = (pattern) => tab.expected.push(pattern);
    tab.picture = (label) => this.picture(page, label);
    return tab;
  }

  // Saved in BUILD/screenshots/LABEL.png, to be looked at by people.
  async picture(page, label) {
    mkdirSync(this.pictures, { recursive: true });
    const file = path.join(this.pictures, label + '.png');
    await page.screenshot({ path: file, animations: 'disabled' });
    return file;
  }

  problems() {
    const expected = (tab, text) => tab.expected.some((pattern) => pattern.test(text));
    return this.tabs.flatMap((tab) => tab.problems.filter((text) => !expected(tab, text)).map((text) => tab.name + ': ' + text));
  }

  async close() {
    for (const tab of this.tabs) await tab.context.close();
  }
}

function watch(tab) {
  const { page } = tab;
  page.on('console', (message) => {
    tab.lines.push(message.type() + ': ' + message.text());
    if (message.type() === 'error') tab.problems.push('console: ' + message.text());
  });
  page.on('pageerror', (error) => tab.problems.push('exception: ' + (error.stack || error)));
  page.on('request', (request) => tab.requests.push(request.method() + ' ' + request.url()));
  page.on('requestfailed', (request) => {
    const why = request.failure() ? request.failure().errorText : '';
    if (why !== 'net::ERR_ABORTED') tab.problems.push('failed: ' + request.url() + ' ' + why);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) tab.problems.push('status ' + response.status() + ': ' + response.url());
  });
}

// The page's contrast and sizes are for people to judge; this is what can be measured: nothing is wider than the window.
export async function fitsTheWindow(page) {
  const [inside, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  if (inside > window) throw new Error('the page is ' + inside + ' wide in a window of ' + window);
}

// Goes on with the Tab key until what has the focus matches; it must be seen that it has it.
export async function tabTo(page, selector, most = 60) {
  for (let i = 0; i < most; i++) {
    if (await page.evaluate((s) => !!document.activeElement && document.activeElement.matches(s), selector)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(selector + ' is not reached with the Tab key');
}

async function run(process, pictures, { script, args }) {
  const it = new Browser(process, pictures);
  try {
    const module = await import(new URL(script, import.meta.url));
    const result = await module.default(it, args);
    const problems = it.problems();
    if (problems.length) throw new Error(problems.join('\n'));
    return { result: result === undefined ? null : result };
  } catch (error) {
    const pages = [];
    for (const tab of it.tabs) {
      const file = await it.picture(tab.page, 'failed-' + path.basename(script, '.mjs') + '-' + tab.name).catch(String);
      pages.push({ name: tab.name, picture: file, url: tab.page.url(), problems: tab.problems, console: tab.lines.slice(-40), requests: tab.requests.slice(-40) });
    }
    return { error: String(error.stack || error), pages };
  } finally {
    await it.close();
  }
}

async function main(executable, pictures, rules) {
  const process = await chromium.launch({
    executablePath: executable,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
      '--disable-sync', '--no-proxy-server', '--host-resolver-rules=' + rules],
  });
  console.log(JSON.stringify({ ready: process.version() }));
  for await (const line of createInterface({ input: globalThis.process.stdin })) {
    console.log(JSON.stringify(await run(process, pictures, JSON.parse(line))));
  }
  await process.close();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(...process.argv.slice(2));

// test/web/browser.mjs - what scripts that use a browser are made of; run.mjs runs them
//
// What a page complains of (errors on its console, exceptions, what its Content-Security-Policy stopped, requests that failed) fails the script,
// unless it has said that it expects it.
import { mkdirSync } from 'node:fs';
import path from 'node:path';

export const PATIENCE_MS = 1000 * Number(process.env.BLACKBOX_PATIENCE || 20);
export const DESKTOP = { viewport: { width: 1280, height: 800 } };
export const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

// What a script gets.
export class Browser {
  constructor(process, pictures, ask) {
    this.process = process;
    this.pictures = pictures;
    this.ask = ask; // await browser.ask('restart'): what the test's function gives back
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
  for (let i = 0; i <= most; i++) {
    if (await page.evaluate((s) => !!document.activeElement && document.activeElement.matches(s), selector)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(selector + ' is not reached with the Tab key');
}

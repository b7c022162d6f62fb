// test/web/run.mjs CHROMIUM PICTURES RULES - one browser, and the scripts that test/blackbox/web.py has run in it
//
// It reads lines of JSON, {"script": "NAME.mjs", "args": {...}}, and answers each with one: {"result": ...} or {"error": "...", "pages": [...]}.
// Before that a script may ask the test for something: {"ask": ...}, which the test answers with a line of JSON.
// A script is a module beside this one; its default export is called with a Browser (browser.mjs) and the args.
import { createInterface } from 'node:readline';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { Browser, PATIENCE_MS } from './browser.mjs';

async function run(chrome, pictures, ask, { script, args }) {
  const it = new Browser(chrome, pictures, ask);
  try {
    const module = await import(new URL(script, import.meta.url));
    const result = await module.default(it, args);
    const problems = it.problems();
    if (problems.length) throw new Error(problems.join('\n'));
    return { result: result === undefined ? null : result };
  } catch (error) {
    const pages = [];
    for (const tab of it.tabs) {
      const file = await inTime(it.picture(tab.page, 'failed-' + path.basename(script, '.mjs') + '-' + tab.name)).catch(String);
      pages.push({ name: tab.name, picture: file, url: tab.page.url(), problems: tab.problems, console: tab.lines.slice(-40), requests: tab.requests.slice(-40) });
    }
    return { error: String(error.stack || error), pages };
  } finally {
    await inTime(it.close()).catch(() => process.exit(1));
  }
}

// A page that runs for ever answers nothing.
function inTime(promise) {
  let timer;
  const over = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('the page does not answer')), PATIENCE_MS);
  });
  return Promise.race([promise, over]).finally(() => clearTimeout(timer));
}

async function main(executable, pictures, rules) {
  const chrome = await chromium.launch({
    executablePath: executable,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
      '--disable-sync', '--no-proxy-server', '--host-resolver-rules=' + rules],
  });
  console.log(JSON.stringify({ ready: chrome.version() }));
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    return done ? null : JSON.parse(value);
  };
  const ask = (what) => {
    console.log(JSON.stringify({ ask: what }));
    return next();
  };
  for (let order = await next(); order; order = await next()) {
    console.log(JSON.stringify(await run(chrome, pictures, ask, order)));
  }
  await chrome.close();
}

await main(...process.argv.slice(2));

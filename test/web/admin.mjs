// test/web/admin.mjs - what people do on the administration page, in a browser: one function for each test of test_web_admin.py
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { DESKTOP, PHONE, fitsTheWindow, tabTo } from './browser.mjs';

const SMALL = { ...PHONE, viewport: { width: 320, height: 640 } };
const VIEWS = ['overview', 'sessions', 'users', 'domains', 'certificates', 'log', 'commands'];

// --- what is done again and again ---

async function fillLogin(page, { url, jid, password }) {
  await page.goto(url);
  await page.getByLabel('Address of an administrator').fill(jid);
  await page.getByLabel('Password').fill(password);
}

async function login(browser, args, how = {}, name = 'admin') {
  const tab = await browser.tab(name, how);
  await fillLogin(tab.page, args);
  await tab.page.getByRole('button', { name: 'Log in' }).click();
  await tab.page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
  return tab;
}

async function open(page, view) {
  await page.locator(`nav a[data-view=${view}]`).click();
  await page.locator(`.view.${view}`).waitFor();
}

const dialog = (page) => page.getByRole('dialog');
const input = (box, label) => box.getByLabel(label).and(box.locator('input, select, textarea'));
const row = (page, text) => page.locator('tbody tr', { hasText: text });

async function openEntity(page, jid) {
  await open(page, 'commands');
  await page.getByLabel('Another address').fill(jid);
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  await page.getByRole('heading', { name: jid, level: 2 }).waitFor();
}

// Another client, in a page of its own: nothing but the library that the page itself uses.
async function client(browser, { url, jid, password, resource }) {
  const tab = await browser.tab('client');
  await tab.page.goto(url);
  return {
    tab,
    jid: await tab.page.evaluate(
      async ({ address, secret }) => {
        const { Strophe, $pres } = await import(new URL('lib/strophe.js', location.href).href);
        const conn = new Strophe.Connection(`wss://${location.host}/ws`);
        window.conn = conn;
        return new Promise((resolve, reject) => {
          conn.connect(address, secret, (status) => {
            if (status === Strophe.Status.CONNECTED) {
              conn.send($pres());
              resolve(conn.jid);
            } else if (status === Strophe.Status.AUTHFAIL || status === Strophe.Status.CONNFAIL) reject(new Error(`status ${status}`));
          });
        });
      },
      { address: `${jid}/${resource}`, secret: password },
    ),
  };
}

async function unhurt(page) {
  assert.equal(await page.evaluate(() => window.hurt), undefined, "a stranger's text has run");
  assert.equal(await page.locator('main img, dialog img, main script, dialog script').count(), 0);
}

// --- the tests ---

async function addUser(browser, args) {
  const { page, picture } = await login(browser, args);
  const plot = page.locator('figure.plot', { has: page.getByRole('heading', { name: 'Sessions', exact: true }) });
  const now = () => plot.locator('.plot-now').textContent().then(Number);
  await page.waitForFunction((it) => Number(it.textContent) >= 1, await plot.locator('.plot-now').elementHandle());
  const before = await now();
  await open(page, 'users');
  await page.getByRole('button', { name: 'Add a user' }).click();
  const box = dialog(page);
  await box.getByLabel('Address of the new account').fill(args.user);
  await input(box, /^Password \*/).fill(args.secret);
  await input(box, 'Password again').fill('something else');
  await box.getByRole('button', { name: 'Add', exact: true }).click();
  await box.getByRole('alert').getByText('The passwords differ').waitFor();
  await picture('admin-user-refused');
  await input(box, 'Password again').fill(args.secret);
  await box.getByRole('button', { name: 'Add', exact: true }).click();
  await box.getByText('Done.').waitFor();
  await page.keyboard.press('Enter'); // the focus is on Close
  await box.waitFor({ state: 'detached' });
  await row(page, args.user).waitFor();
  await picture('admin-users');
  const other = await client(browser, { ...args, jid: args.user, password: args.secret, resource: 'desk' });
  await open(page, 'overview');
  await page.waitForFunction(([it, n]) => Number(it.textContent) > n, [await plot.locator('.plot-now').elementHandle(), before]);
  await picture('admin-overview');
  await open(page, 'sessions');
  await row(page, other.jid).waitFor();
  await picture('admin-sessions');
  // and it is ended by the page
  await row(page, other.jid).getByRole('button', { name: 'End' }).click();
  await dialog(page).getByRole('button', { name: 'End session' }).click();
  await dialog(page).getByText('Done.').waitFor();
  await page.keyboard.press('Escape');
  await row(page, other.jid).waitFor({ state: 'detached' });
  await other.tab.page.waitForFunction(() => !window.conn.connected);
  // the account's own page, and its end
  await open(page, 'users');
  await page.getByRole('link', { name: args.user }).click();
  await page.getByRole('heading', { name: args.user, level: 1 }).waitFor();
  await page.getByRole('button', { name: 'Delete users' }).click();
  assert.equal(await dialog(page).getByRole('textbox').inputValue(), args.user);
  await dialog(page).getByRole('button', { name: 'Run' }).click();
  await dialog(page).getByText('Done.').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('link', { name: 'Users' }).first().click();
  await page.getByRole('link', { name: args.jid }).waitFor();
  await row(page, args.user).waitFor({ state: 'detached' });
  other.tab.expect(/[Ww]eb[Ss]ocket/);
}

async function fields(browser, args) {
  const { page, picture } = await login(browser, args);
  await openEntity(page, args.component);
  assert.equal(await page.getByText('Of somebody else').count(), 0, "a command in another's name is shown");
  await page.getByRole('button', { name: 'Every kind of field' }).click();
  const box = dialog(page),
    run = box.getByRole('button', { name: 'Run' });
  await run.click();
  assert.equal(await box.getByText('This is needed.').count(), 3);
  assert.equal(await box.getByText('Please choose.').count(), 1);
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-invalid')), 'true');
  await box.getByLabel('Name').fill('A <b>thing</b>');
  await input(box, /^Key/).fill('secret');
  await box.getByRole('button', { name: 'Show: Key' }).click();
  assert.equal(await input(box, /^Key/).getAttribute('type'), 'text');
  await box.getByLabel('Active').uncheck();
  await box.getByLabel('Owner').fill('no address@');
  await box.getByLabel('Members').fill('a@im.example\n\nb@im.example\na@im.example');
  await box.getByLabel('Colour').selectOption('Blue');
  await box.getByLabel('Large').check();
  await box.getByLabel('Tuesday').check();
  await box.getByLabel('Wednesday').check();
  await box.getByLabel('Kind').fill('Something else');
  await box.getByLabel('Notes').fill('one\n\nthree');
  await box.getByLabel('Port').fill('80');
  await box.getByLabel('Code').fill('12-ab');
  await box.getByLabel('Day', { exact: true }).fill('2026-02-30');
  await run.click();
  for (const said of ['This is not an address', 'Choose at most 2.', 'The least is 1024.', 'does not have the form', 'This is not a date'])
    await box.getByText(said).waitFor();
  await picture('admin-fields-wrong');
  await box.getByLabel('Owner').fill('romeo@im.example');
  await box.getByLabel('Monday').uncheck();
  await box.getByLabel('Port').fill('5269');
  await box.getByLabel('Code').fill('123-ab');
  await box.getByLabel('Day', { exact: true }).fill('2026-02-28');
  assert.equal(await box.locator('.wrong:not(:empty)').count(), 0, 'it is seen at once that it is right now');
  await run.click();
  await box.getByText('It was taken.').waitFor();
  await box.getByRole('columnheader', { name: 'Var' }).getByRole('button').click();
  await box.getByRole('columnheader', { name: 'Var' }).getByRole('button').click();
  const told = await box.locator('tbody tr').evaluateAll((rows) => rows.map((it) => [...it.children].map((cell) => cell.textContent)));
  await picture('admin-fields');
  await page.keyboard.press('Escape');
  return told;
}

async function steps(browser, args) {
  const { page } = await login(browser, args);
  await openEntity(page, args.component);
  const box = dialog(page),
    press = (name) => box.getByRole('button', { name }).click();
  await page.getByRole('button', { name: 'Three steps' }).click();
  await box.getByLabel('Say the first').fill('eins');
  assert.equal(await box.getByRole('button', { name: 'Back' }).count(), 0);
  await page.keyboard.press('Enter');
  await box.getByLabel('Say the second').waitFor();
  await press('Back'); // although nothing is filled in
  await box.getByLabel('Say the first').fill('one');
  await press('Next');
  await box.getByLabel('Say the second').fill('two');
  await press('Next');
  await box.getByLabel('Say the third').fill('three');
  await press('Finish');
  await box.getByText('three').waitFor();
  await press('Run again');
  await box.getByLabel('Say the first').waitFor();
  await page.keyboard.press('Escape'); // cancels
  await box.waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Say the word' }).click();
  await box.getByLabel('The word').fill('now');
  await press('Run');
  await box.getByRole('alert').getByText('That is not the word').waitFor();
  assert.equal(await box.getByLabel('The word').inputValue(), 'now', 'what was written is lost');
  await box.getByLabel('The word').fill('please');
  await press('Run'); // the session was lost with the refusal
  await box.getByText('Thank you.').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Notes' }).click();
  await box.locator('.notice.info', { hasText: 'only said' }).waitFor();
  await box.locator('.notice.warn', { hasText: 'a warning' }).waitFor();
  await box.locator('.notice.error', { hasText: 'has failed' }).waitFor();
}

// What there is of commands; a second time, after some were added.
async function commandsOf(browser, args) {
  const { page } = await login(browser, args);
  await open(page, 'commands');
  await page.getByRole('link', { name: args.component }).click(); // it is listed: it is bound
  await page.getByRole('button', { name: args.first }).waitFor();
  const names = await page.locator('.command-name').allTextContents();
  await openEntity(page, args.domain);
  await page.getByRole('button', { name: 'Add a user' }).waitFor();
  return names;
}

async function wrongPassword(browser, args) {
  const tab = await browser.tab('stranger'),
    { page, picture } = tab;
  tab.expect(/host-unknown/);
  await fillLogin(page, { ...args, password: 'not it' });
  await page.getByLabel('Password').press('Enter');
  await page.getByRole('alert').getByText('The address or the password is wrong.').waitFor();
  assert.ok(await page.getByLabel('Password').evaluate((it) => it === document.activeElement));
  await picture('admin-login-wrong');
  await page.getByLabel('Address of an administrator').fill('nobody@elsewhere.example');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('alert').getByText('does not know that domain').waitFor();
  await page.getByLabel('Address of an administrator').fill('@');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('alert').getByText('the whole address').waitFor();
  // and then it is right; nothing of it is kept anywhere
  await page.getByLabel('Address of an administrator').fill(args.jid);
  await page.getByLabel('Password').fill(args.password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
  assert.deepEqual(await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie]), [0, 0, '']);
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByText('You are logged out.').waitFor();
  assert.equal(await page.getByLabel('Password').inputValue(), '');
}

async function noAdmin(browser, args) {
  const { page } = await browser.tab('user');
  await fillLogin(page, args);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('alert').getByText(`${args.jid} is not an administrator.`).waitFor();
  assert.equal(await page.getByRole('navigation').count(), 0);
}

async function hostile(browser, args) {
  const { page, picture } = await login(browser, args);
  await open(page, 'sessions');
  await row(page, args.resource).waitFor();
  await unhurt(page);
  await row(page, args.resource).getByRole('button', { name: 'End' }).click();
  assert.ok((await dialog(page).getByRole('textbox').inputValue()).endsWith(args.resource));
  await page.keyboard.press('Escape');
  await openEntity(page, args.component);
  await page.locator('.command', { hasText: '<script>' }).click();
  await dialog(page).getByRole('heading', { name: '<script>' }).waitFor();
  await unhurt(page);
  await dialog(page).getByRole('button', { name: 'Run' }).click();
  await dialog(page).getByText('cell').waitFor();
  assert.equal(await dialog(page).getByRole('link').count(), 0, 'a script is a link');
  await unhurt(page);
  await picture('admin-hostile');
  await page.keyboard.press('Escape');
  await open(page, 'log');
  await page.locator('.log-line', { hasText: '<script>' }).first().waitFor();
  await unhurt(page);
  await page.goto(`${args.url}#/commands/elsewhere.example`);
  await page.getByText('elsewhere.example is no part of this installation.').waitFor();
  await page.goto(`${args.url}#/users/${encodeURIComponent('<img src=x onerror=window.hurt=1>@im.example')}`);
  await page.getByRole('heading', { name: '<img', level: 1 }).waitFor();
  await unhurt(page);
}

async function keyboard(browser, args) {
  const { page } = await browser.tab('keyboard');
  const press = (key) => page.keyboard.press(key),
    type = (text) => page.keyboard.type(text);
  await page.goto(args.url);
  await page.getByLabel('Address of an administrator').waitFor();
  await tabTo(page, '#login-jid');
  await type(args.jid);
  await press('Tab');
  await type(args.password);
  await press('Enter');
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
  // a plot is read with the arrows
  await page.locator('.plot-line').first().waitFor({ state: 'attached' });
  await tabTo(page, '.plot-svg');
  await press('ArrowLeft');
  await page.locator('.plot-tip:not([hidden])').first().waitFor();
  await press('Escape');
  // the skip link, the first of all
  await page.evaluate(() => document.activeElement.blur());
  await tabTo(page, '.skip');
  await press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  await page.evaluate(() => document.activeElement.blur());
  await tabTo(page, 'nav a[data-view=users]');
  await press('Enter');
  await page.getByRole('heading', { name: 'Users', level: 1 }).waitFor();
  await tabTo(page, '.button.primary');
  await press('Enter');
  await dialog(page).getByLabel('Address of the new account').waitFor();
  await type(args.user); // the focus is there, before the @ of the domain
  await press('Tab');
  await type('a pass word');
  await press('Enter');
  await dialog(page).getByText('Done.').waitFor();
  await press('Enter');
  await dialog(page).waitFor({ state: 'detached' });
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Add a user', 'the focus is not where it was');
  await row(page, `${args.user}@${args.domain}`).waitFor();
  await press('Enter');
  await dialog(page).waitFor();
  for (let i = 0; i < 12; i++) {
    await press('Tab');
    assert.ok(
      await page.evaluate(() => document.activeElement === document.body || !!document.activeElement.closest('dialog')),
      'the focus leaves the dialog',
    );
  }
  await press('Escape');
  await dialog(page).waitFor({ state: 'detached' });
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Add a user');
}

// A domain is added, changed (its form shows how it is) and removed.
async function domains(browser, args) {
  const { page } = await login(browser, args);
  const box = dialog(page),
    done = async (name) => {
      await box.getByRole('button', { name, exact: true }).click();
      await box.getByText('Done.').waitFor();
      await page.keyboard.press('Escape');
      await box.waitFor({ state: 'detached' });
    };
  await open(page, 'domains');
  await page.getByRole('button', { name: 'Add a domain' }).click();
  await box.getByLabel('Domain').fill('third.example');
  await done('Add');
  await page.getByRole('link', { name: 'third.example' }).click();
  await page.getByRole('heading', { name: 'third.example', level: 1 }).waitFor();
  await page.getByRole('button', { name: 'Archive or not' }).click();
  assert.equal(await box.getByLabel('Domain').inputValue(), 'third.example');
  const before = await box.getByLabel('Messages are archived').isChecked();
  await box.getByLabel('Messages are archived').setChecked(!before);
  await box.getByLabel('Days that they are kept').fill('30');
  await done('Change');
  await page.locator('.pair', { hasText: 'Days that they are kept' }).getByText('30').waitFor();
  await page.getByRole('button', { name: 'Remove a domain' }).click();
  await done('Remove');
  await page.getByText('not hosted here').waitFor();
  await page.locator('.crumbs a').click();
  await page.getByRole('link', { name: args.domain }).waitFor();
  assert.equal(await page.getByRole('link', { name: 'third.example' }).count(), 0);
}

// Every view on every kind of screen; pictures for people.
async function screens(browser, args) {
  for (const [name, how] of Object.entries({
    light: DESKTOP,
    dark: { ...DESKTOP, colorScheme: 'dark' },
    phone: PHONE,
    'small-dark': { ...SMALL, colorScheme: 'dark' },
  })) {
    const first = await browser.tab(`login-${name}`, how);
    await first.page.goto(args.url);
    await first.page.getByLabel('Password').waitFor();
    await fitsTheWindow(first.page);
    await first.picture(`admin-${name}-login`);
    const { page, picture } = await login(browser, args, how, name);
    await page.locator('.plot-legend li').first().waitFor();
    for (const view of VIEWS) {
      await open(page, view);
      const ready = {
        overview: '.plot-line',
        sessions: 'tbody a',
        users: 'tbody a',
        domains: 'tbody a',
        certificates: 'tbody .badge',
        log: '.log-line',
        commands: '.command',
      }[view];
      await page.locator(ready).first().waitFor({ state: 'attached' });
      await fitsTheWindow(page);
      await picture(`admin-${name}-${view}`);
    }
    for (const [one, path] of [
      ['user', `users/${encodeURIComponent(args.jid)}`],
      ['domain', `domains/${args.domain}`],
    ]) {
      await page.goto(`${args.url}#/${path}`);
      await page.locator('.heading-buttons.wrap button').first().waitFor();
      await fitsTheWindow(page);
      await picture(`admin-${name}-${one}`);
    }
    await openEntity(page, args.component);
    await page.getByRole('button', { name: 'Every kind of field' }).click();
    await dialog(page).getByLabel('Name').waitFor();
    await fitsTheWindow(page);
    await picture(`admin-${name}-form`);
  }
}

// The gateway is killed while the page is open: the test does it when it hears from us at its port.
async function comesBack(browser, args) {
  const tab = await login(browser, args),
    { page } = tab;
  tab.expect(/[Ww]eb[Ss]ocket|ERR_/);
  await open(page, 'sessions');
  await row(page, args.jid).waitFor();
  await page.evaluate(() => {
    const chip = document.getElementById('state');
    window.states = [];
    new MutationObserver(() => window.states.push(chip.className)).observe(chip, { attributes: true });
  });
  connect(args.port, '127.0.0.1')
    .on('error', () => {})
    .end();
  await page.waitForFunction(() => window.states.includes('state waiting') && window.states.at(-1) === 'state online');
  await row(page, args.jid).waitFor();
  await page.getByRole('button', { name: 'Refresh' }).click();
  await tab.picture('admin-back');
}

// A server that knows none of our own commands, only XEP-0133: each view says what is missing, and the others work.
async function without(browser, args) {
  const tab = await browser.tab('without'),
    { page } = tab;
  await page.routeWebSocket(/\/ws$/, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((message) => {
      const [, id, to] = (message.includes('urn:bulkhead:commands:') && /^<iq [^>]*?id="([^"]+)" to="([^"]+)"/.exec(message)) || [];
      if (!id) server.send(message);
      else
        socket.send(
          `<iq xmlns='jabber:client' type='error' id='${id}' from='${to}'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
        );
    });
  });
  await fillLogin(page, args);
  await page.getByRole('button', { name: 'Log in' }).click();
  for (const view of ['overview', 'sessions', 'domains', 'certificates', 'log']) {
    await open(page, view);
    await page.getByText('This server has no command for').first().waitFor();
  }
  await tab.picture('admin-without');
  await open(page, 'overview');
  await page.locator('.plot-legend', { hasText: 'This page and back' }).waitFor();
  await open(page, 'users');
  await page.getByRole('link', { name: args.jid }).click();
  await page.getByRole('button', { name: "Change a user's password" }).waitFor();
  await open(page, 'commands');
  await page.getByRole('button', { name: 'Add a user' }).waitFor();
}

const TESTS = { without, addUser, domains, fields, steps, commandsOf, wrongPassword, noAdmin, hostile, keyboard, screens, comesBack };

export default (browser, { test, ...args }) => TESTS[test](browser, args);

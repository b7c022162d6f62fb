// test/web/chat.mjs - two people talk at /chat/: one at a desk with the keyboard alone, one on a phone with a finger
import { PHONE, fitsTheWindow, tabTo } from './browser.mjs';

const NOT_THERE = /service-unavailable/; // the server has no XEP-0163: the page asks for what would be kept there, and says on its console that it has none

async function open(browser, person, { url, transport }, how) {
  const tab = await browser.tab(person.user, how);
  tab.sockets = 0;
  tab.page.on('websocket', () => tab.sockets++);
  tab.expect(NOT_THERE);
  await tab.page.goto(url + (transport === 'bosh' ? '?transport=bosh' : ''));
  await tab.page.locator('#converse-login-jid').waitFor();
  return tab;
}

async function said(tab, from, text) {
  await tab.page.locator('.chat-msg__text', { hasText: text }).waitFor();
  const shown = await tab.page.locator('.chat-msg__text', { hasText: text }).allInnerTexts();
  if (shown.length !== 1 || shown[0].trim() !== text) throw new Error(tab.name + ' sees ' + JSON.stringify(shown) + ' for ' + text);
}

export default async function chat(browser, { name, url, transport, people: [romeo, juliet], dark }) {
  const label = (what) => 'chat-' + name + '-' + what;

  const desk = await open(browser, romeo, { url, transport }, { colorScheme: dark ? 'dark' : 'light' });
  await desk.picture(label('desk-login'));
  // The address has the keyboard from the start.
  await desk.page.locator('#converse-login-jid:focus').waitFor();
  await desk.page.keyboard.type(romeo.user);
  await tabTo(desk.page, '#converse-login-password', 3);
  await desk.page.keyboard.type(romeo.password);
  await desk.page.keyboard.press('Enter');

  const phone = await open(browser, juliet, { url, transport }, { ...PHONE, colorScheme: dark ? 'light' : 'dark' });
  await fitsTheWindow(phone.page);
  await phone.picture(label('phone-login'));
  await phone.page.locator('#converse-login-jid').fill(juliet.jid);
  await phone.page.locator('#converse-login-password').fill(juliet.password);
  await phone.page.locator('#converse-login button[type=submit]').tap();
  await phone.page.locator('.open-chat[data-jid="' + romeo.jid + '"]').first().waitFor();
  await fitsTheWindow(phone.page);
  await phone.picture(label('phone-contacts'));

  const contact = '.open-chat[data-jid="' + juliet.jid + '"]';
  await desk.page.locator(contact).waitFor();
  await tabTo(desk.page, contact);
  await desk.picture(label('desk-contacts'));
  await desk.page.keyboard.press('Enter');
  await desk.page.locator('.chat-textarea').waitFor();
  await tabTo(desk.page, '.chat-textarea');

  const words = ['But, soft! What light through yonder window breaks?', '<img src=x onerror=alert(1)> & "quoted"', 'O Romeo, Romeo!'];
  for (const text of words.slice(0, 2)) {
    await desk.page.keyboard.type(text);
    await desk.page.keyboard.press('Enter');
    await said(desk, romeo, text);
  }
  await phone.page.locator('.open-chat[data-jid="' + romeo.jid + '"]').first().tap();
  for (const text of words.slice(0, 2)) await said(phone, romeo, text);
  await phone.page.locator('.chat-textarea').fill(words[2]);
  await phone.page.locator('.send-button').tap();
  for (const tab of [phone, desk]) await said(tab, juliet, words[2]);
  await fitsTheWindow(phone.page);
  await desk.picture(label('desk-talk'));
  await phone.picture(label('phone-talk'));

  return [desk, phone].map((tab) => ({
    sockets: tab.sockets,
    bosh: tab.requests.filter((it) => it.startsWith('POST ') && it.endsWith('/http-bind')).length,
    elsewhere: tab.requests.filter((it) => !it.split(' ')[1].startsWith(new URL(url).origin) && !/^\w+ (data|blob):/.test(it)),
  }));
}

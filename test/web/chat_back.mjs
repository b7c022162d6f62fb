// test/web/chat_back.mjs - two people at /chat/ whose gateway goes away and comes back
import { open, said } from './chatpage.mjs';

// What pages say of a connection that was lost.
const LOST = /WebSocket connection to|ERR_CONNECTION|ERR_NETWORK|ERR_EMPTY|Websocket (error|closed)|conn-?fail/i;

export default async function back(browser, { url, people }) {
  const tabs = [];
  for (const person of people) {
    const tab = await open(browser, person, { url });
    tab.expect(LOST);
    await tab.page.locator('#converse-login-jid').fill(person.jid);
    await tab.page.locator('#converse-login-password').fill(person.password);
    await tab.page.locator('#converse-login button[type=submit]').click();
    tabs.push(tab);
  }
  for (const [i, tab] of tabs.entries()) {
    await tab.page.locator('.open-chat[data-jid="' + people[1 - i].jid + '"]').first().click();
    await tab.page.locator('.chat-textarea').waitFor();
  }
  const [romeo, juliet] = tabs;
  const say = async (tab, text) => {
    await tab.page.locator('.chat-textarea').fill(text);
    await tab.page.keyboard.press('Enter');
    for (const each of tabs) await said(each, text);
  };
  await say(romeo, 'before');
  const resumed = tabs.map((tab) => tab.page.waitForEvent('console', (message) => message.text().includes('session resumed'))); // XEP-0198
  await browser.ask('kill the gateway');
  await Promise.all(resumed);
  await say(juliet, 'after');
  await say(romeo, 'and back');
}

// test/web/chatpage.mjs - /chat/ as scripts use it
// The server has no XEP-0163: the page asks for what would be kept there, and says on its console that there is nothing.
const NOT_THERE = /service-unavailable/;

// The page with its login form. transport: 'bosh', else WebSocket.
export async function open(browser, person, { url, transport }, how) {
  const tab = await browser.tab(person.user, how);
  tab.sockets = 0;
  tab.page.on('websocket', () => tab.sockets++);
  tab.expect(NOT_THERE);
  await tab.page.goto(url + (transport === 'bosh' ? '?transport=bosh' : ''));
  await tab.page.locator('#converse-login-jid').waitFor();
  return tab;
}

// Waits until a message of this text is shown, as it is, once.
export async function said(tab, text) {
  await tab.page.locator('.chat-msg__text', { hasText: text }).waitFor();
  const shown = await tab.page.locator('.chat-msg__text', { hasText: text }).allInnerTexts();
  if (shown.length !== 1 || shown[0].trim() !== text) throw new Error(tab.name + ' sees ' + JSON.stringify(shown) + ' for ' + text);
}

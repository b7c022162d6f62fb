// test/web/chat.mjs - two people talk at /chat/: one at a desk with the keyboard alone, one on a phone with a finger
import { PHONE, fitsTheWindow, tabTo } from './browser.mjs';
import { open, said } from './chatpage.mjs';

const PNG = [
  'iVBORw0KGgoAAAANSUhEUgAAAGAAAABACAIAAABqVuVZAAAB+UlEQVR42u3QR1IWYBCE4T5GHwEVMygmTAioCCYUBTOoBLMgYk7X4jxewL2z+P8FJU5R86WhaqqefXe9YM',
  '9wUIA9I0EB7hgNCgl0PijAnReCQgJdDApw11hQSKBLQQH2jgeFBJrYLv78Xv9X6VFw92XnNu2ySaky6xLoiltbTLMxU+YP4J6rDhnSbMiU74kEuuZNYp1uozxnwL3XXclS',
  'p9Moxx8JNOlHxjrdRqmXwH03nMhep9Mo7ZUEuulEsUBJr8D9Ux4UqtNplHBMAt3yoHAg+zHwwO3mitbpNLJ+k0DTzVUJZPwGHpxprkYg6zcJdKetCnW6jSz3wL67bdULZL',
  'onge61VTGQ5R7Yf7+teoFM9yTQg7YqBrLcAw89bKteINM9CfSorYqBLPfAw7PN1ahj/SaB5pqrEsj4DRx43FyNQNZvEuiJB4Xr2I+BR556UDZQwjEJNO9EsTpJr8CjC06U',
  'CpT2SgIt+lGgTuol8NiSKznr5PgjgZ55k6lOnjPg8ecOpdbJ90QCvXDLlCbzB/DES+e2mqbMugR6tV38p0vZUXDwdVBIoDdBAZ58GxQSaDkowFMrQSGB3gUFeHo1KCTQ+6',
  'AAz6wFhQT6EBTg2Y9BIYE+BQU49DkoJNCXoADPfQ0KCfQtKMDh70EhgX4EBTjyMygk0K+g+AsVXSGc+cmY+wAAAABJRU5ErkJggg==',
].join('');

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
    await said(desk, text);
  }
  await phone.page.locator('.open-chat[data-jid="' + romeo.jid + '"]').first().tap();
  for (const text of words.slice(0, 2)) await said(phone, text);
  await phone.page.locator('.chat-textarea').fill(words[2]);
  await phone.page.locator('.send-button').tap();
  for (const tab of [phone, desk]) await said(tab, words[2]);

  // A picture is uploaded, and seen on both sides; the page may show none but from here.
  await desk.page.locator('input.fileupload').setInputFiles({ name: 'moon.png', mimeType: 'image/png', buffer: Buffer.from(PNG, 'base64') });
  for (const tab of [phone, desk]) {
    const image = tab.page.locator('.chat-msg__media img.chat-image, .chat-msg__body img.chat-image').first();
    await image.waitFor();
    await image.evaluate((it) => it.decode());
  }
  await fitsTheWindow(phone.page);
  await desk.picture(label('desk-talk'));
  await phone.picture(label('phone-talk'));

  return [desk, phone].map((tab) => ({
    sockets: tab.sockets,
    bosh: tab.requests.filter((it) => it.startsWith('POST ') && it.endsWith('/http-bind')).length,
    elsewhere: tab.requests.filter((it) => !it.split(' ')[1].startsWith(new URL(url).origin) && !/^\w+ (data|blob):/.test(it)),
  }));
}

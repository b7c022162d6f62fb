// test/web/chat_refused.mjs - what /chat/ says when the password is wrong
export default async function refused(browser, { url, jid, locale }) {
  const tab = await browser.tab('refused', { locale });
  await tab.page.goto(url);
  await tab.page.locator('#converse-login-jid').fill(jid);
  await tab.page.locator('#converse-login-password').fill('not it');
  await tab.page.locator('#converse-login button[type=submit]').click();
  const feedback = tab.page.locator('#converse-login .feedback-message', { hasText: /\w/ });
  await feedback.waitFor();
  await tab.picture('chat-refused-' + locale);
  return { feedback: await feedback.innerText(), language: await tab.page.locator('#conversejs').getAttribute('lang') };
}

// A server with a token: the page asks for it, says when it is wrong, and works once it is right.
// MEZZO_TOKEN_URL names such a server, MEZZO_TOKEN its token; without them there is nothing to test.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { axeFinds, open } from './support.mjs';

const url = process.env['MEZZO_TOKEN_URL'];
const token = process.env['MEZZO_TOKEN'];
const skip = url && token ? false : 'MEZZO_TOKEN_URL and MEZZO_TOKEN are not set';
let chrome;
before(async () => {
  if (!skip) chrome = await open();
});
after(() => chrome?.close());

for (const colorScheme of ['light', 'dark']) {
  test(`the page asks for the token, ${colorScheme}`, { skip }, async () => {
    const context = await chrome.newContext({ viewport: { width: 360, height: 740 }, colorScheme });
    const page = await context.newPage();
    const faults = [];
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => {
      if (/Content Security Policy|TypeError|ReferenceError/.test(message.text())) faults.push(message.text());
    });
    const answer = await page.goto(url);
    assert.equal(answer.status(), 401);
    await page.getByRole('heading', { name: 'This server needs its token' }).waitFor();
    assert.deepEqual(await axeFinds(page), []);
    assert.equal(await page.evaluate(async () => (await fetch('/api/v1/models')).status), 401, 'only the page itself is given');

    await page.getByLabel('Token').fill('not-the-right-one');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('That token is not the right one.').waitFor();
    await page.getByLabel('Token').fill(token);
    await page.keyboard.press('Enter');
    await page.getByRole('textbox', { name: 'Prompt', exact: true }).waitFor();
    assert.ok(!page.url().includes(token), 'the token does not stay in the address');
    await page.reload();
    await page.getByRole('textbox', { name: 'Prompt', exact: true }).waitFor();
    assert.deepEqual(await page.evaluate(() => document.cookie), '', 'scripts do not see the cookie');
    assert.deepEqual(faults, []);
    await context.close();
  });
}

test('the address that mezzo serve prints opens the page at once', { skip }, async () => {
  const page = await (await chrome.newContext()).newPage();
  await page.goto(`${url}/?token=${token}`);
  await page.getByRole('textbox', { name: 'Prompt', exact: true }).waitFor();
  assert.equal(new URL(page.url()).search, '');
});

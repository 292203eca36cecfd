// A picture to start from: chosen, dropped, pasted or sent from a result; what is sent, and what comes back.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { compose, drawn, grey, idle, open, pick, showSettings, submit, visit } from './support.mjs';

let chrome;
before(async () => (chrome = await open()));
after(() => chrome.close());

const start = (page) => page.getByRole('group', { name: 'Starting picture' });
/** What was sent; it is in the queue then. */
const sentJob = async (page, act) => {
  const sent = (r) => r.request().method() === 'POST' && r.url().endsWith('/api/v1/jobs');
  const [response] = await Promise.all([page.waitForResponse(sent), act()]);
  return response.request().postDataJSON();
};

/** Gives the page a file as a drop or a paste would. */
async function hand(target, event, name, bytes, words = '') {
  const type = event === 'paste' ? 'clipboardData' : 'dataTransfer';
  await target.evaluate(
    (element, { event, type, name, base64, words }) => {
      const data = new DataTransfer();
      if (words) data.setData('text/plain', words);
      data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, { type: 'image/png' }));
      const init = { bubbles: true, cancelable: true, [type]: data };
      element.dispatchEvent(event === 'paste' ? new ClipboardEvent(event, init) : new DragEvent(event, init));
    },
    { event, type, name, base64: bytes.toString('base64'), words },
  );
}

test('a chosen file is sent with its strength, and the answer has its size', async () => {
  const { page, faults } = await visit(chrome, 'image');
  await idle(page);
  await compose(page, 'a yellow sun', 6);
  await page.getByText('Choose a starting picture.').waitFor();
  await pick(page, 'field.png', await grey(96, 64, (x) => 2 * x));
  await start(page).getByText('96 × 64').waitFor();
  await page.getByRole('spinbutton', { name: 'Strength', exact: true }).fill('0.5');
  await page.getByRole('spinbutton', { name: 'Strength', exact: true }).press('Tab');
  const body = await sentJob(page, () => submit(page));
  assert.equal(body.strength, 0.5);
  assert.match(body.init_image, /^data:image\/png;base64,/);
  assert.ok(!('mask_image' in body) && !('width' in body));
  await drawn(page, 'a yellow sun');
  await page.locator('figcaption').getByText(/96 × 64/).waitFor();
  assert.deepEqual(faults, []);
});

test('a size of its own goes with it when that is asked for', async () => {
  const { page } = await visit(chrome, 'image');
  await compose(page, 'a moon', 2);
  await pick(page, 'square.png', await grey(64, 64, () => 90));
  await showSettings(page);
  await page.getByRole('checkbox', { name: 'As the starting picture' }).uncheck();
  await page.getByRole('button', { name: '1:1' }).waitFor();
  const body = await sentJob(page, () => submit(page));
  assert.deepEqual([body.width, body.height], [128, 128]);
});

test('a picture is dropped, another pasted, and taken away again', async () => {
  const { page, faults } = await visit(chrome, 'image');
  await hand(start(page), 'drop', 'dropped.png', await grey(40, 24, () => 200));
  await start(page).getByText('40 × 24').waitFor();
  await hand(page.locator('body'), 'paste', 'pasted.png', await grey(32, 48, () => 20));
  await start(page).getByText('32 × 48').waitFor();
  // Words that come with a picture of them are meant as words.
  await hand(page.getByRole('textbox', { name: 'Prompt', exact: true }), 'paste', 'words.png', await grey(16, 16, () => 20), 'a red apple');
  await page.waitForTimeout(300);
  await start(page).getByText('32 × 48').waitFor();
  await start(page).getByRole('button', { name: 'Remove' }).click();
  await start(page).getByText('Drop a picture here').waitFor();
  assert.deepEqual(faults, []);
});

test('what is no picture is refused in words', async () => {
  const { page } = await visit(chrome, 'image');
  const input = start(page).locator('input[type=file]');
  await input.setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('hello') });
  await page.getByRole('alert').getByText('notes.txt is not a picture that can be used').waitFor();
  await input.setInputFiles({ name: 'torn.png', mimeType: 'image/png', buffer: Buffer.from('not a picture') });
  await page.getByRole('alert').getByText('torn.png cannot be read').waitFor();
});

test('a result is sent here, and drawn again from the gallery by its number', async () => {
  const { page, faults } = await visit(chrome, 'text');
  await idle(page);
  await compose(page, 'a green tree', 2);
  await sentJob(page, () => submit(page));
  await idle(page);  // an earlier picture may have the same words
  await drawn(page, 'a green tree');
  await page.getByRole('button', { name: 'Send to' }).click();
  await page.getByRole('group', { name: 'Send to' }).getByRole('button', { name: 'Image' }).click();
  await page.getByRole('img', { name: 'Starting picture: a green tree' }).waitFor();
  const body = await sentJob(page, () => submit(page));
  assert.ok(body.init_image.image > 0);
  await drawn(page, 'a green tree');
  await page.getByRole('button', { name: 'Compare' }).click();
  const first = page.getByRole('combobox', { name: 'First picture' });
  assert.equal(await first.evaluate((select) => select.selectedOptions[0].textContent), 'Starting picture');
  assert.deepEqual(faults, []);
});

test('a list draws each line from each of several pictures', async () => {
  const { page, faults } = await visit(chrome, 'batch');
  await page.getByRole('textbox', { name: 'List' }).fill('a {red|green} apple');
  const files = await Promise.all([30, 220].map(async (level, i) => ({ name: `${i}.png`, mimeType: 'image/png', buffer: await grey(64, 64, () => level) })));
  await page.locator('input[type=file][multiple]').setInputFiles(files);
  await page.getByText('2 starting pictures: each line is drawn from each of them').waitFor();
  await page.getByText('Settings for every line').click();
  await page.getByRole('spinbutton', { name: 'Steps', exact: true }).fill('2');
  await page.getByRole('spinbutton', { name: 'Steps', exact: true }).press('Tab');
  const prompts = [];
  page.on('request', (r) => {
    if (r.method() === 'POST' && r.url().endsWith('/api/v1/jobs')) prompts.push(r.postDataJSON().prompt);
  });
  await page.getByRole('button', { name: 'Add 4 pictures to the queue' }).click();
  await page.getByText('4 of 4 done').waitFor({ timeout: 60_000 });
  assert.deepEqual(prompts, ['a red apple', 'a green apple', 'a red apple', 'a green apple']);
  const [zip] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download as ZIP' }).click()]);
  assert.equal(zip.suggestedFilename(), 'batch.zip');
  assert.deepEqual(faults, []);
});

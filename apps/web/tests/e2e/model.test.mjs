// A checkpoint of one's own, with its vocabulary and merges: MEZZO_OWN_MODEL is its name on the page.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { compose, drawn, idle, open, showSettings, submit, visit } from './support.mjs';

const own = process.env['MEZZO_OWN_MODEL'];
const skip = own === undefined ? 'no checkpoint was given by MEZZO_OWN_MODEL' : false;

let chrome;
before(async () => (chrome = await open()));
after(() => chrome.close());

test('another model is chosen, draws, and is named in the picture', { skip }, async () => {
  const { page, faults } = await visit(chrome, 'text');
  await idle(page);
  await showSettings(page);
  const models = page.getByRole('combobox', { name: 'Model', exact: true });
  await models.selectOption(own);
  await compose(page, 'a red apple', 3);
  const sent = page.waitForRequest((r) => r.method() === 'POST' && r.url().endsWith('/api/v1/jobs'));
  await submit(page);
  assert.equal((await sent).postDataJSON().model, own);
  await drawn(page, 'a red apple');
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download' }).click()]);
  const file = (await readFile(await download.path())).toString('latin1');
  assert.equal(file.slice(1, 4), 'PNG');
  assert.match(file, new RegExp(`Steps: 3, .*Model: ${own}`));

  // And back to the one that ships with the program.
  await models.selectOption('icons');
  await compose(page, 'a blue car', 3);
  await submit(page);
  await drawn(page, 'a blue car');
  assert.deepEqual(faults, []);
});

// Other models than the shipped one: MEZZO_OWN_MODEL is the name of a checkpoint of one's own with its vocabulary and
// merges, MEZZO_THREE_ENCODERS that of a Stable Diffusion 3 whose text encoders the server was told of.
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

const three = process.env['MEZZO_THREE_ENCODERS'];
const noThree = three === undefined ? 'no model was given by MEZZO_THREE_ENCODERS' : false;
const onlyThree = ['Prompt for CLIP-G', 'Prompt for T5', 'Not in the picture, for T5', 'Tokens for T5', 'Skip-layer guidance'];
const notThree = ['Step spacing', 'Prediction'];

test('Stable Diffusion 3 shows its own settings and ranges, and nothing that it has no use for', { skip: noThree }, async () => {
  const { page, faults } = await visit(chrome, 'text');
  await idle(page);
  await showSettings(page);
  await page.getByText('More settings').click();
  const shown = async () => (await page.locator('form label').allTextContents()).map((label) => label.trim());
  const models = page.getByRole('combobox', { name: 'Model', exact: true });
  await models.selectOption('icons');
  for (const label of onlyThree) assert.ok(!(await shown()).includes(label), label);
  for (const label of notThree) assert.ok((await shown()).includes(label), label);
  await models.selectOption(three);
  await page.getByText('Other words for each text encoder').click();
  for (const label of onlyThree) assert.ok((await shown()).includes(label), label);
  for (const label of notThree) assert.ok(!(await shown()).includes(label), label);

  const slider = (name) => page.getByRole('slider', { name: `${name}, slider`, exact: true });
  const limits = async (name) => Promise.all(['min', 'max'].map((side) => slider(name).getAttribute(side)));
  assert.deepEqual(await limits('Steps'), ['1', '50']);
  assert.deepEqual(await limits('Guidance'), ['1', '10']);
  assert.equal(await page.getByRole('spinbutton', { name: 'Steps', exact: true }).inputValue(), '40');
  assert.equal(await page.getByRole('spinbutton', { name: 'Guidance', exact: true }).inputValue(), '4.5');

  // What belongs to skip-layer guidance comes with it.
  assert.ok(!(await shown()).includes('Skipped layers'));
  const guidance = page.getByRole('spinbutton', { name: 'Skip-layer guidance', exact: true });
  await guidance.fill('2.5');
  await guidance.press('Tab');
  assert.ok((await shown()).includes('Skipped layers') && (await shown()).includes('Skipping ends at'));
  await page.getByLabel('Skipped layers', { exact: true }).fill('1, 2');
  await page.getByLabel('Prompt for T5', { exact: true }).fill('a red apple on a table');
  await compose(page, 'a red apple', 2);
  const sent = page.waitForRequest((r) => r.method() === 'POST' && r.url().endsWith('/api/v1/jobs'));
  await submit(page);
  const body = (await sent).postDataJSON();
  assert.deepEqual([body.model, body.prompt_3, body.skip_layer_guidance, body.skip_layers], [three, 'a red apple on a table', 2.5, '1, 2']);
  await drawn(page, 'a red apple');
  assert.deepEqual(faults, []);

  // Another model is not sent what it would refuse.
  await models.selectOption('icons');
  await compose(page, 'a blue car', 3);
  const other = page.waitForRequest((r) => r.method() === 'POST' && r.url().endsWith('/api/v1/jobs'));
  await submit(page);
  for (const name of ['prompt_3', 'skip_layer_guidance', 'skip_layers']) assert.ok(!(name in (await other).postDataJSON()), name);
  await drawn(page, 'a blue car');
});

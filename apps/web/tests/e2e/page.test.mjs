// The page in a browser, against a running server: drawing, queue, gallery, lists, grids, keys.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { compose, drawn, idle, open, submit, visit } from './support.mjs';

let chrome;
before(async () => (chrome = await open()));
after(() => chrome.close());

test('a picture is drawn with progress, downloaded with its recipe, and its seed used again', async () => {
  const { page, faults } = await visit(chrome, 'text');
  await idle(page);
  await compose(page, 'a red apple', 20);
  await page.keyboard.press('Control+Enter');
  await page.getByRole('progressbar').first().waitFor();
  await drawn(page, 'a red apple');
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download' }).click()]);
  const file = await readFile(await download.path());
  assert.equal(file.toString('latin1', 1, 4), 'PNG');
  assert.match(file.toString('latin1'), /Steps: 20/);
  const seed = /seed (\d+)/.exec(await page.locator('figcaption').innerText())[1];
  await page.getByRole('button', { name: 'Reuse' }).click();
  await page.getByRole('button', { name: 'Seed', exact: true }).click();
  assert.equal(await page.getByRole('spinbutton', { name: 'Seed' }).inputValue(), seed);
  assert.deepEqual(faults, []);
});

test('every parameter of the server has a labelled control', async () => {
  const { page, faults } = await visit(chrome, 'inpaint');
  await page.getByText('More settings').click();
  await page.getByLabel('Draw only the painted part, larger', { exact: true }).check();  // it has a setting of its own
  const fields = await page.evaluate(async () => {
    const get = async (path) => (await fetch(path)).json();
    const { unused } = (await get('/api/v1/models')).models.find((m) => m.shipped);
    return (await get('/api/v1/options')).fields.map((f) => f.name).filter((name) => !unused.includes(name));
  });
  const labels = (await page.locator('form label, form summary, form legend').allInnerTexts()).map((l) => l.trim());
  const named = { negative_prompt: 'Not in the picture', width: 'Size', height: 'Size', count: 'Pictures', rng: 'Random numbers', spacing: 'Step spacing', clip_skip: 'CLIP skip', keep_unmasked: 'Keep the unpainted part unchanged', masked_content: 'The painted part begins as', only_masked: 'Draw only the painted part, larger', mask_padding: 'Surroundings', fit: 'A picture of another shape is' };
  for (const name of fields) {
    const label = named[name] ?? name.replaceAll('_', ' ').replace(/^./, (c) => c.toUpperCase());
    assert.ok(labels.includes(label), `${name} ("${label}") is among ${labels.join(', ')}`);
  }
  assert.deepEqual(faults, []);
});

test("a model's defaults move the controls, and a changed one can be reset", async () => {
  const { page } = await visit(chrome, 'text');
  const guidance = page.getByRole('spinbutton', { name: 'Guidance', exact: true });
  const own = await guidance.inputValue();
  await guidance.fill('9');
  await guidance.press('Tab');
  await page.getByRole('button', { name: `Reset Guidance to ${own}` }).click();
  assert.equal(await guidance.inputValue(), own);
});

test('what the server refuses is shown in its words', async () => {
  const { page } = await visit(chrome, 'text');
  await compose(page, 'a dog');
  await page.route('**/api/v1/jobs', async (route) => {
    if (route.request().method() !== 'POST') return route.continue();
    return route.continue({ postData: JSON.stringify({ ...route.request().postDataJSON(), width: 100 }) });
  });
  await submit(page);
  await page.getByRole('alert').getByText(/100 is not a multiple of 8/).waitFor();
});

test('the queue survives a reload, is reordered by buttons, cancelled and tried again', async () => {
  const { page, faults } = await visit(chrome, 'text');
  await idle(page);
  for (const prompt of ['a bear', 'a tiger', 'a panda']) {
    await compose(page, prompt, 200);
    await submit(page);
    await page.waitForTimeout(200);
  }
  await page.goto(page.url().replace('#/text', '#/queue'));
  await page.reload();
  const waiting = page.getByRole('article');
  await page.getByRole('button', { name: 'Make it the next: a panda' }).click();
  await page.waitForFunction(() => document.querySelectorAll('article')[1]?.getAttribute('aria-label') === 'a panda');
  assert.equal(await waiting.nth(0).getAttribute('aria-label'), 'a bear');
  await page.getByRole('button', { name: 'Cancel: a tiger' }).click();
  await page.getByRole('button', { name: 'Cancel all' }).click();
  await page.getByText('Nothing is waiting').waitFor();
  assert.ok((await page.getByText('Stopped', { exact: true }).count()) >= 3);
  await page.getByRole('button', { name: 'Again' }).first().click();
  await page.getByRole('button', { name: /^Cancel: / }).first().click();
  await page.getByText('Nothing is waiting').waitFor();
  assert.deepEqual(faults, []);
});

test('the gallery searches, keeps favourites, shows recipes, and a deletion can be undone', async () => {
  const { page, faults } = await visit(chrome, 'text');
  await compose(page, 'a green frog');
  await submit(page);
  await drawn(page, 'a green frog');
  await page.getByRole('link', { name: 'Gallery' }).click();
  await page.getByRole('searchbox', { name: 'Search' }).fill('green frog');
  await page.waitForFunction(() => [...document.querySelectorAll('[data-picture] img')].every((i) => i.alt === 'a green frog'));
  const pictures = page.locator('[data-picture]');
  const count = await pictures.count();
  await page.getByRole('button', { name: 'Favourite: a green frog' }).first().click();
  await page.getByRole('checkbox', { name: 'Favourites only' }).check();
  await page.waitForTimeout(300);
  assert.ok((await pictures.count()) >= 1);
  await pictures.first().click();
  const dialog = page.getByRole('dialog', { name: 'a green frog' });
  await dialog.getByText('Recipe as text').click();
  await dialog.getByText(/CFG scale/).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('checkbox', { name: 'Favourites only' }).uncheck();
  await page.waitForTimeout(300);
  await page.getByRole('checkbox', { name: 'Select: a green frog' }).first().check();
  const [zip] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download as ZIP' }).click()]);
  assert.equal((await readFile(await zip.path())).toString('latin1', 0, 2), 'PK');
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await page.waitForFunction((n) => document.querySelectorAll('[data-picture]').length === n - 1, count);
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.waitForFunction((n) => document.querySelectorAll('[data-picture]').length === n, count);
  assert.deepEqual(faults, []);
});

test('the recipe inside a picture is read and used', async () => {
  const { page, faults } = await visit(chrome, 'text');
  await compose(page, 'a blue whale', 5);
  await submit(page);
  await drawn(page, 'a blue whale');
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download' }).click()]);
  const buffer = await readFile(await download.path());
  await page.getByRole('textbox', { name: 'Prompt', exact: true }).fill('');
  await page.getByRole('link', { name: 'Gallery' }).click();
  await page.locator('main input[type=file]').setInputFiles({ name: 'whale.png', mimeType: 'image/png', buffer });
  await page.getByRole('dialog').getByText(/a blue whale/).waitFor();
  await page.getByRole('button', { name: 'Use these settings' }).click();
  assert.equal(await page.getByRole('textbox', { name: 'Prompt', exact: true }).inputValue(), 'a blue whale');
  assert.equal(await page.getByRole('spinbutton', { name: 'Steps', exact: true }).inputValue(), '5');
  assert.deepEqual(faults, []);
});

test('a list of prompts is previewed and queued', async () => {
  const { page, faults } = await visit(chrome, 'batch');
  await page.getByRole('textbox', { name: 'List' }).fill('prompt,steps\na dog,2\n"a cat, mirrored",2\nbroken,many');
  await page.getByText('3 prompts, 3 pictures').waitFor();
  await page.getByText(/Line 4: steps: many is out of range/).waitFor();
  await page.getByRole('button', { name: 'Add 3 pictures to the queue' }).click();
  await page.getByText('3 jobs added to the queue').waitFor();
  await idle(page);
  assert.deepEqual(faults, []);
});

test('a grid is drawn and downloaded as one labelled picture', async () => {
  const { page, faults } = await visit(chrome, 'grid');
  await page.getByRole('textbox', { name: 'Prompt', exact: true }).fill('a castle');
  await page.getByRole('textbox', { name: 'Across: values' }).fill('2, 4');
  await page.getByRole('textbox', { name: 'Down: values' }).fill('1.5-3[2]');
  await page.getByRole('button', { name: 'Draw 4 pictures' }).click();
  await page.getByText('4 of 4 drawn').waitFor({ timeout: 60_000 });
  await page.getByRole('img', { name: 'a castle, Guidance 3, Steps 4' }).waitFor();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download the grid' }).click()]);
  const png = await readFile(await download.path());
  assert.ok(png.readUInt32BE(16) >= 2 * 128 && png.readUInt32BE(20) >= 2 * 128);
  assert.deepEqual(faults, []);
});

test('two pictures are compared by keyboard', async () => {
  const { page, faults } = await visit(chrome, 'text');
  for (const prompt of ['a sun', 'a moon']) {
    await compose(page, prompt, 2);
    await submit(page);
    await drawn(page, prompt);
  }
  await page.getByRole('button', { name: 'Compare' }).click();
  const slider = page.getByRole('slider', { name: 'Where the pictures meet' });
  await slider.focus();
  await page.keyboard.press('ArrowRight');
  assert.equal(await slider.inputValue(), '51');
  await page.getByRole('button', { name: 'Side by side' }).click();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  assert.deepEqual(faults, []);
});

test('keys can be listed and turned off', async () => {
  const { page } = await visit(chrome, 'text');
  await page.locator('main').focus();
  await page.keyboard.press('?');
  const dialog = page.getByRole('dialog', { name: 'Keys' });
  await dialog.getByRole('checkbox').uncheck();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  await page.locator('main').focus();
  await page.keyboard.press('?');
  await page.waitForTimeout(200);
  assert.equal(await dialog.count(), 0);
});

test('a finished picture is looked at closely, by keyboard', async () => {
  const { page, faults } = await visit(chrome, 'text');
  await compose(page, 'a cup', 2);
  await submit(page);
  await drawn(page, 'a cup');
  await page.getByRole('button', { name: 'Zoom', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: 'a cup' });
  const percent = async () => Number.parseInt(await dialog.getByRole('status').innerText(), 10);
  await dialog.getByRole('button', { name: 'Actual size' }).click();
  assert.equal(await percent(), 100);
  const picture = dialog.getByRole('img', { name: 'a cup' });
  const before = await picture.boundingBox();
  assert.equal(Math.round(before.width), 128);
  await dialog.getByRole('group', { name: /^The picture/ }).focus();
  await page.keyboard.press('+');
  await page.keyboard.press('ArrowLeft');
  assert.equal(await percent(), 140);
  const after = await picture.boundingBox();
  assert.ok(Math.abs(after.x + after.width / 2 - (before.x + before.width / 2) - 48) < 2, 'it moved to the right');
  await dialog.getByRole('button', { name: 'Whole picture' }).click();
  assert.ok((await percent()) > 140);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  assert.deepEqual(faults, []);
});

test('the sides of a picture keep their shape when that is asked for', async () => {
  const { page } = await visit(chrome, 'text');
  const side = (name) => page.getByRole('spinbutton', { name, exact: true });
  await page.getByRole('button', { name: '3:2' }).click();
  const [width, height] = [Number(await side('Width').inputValue()), Number(await side('Height').inputValue())];
  assert.ok(width > height);
  await page.getByRole('button', { name: 'Keep the shape while one side is changed' }).click();
  await side('Width').fill(String(2 * width));
  await side('Width').press('Tab');
  assert.equal(await side('Height').inputValue(), String(2 * height));
});

test('the words of a prompt are an axis of a grid', async () => {
  const { page, faults } = await visit(chrome, 'grid');
  await page.getByRole('textbox', { name: 'Prompt', exact: true }).fill('a red apple');
  await page.getByRole('combobox', { name: 'Across: setting' }).selectOption({ label: 'Words of the prompt' });
  await page.getByRole('textbox', { name: 'Across: values' }).fill('blue, green');
  await page.getByRole('alert').getByText('"blue" is not in the prompt').waitFor();
  await page.getByRole('textbox', { name: 'Across: values' }).fill('red, green');
  await page.getByRole('combobox', { name: 'Down: setting' }).selectOption({ label: 'Steps' });
  await page.getByRole('textbox', { name: 'Down: values' }).fill('2');
  await page.getByRole('button', { name: 'Draw 2 pictures' }).click();
  await page.getByText('2 of 2 drawn').waitFor({ timeout: 60_000 });
  const prompts = await page.evaluate(async () => (await (await fetch('/api/v1/images?limit=2')).json()).images.map((i) => i.prompt).sort());
  assert.deepEqual(prompts, ['a green apple', 'a red apple']);
  assert.deepEqual(faults, []);
});

test('a list with variants is counted before it is drawn', async () => {
  const { page } = await visit(chrome, 'batch');
  await page.getByRole('textbox', { name: 'List' }).fill('a {red|green|blue} {apple|car}\na sun');
  await page.getByText('7 prompts, 7 pictures').waitFor();
  await page.getByRole('cell', { name: 'a blue car' }).waitFor();
  await page.getByRole('button', { name: 'Some at random' }).click();
  await page.getByRole('spinbutton', { name: 'Draws for each line' }).fill('2');
  await page.getByText('3 prompts, 3 pictures').waitFor();
});

test('on a phone the settings are a sheet from the bottom', async () => {
  const { page, faults } = await visit(chrome, 'text', { viewport: { width: 360, height: 740 }, hasTouch: true });
  const opener = page.getByRole('button', { name: /^Settings .*20 steps/ });
  await opener.click();
  const sheet = page.getByRole('dialog', { name: 'Settings' });
  await page.waitForTimeout(300);
  const box = await sheet.boundingBox();
  assert.deepEqual([box.x, box.width, Math.round(box.y + box.height)], [0, 360, 740]);
  assert.ok(box.y > 40, 'the page is still seen above it');
  await sheet.getByRole('spinbutton', { name: 'Steps', exact: true }).fill('5');
  await page.keyboard.press('Escape');
  await sheet.waitFor({ state: 'hidden' });
  await page.getByRole('button', { name: /^Settings .*5 steps/ }).click();
  await page.waitForTimeout(300);
  await page.mouse.move(180, box.y + 10);
  await page.mouse.down();
  await page.mouse.move(180, box.y + 200, { steps: 5 });
  await page.mouse.up();
  await sheet.waitFor({ state: 'hidden' });
  await page.getByRole('textbox', { name: 'Prompt', exact: true }).fill('a leaf');
  await submit(page);
  await drawn(page, 'a leaf');
  assert.deepEqual(faults, []);
});

// The page in a browser, against a running server: drawing, queue, gallery, lists, grids, keys.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { compose, draw, drawn, idle, open, submit, visit } from './support.mjs';

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
  const named = { negative_prompt: 'Not in the picture', width: 'Size', height: 'Size', count: 'Pictures', rng: 'Random numbers', spacing: 'Step spacing', clip_skip: 'CLIP skip', keep_unmasked: 'Keep the unpainted part unchanged', masked_content: 'The painted part begins as', only_masked: 'Draw only the painted part, larger', mask_padding: 'Surroundings', fit: 'A picture of another shape is', guidance_start: 'Guidance begins at', guidance_stop: 'Guidance ends at' };
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

test('what is being typed counts when Ctrl+Enter draws, and a seed that is none is not kept', async () => {
  const { page } = await visit(chrome, 'text');
  await compose(page, 'a bee', 2);
  const seed = page.getByRole('spinbutton', { name: 'Seed' });
  await seed.fill('-5');
  await seed.press('Tab');
  assert.equal(await seed.inputValue(), '');
  const steps = page.getByRole('spinbutton', { name: 'Steps', exact: true });
  await steps.fill('3');
  const sent = page.waitForRequest((r) => r.method() === 'POST' && r.url().endsWith('/api/v1/jobs'));
  await steps.press('Control+Enter');
  assert.equal((await sent).postDataJSON().steps, 3);
  await drawn(page, 'a bee');
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

test('a picture that is deleted in its dialog comes back from there, and the focus moves on in the gallery', async () => {
  const { page, faults } = await visit(chrome, 'text');
  for (const prompt of ['a grey goose', 'a grey donkey']) await draw(page, prompt, 2);
  await page.getByRole('link', { name: 'Gallery' }).click();
  const pictures = page.locator('[data-picture]');
  await page.getByRole('searchbox', { name: 'Search' }).fill('a grey');
  await page.waitForFunction(() => [...document.querySelectorAll('[data-picture] img')].every((i) => i.alt.startsWith('a grey')));
  await pictures.nth(1).waitFor();
  const count = await pictures.count();
  await pictures.first().click();
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Delete');
  await page.waitForFunction((n) => document.querySelectorAll('[data-picture]').length === n - 1, count);
  await page.getByRole('dialog').getByRole('button', { name: 'Undo' }).click();
  await page.waitForFunction((n) => document.querySelectorAll('[data-picture]').length === n, count);
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });

  await pictures.first().focus();
  await page.keyboard.press('Delete');
  await page.waitForFunction((n) => document.querySelectorAll('[data-picture]').length === n - 1, count);
  await page.waitForFunction(() => document.activeElement === document.querySelector('[data-picture]'));
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.waitForFunction((n) => document.querySelectorAll('[data-picture]').length === n, count);
  assert.deepEqual(faults, []);
});

test('tags are put on pictures, one and several, found again and taken away', async () => {
  const { page, faults } = await visit(chrome, 'text');
  for (const prompt of ['a purple fish', 'a purple shell', 'a purple crab']) await draw(page, prompt, 2);
  await page.getByRole('link', { name: 'Gallery' }).click();
  await page.getByRole('searchbox', { name: 'Search' }).fill('purple');
  const pictures = page.locator('[data-picture]');
  await page.waitForFunction(() => [...document.querySelectorAll('[data-picture] img')].every((i) => i.alt.startsWith('a purple')));
  const all = await pictures.count();
  const tag = `sea ${Date.now()}`;  // the server of an earlier run may know others

  // From the first to the last of the three, by the shift key.
  await page.getByRole('checkbox', { name: 'Select: a purple crab' }).first().click();
  await page.getByRole('checkbox', { name: 'Select: a purple fish' }).first().click({ modifiers: ['Shift'] });
  await page.getByText('3 selected').waitFor();
  const bar = page.getByRole('group', { name: 'Selected pictures' });
  await bar.getByRole('button', { name: 'Tags' }).click();
  await bar.getByRole('combobox', { name: 'Add a tag to 3 pictures' }).fill(`${tag}, shore`);
  await page.keyboard.press('Enter');
  await bar.getByRole('button', { name: `Remove the tag ${tag}` }).waitFor();

  await page.getByRole('combobox', { name: 'Tag', exact: true }).selectOption({ label: `${tag} (3)` });
  await page.waitForFunction(() => document.querySelectorAll('[data-picture]').length === 3);
  await pictures.first().click();
  const dialog = page.getByRole('dialog', { name: 'a purple crab' });
  await dialog.getByRole('button', { name: `Remove the tag ${tag}` }).click();
  await dialog.getByRole('button', { name: `Remove the tag ${tag}` }).waitFor({ state: 'hidden' });
  await dialog.getByRole('combobox', { name: 'Add a tag' }).fill('a,'.repeat(3) + 'x'.repeat(41));
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('a tag has 1 to 40 characters').waitFor();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });

  await page.reload();
  await page.getByRole('combobox', { name: 'Tag', exact: true }).selectOption({ label: `${tag} (2)` });
  await page.waitForFunction(() => document.querySelectorAll('[data-picture]').length === 2);
  await page.getByText(`${tag}, shore`).or(page.getByText(`shore, ${tag}`)).first().waitFor();
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await page.waitForFunction((n) => document.querySelectorAll('[data-picture]').length >= n, all);
  await page.getByRole('checkbox', { name: /^Select: / }).first().check();
  await page.getByRole('button', { name: 'Select all shown' }).click();
  const shown = await pictures.count();
  await page.getByText(`${shown} selected`).waitFor();
  assert.deepEqual(faults, []);
});

test('on a phone the filters are folded, and filter', async () => {
  const { page, faults } = await visit(chrome, 'gallery', { viewport: { width: 360, height: 740 }, hasTouch: true });
  await page.locator('[data-picture]').first().waitFor();
  const since = page.getByLabel('From', { exact: true });
  assert.ok(!(await since.isVisible()));
  assert.ok((await page.locator('[data-picture]').first().boundingBox()).y < 400, 'pictures are in sight');
  await page.getByText('Filters', { exact: true }).click();
  await since.fill('2999-01-01');
  await page.getByText('No picture matches').waitFor();
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await page.locator('[data-picture]').first().waitFor();
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
  await page.getByText('2 prompts, 2 pictures').waitFor();
  await page.getByText(/Line 4: steps: many is not a value of this setting; the line is left out/).waitFor();
  await page.getByRole('button', { name: 'Add 2 pictures to the queue' }).click();
  await page.getByText('2 jobs added to the queue').waitFor();
  await idle(page);
  assert.deepEqual(faults, []);
});

test('a list and the axes of a grid stay while other panels are open', async () => {
  const { page } = await visit(chrome, 'batch');
  await page.getByRole('textbox', { name: 'List' }).fill('a dog');
  await page.getByRole('link', { name: 'Grid' }).click();
  await page.getByRole('textbox', { name: 'Across: values' }).fill('2, 5');
  await page.getByRole('link', { name: 'Batch' }).click();
  assert.equal(await page.getByRole('textbox', { name: 'List' }).inputValue(), 'a dog');
  await page.getByRole('link', { name: 'Grid' }).click();
  assert.equal(await page.getByRole('textbox', { name: 'Across: values' }).inputValue(), '2, 5');
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

test('a third setting makes sheets of grids, joined in one picture', async () => {
  const { page, faults } = await visit(chrome, 'grid');
  await page.getByRole('textbox', { name: 'Prompt', exact: true }).fill('a lemon');
  await page.getByRole('textbox', { name: 'Across: values' }).fill('1, 2');
  await page.getByRole('combobox', { name: 'Down: setting' }).selectOption({ label: 'Width and height' });
  await page.getByRole('textbox', { name: 'Down: values' }).fill('64x64');
  await page.getByRole('combobox', { name: 'Sheets: setting' }).selectOption({ label: 'Steps' });
  await page.getByRole('alert').getByText('Steps is chosen twice').waitFor();
  await page.getByRole('combobox', { name: 'Sheets: setting' }).selectOption({ label: 'Guidance' });
  await page.getByRole('textbox', { name: 'Sheets: values' }).fill('1.5, 2, 3');
  await page.getByRole('button', { name: 'Draw 6 pictures' }).click();
  await page.getByText('6 of 6 drawn').waitFor({ timeout: 60_000 });
  for (const guidance of ['1.5', '2', '3']) {
    const sheet = page.getByRole('table', { name: `Guidance ${guidance}` });
    assert.equal(await sheet.getByRole('img').count(), 2);
    await sheet.getByRole('img', { name: `a lemon, Guidance ${guidance}, 64 × 64, Steps 2` }).waitFor();
  }
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download the grid' }).click()]);
  const png = await readFile(await download.path());
  assert.ok(png.readUInt32BE(20) > 3 * 64, 'the sheets stand below each other');
  await page.reload();
  await page.getByRole('table', { name: 'Guidance 3' }).waitFor();
  assert.deepEqual(faults, []);
});

test('jobs that failed are tried again together, once', async () => {
  const { page } = await visit(chrome, 'queue');
  const failed = (id, prompt) => ({ id, kind: 'text', state: 'failed', position: null, created: '2026-01-01T00:00:00.000Z', started: null, finished: null, request: { prompt }, progress: null, images: [], warnings: [], error: { code: 'memory', message: 'not enough memory; try 128x128' } });
  const tried = [];
  await page.route('**/api/v1/jobs?*', (route) => route.fulfill({ json: { jobs: [failed('j-1', 'a wide wall'), failed('j-2', 'a tall tower')] } }));
  await page.route('**/api/v1/jobs/*/retry', (route) => {
    tried.push(new URL(route.request().url()).pathname.split('/').at(-2));
    return route.fulfill({ status: 202, json: { ...failed(`${tried.at(-1)}-again`, 'again'), state: 'cancelled', error: null } });
  });
  await page.reload();
  await page.getByText('not enough memory; try 128x128').first().waitFor();
  await page.route('**/api/v1/jobs/*/retry', (route) => route.fulfill({ status: 429, json: { error: { code: 'queue_full', message: 'the queue is full' } } }), { times: 1 });
  await page.getByRole('button', { name: 'Try 2 failed jobs again' }).click();
  await page.getByRole('alert').getByText('the queue is full', { exact: true }).waitFor();
  assert.deepEqual(tried, [], 'after a refusal the others are left for later');
  await page.getByRole('button', { name: 'Try 2 failed jobs again' }).click();
  await page.getByRole('button', { name: /^Try \d/ }).waitFor({ state: 'hidden' });
  assert.deepEqual(tried, ['j-1', 'j-2']);
  await page.reload();
  await page.getByText('not enough memory; try 128x128').first().waitFor();
  assert.equal(await page.getByRole('button', { name: /^Try \d/ }).count(), 0);
});

test('earlier prompts come back, by key and from a list', async () => {
  const { page, faults } = await visit(chrome, 'text');
  for (const prompt of ['a first bell', 'a second bell']) await draw(page, prompt, 1);
  const box = page.getByRole('textbox', { name: 'Prompt', exact: true });
  await box.fill('a third bell');
  await box.press('Alt+ArrowUp');
  assert.equal(await box.inputValue(), 'a second bell');
  await box.press('Alt+ArrowUp');
  assert.equal(await box.inputValue(), 'a first bell');
  await box.press('Alt+ArrowDown');
  await box.press('Alt+ArrowDown');
  assert.equal(await box.inputValue(), 'a third bell');
  await page.getByRole('button', { name: 'Earlier prompts' }).click();
  await page.getByRole('group', { name: 'Earlier prompts' }).getByRole('button', { name: 'a first bell' }).click();
  assert.equal(await box.inputValue(), 'a first bell');
  assert.deepEqual(faults, []);
});

test('a picture is drawn again at twice its size', async () => {
  const { page, faults } = await visit(chrome, 'text');
  await idle(page);
  await compose(page, 'a ladybird', 2);
  await submit(page);
  await drawn(page, 'a ladybird');
  await page.getByRole('button', { name: 'Send to' }).click();
  await page.getByRole('button', { name: 'Twice as large: 256 × 256' }).click();
  await page.getByRole('img', { name: 'Starting picture: a ladybird' }).waitFor();
  await submit(page);
  await page.locator('figcaption').getByText(/256 × 256/).waitFor({ timeout: 60_000 });
  assert.deepEqual(faults, []);
});

test('everything of a picture is used again, or its prompt or size alone', async () => {
  const { page, faults } = await visit(chrome, 'text');
  await idle(page);
  await page.getByRole('button', { name: '3:2' }).click();
  await compose(page, 'a brown boot', 3);
  await submit(page);
  await drawn(page, 'a brown boot');
  const prompt = page.getByRole('textbox', { name: 'Prompt', exact: true });
  const number = (name) => page.getByRole('spinbutton', { name, exact: true });
  const [width, height] = [await number('Width').inputValue(), await number('Height').inputValue()];
  const seed = /seed (\d+)/.exec(await page.locator('figcaption').innerText())[1];
  const reuse = async (what) => {
    await page.getByRole('button', { name: 'Reuse' }).click();
    await page.getByRole('group', { name: 'Reuse' }).getByRole('button', { name: what, exact: true }).click();
  };
  await prompt.fill('something else');
  await number('Steps').fill('9');
  await number('Steps').press('Tab');
  await page.getByRole('button', { name: '1:1' }).click();
  await reuse('Size');
  assert.deepEqual([await number('Width').inputValue(), await number('Height').inputValue()], [width, height]);
  assert.equal(await prompt.inputValue(), 'something else');
  await reuse('Prompt');
  assert.equal(await prompt.inputValue(), 'a brown boot');
  assert.equal(await number('Steps').inputValue(), '9');
  await reuse('Everything');
  assert.deepEqual([await number('Steps').inputValue(), await number('Seed').inputValue()], ['3', seed]);
  assert.deepEqual(faults, []);
});

test('two pictures are compared by keyboard', async () => {
  const { page, faults } = await visit(chrome, 'text');
  for (const prompt of ['a sun', 'a moon']) await draw(page, prompt, 2);
  await page.getByRole('button', { name: 'Compare' }).click();
  const slider = page.getByRole('slider', { name: 'Where the pictures meet' });
  await slider.focus();
  await page.keyboard.press('ArrowRight');
  assert.equal(await slider.inputValue(), '51');
  const dialog = page.getByRole('dialog', { name: 'Compare' });
  await page.getByRole('button', { name: 'Side by side' }).click();
  assert.equal(await dialog.getByRole('img').count(), 2);
  await page.getByRole('button', { name: 'In turns' }).click();
  assert.equal(await dialog.getByRole('img').count(), 1);
  for (const prompt of [/^a sun/, /^a moon/, /^a sun/]) await dialog.getByRole('img', { name: prompt }).waitFor();
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
  const percent = async () => Number.parseInt(await dialog.getByRole('group', { name: 'Zoom', exact: true }).getByRole('status').innerText(), 10);
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

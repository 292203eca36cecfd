// The mask editor: painting, undo, shapes by numbers, files, and what is sent.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { compose, decodeGrey, drawn, grey, idle, maskOf, open, pick, submit, visit } from './support.mjs';

let chrome;
before(async () => (chrome = await open()));
after(() => chrome.close());

/**
 * How many pixels differ between two pictures of the server: of those that the mask has in full, and of those that it
 * has not, which are counted too.
 */
async function differences(page, before, after, mask) {
  const pixels = (address) =>
    page.evaluate(async (from) => {
      const bitmap = await createImageBitmap(await (await fetch(from)).blob());
      const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
      context.drawImage(bitmap, 0, 0);
      return [...context.getImageData(0, 0, bitmap.width, bitmap.height).data];
    }, address);
  const [a, b] = [await pixels(before), await pixels(after)];
  const { width, height } = mask;
  const counts = { inside: 0, outside: 0, kept: 0 };
  for (let i = 0; i < width * height; i++) {
    const differ = [0, 1, 2].some((c) => a[4 * i + c] !== b[4 * i + c]) ? 1 : 0;
    if (mask.pixels[i] === 255) counts.inside += differ;
    else if (mask.pixels[i] < 128) [counts.outside, counts.kept] = [counts.outside + differ, counts.kept + 1];
  }
  return counts;
}

/** Draws a picture and opens it for inpainting, through the page itself. */
async function editor(prompt) {
  const opened = await visit(chrome, 'text');
  const { page } = opened;
  await idle(page);
  await compose(page, prompt);
  await submit(page);
  await drawn(page, prompt);
  await page.getByRole('button', { name: 'Send to' }).click();
  await page.getByRole('group', { name: 'Send to' }).getByRole('button', { name: 'Inpaint' }).click();
  const canvas = page.locator('canvas');
  await canvas.waitFor();
  await page.waitForTimeout(400);
  return { ...opened, canvas };
}

async function stroke(page, canvas, from, to) {
  const box = await canvas.boundingBox();
  const at = ([x, y]) => [box.x + box.width / 2 + x, box.y + box.height / 2 + y];
  await page.mouse.move(...at(from));
  await page.mouse.down();
  await page.mouse.move(...at(to), { steps: 12 });
  await page.mouse.up();
}

test('a stroke is painted, undone, done again, erased, and repaints the picture', async () => {
  const { page, faults, canvas } = await editor('a red apple');
  await stroke(page, canvas, [-60, 0], [60, 20]);
  const painted = await maskOf(page);
  assert.ok(painted.white > 100, `${painted.white} pixels are painted`);
  assert.deepEqual([painted.depth, painted.colour], [8, 0]);
  assert.equal(painted.white + painted.pixels.filter((p) => p === 0).length, painted.width * painted.height);

  await page.keyboard.press('Control+z');
  await page.getByText('Paint over what should change').waitFor();
  await page.keyboard.press('Control+Shift+z');
  assert.equal((await maskOf(page)).white, painted.white);

  await page.keyboard.press('e');
  await stroke(page, canvas, [0, -60], [0, 80]);
  const cut = await maskOf(page);
  assert.ok(cut.white < painted.white && cut.white > 0);
  await page.keyboard.press('Control+z');

  const sent = page.waitForRequest((r) => r.method() === 'POST' && r.url().endsWith('/api/v1/jobs'));
  await compose(page, 'a green apple');
  await page.locator('summary', { hasText: 'Not in the picture' }).click();
  await page.getByRole('textbox', { name: 'Not in the picture' }).fill('red');
  await submit(page);
  const body = (await sent).postDataJSON();
  assert.equal(body.negative_prompt, 'red');
  const mask = await decodeGrey(Buffer.from(body.mask_image.split(',')[1], 'base64'));
  assert.equal(mask.white, painted.white);
  assert.ok(body.init_image.image > 0);
  await drawn(page, 'a green apple');
  const newest = await page.evaluate(async () => (await (await fetch('/api/v1/images?limit=1')).json()).images[0]);
  assert.deepEqual([newest.prompt, newest.negative_prompt], ['a green apple', 'red']);
  const counts = await differences(page, `/api/v1/images/${body.init_image.image}/file`, newest.url, mask);
  assert.ok(counts.inside > mask.white / 2, `${counts.inside} of ${mask.white} painted pixels are new`);
  assert.ok(counts.kept > 2000 && counts.outside === 0, `${counts.outside} of ${counts.kept} pixels off the mask changed`);
  assert.deepEqual(faults, []);
});

test('sixty strokes are undone one by one', async () => {
  const { page, faults } = await editor('a lion');
  await page.getByText('Rectangle by numbers').click();
  for (const [name, value] of [['Left', 4], ['Top', 6], ['Width', 10], ['Height', 20]]) {
    await page.getByRole('spinbutton', { name, exact: true }).fill(String(value));
  }
  const add = page.getByRole('button', { name: 'Add to the mask' });
  for (let i = 0; i < 60; i++) await add.click();
  assert.equal((await maskOf(page)).white, 200);
  const undo = page.getByRole('button', { name: 'Undo' });
  for (let i = 0; i < 60; i++) await undo.click();
  assert.ok(await undo.isDisabled());
  await page.getByText('Paint over what should change').waitFor();

  await page.getByRole('button', { name: 'Fill' }).click();
  const all = await maskOf(page);
  assert.equal(all.white, all.width * all.height);
  await page.getByRole('button', { name: 'Remove from the mask' }).click();
  assert.equal((await maskOf(page)).white, all.white - 200);
  await page.getByRole('button', { name: 'Invert' }).click();
  assert.equal((await maskOf(page)).white, 200);
  assert.deepEqual(faults, []);
});

test('the wheel and two fingers zoom; one finger paints', async () => {
  const { page, faults, canvas } = await editor('a rocket');
  const percent = async () => Number.parseInt(await page.getByRole('button', { name: /^Zoom \d/ }).innerText(), 10);
  const whole = await percent();
  const box = await canvas.boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.wheel(0, -400);
  await page.waitForTimeout(100);
  const wheeled = await percent();
  assert.ok(wheeled > whole, `${wheeled} > ${whole}`);
  await page.getByRole('button', { name: /^Zoom \d/ }).click();

  const touch = (type, id, x, y) =>
    canvas.dispatchEvent(type, { pointerId: id, pointerType: 'touch', clientX: box.x + x, clientY: box.y + y, buttons: 1, bubbles: true, isPrimary: id === 1 });
  await page.evaluate(() => (HTMLElement.prototype.setPointerCapture = () => {}));
  const [cx, cy] = [box.width / 2, box.height / 2];
  await touch('pointerdown', 1, cx - 40, cy);
  await touch('pointerdown', 2, cx + 40, cy);
  await touch('pointermove', 2, cx + 120, cy);
  await touch('pointerup', 2, cx + 120, cy);
  await touch('pointerup', 1, cx - 40, cy);
  assert.ok((await percent()) > whole * 1.5);
  await page.getByText('Paint over what should change').waitFor();

  await touch('pointerdown', 1, cx, cy);
  await touch('pointermove', 1, cx + 30, cy);
  await touch('pointerup', 1, cx + 30, cy);
  assert.ok((await maskOf(page)).white > 0);
  assert.deepEqual(faults, []);
});

test('a pen paints while the hand rests on the picture, and its other end erases', async () => {
  const { page, faults, canvas } = await editor('a kite');
  const box = await canvas.boundingBox();
  await page.evaluate(() => (HTMLElement.prototype.setPointerCapture = () => {}));
  const [cx, cy] = [box.width / 2, box.height / 2];
  const send = (type, pointerId, pointerType, x, y, rest = {}) =>
    canvas.dispatchEvent(type, { pointerId, pointerType, clientX: box.x + x, clientY: box.y + y, buttons: 1, pressure: 0.5, bubbles: true, ...rest });
  await send('pointerdown', 1, 'pen', cx - 30, cy);
  await send('pointerdown', 2, 'touch', cx + 40, cy + 40);
  await send('pointermove', 1, 'pen', cx + 30, cy);
  await send('pointercancel', 2, 'touch', cx + 40, cy + 40);
  await send('pointerup', 1, 'pen', cx + 30, cy);
  const painted = (await maskOf(page)).white;
  assert.ok(painted > 0);
  await send('pointerdown', 3, 'pen', cx, cy, { button: 5, buttons: 32 });
  await send('pointermove', 3, 'pen', cx + 10, cy, { button: -1, buttons: 32 });
  await send('pointerup', 3, 'pen', cx + 10, cy, { button: 5, buttons: 0 });
  assert.ok((await maskOf(page)).white < painted);
  assert.deepEqual(faults, []);
});

test('a mask picture is opened: its bright part is repainted, whatever its size', async () => {
  const { page, faults, canvas } = await editor('a star');
  const file = page.getByRole('group', { name: 'Mask file' }).locator('input[type=file]');
  const picture = async (size) => ({ name: 'mask.png', mimeType: 'image/png', buffer: await grey(size, size, (x) => (4 * x < size ? 255 : 60)) });
  await file.setInputFiles(await picture(128));
  await page.getByText('What is coloured is drawn anew').waitFor();
  const opened = await maskOf(page);
  assert.deepEqual([opened.width, opened.height, opened.white], [128, 128, 32 * 128]);
  assert.ok(opened.pixels[0] === 255 && opened.pixels[127] === 0);
  await stroke(page, canvas, [60, -40], [60, 40]);
  assert.ok((await maskOf(page)).white > opened.white, 'painting goes on from it');
  await page.keyboard.press('Control+z');
  await page.keyboard.press('Control+z');
  await page.getByText('Paint over what should change').waitFor();
  await file.setInputFiles(await picture(64));
  assert.equal((await maskOf(page)).white, 32 * 128);

  await file.setInputFiles({ name: 'torn.png', mimeType: 'image/png', buffer: Buffer.from('no picture') });
  await page.getByRole('alert').getByText('torn.png cannot be read').waitFor();
  assert.equal((await maskOf(page)).white, 32 * 128);
  await compose(page, 'a blue star');
  const sent = page.waitForRequest((r) => r.method() === 'POST' && r.url().endsWith('/api/v1/jobs'));
  await submit(page);
  const mask = await decodeGrey(Buffer.from((await sent).postDataJSON().mask_image.split(',')[1], 'base64'));
  assert.equal(mask.white, 32 * 128);
  await drawn(page, 'a blue star');
  assert.deepEqual(faults, []);
});

test('a lasso fills what it encloses, and Alt takes it out again', async () => {
  const { page, faults, canvas } = await editor('a duck');
  const scale = Number.parseInt(await page.getByRole('button', { name: /^Zoom \d/ }).innerText(), 10) / 100;
  const round = async (corners) => {
    const box = await canvas.boundingBox();
    const at = ([x, y]) => [box.x + box.width / 2 + x * scale, box.y + box.height / 2 + y * scale];
    await page.mouse.move(...at(corners[0]));
    await page.mouse.down();
    for (const corner of corners.slice(1)) await page.mouse.move(...at(corner), { steps: 8 });
    await page.mouse.up();
  };
  await page.keyboard.press('l');
  await round([[-30, -20], [30, -20], [30, 20], [-30, 20]]);
  const filled = await maskOf(page);
  assert.ok(Math.abs(filled.white - 60 * 40) < 250, `${filled.white} pixels of 2400`);
  assert.equal(filled.pixels[64 * 128 + 64], 255);
  await page.keyboard.down('Alt');
  await round([[-10, -10], [10, -10], [10, 10], [-10, 10]]);
  await page.keyboard.up('Alt');
  const cut = await maskOf(page);
  assert.ok(Math.abs(filled.white - cut.white - 20 * 20) < 120, `${filled.white} - ${cut.white}`);
  await page.keyboard.press('Control+z');
  assert.equal((await maskOf(page)).white, filled.white);
  assert.deepEqual(faults, []);
});

test('the box that is drawn of the picture is shown, and is the one that the program draws', async () => {
  const { page, faults } = await editor('a lemon');
  await page.getByText('Rectangle by numbers').click();
  for (const [name, value] of [['Left', 40], ['Top', 50], ['Width', 30], ['Height', 10]]) {
    await page.getByRole('spinbutton', { name, exact: true }).fill(String(value));
  }
  await page.getByRole('button', { name: 'Add to the mask' }).click();
  await page.getByLabel('Draw only the painted part, larger', { exact: true }).check();
  await page.getByRole('spinbutton', { name: 'Surroundings', exact: true }).fill('8');
  await page.getByRole('spinbutton', { name: 'Surroundings', exact: true }).press('Tab');
  await page.getByText('The dashed box, 46 × 46 pixels, is drawn at 128 × 128.').waitFor();
  await page.getByText('More settings').click();
  await page.getByLabel('Keep the unpainted part unchanged', { exact: true }).uncheck();
  const sent = page.waitForRequest((r) => r.method() === 'POST' && r.url().endsWith('/api/v1/jobs'));
  await compose(page, 'a lime', 2);
  await submit(page);
  const { init_image } = (await sent).postDataJSON();
  await drawn(page, 'a lime');
  const changed = await page.evaluate(async (id) => {
    const newest = (await (await fetch('/api/v1/images?limit=1')).json()).images[0];
    const pixels = async (address) => {
      const bitmap = await createImageBitmap(await (await fetch(address)).blob());
      const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
      context.drawImage(bitmap, 0, 0);
      return context.getImageData(0, 0, bitmap.width, bitmap.height).data;
    };
    const [a, b] = [await pixels(`/api/v1/images/${id}/file`), await pixels(newest.url)];
    const places = [...a.keys()].filter((i) => a[i] !== b[i]).map((i) => [Math.floor(i / 4) % 128, Math.floor(i / 512)]);
    const side = (axis) => [Math.min(...places.map((p) => p[axis])), Math.max(...places.map((p) => p[axis]))];
    return [...side(0), ...side(1)];
  }, init_image.image);
  assert.deepEqual(changed, [32, 77, 32, 77]);
  assert.deepEqual(faults, []);
});

test('a grid repaints a picture inside its mask', async () => {
  const { page, faults } = await editor('a pear');
  await page.getByRole('button', { name: 'Fill' }).click();
  await page.getByRole('link', { name: 'Grid' }).click();
  await page.getByRole('checkbox', { name: 'Start from the picture a pear' }).check();
  await page.getByRole('combobox', { name: 'Across: setting' }).selectOption({ label: 'Strength' });
  await page.getByRole('textbox', { name: 'Across: values' }).fill('0.5, 1');
  await page.getByRole('checkbox', { name: 'Repaint only what its mask covers' }).check();
  await page.getByRole('combobox', { name: 'Down: setting' }).selectOption({ label: 'Mask blur' });
  await page.getByRole('textbox', { name: 'Down: values' }).fill('0');
  await page.getByRole('checkbox', { name: 'Start from the picture a pear' }).uncheck();
  await page.getByRole('alert').getByText('Strength has no effect here').waitFor();
  await page.getByRole('checkbox', { name: 'Start from the picture a pear' }).check();
  const sent = page.waitForRequest((r) => r.method() === 'POST' && r.url().endsWith('/api/v1/jobs'));
  await page.getByRole('button', { name: 'Draw 2 pictures' }).click();
  const body = (await sent).postDataJSON();
  assert.deepEqual([body.strength, body.mask_blur, typeof body.mask_image], [0.5, 0, 'string']);
  await page.getByText('2 of 2 drawn').waitFor({ timeout: 60_000 });
  assert.deepEqual(faults, []);
});

test('a picture is extended: the new edge is the mask, and the answer has the new size', async () => {
  const { page, faults } = await visit(chrome, 'inpaint');
  await idle(page);
  await pick(page, 'left.png', await grey(64, 64, (x, y) => (x < 32 ? 40 : 200) + (y & 1)));
  const group = page.getByRole('group', { name: 'Extend the picture' });
  await page.getByText('Extend the picture').first().click();
  await group.getByRole('spinbutton', { name: 'Right' }).fill('64');
  await group.getByRole('spinbutton', { name: 'Top' }).fill('30');
  await page.getByRole('button', { name: 'Extend to 128 × 96' }).click();
  await page.getByText('The picture is now 128 × 96').waitFor();
  const mask = await maskOf(page);
  assert.deepEqual([mask.width, mask.height], [128, 96]);
  const at = (x, y) => mask.pixels[y * 128 + x];
  assert.deepEqual([at(127, 50), at(10, 10), at(10, 60), at(60, 60), at(10, 94)], [255, 255, 0, 255, 255]);

  await page.getByRole('button', { name: 'Undo' }).last().click();
  await page.getByRole('group', { name: 'Starting picture' }).getByText('64 × 64').waitFor();
  await page.getByText('Paint over what should change').waitFor();

  await group.getByRole('spinbutton', { name: 'Right' }).fill('64');
  await page.getByRole('button', { name: 'Extend to 128 × 64' }).click();
  await compose(page, 'two apples');
  await submit(page);
  await drawn(page, 'two apples');
  await page.locator('figcaption').getByText(/128 × 64/).waitFor();
  assert.deepEqual(faults, []);
});

// Everyone can use it: axe finds nothing on any panel, in both colour schemes; nothing is wider than the
// window down to 320 pixels; controls are large enough; progress is told to screen readers.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';

import { compose, drawn, idle, open, submit, visit } from './support.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const panels = ['text', 'image', 'inpaint', 'batch', 'grid', 'gallery', 'queue'];
let chrome;
before(async () => {
  chrome = await open();
  const { page, context } = await visit(chrome, 'text');
  await compose(page, 'a red apple', 2);
  await submit(page);
  await drawn(page, 'a red apple');
  await context.close();
});
after(() => chrome.close());

async function violations(page) {
  await page.evaluate(axe);
  const { violations: found } = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }),
  );
  return found.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target} ${n.any[0]?.message ?? ''}`).join('; ')}`);
}

/** Opens what is closed, so that it is looked at, too. */
async function unfold(page) {
  await page.evaluate(() => document.querySelectorAll('details').forEach((d) => (d.open = true)));
  const start = page.getByRole('button', { name: /^Start from: / }).first();
  if (await start.count()) await start.click();
  await page.waitForTimeout(400);
}

for (const colorScheme of ['light', 'dark']) {
  test(`axe finds nothing, ${colorScheme}`, async () => {
    for (const panel of panels) {
      const { page, context, faults } = await visit(chrome, panel, { colorScheme });
      await unfold(page);
      assert.deepEqual(await violations(page), [], panel);
      assert.deepEqual(faults, []);
      await context.close();
    }
  });
}

test('axe finds nothing in the dialogs', async () => {
  const { page } = await visit(chrome, 'gallery');
  await page.locator('[data-picture]').first().click();
  await page.getByRole('dialog').waitFor();
  assert.deepEqual(await violations(page), [], 'details');
  await page.getByRole('button', { name: 'Compare' }).click();
  await page.getByRole('slider', { name: 'Where the pictures meet' }).waitFor();
  assert.deepEqual(await violations(page), [], 'compare');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await page.locator('main').focus();
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keys' }).waitFor();
  assert.deepEqual(await violations(page), [], 'keys');
});

test('nothing is wider than the window, and targets are at least 24 pixels', async () => {
  for (const width of [320, 360, 768, 1440]) {
    for (const panel of panels) {
      const { page, context } = await visit(chrome, panel, { viewport: { width, height: 740 } });
      await unfold(page);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(wide <= 0, `${panel} at ${width}: ${wide} pixels too wide`);
      const small = await page.evaluate(() =>
        [...document.querySelectorAll('main button, main select, main summary, header a, header button, main input:not([type=file], [type=checkbox])')]
          .map((e) => ({ name: e.getAttribute('aria-label') ?? e.textContent?.trim(), box: e.getBoundingClientRect() }))
          .filter(({ box }) => box.width > 0 && (box.width < 24 || box.height < 24))
          .map(({ name, box }) => `${name} ${box.width}x${box.height}`),
      );
      assert.deepEqual(small, [], `${panel} at ${width}`);
      await context.close();
    }
  }
});

test('progress is announced politely, every tenth at most, and the focus is visible', async () => {
  const { page } = await visit(chrome, 'text');
  await idle(page);
  await page.evaluate(() => {
    globalThis.said = [];
    const region = document.querySelector('[aria-live=polite]');
    new MutationObserver(() => globalThis.said.push(region.textContent)).observe(region, { childList: true, characterData: true, subtree: true });
  });
  await compose(page, 'a yellow duck', 20);
  await submit(page);
  await drawn(page, 'a yellow duck');
  const said = await page.evaluate(() => globalThis.said);
  assert.ok(said.some((text) => /^\d+ % done/.test(text)), said.join('; '));
  assert.ok(said.filter((text) => /% done/.test(text)).length <= 10);
  assert.equal(said.at(-1), 'Done: 1 picture');
  await page.keyboard.press('Tab');
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outline, 'solid');
});

test('forced colours leave every control visible', async () => {
  const { page } = await visit(chrome, 'text', { forcedColors: 'active' });
  const border = await page.getByRole('button', { name: /^Generate/ }).evaluate((e) => getComputedStyle(e).borderTopWidth);
  assert.notEqual(border, '0px');
});

// Everyone can use it: axe finds nothing on any panel, in both colour schemes; nothing is wider than the
// window down to 320 pixels; controls are large enough; progress is told to screen readers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { axeFinds, compose, drawn, grey, idle, open, submit, visit } from './support.mjs';

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
      // So tall that the bar of the button lies over nothing: elsewhere one scrolls to what it covers.
      const { page, context, faults } = await visit(chrome, panel, { colorScheme, viewport: { width: 1280, height: 3200 } });
      await unfold(page);
      assert.deepEqual(await axeFinds(page), [], panel);
      assert.deepEqual(faults, []);
      await context.close();
    }
  });
}

for (const colorScheme of ['light', 'dark']) {
  test(`axe finds nothing in the dialogs, ${colorScheme}`, async () => {
    const { page } = await visit(chrome, 'gallery', { colorScheme });
    await page.locator('[data-picture]').first().click();
    await page.getByRole('dialog').waitFor();
    assert.deepEqual(await axeFinds(page), [], 'details');
    await page.getByRole('button', { name: 'Zoom', exact: true }).click();
    await page.getByRole('button', { name: 'Actual size' }).waitFor();
    assert.deepEqual(await axeFinds(page), [], 'zoom');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Compare' }).click();
    await page.getByRole('slider', { name: 'Where the pictures meet' }).waitFor();
    assert.deepEqual(await axeFinds(page), [], 'compare');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await page.locator('main input[type=file]').setInputFiles({ name: 'plain.png', mimeType: 'image/png', buffer: await grey(8, 8, () => 9) });
    await page.getByRole('dialog', { name: 'Recipe of a picture' }).getByRole('alert').or(page.getByRole('button', { name: 'Use these settings' })).first().waitFor();
    assert.deepEqual(await axeFinds(page), [], 'recipe');
    await page.keyboard.press('Escape');
    await page.getByRole('checkbox', { name: /^Select: / }).first().check();
    await page.getByRole('group', { name: 'Selected pictures' }).getByRole('button', { name: 'Tags' }).click();
    await page.getByRole('combobox', { name: 'Add a tag' }).fill('fruit');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Remove the tag fruit' }).waitFor();
    assert.deepEqual(await axeFinds(page), [], 'tags');
    await page.locator('main').focus();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    assert.deepEqual(await axeFinds(page), [], 'keys');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByText('As the system').waitFor();
    assert.deepEqual(await axeFinds(page), [], 'settings of the page');
  });

  test(`axe finds nothing in the sheet of a phone, ${colorScheme}`, async () => {
    for (const panel of ['text', 'inpaint']) {
      const { page, context } = await visit(chrome, panel, { colorScheme, viewport: { width: 360, height: 740 } });
      await unfold(page);
      await page.getByRole('button', { name: /^Settings .*steps/ }).click();
      await page.waitForTimeout(400);
      await page.evaluate(() => document.querySelectorAll('dialog details').forEach((d) => (d.open = true)));
      assert.deepEqual(await axeFinds(page), [], panel);
      const wide = await page.evaluate(() =>
        [...document.querySelectorAll('dialog[open] :is(input, select, button)')].map((e) => e.getBoundingClientRect()).filter((b) => b.left < 10 || b.right > innerWidth - 10).length,
      );
      assert.equal(wide, 0, `${panel}: controls that touch the edge`);
      await context.close();
    }
  });
}

test('a picture is drawn, repainted and found again without a mouse', async () => {
  const { page, faults } = await visit(chrome, 'text');
  await idle(page);
  /** Goes on with Tab until something of this name has the focus. */
  const reach = async (name) => {
    for (let i = 0; i < 150; i++) {
      await page.keyboard.press('Tab');
      const found = await page.evaluate(() => {
        const e = document.activeElement;
        const label = e.getAttribute('aria-label') ?? e.labels?.[0]?.textContent ?? e.textContent ?? '';
        const { width, height } = e.getBoundingClientRect();
        return { label: label.trim(), seen: width > 0 && height > 0 && getComputedStyle(e).outlineStyle !== 'none' };
      });
      if (!name.test(found.label)) continue;
      assert.ok(found.seen, `the focus on ${found.label} is seen`);
      return;
    }
    assert.fail(`${name} is not reached by Tab`);
  };
  await reach(/^Prompt/);
  await page.keyboard.type('a red apple');
  await reach(/^Steps$/);
  await page.keyboard.press('Control+a');
  await page.keyboard.type('3');
  await reach(/^Generate/);
  await page.keyboard.press('Enter');
  await drawn(page, 'a red apple');
  await reach(/^Send to/);
  await page.keyboard.press('Enter');
  await reach(/^Inpaint$/);
  await page.keyboard.press('Enter');
  await page.locator('canvas').waitFor();
  await reach(/^Rectangle by numbers/);
  await page.keyboard.press('Enter');
  await reach(/^Width$/);
  await reach(/^Add to the mask/);
  await page.keyboard.press('Enter');
  await page.getByText('What is coloured is drawn anew').waitFor();
  await page.keyboard.press('Control+Enter');
  await drawn(page, 'a red apple');
  await page.goto(page.url().replace(/#.*/, '#/gallery'));
  await page.getByRole('searchbox').waitFor();
  await reach(/^a red apple/);
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').getByText('Recipe as text').waitFor();
  await page.keyboard.press('Escape');
  assert.deepEqual(faults, []);
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

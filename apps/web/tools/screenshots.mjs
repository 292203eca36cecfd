// Makes the pictures of docs/web.md and the README anew: MEZZO_URL names a running server with the shipped model and,
// for the look of it, an empty folder of pictures.
import { compose, drawn, idle, open, submit, visit } from '../tests/e2e/support.mjs';

const folder = new URL('../../../docs/images/', import.meta.url).pathname;
const wide = { viewport: { width: 1280, height: 860 }, colorScheme: 'light' };
const phone = { viewport: { width: 360, height: 740 }, colorScheme: 'dark', hasTouch: true };
const chrome = await open();
const save = async (page, name) => {
  await page.mouse.move(0, 0);
  await page.evaluate(() => scrollTo(0, 0));
  await page.waitForTimeout(600);
  await page.screenshot({ path: `${folder}${name}.png` });
  console.log(`${folder}${name}.png`);
};

const { page } = await visit(chrome, 'text', wide);
for (const prompt of ['a red apple', 'a castle', 'a yellow duck', 'a rocket', 'an orange cat', 'a lion on a blue background']) {
  await compose(page, prompt, 20);
  await submit(page);
  await drawn(page, prompt);
  await idle(page);
}
await save(page, 'page');

await page.getByRole('button', { name: 'Send to' }).click();
await page.getByRole('group', { name: 'Send to' }).getByRole('button', { name: 'Inpaint' }).click();
await page.locator('canvas').waitFor();
await page.getByRole('textbox', { name: 'Prompt', exact: true }).fill('a lion with a red hat');
await page.waitForTimeout(500);
await page.getByRole('button', { name: 'Magenta' }).click();
await page.locator('canvas').focus();
await page.keyboard.press('l');
const box = await page.locator('canvas').boundingBox();
const round = [[-0.15, -0.36], [0.14, -0.38], [0.16, -0.2], [0.05, -0.16], [-0.1, -0.17], [-0.17, -0.24]].map(([x, y]) => [box.x + box.width / 2 + x * box.height, box.y + box.height * (0.5 + y)]);
await page.mouse.move(...round[0]);
await page.mouse.down();
for (const corner of round.slice(1)) await page.mouse.move(...corner, { steps: 8 });
await page.mouse.up();
await save(page, 'page_mask');

const small = (await visit(chrome, 'text', phone)).page;
await small.getByRole('textbox', { name: 'Prompt', exact: true }).fill('a red apple');
await small.getByRole('button', { name: /^Settings .*steps/ }).click();
await save(small, 'page_phone');
await chrome.close();

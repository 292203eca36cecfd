// A browser on the page of a running server: MEZZO_URL says which. CHROMIUM names another browser.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

import { chromium } from 'playwright-core';

/** A picture of few steps from the shipped model takes a second; a slow machine more. */
const patience = Number(process.env['MEZZO_PATIENCE'] ?? 30_000);
export const url = process.env['MEZZO_URL'] ?? 'http://127.0.0.1:7860';
const browser = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

export async function open() {
  return chromium.launch({ executablePath: browser, args: ['--no-sandbox'] });
}

/** A page that fails the test on any script error or anything that its security policy refused. */
export async function visit(chrome, tab, options = {}) {
  const context = await chrome.newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: true, ...options });
  const page = await context.newPage();
  const faults = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (/Content Security Policy|TypeError|ReferenceError/.test(message.text())) faults.push(message.text());
  });
  await page.goto(`${url}/#/${tab}`);
  await page.locator('main :is(form, h2)').first().waitFor();
  return { page, faults, context };
}

/** On a small window the settings are folded away, on a phone they are a sheet. */
export async function showSettings(page) {
  const steps = page.getByRole('spinbutton', { name: 'Steps', exact: true });
  if (await steps.isVisible()) return steps;
  const sheet = page.getByRole('button', { name: /^Settings .*steps/ });
  if (await sheet.isVisible()) await sheet.click();
  else await page.getByText('Settings', { exact: true }).click();
  return steps;
}

/** Fills in few steps, so that a test waits for seconds at most. */
export async function compose(page, prompt, steps = 4) {
  await page.getByRole('textbox', { name: 'Prompt', exact: true }).fill(prompt);
  const box = await showSettings(page);
  await box.fill(String(steps));
  await box.press('Tab');
  const sheet = page.getByRole('dialog', { name: 'Settings' });
  if (await sheet.isVisible()) await sheet.getByRole('button', { name: 'Close' }).click();
}

/** Chooses the starting picture from a file. */
export async function pick(page, name, buffer) {
  await page.getByRole('group', { name: 'Starting picture' }).locator('input[type=file]').setInputFiles({ name, mimeType: 'image/png', buffer });
  await page.getByRole('img', { name: `Starting picture: ${name}` }).waitFor();
}

/** A grey PNG whose pixels a function says. */
export async function grey(width, height, pixel) {
  const { crc32, deflateSync } = await import('node:zlib');
  const raw = Buffer.alloc(height * (width + 1));
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) raw[y * (width + 1) + 1 + x] = pixel(x, y);
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const bytes = Buffer.alloc(body.length + 8);
    bytes.writeUInt32BE(data.length, 0);
    body.copy(bytes, 4);
    bytes.writeUInt32BE(crc32(body), body.length + 4);
    return bytes;
  };
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0]);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', deflateSync(raw)), chunk('IEND', Buffer.alloc(0))]);
}

export const submit = (page) => page.getByRole('button', { name: /^(Generate|Add to queue)/ }).click();

/** Waits until a picture of this prompt is on the stage, finished. */
export async function drawn(page, prompt) {
  await page.getByRole('region', { name: 'Result' }).getByRole('img', { name: prompt, exact: true }).first().waitFor({ timeout: patience });
  await page.getByRole('link', { name: 'Download' }).first().waitFor({ timeout: patience });
}

/** Asks for a picture and waits until it is there. */
export async function draw(page, prompt, steps) {
  await compose(page, prompt, steps);
  await submit(page);
  await drawn(page, prompt);
}

/** All jobs are over. */
export async function idle(page) {
  await page.waitForFunction(
    async () => (await (await fetch('/api/v1/jobs?state=queued,running')).json()).jobs.length === 0,
    undefined,
    { timeout: 120_000, polling: 300 },
  );
}

/** How many pixels of the mask on the stage are painted, asked from the file that would be sent. */
export async function maskOf(page) {
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download the mask' }).click()]);
  return decodeGrey(await readFile(await download.path()));
}

export async function decodeGrey(bytes) {
  const { inflateSync } = await import('node:zlib');
  const width = bytes.readUInt32BE(16);
  const height = bytes.readUInt32BE(20);
  const [depth, colour] = [bytes[24], bytes[25]];
  const parts = [];
  for (let at = 8; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    if (bytes.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(bytes.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  const raw = inflateSync(Buffer.concat(parts));
  const pixels = Buffer.concat(Array.from({ length: height }, (_, y) => raw.subarray(y * (width + 1) + 1, (y + 1) * (width + 1))));
  return { width, height, depth, colour, pixels, white: pixels.filter((p) => p === 255).length };
}

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe has against the page, in words; nothing when all is well. */
export async function axeFinds(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }),
  );
  return violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target} ${n.any[0]?.message ?? ''}`).join('; ')}`);
}

// A browser on the page of a running server: MEZZO_URL says which. CHROMIUM names another browser.
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

/** On a small window the settings are folded away. */
export async function showSettings(page) {
  const steps = page.getByRole('spinbutton', { name: 'Steps', exact: true });
  if (!(await steps.isVisible())) await page.getByText('Settings', { exact: true }).click();
  return steps;
}

/** Fills in few steps, so that a test waits for seconds at most. */
export async function compose(page, prompt, steps = 4) {
  await page.getByRole('textbox', { name: 'Prompt', exact: true }).fill(prompt);
  const box = await showSettings(page);
  await box.fill(String(steps));
  await box.press('Tab');
}

export const submit = (page) => page.getByRole('button', { name: /^(Generate|Add to queue)/ }).click();

/** Waits until a picture of this prompt is on the stage, finished. */
export async function drawn(page, prompt) {
  await page.getByRole('region', { name: 'Result' }).getByRole('img', { name: prompt, exact: true }).first().waitFor({ timeout: patience });
  await page.getByRole('link', { name: 'Download' }).first().waitFor({ timeout: patience });
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
  const { readFile } = await import('node:fs/promises');
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

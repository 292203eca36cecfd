// OpenAI's own client for Node, with the server where OpenAI would be. MEZZO_URL says where it listens.
import assert from 'node:assert/strict';
import test from 'node:test';
import { crc32, deflateSync, inflateSync } from 'node:zlib';

import OpenAI, { toFile } from 'openai';

const url = process.env['MEZZO_URL'] ?? 'http://127.0.0.1:7860';
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0 });
const side = 128;
const small = { model: 'icons', prompt: 'a red apple', size: '128x128' };
const settings = { steps: 4, seed: 7 }; // beside OpenAI's own

/** A PNG of 128x128 whose pixels a function says; 4 channels. */
function png(pixel) {
  const raw = Buffer.alloc(side * (side * 4 + 1));
  for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) raw.set(pixel(x, y), y * (side * 4 + 1) + 1 + x * 4);
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const bytes = Buffer.alloc(body.length + 8);
    bytes.writeUInt32BE(data.length, 0);
    body.copy(bytes, 4);
    bytes.writeUInt32BE(crc32(body), body.length + 4);
    return bytes;
  };
  const header = Buffer.from([0, 0, 0, side, 0, 0, 0, side, 8, 6, 0, 0, 0]);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', deflateSync(raw)), chunk('IEND', Buffer.alloc(0))]);
}

/** What a neighbour foretells of a byte: the five filters of PNG. */
const filters = [
  () => 0,
  (left) => left,
  (_, up) => up,
  (left, up) => (left + up) >> 1,
  (left, up, corner) => {
    const [a, b, c] = [up - corner, left - corner, left + up - 2 * corner].map(Math.abs);
    return a <= b && a <= c ? left : b <= c ? up : corner;
  },
];

/** The pixels of a PNG with 3 channels. */
function decode(bytes) {
  assert.equal(bytes.toString('latin1', 1, 4), 'PNG');
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  assert.deepEqual([bytes[24], bytes[25], bytes[28]], [8, 2, 0], 'RGB of 8 bits');
  const parts = [];
  for (let at = 8; at < bytes.length; at += 12 + bytes.readUInt32BE(at))
    if (bytes.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(bytes.subarray(at + 8, at + 8 + bytes.readUInt32BE(at)));
  const raw = inflateSync(Buffer.concat(parts));
  const line = width * 3;
  const pixels = Buffer.alloc(line * height);
  for (let y = 0; y < height; y++) {
    const foretell = filters[raw[y * (line + 1)]];
    for (let i = 0; i < line; i++) {
      const [here, near] = [y * line + i, i >= 3];
      const up = y > 0 ? pixels[here - line] : 0;
      pixels[here] = raw[y * (line + 1) + 1 + i] + foretell(near ? pixels[here - 3] : 0, up, near && y > 0 ? pixels[here - line - 3] : 0);
    }
  }
  return { width, height, pixels };
}

const picture = (answer) => decode(Buffer.from(answer.b64_json, 'base64'));
const grey = () => toFile(png(() => [128, 128, 128, 255]), 'grey.png', { type: 'image/png' });
const hole = () => toFile(png((x) => [0, 0, 0, x < side / 2 ? 0 : 255]), 'mask.png', { type: 'image/png' });

/** The events of a stream by their types, and the sizes of their pictures. */
async function events(stream) {
  const seen = [];
  for await (const event of stream) {
    seen.push(event.type);
    picture(event);
  }
  return seen;
}

test('models.list', async () => {
  const models = [];
  for await (const model of client.models.list()) models.push(model.id);
  assert.ok(models.includes('icons'), `${models}`);
});

test('images.generate: pictures in the answer', async () => {
  const made = await client.images.generate({ ...small, ...settings, n: 2, response_format: 'b64_json' });
  assert.equal(made.data.length, 2);
  for (const one of made.data) assert.deepEqual([picture(one).width, picture(one).height], [128, 128]);
  assert.notEqual(made.data[0].b64_json, made.data[1].b64_json);
  const again = await client.images.generate({ ...small, ...settings, response_format: 'b64_json' });
  assert.ok(picture(again.data[0]).pixels.equals(picture(made.data[0]).pixels), 'the same seed draws the same picture');
});

test('images.generate: links', async () => {
  const made = await client.images.generate({ ...small, ...settings, response_format: 'url' });
  const answer = await fetch(made.data[0].url);
  assert.equal(answer.headers.get('content-type'), 'image/png');
  assert.equal(decode(Buffer.from(await answer.arrayBuffer())).width, 128);
});

test('images.generate: other formats', async () => {
  for (const [format, begins] of [['jpeg', [0xff, 0xd8]], ['webp', [...Buffer.from('RIFF')]]]) {
    const made = await client.images.generate({ ...small, ...settings, output_format: format, output_compression: 80 });
    const bytes = Buffer.from(made.data[0].b64_json, 'base64');
    assert.deepEqual([...bytes.subarray(0, begins.length)], begins, format);
  }
});

test('images.edit: only what is transparent in the mask changes', async () => {
  const made = await client.images.edit({ ...small, ...settings, image: await grey(), mask: await hole(), response_format: 'b64_json' });
  const { width, pixels } = picture(made.data[0]);
  let [changed, kept] = [0, 0];
  for (let i = 0; i < pixels.length; i += 3) {
    const same = pixels[i] === 128 && pixels[i + 1] === 128 && pixels[i + 2] === 128;
    if ((i / 3) % width < side / 2) changed += same ? 0 : 1;
    else kept += same ? 1 : 0;
  }
  assert.equal(kept, (side * side) / 2);
  assert.ok(changed > 1000, `${changed} pixels changed`);
});

test('images.edit: several pictures, and no mask', async () => {
  const made = await client.images.edit({ ...small, ...settings, image: [await grey(), await grey()] });
  assert.equal(picture(made.data[0]).width, 128);
});

test('images.createVariation', async () => {
  const made = await client.images.createVariation({ image: await grey(), model: 'icons', n: 2, size: '128x128', response_format: 'b64_json' });
  assert.equal(made.data.length, 2);
});

test('streamed pictures', async () => {
  const drawn = await client.images.generate({ ...small, ...settings, steps: 12, stream: true, partial_images: 2 });
  assert.deepEqual(await events(drawn), [
    'image_generation.partial_image',
    'image_generation.partial_image',
    'image_generation.completed',
  ]);
  const edited = await client.images.edit({ ...small, ...settings, image: await grey(), mask: await hole(), stream: true });
  assert.deepEqual(await events(edited), ['image_edit.completed']);
});

test('errors', async () => {
  const refused = async (change) =>
    client.images.generate({ ...small, ...change }).then(
      () => assert.fail(`${JSON.stringify(change)} is no error`),
      (error) => error,
    );
  const error = await refused({ size: '7x7' });
  assert.ok(error instanceof OpenAI.BadRequestError, `${error}`);
  assert.deepEqual([error.status, error.type, error.param], [400, 'invalid_request_error', 'size']);
  assert.match(error.message, /width: 7 /);
  for (const [change, param] of [
    [{ size: 'large' }, 'size'],
    [{ n: 11 }, 'n'],
    [{ output_format: 'gif' }, 'output_format'],
    [{ stream: true, partial_images: 4 }, 'partial_images'],
  ])
    assert.equal((await refused(change)).param, param);
});

test('a request that its client gives up ends', async () => {
  const stop = new AbortController();
  const asked = client.images.generate({ ...small, steps: 1000 }, { signal: stop.signal });
  setTimeout(() => stop.abort(), 500);
  await assert.rejects(asked, OpenAI.APIUserAbortError);
  const begun = Date.now();
  await client.images.generate({ ...small, ...settings });
  assert.ok(Date.now() - begun < 15_000, 'the next one does not wait for it');
});

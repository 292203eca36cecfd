import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';

import { clearestColour, clipRectangle, drawnArea, extendStroke, MaskHistory, nextBrushSize, penWidth, type MaskStep, type Point } from '../../src/lib/mask';
import { greyPng } from '../../src/lib/png';
import { fit, pinch, toImage, zoomAt } from '../../src/lib/view';

const stroke = (x: number): MaskStep => ({ kind: 'stroke', erase: false, size: 3, points: [[x, 0, 1]] });

// The values that tests/pipeline/inpaint_area_test.cpp expects of the program itself.
describe('what is drawn of a picture', () => {
  const box = (x: number, y: number, width: number, height: number) => ({ x, y, width, height });
  it.each([
    ['the padded mask in the shape of the request', box(100, 120, 40, 20), [64, 64], [400, 300], box(90, 100, 60, 60)],
    ['inside the picture', box(390, 0, 10, 10), [64, 64], [400, 300], box(370, 0, 30, 30)],
    ['all of it at most', box(0, 0, 100, 40), [64, 64], [100, 40], box(0, 0, 100, 40)],
    ['not in the shape where there is no room', box(10, 56, 480, 400), [768, 512], [512, 512], box(0, 46, 512, 420)],
  ] as const)('is %s', (_, painted, [width, height], [w, h], expected) => expect(drawnArea(painted, 10, { width, height }, { width: w, height: h })).toEqual(expected));
});

describe('history', () => {
  it('undoes and redoes a hundred steps', () => {
    const history = new MaskHistory();
    for (let i = 0; i < 100; i++) history.push(stroke(i));
    for (let i = 0; i < 100; i++) expect(history.undo()).toBe(true);
    expect(history.undo()).toBe(false);
    expect(history.steps).toEqual([]);
    for (let i = 0; i < 100; i++) expect(history.redo()).toBe(true);
    expect(history.redo()).toBe(false);
    expect(history.steps).toEqual(Array.from({ length: 100 }, (_, i) => stroke(i)));
  });

  it('forgets what was undone when something new is done', () => {
    const history = new MaskHistory();
    history.push(stroke(1));
    history.undo();
    history.push(stroke(2));
    expect(history.canRedo).toBe(false);
    expect(history.steps).toEqual([stroke(2)]);
  });

  it('replays from the last fill or clear, and all of it without one', () => {
    const history = new MaskHistory();
    expect(history.effective()).toEqual([]);
    history.push(stroke(1));
    history.push({ kind: 'invert' });
    expect(history.effective()).toEqual([stroke(1), { kind: 'invert' }]);
    history.push({ kind: 'clear' });
    history.push(stroke(2));
    expect(history.effective()).toEqual([{ kind: 'clear' }, stroke(2)]);
    history.undo();
    history.undo();
    expect(history.effective()).toEqual([stroke(1), { kind: 'invert' }]);
  });
});

describe('strokes and shapes', () => {
  it('leaves out points that are no movement', () => {
    const points: Point[] = [];
    expect(extendStroke(points, [0, 0, 1])).toBe(true);
    expect(extendStroke(points, [0.3, 0.3, 1])).toBe(false);
    expect(extendStroke(points, [0.5, 0, 1])).toBe(true);
    expect(points).toHaveLength(2);
  });

  it('lets only a pen press harder', () => {
    expect(penWidth('mouse', 0)).toBe(1);
    expect(penWidth('touch', 0.2)).toBe(1);
    expect(penWidth('pen', 0)).toBeCloseTo(0.3);
    expect(penWidth('pen', 1)).toBeCloseTo(1);
    expect(penWidth('pen', 7)).toBeCloseTo(1);
  });

  it.each([
    [{ x: 2, y: 3, width: 4, height: 5 }, { x: 2, y: 3, width: 4, height: 5 }],
    [{ x: 6, y: 8, width: -4, height: -5 }, { x: 2, y: 3, width: 4, height: 5 }],
    [{ x: -9, y: -9, width: 99, height: 99 }, { x: 0, y: 0, width: 10, height: 20 }],
    [{ x: 20, y: 0, width: 5, height: 5 }, null],
    [{ x: 1, y: 1, width: 0, height: 5 }, null],
    [{ x: NaN, y: 1, width: 2, height: 5 }, null],
  ])('clips %o to the picture', (rect, expected) => expect(clipRectangle(rect, 10, 20)).toEqual(expected));

  it('steps the brush both ways and stops at the ends', () => {
    expect(nextBrushSize(1, -1)).toBe(1);
    expect(nextBrushSize(1, 1)).toBe(2);
    expect(nextBrushSize(60, 1)).toBe(70);
    expect(nextBrushSize(512, 1)).toBe(512);
  });
});

describe('the view', () => {
  it('keeps the point under the pointer when it zooms', () => {
    const view = fit(128, 64, 800, 600);
    const before = toImage(view, 300, 200);
    const after = toImage(zoomAt(view, 300, 200, 1.7), 300, 200);
    expect(after[0]).toBeCloseTo(before[0]);
    expect(after[1]).toBeCloseTo(before[1]);
  });

  it('follows two fingers', () => {
    const view = { scale: 2, x: 10, y: 20 };
    const next = pinch(view, [{ x: 100, y: 100 }, { x: 200, y: 100 }], [{ x: 90, y: 130 }, { x: 290, y: 130 }]);
    expect(next.scale).toBeCloseTo(4);
    const middle = toImage(view, 150, 100);
    const now = toImage(next, 190, 130);
    expect(now[0]).toBeCloseTo(middle[0]);
    expect(now[1]).toBeCloseTo(middle[1]);
  });
});

it('writes a grey PNG of 8 bits whose pixels come back', async () => {
  const pixels = Uint8Array.from({ length: 15 }, (_, i) => (i % 3 === 0 ? 255 : 0));
  const bytes = Buffer.from(await (await greyPng(pixels, 5, 3)).arrayBuffer());
  expect(bytes.subarray(1, 4).toString()).toBe('PNG');
  expect([bytes.readUInt32BE(16), bytes.readUInt32BE(20), bytes[24], bytes[25]]).toEqual([5, 3, 8, 0]);
  const length = bytes.readUInt32BE(33);
  const raw = inflateSync(bytes.subarray(41, 41 + length));
  const rows = [0, 1, 2].flatMap((y) => [...raw.subarray(y * 6 + 1, y * 6 + 6)]);
  expect(rows).toEqual([...pixels]);
  // The CRC of an empty IEND chunk is known from the specification.
  expect(bytes.subarray(-4).toString('hex')).toBe('ae426082');
});

describe('the colour of a mask', () => {
  const pixels = (...colours: [number, number, number][]) => new Uint8ClampedArray(colours.flatMap((c) => [...c, 255]));
  const [orange, blue] = ['#e0531f', '#1f6fe0'];
  it('stands out from the picture', () => {
    expect(clearestColour([orange, blue], pixels([220, 60, 30], [200, 50, 40]))).toBe(blue);
    expect(clearestColour([orange, blue], pixels([30, 110, 220], [60, 140, 240]))).toBe(orange);
  });
  it('stands out from a part of it too', () => {
    // On the mean of these, which is blue, orange would be the clearer one.
    const sky: [number, number, number] = [60, 60, 255];
    expect(clearestColour([orange, blue], pixels(sky, sky, sky, sky, [224, 83, 31]))).toBe(blue);
  });
  it('is the first where all are as clear', () => expect(clearestColour([orange, blue], pixels())).toBe(orange));
});

import { describe, expect, it } from 'vitest';

import { extendedSize, newParts, usable } from '../../src/lib/extend';
import { gridRequests, GridError, parseWords, wordsAxis } from '../../src/lib/grid';
import { enclosed, type Point } from '../../src/lib/mask';

const none = { left: 0, top: 0, right: 0, bottom: 0 };

describe('extending a picture', () => {
  it('keeps sides that are not touched, and makes the others multiples of 8', () => {
    expect(usable(100, 100, { ...none, left: 20 })).toEqual({ left: 20, top: 0, right: 0, bottom: 0 });
    expect(usable(100, 100, { ...none, left: 21, bottom: 1 })).toEqual({ left: 21, top: 0, right: 7, bottom: 4 });
    expect(extendedSize(128, 128, { ...none, left: 64, top: 20 })).toEqual({ width: 192, height: 152, fits: true });
  });
  it('takes what is no number for nothing', () => expect(usable(64, 64, { left: NaN, top: -8, right: Infinity, bottom: 0 })).toEqual(none));
  it('knows what is too large', () => {
    expect(extendedSize(4000, 100, { ...none, right: 200 }).fits).toBe(false);
    expect(extendedSize(4000, 3900, { ...none, bottom: 200 }).fits).toBe(false);
  });
  it('marks what is new and the seam', () => {
    expect(newParts(128, 64, { ...none, right: 64 })).toEqual([{ x: 120, y: 0, width: 72, height: 64 }]);
    expect(newParts(128, 64, { ...none, left: 8, top: 8 }, 4)).toEqual([
      { x: 0, y: 0, width: 12, height: 72 },
      { x: 0, y: 0, width: 136, height: 12 },
    ]);
    expect(newParts(128, 64, none)).toEqual([]);
  });
});

describe('a lasso', () => {
  const square: Point[] = [[0, 0, 1], [10, 0, 1], [10, 10, 1], [0, 10, 1]];
  it('has an area, whichever way it goes round', () => {
    expect(enclosed(square)).toBe(100);
    expect(enclosed([...square].reverse())).toBe(100);
  });
  it('has none as a point or a line', () => {
    expect(enclosed([])).toBe(0);
    expect(enclosed([[3, 3, 1]])).toBe(0);
    expect(enclosed([[0, 0, 1], [9, 9, 1]])).toBe(0);
  });
});

describe('words as an axis of a grid', () => {
  it('take the place of the first', () => {
    const requests = gridRequests({ prompt: 'a red apple, red', negative_prompt: 'red sky' }, [{ field: wordsAxis, values: ['red', 'green'] }, { field: 'steps', values: [4] }], 1);
    expect(requests.map((r) => [r.prompt, r['negative_prompt'], r['steps']])).toEqual([
      ['a red apple, red', 'red sky', 4],
      ['a green apple, green', 'green sky', 4],
    ]);
    expect(requests[0]).not.toHaveProperty(wordsAxis);
  });
  it('begin with one that is there', () => {
    expect(parseWords(' red , green,red', 'a red apple')).toEqual(['red', 'green']);
    expect(() => parseWords('blue, green', 'a red apple')).toThrow(GridError);
    expect(() => parseWords(' , ', 'a red apple')).toThrow(GridError);
  });
});

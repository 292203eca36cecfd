import { describe, expect, it } from 'vitest';

import { expandVariants, guessFormat } from '../../src/lib/batch';
import { allVariants, hasVariants, numbersFrom, randomVariant } from '../../src/lib/variants';

describe('all variants', () => {
  it.each([
    ['a red apple', ['a red apple']],
    ['a {red|green} apple', ['a red apple', 'a green apple']],
    ['{a|b} {c|d}', ['a c', 'a d', 'b c', 'b d']],
    ['a {red|{light|dark} green} apple', ['a red apple', 'a light green apple', 'a dark green apple']],
    ['a {|very} old {3::tree|house}', ['a old tree', 'a old house', 'a very old tree', 'a very old house']],
    ['{2$$a|b|c}', ['a, b', 'a, c', 'b, c']],
    ['{1-2$$ and $$a|b}', ['a', 'b', 'a and b']],
    ['{9$$a|b}', ['a, b']],
    ['{red} apple', ['{red} apple']],
    ['a \\{red|green\\}', ['a \\{red|green\\}']],
    ['{a|\\{b\\}}', ['a', '{b}']],
    ['{a|{b}}', ['a', '{b}']],
    ['{a|b', ['{a|b']],
    ['a|b}', ['a|b}']],
  ])('of %j', (prompt, expected) => {
    const found = hasVariants(prompt) ? allVariants(prompt) : [prompt];
    expect(found).toEqual(expected);
  });
  it('stop at a limit', () => expect(allVariants('{a|b|c|d}'.repeat(12), 100)).toHaveLength(100));
  it('take no time for braces that are never closed', () => {
    const start = performance.now();
    expect(hasVariants('{|'.repeat(20_000))).toBe(false);
    expect(hasVariants('{'.repeat(2000) + 'a|b' + '}'.repeat(2000))).toBe(false);
    expect(performance.now() - start).toBeLessThan(1000);
  });
});

describe('random variants', () => {
  it('are the same for a seed', () => {
    const draw = (seed: number) => {
      const random = numbersFrom(seed);
      return Array.from({ length: 20 }, () => randomVariant('{a|b|c} {d|e}', random));
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });
  it('follow their weights', () => {
    const random = numbersFrom(1);
    const draws = Array.from({ length: 4000 }, () => randomVariant('{3::a|1::b}', random));
    expect(draws.filter((d) => d === 'a').length / draws.length).toBeCloseTo(0.75, 1);
  });
  it('take several without taking one twice', () => {
    const random = numbersFrom(2);
    for (let i = 0; i < 200; i++) expect(new Set(randomVariant('{2$$a|b|c}', random).split(', ')).size).toBe(2);
  });
});

describe('rows of a batch', () => {
  const row = (prompt: string) => ({ line: 3, values: { prompt, steps: 4 } });
  it('become one for each variant and keep their values', () => {
    expect(expandVariants([row('a {b|c}'), row('d')], { how: 'all' })).toEqual([row('a b'), row('a c'), row('d')]);
    expect(expandVariants([row('a {b|c}')], { how: 'random', draws: 5, seed: 1 })).toHaveLength(5);
    for (const [draws, made] of [[1e9, 512], [-3, 1], [NaN, 1], [2.5, 2]] as const) {
      expect(expandVariants([row('a {b|c}')], { how: 'random', draws, seed: 1 })).toHaveLength(made);
    }
  });
  it('are not taken for JSON lines', () => {
    expect(guessFormat('{red|green} apple')).toBe('txt');
    expect(guessFormat('{"prompt": "a"}')).toBe('jsonl');
    expect(guessFormat('{ }')).toBe('jsonl');
  });
});

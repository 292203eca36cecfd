import { describe, expect, it } from 'vitest';

import type { Field, Model } from '../../src/lib/api';
import { ApiError, errorFrom, queryText } from '../../src/lib/api';
import { guessFormat, parseBatch, parseCsv } from '../../src/lib/batch';
import { explain } from '../../src/lib/errors';
import { GridError, gridFields, gridRequests, gridSize, parseAxis, parseSizes } from '../../src/lib/grid';
import { inside, sheetsAcross } from '../../src/lib/grid_picture';
import { PromptWalk } from '../../src/lib/history';
import { accepted, defaultOf, drawnSize, rangeOf, twice } from '../../src/lib/ranges';
import { countTags } from '../../src/lib/tags';

const field = (name: string, type: Field['type'], min = 0, max = 100, fallback = "the model's"): Field => ({ name, type, min, max, choices: [], default: fallback, help: '' });
const steps = field('steps', 'integer', 1, 1000);
const guidance = field('guidance', 'number');
const sampler = field('sampler', 'text');
const fields = [steps, guidance, sampler, field('seed', 'integer', -1, 9e15), field('keep_unmasked', 'boolean', 0, 1, 'true')];

describe('CSV', () => {
  it('reads quotes, commas, line ends inside quotes, and CRLF', () => {
    expect(parseCsv('prompt,n\r\n"a, ""b""\nc",2\r\n\r\nd , 3').map((r) => r.cells)).toEqual([['prompt', 'n'], ['a, "b"\nc', '2'], ['d', '3']]);
  });
  it('counts lines through quoted line ends', () => {
    expect(parseCsv('a\n"b\nb"\nc').map((r) => r.line)).toEqual([1, 2, 4]);
  });
  it('says where a quote is left open', () => {
    const batch = parseBatch('prompt\nok\n"open', fields, 'csv');
    expect(batch.problems).toEqual([{ line: 3, kind: 'quote', what: '' }]);
  });
});

describe('batch', () => {
  it('knows a format by name, then by looks', () => {
    expect(guessFormat('a', 'list.CSV')).toBe('csv');
    expect(guessFormat('a', 'list.ndjson')).toBe('jsonl');
    expect(guessFormat('\n {"prompt": "a"}')).toBe('jsonl');
    expect(guessFormat('steps,prompt\n1,a')).toBe('csv');
    expect(guessFormat('a dog, a cat')).toBe('txt');
  });
  it('takes lines, leaves out remarks and empty lines', () => {
    const { rows } = parseBatch('# list\na\n\n b \n', fields, 'txt');
    expect(rows).toEqual([{ line: 2, values: { prompt: 'a' } }, { line: 4, values: { prompt: 'b' } }]);
  });
  it('gives CSV values their types and A1111 names their meaning', () => {
    const { rows, problems } = parseBatch('Prompt,steps,cfg_scale,sampler_name\na,12,2.5,ddim\nb,,,', fields, 'csv');
    expect(problems).toEqual([]);
    expect(rows.map((r) => r.values)).toEqual([{ prompt: 'a', steps: 12, guidance: 2.5, sampler: 'ddim' }, { prompt: 'b' }]);
  });
  it('reads lines of flags as the command line does', () => {
    const { rows, problems } = parseBatch('--prompt "a cat, \\"asleep\\"" --negative_prompt=blurry --steps 30 --cfg-scale 6\n--prompt a\\ dog --seed=-1 --sampler_name \'euler a\'', fields.concat(field('negative_prompt', 'text')), 'txt');
    expect(problems).toEqual([]);
    expect(rows.map((r) => r.values)).toEqual([{ prompt: 'a cat, "asleep"', negative_prompt: 'blurry', steps: 30, guidance: 6 }, { prompt: 'a dog', seed: -1, sampler: 'euler a' }]);
  });
  it('takes an empty text as none, and an empty number as wrong', () => {
    const { rows, problems } = parseBatch('--prompt a --negative_prompt ""\n--prompt b --steps=', fields.concat(field('negative_prompt', 'text')), 'txt');
    expect(rows.map((r) => r.values)).toEqual([{ prompt: 'a', negative_prompt: '' }]);
    expect(problems.map((p) => [p.line, p.kind])).toEqual([[2, 'value']]);
  });
  it('says what is wrong with a line of flags', () => {
    const { rows, problems } = parseBatch('--prompt a cat\n--prompt\n--prompt "a\n--steps 3\n--prompt a --colour red', fields, 'txt');
    expect(rows).toEqual([]);
    expect(problems).toEqual([
      { line: 1, kind: 'outside', what: 'cat' },
      { line: 2, kind: 'missing', what: '--prompt' },
      { line: 3, kind: 'quote', what: '' },
      { line: 4, kind: 'prompt', what: '' },
      { line: 5, kind: 'key', what: 'colour' },
    ]);
  });
  it('names the line of everything it cannot use, and leaves it out', () => {
    const { rows, problems } = parseBatch('{"prompt":"a","steps":0}\nnot json\n{"steps":3}\n{"prompt":"b","colour":1}\n[1]\n{"prompt":"c"}', fields, 'jsonl');
    expect(rows.map((r) => r.values)).toEqual([{ prompt: 'c' }]);
    expect(problems.map((p) => [p.line, p.kind])).toEqual([[1, 'value'], [2, 'json'], [3, 'prompt'], [4, 'key'], [5, 'json']]);
  });
});

describe('grid', () => {
  it.each([
    ['4, 8,16', [4, 8, 16]],
    ['1-4', [1, 2, 3, 4]],
    ['10-30(+10)', [10, 20, 30]],
    ['5-1(-2)', [5, 3, 1]],
    ['1-10[4]', [1, 4, 7, 10]],
    ['3,3', [3]],
  ])('reads %s', (text, expected) => expect(parseAxis(steps, text)).toEqual(expected));
  it('has no dust of binary fractions', () => expect(parseAxis(guidance, '0.1-0.5(+0.1)')).toEqual([0.1, 0.2, 0.3, 0.4, 0.5]));
  it('finds names whatever their case', () => expect(parseAxis(sampler, 'DDIM, euler_a', ['ddim', 'euler_a'])).toEqual(['ddim', 'euler_a']));
  it.each([
    ['', 'empty'],
    ['x', 'number'],
    ['1.5', 'number'],
    ['0', 'range'],
    ['1-9(-1)', 'step'],
    ['1-9(+0)', 'step'],
    ['1-900', 'many'],
    ['1-9[999]', 'many'],
  ])('refuses %j: %s', (text, kind) => {
    try {
      parseAxis(steps, text);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(GridError);
      expect((error as GridError).kind).toBe(kind);
    }
  });
  it('asks for every pair with one seed', () => {
    const requests = gridRequests({ prompt: 'a', count: 4 }, [{ field: 'steps', values: [4, 8] }, { field: 'guidance', values: [1, 2] }], 7);
    expect(requests.map((r) => [r['guidance'], r['steps'], r['seed'], r['count']])).toEqual([[1, 4, 7, 1], [1, 8, 7, 1], [2, 4, 7, 1], [2, 8, 7, 1]]);
  });
  it('lets a seed axis win over the common seed', () => {
    expect(gridRequests({ prompt: 'a' }, [{ field: 'seed', values: [1, 2] }], 7).map((r) => r['seed'])).toEqual([1, 2]);
  });
  it('can have every setting but texts, switches and the count, the usual ones first', () => {
    const choice = { ...field('fit', 'text'), choices: ['crop', 'pad'] };
    const table = [field('negative_prompt', 'text'), field('eta', 'number'), field('guidance_start', 'number'), field('count', 'integer'), choice, field('keep_unmasked', 'boolean'), sampler, steps];
    expect(gridFields(table)).toEqual(['steps', 'sampler', 'eta', 'guidance_start', 'fit']);
  });
  it('draws sheet after sheet', () => {
    const axes = [{ field: 'steps', values: [4, 8] }, { field: 'words', values: ['a', 'b'] }, { field: 'size', values: ['64x64', '128x64'] }];
    const requests = gridRequests({ prompt: 'a c', negative_prompt: 'a' }, axes, 7);
    expect(gridSize(axes)).toBe(requests.length);
    expect(requests.map((r) => [r['width'], r['height'], r.prompt, r['negative_prompt'], r['steps']])).toEqual([
      [64, 64, 'a c', 'a', 4], [64, 64, 'a c', 'a', 8], [64, 64, 'b c', 'b', 4], [64, 64, 'b c', 'b', 8],
      [128, 64, 'a c', 'a', 4], [128, 64, 'a c', 'a', 8], [128, 64, 'b c', 'b', 4], [128, 64, 'b c', 'b', 8],
    ]);
  });
  it('reads sizes', () => {
    const side = field('width', 'integer', 8, 2048);
    expect(parseSizes('64x64, 128 × 64,64X64', side, side)).toEqual(['64x64', '128x64']);
    for (const [text, kind] of [['64', 'size'], ['64x64x3', 'size'], ['4096x64', 'range'], [' ', 'empty']]) {
      expect(() => parseSizes(text!, side, side)).toThrow(new RegExp(`^${kind}`));
    }
  });
  it.each([
    [1, 300, 300, 1],
    [4, 300, 300, 2],
    [3, 900, 300, 1],
    [3, 300, 900, 3],
    [6, 400, 300, 2],
  ])('puts %i sheets of %i by %i in rows of %i', (sheets, width, height, across) => expect(sheetsAcross(sheets, { width, height })).toBe(across));
  it('keeps the shape of a picture in its cell', () => {
    expect(inside({ width: 64, height: 128 }, { width: 128, height: 128 })).toEqual({ x: 32, y: 0, width: 64, height: 128 });
    expect(inside({ width: 256, height: 128 }, { width: 64, height: 64 })).toEqual({ x: 0, y: 16, width: 64, height: 32 });
  });
});

describe('errors of the API', () => {
  it('keeps code, message, field and waiting time', () => {
    const error = errorFrom(400, '{"error":{"code":"usage","message":"width: 100 is not a multiple of 8; give 96 or 104","field":"width"}}');
    expect([error.status, error.code, error.field]).toEqual([400, 'usage', 'width']);
    expect(explain(error).text).toContain('give 96 or 104');
    expect(explain(errorFrom(429, '{"error":{"code":"queue_full","message":"full"}}', '5')).text).toContain('5 s');
  });
  it.each(['<html>Bad gateway</html>', '', '{}', '{"error": 3}', 'null'])('survives the body %j', (body) => {
    const notice = explain(errorFrom(502, body));
    expect(notice.title).not.toBe('');
    expect(notice.text).toContain('502');
  });
  it('says how to start a server that is not there', () => expect(explain(new ApiError(0, 'offline', '')).text).toContain('mezzo serve'));
  it('leaves unset filters out of the address', () => expect(queryText({ query: 'a b', favourite: false, model: '', limit: 60 })).toBe('?query=a+b&limit=60'));
});

describe('the size at which a starting picture is drawn', () => {
  const model = { defaults: { width: 512, height: 512 }, size_step: 8 } as unknown as Parameters<typeof drawnSize>[1];
  it.each([
    ['its own, in whole steps', [515, 390], [512, 384]],
    ['up to twice and a quarter of the model\'s area', [768, 768], [768, 768]],
    ['else as many pixels as the model\'s own', [2048, 1024], [720, 360]],
  ])('is %s', (_, [w, h], [width, height]) => {
    expect(drawnSize({ width: w!, height: h! }, model)).toEqual({ width, height });
  });
});

describe('ranges and defaults', () => {
  const model = (family: string, defaults: Model['defaults'] = {}): Model => ({ name: 'm', family, form: '', bytes: 1, shipped: false, loaded: false, inpainting: false, objects: [], unused: [], size_step: /3/.test(family) ? 16 : 8, defaults, error: '' });
  it('follow the family', () => {
    expect(rangeOf(steps, model('SD 3.5'))).toMatchObject({ min: 1, max: 50 });
    expect(rangeOf(guidance, model('SD 3.5'))).toMatchObject({ min: 1, max: 10 });
    expect([defaultOf(steps, model('SD 3.5')), defaultOf(guidance, model('SD 3.5'))]).toEqual([40, 4.5]);
    expect([defaultOf(steps, model('SD 1.x')), defaultOf(guidance, model('SD 1.x'))]).toEqual([25, 7]);
  });
  it('reach the settings of Stable Diffusion 3', () => {
    expect(rangeOf(field('skip_layer_guidance', 'number', 0, 100), model('SD 3.5 Medium'))).toEqual({ min: 0, max: 5, step: 0.1 });
    expect(rangeOf(field('width', 'integer', 8, 4096), model('SD 3.5 Medium', { width: 1024 }))).toEqual({ min: 256, max: 1536, step: 16 });
    expect(defaultOf(field('t5_length', 'integer', 1, 512), model('SD 3 Medium'))).toBe(256);
  });
  it("yield to the model's own word", () => expect(defaultOf(guidance, model('SD 1.x', { guidance: 2.5 }))).toBe(2.5));
  it('let a small model be small', () => expect(rangeOf(field('width', 'integer', 8, 4096), model('SD 1.x', { width: 128 }))).toEqual({ min: 64, max: 512, step: 8 }));
  it('double a picture as far as the program goes', () => {
    const side = field('width', 'integer', 8, 1024);
    expect(twice({ width: 100, height: 512 }, side, side, model('SD 1.x'))).toEqual({ width: 200, height: 1024 });
    expect(twice({ width: 100, height: 64 }, side, side, model('SD 3.5 Medium'))).toEqual({ width: 208, height: 128 });
    expect(twice({ width: 100, height: 513 }, side, side, undefined)).toBeNull();
    expect(twice({ width: 64, height: 64 }, undefined, side, undefined)).toBeNull();
  });
  it('bring numbers into what is accepted', () => {
    expect(accepted(steps, 0)).toBe(1);
    expect(accepted(steps, 2.6)).toBe(3);
    expect(accepted(steps, NaN)).toBe(1);
    expect(accepted(field('width', 'integer', 8, 4096), 100)).toBe(104);
    expect(accepted(field('width', 'integer', 8, 4096), 100, model('SD 3.5 Medium'))).toBe(96);
  });
});

describe('prompts of before', () => {
  const used = ['newest', 'middle', 'oldest'];
  const walked = (start: string, ...ways: number[]) => {
    const walk = new PromptWalk();
    return ways.reduce((texts, way) => [...texts, walk.step(used, texts.at(-1)!, way)], [start]).slice(1);
  };
  it('come one after the other, and the one that is being written comes back', () => {
    expect(walked('mine', 1, 1, -1, -1, -1)).toEqual(['newest', 'middle', 'newest', 'mine', 'mine']);
  });
  it('end with the oldest', () => expect(walked('', 1, 1, 1, 1)).toEqual(['newest', 'middle', 'oldest', 'oldest']));
  it('begin behind the prompt that was used last', () => expect(walked('newest', 1, -1)).toEqual(['middle', 'newest']));
  it('begin anew when one of them was changed', () => {
    const walk = new PromptWalk();
    walk.step(used, '', 1);
    expect([walk.step(used, 'newest and more', 1), walk.step(used, 'newest', -1)]).toEqual(['newest', 'newest and more']);
  });
  it('are none at first', () => expect(new PromptWalk().step([], 'mine', 1)).toBe('mine'));
});

describe('tags', () => {
  it('are counted over pictures, in order', () => {
    expect([...countTags([{ tags: ['red', 'Apple'] }, { tags: [] }, { tags: ['red'] }])]).toEqual([['Apple', 1], ['red', 2]]);
  });
  it('are none where there are none', () => expect(countTags([{ tags: [] }]).size).toBe(0));
});

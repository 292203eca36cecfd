// The grid of effects: what its axes may hold, how their values are written, which jobs they make.
import type { Field, Request, Value } from './api';

/** The settings that are compared most; the others follow in the order of the program's table. */
const first = ['steps', 'guidance', 'sampler', 'schedule', 'strength', 'seed', 'guidance_rescale', 'eta', 'clip_skip', 'skip_layer_guidance', 't5_length'];
/** What no axis can hold: texts that may have commas, and the count, since a cell has one picture. */
const isAxis = (field: Field) => field.name !== 'count' && field.type !== 'boolean' && (field.type !== 'text' || field.choices.length > 0 || ['sampler', 'schedule'].includes(field.name));

/** Names of the settings that can be an axis. */
export function gridFields(fields: Field[]): string[] {
  const names = fields.filter(isAxis).map((field) => field.name);
  return [...first.filter((name) => names.includes(name)), ...names.filter((name) => !first.includes(name))];
}
/** Not fields of the program: the model, words of the prompt that are replaced, and both sides of a picture. */
export const modelAxis = 'model';
export const wordsAxis = 'words';
export const sizeAxis = 'size';
export const gridLimit = 256;

export class GridError extends Error {
  constructor(
    readonly kind: 'empty' | 'number' | 'range' | 'choice' | 'step' | 'many' | 'words' | 'size' | 'twice' | 'unused',
    readonly value: string,
  ) {
    super(`${kind}: ${value}`);
  }
}

const number = String.raw`[-+]?\d+(?:\.\d+)?`;
const rangePattern = new RegExp(`^(${number})\\s*-\\s*(${number})(?:\\s*\\(([-+]\\d+(?:\\.\\d+)?)\\)|\\s*\\[(\\d+)\\])?$`);

/** Removes the dust of binary fractions: 0.1 + 0.2 is 0.3 here. */
function clean(value: number): number {
  return Number(value.toPrecision(12));
}

function expand(from: number, to: number, step: number | undefined, count: number | undefined, whole: boolean): number[] {
  if (count !== undefined) {
    if (count === 0 || count > gridLimit) throw new GridError('many', String(count));
    if (count === 1) return [from];
    const values = Array.from({ length: count }, (_, i) => clean(from + ((to - from) * i) / (count - 1)));
    return whole ? [...new Set(values.map(Math.round))] : values;
  }
  const by = step ?? (from <= to ? 1 : -1);
  if (by === 0 || (to - from) * by < 0) throw new GridError('step', String(by));
  const n = Math.floor((to - from) / by + 1e-9) + 1;
  if (n > gridLimit) throw new GridError('many', String(n));
  return Array.from({ length: n }, (_, i) => clean(from + by * i));
}

function checkedNumber(field: Field, value: number, text: string): number {
  if (!Number.isFinite(value)) throw new GridError('number', text);
  if (field.type === 'integer' && !Number.isInteger(value)) throw new GridError('number', text);
  if (value < field.min || value > field.max) throw new GridError('range', text);
  return value;
}

/** "10, 20, 30", "1-10(+2)", "1-10[5]" or names, separated by commas. */
export function parseAxis(field: Field, text: string, choices: string[] = []): Value[] {
  const values: Value[] = [];
  for (const part of text.split(',').map((p) => p.trim()).filter((p) => p !== '')) {
    if (field.type === 'text') {
      const match = choices.find((c) => c.toLowerCase() === part.toLowerCase());
      if (choices.length > 0 && match === undefined) throw new GridError('choice', part);
      values.push(match ?? part);
      continue;
    }
    const range = rangePattern.exec(part);
    const whole = field.type === 'integer';
    const list = range
      ? expand(Number(range[1]), Number(range[2]), range[3] ? Number(range[3]) : undefined, range[4] ? Number(range[4]) : undefined, whole)
      : [part === '' ? NaN : Number(part)];
    for (const value of list) values.push(checkedNumber(field, value, part));
  }
  if (values.length === 0) throw new GridError('empty', '');
  if (values.length > gridLimit) throw new GridError('many', String(values.length));
  return [...new Set(values)];
}

export interface Axis {
  field: string;
  values: Value[];
}

/** The words of a prompt, the first of them replaced by each in turn. */
export function parseWords(text: string, prompt: string): Value[] {
  const values = [...new Set(text.split(',').map((p) => p.trim()).filter((p) => p !== ''))];
  if (values.length === 0) throw new GridError('empty', '');
  if (values.length > gridLimit) throw new GridError('many', String(values.length));
  if (!prompt.includes(values[0]!)) throw new GridError('words', values[0]!);
  return values;
}

const sizePattern = /^(\d+)\s*[x×*]\s*(\d+)$/i;

/** "512x512, 768 x 512": widths and heights. */
export function parseSizes(text: string, width: Field, height: Field): Value[] {
  const values = text.split(',').map((p) => p.trim()).filter((p) => p !== '').map((part) => {
    const sides = sizePattern.exec(part);
    if (!sides) throw new GridError('size', part);
    return `${checkedNumber(width, Number(sides[1]), part)}x${checkedNumber(height, Number(sides[2]), part)}`;
  });
  if (values.length === 0) throw new GridError('empty', '');
  if (values.length > gridLimit) throw new GridError('many', String(values.length));
  return [...new Set(values)];
}

function withValue(request: Request, axis: Axis, value: Value): Request {
  if (axis.field === sizeAxis) {
    const [width, height] = String(value).split('x').map(Number);
    return { ...request, width, height };
  }
  if (axis.field !== wordsAxis) return { ...request, [axis.field]: value };
  const replace = (text: unknown) => String(text).replaceAll(String(axis.values[0]), String(value));
  const negative = request['negative_prompt'];
  return { ...request, prompt: replace(request.prompt ?? ''), ...(negative === undefined ? {} : { negative_prompt: replace(negative) }) };
}

/** How many pictures the axes make. */
export const gridSize = (axes: Axis[]): number => axes.reduce((n, axis) => n * axis.values.length, 1);

/** One request a cell; the first axis changes fastest: row by row, sheet by sheet. The seed is fixed so that only the axes differ. */
export function gridRequests(base: Request, axes: Axis[], seed: number): Request[] {
  const fixed: Request = { ...base, count: 1, seed, preview_every: 0 };
  return axes.reduce<Request[]>((cells, axis) => axis.values.flatMap((value) => cells.map((cell) => withValue(cell, axis, value))), [fixed]);
}

export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}

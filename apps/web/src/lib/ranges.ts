// The range in which a slider is useful. The number box beside it takes all that the program takes.
import type { Field, Model, Value } from './api';

export interface Range {
  min: number;
  max: number;
  step: number;
}

interface FamilyRule {
  pattern: RegExp;
  defaults: Record<string, Value>;
  ranges: Record<string, Range>;
}

/** What a family of models likes, for models that do not say it themselves. The first match counts. */
const families: FamilyRule[] = [
  {
    pattern: /3\.5|\bsd ?3|mmdit/i,
    defaults: { steps: 40, guidance: 4.5, width: 1024, height: 1024 },
    ranges: {
      steps: { min: 1, max: 50, step: 1 },
      guidance: { min: 1, max: 10, step: 0.1 },
      width: { min: 256, max: 1536, step: 16 },
      height: { min: 256, max: 1536, step: 16 },
    },
  },
  {
    pattern: /./,
    defaults: { steps: 25, guidance: 7, width: 512, height: 512 },
    ranges: {
      steps: { min: 1, max: 60, step: 1 },
      guidance: { min: 1, max: 15, step: 0.1 },
      width: { min: 128, max: 1024, step: 8 },
      height: { min: 128, max: 1024, step: 8 },
    },
  },
];

const general: Record<string, Range> = {
  guidance_rescale: { min: 0, max: 1, step: 0.05 },
  count: { min: 1, max: 8, step: 1 },
  eta: { min: 0, max: 1, step: 0.05 },
  clip_skip: { min: 1, max: 4, step: 1 },
  strength: { min: 0, max: 1, step: 0.01 },
  mask_blur: { min: 0, max: 64, step: 1 },
  mask_padding: { min: 0, max: 256, step: 4 },
};

function familyOf(model: Model | undefined): FamilyRule {
  const text = `${model?.family ?? ''} ${model?.name ?? ''}`;
  return families.find((rule) => rule.pattern.test(text)) ?? families[families.length - 1]!;
}

export function rangeOf(field: Field, model: Model | undefined): Range {
  const known = familyOf(model).ranges[field.name] ?? general[field.name];
  if (!known) return { min: field.min, max: field.max, step: field.type === 'integer' ? 1 : 0.01 };
  const side = field.name === 'width' || field.name === 'height';
  const own = Number(model?.defaults[field.name]);
  // A very small model is at home below the family's range.
  const min = side && own > 0 ? Math.min(known.min, own / 2) : known.min;
  const max = side && own > 0 && own < known.min * 2 ? own * 4 : known.max;
  return { min: Math.max(field.min, min), max: Math.min(field.max, max), step: known.step };
}

/** What the field is when nothing is chosen: the model's own word first, then the family's, then the table's. */
export function defaultOf(field: Field, model: Model | undefined, withMask = false): Value | undefined {
  const own = model?.defaults[field.name];
  if (own !== undefined && own !== '') return own;
  if (field.name === 'strength') return withMask ? 1 : 0.8;
  const family = familyOf(model).defaults[field.name];
  if (family !== undefined) return family;
  if (field.type === 'boolean') return field.default === 'true';
  const number = Number(field.default);
  if (field.type !== 'text' && field.default !== '' && Number.isFinite(number)) return number;
  return field.choices.includes(field.default) ? field.default : undefined;
}

/** Brings a number into what the program accepts; sides of a picture go in steps of 8. */
export function accepted(field: Field, value: number): number {
  if (!Number.isFinite(value)) return field.min;
  let n = field.type === 'integer' ? Math.round(value) : value;
  if (field.name === 'width' || field.name === 'height') n = Math.round(n / 8) * 8;
  return Math.min(field.max, Math.max(field.min, n));
}

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
    defaults: { steps: 40, guidance: 4.5, width: 1024, height: 1024, t5_length: 256 },
    ranges: {
      steps: { min: 1, max: 50, step: 1 },
      guidance: { min: 1, max: 10, step: 0.1 },
      width: { min: 256, max: 1536, step: 8 },
      height: { min: 256, max: 1536, step: 8 },
      t5_length: { min: 77, max: 512, step: 1 },
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
  skip_layer_guidance: { min: 0, max: 5, step: 0.1 },
  skip_layer_start: { min: 0, max: 1, step: 0.01 },
  skip_layer_stop: { min: 0, max: 1, step: 0.01 },
  guidance_start: { min: 0, max: 1, step: 0.05 },
  guidance_stop: { min: 0, max: 1, step: 0.05 },
  max_drift: { min: 0, max: 1, step: 0.01 },
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
  return { min: Math.max(field.min, min), max: Math.min(field.max, max), step: side ? sizeStep(model) : known.step };
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

/** Sides of a picture are multiples of so many pixels. */
export const sizeStep = (model: Model | undefined): number => model?.size_step ?? 8;

/** The sides of a picture doubled, as multiples that the model accepts; nothing where they would be too long. */
export function twice(picture: { width: number; height: number }, width: Field | undefined, height: Field | undefined, model: Model | undefined): { width: number; height: number } | null {
  if (!width || !height || 2 * picture.width > width.max || 2 * picture.height > height.max) return null;
  return { width: accepted(width, 2 * picture.width, model), height: accepted(height, 2 * picture.height, model) };
}

/** Brings a number into what the program and the model accept. */
export function accepted(field: Field, value: number, model?: Model): number {
  if (!Number.isFinite(value)) return field.min;
  let n = field.type === 'integer' ? Math.round(value) : value;
  if (field.name === 'width' || field.name === 'height') {
    const step = sizeStep(model);
    n = Math.max(step, Math.round(n / step) * step);
  }
  return Math.min(field.max, Math.max(field.min, n));
}

const farMore = 2.25;

/** The size at which a starting picture is drawn where none is asked for, as src/pipeline/resolve.cpp has it. */
export function drawnSize(picture: { width: number; height: number }, model: Model | undefined): { width: number; height: number } {
  const own = Number(model?.defaults['width'] ?? 512) * Number(model?.defaults['height'] ?? 512);
  const area = picture.width * picture.height;
  const shrink = area > farMore * own ? Math.sqrt(own / area) : 1;
  const step = sizeStep(model);
  const side = (length: number) => Math.max(1, Math.floor(Math.floor(length * shrink) / step)) * step;
  return { width: side(picture.width), height: side(picture.height) };
}

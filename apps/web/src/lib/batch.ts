// Lists of prompts from pasted or dropped text: one a line (or flags), CSV with a header, or JSON lines. As mezzo batch reads them.
import type { Field, Value } from './api';
import { shellWords } from './shell';
import { allVariants, hasVariants, numbersFrom, randomVariant, variantLimit } from './variants';

export type BatchFormat = 'txt' | 'csv' | 'jsonl';
export interface BatchRow {
  line: number;
  values: Record<string, Value>;
}
export interface BatchProblem {
  line: number;
  kind: 'json' | 'key' | 'value' | 'prompt' | 'quote' | 'columns' | 'outside' | 'missing';
  what: string;
}
export interface Batch {
  format: BatchFormat;
  rows: BatchRow[];
  problems: BatchProblem[];
}

/** RFC 4180: quotes, doubled quotes, line ends inside quotes; LF, CRLF or CR. */
export function parseCsv(text: string): { line: number; cells: string[] }[] {
  const rows: { line: number; cells: string[] }[] = [];
  let cells: string[] = [];
  let cell = '';
  let quoted = false;
  let wasQuoted = false;
  let line = 1;
  let start = 1;
  const endCell = () => {
    cells.push(wasQuoted ? cell : cell.trim());
    cell = '';
    wasQuoted = false;
  };
  const endRow = () => {
    endCell();
    if (cells.length > 1 || cells[0] !== '') rows.push({ line: start, cells });
    cells = [];
    start = line;
  };
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === '\n' || (c === '\r' && text[i + 1] !== '\n')) line++;
    if (quoted) {
      if (c !== '"') cell += c;
      else if (text[i + 1] === '"') cell += text[++i];
      else quoted = false;
    } else if (c === '"' && cell.trim() === '' && !wasQuoted) {
      quoted = wasQuoted = true;
      cell = '';
    } else if (c === ',') endCell();
    else if (c === '\n' || c === '\r') {
      if (c === '\r' && text[i + 1] === '\n') continue;
      endRow();
    } else if (!wasQuoted || c.trim() !== '') cell += c;
  }
  if (quoted) throw new Error(String(start));
  if (cell !== '' || cells.length > 0 || wasQuoted) endRow();
  return rows;
}

/** A name says the format; without one the first line does. */
export function guessFormat(text: string, name = ''): BatchFormat {
  const ending = /\.(txt|csv|jsonl|ndjson)$/i.exec(name)?.[1]?.toLowerCase();
  if (ending === 'ndjson') return 'jsonl';
  if (ending) return ending as BatchFormat;
  const first = text.trimStart().split(/\r?\n/, 1)[0] ?? '';
  // {red|green} apple is a prompt with variants.
  if (/^\{\s*("|\}|$)/.test(first)) return 'jsonl';
  return /^"?prompt"?\s*(,|$)/i.test(first) || /,\s*"?prompt"?\s*(,|$)/i.test(first) ? 'csv' : 'txt';
}

/** Names of A1111 and diffusers. */
const aliases: Record<string, string> = {
  negative: 'negative_prompt',
  num_inference_steps: 'steps',
  cfg_scale: 'guidance',
  cfg: 'guidance',
  guidance_scale: 'guidance',
  sampler_name: 'sampler',
  sampler_index: 'sampler',
  scheduler: 'schedule',
  batch_size: 'count',
  n_iter: 'count',
  num_images_per_prompt: 'count',
  denoising_strength: 'strength',
  clip_stop_at_last_layers: 'clip_skip',
  randn_source: 'rng',
  prompts: 'prompt',
  w: 'width',
  h: 'height',
};

function fieldName(name: string): string {
  const key = name.trim().toLowerCase().replace(/[- ]/g, '_');
  return aliases[key] ?? key;
}

function valueOf(field: Field, raw: unknown): Value | undefined {
  if (field.type === 'text') return typeof raw === 'string' ? raw : undefined;
  if (field.type === 'boolean') {
    if (typeof raw === 'boolean') return raw;
    if (/^(true|yes|1|on)$/i.test(String(raw))) return true;
    return /^(false|no|0|off)$/i.test(String(raw)) ? false : undefined;
  }
  const n = typeof raw === 'number' ? raw : typeof raw === 'string' && raw.trim() !== '' ? Number(raw) : NaN;
  const fits = Number.isFinite(n) && n >= field.min && n <= field.max;
  return fits && (field.type !== 'integer' || Number.isInteger(n)) ? n : undefined;
}

export function parseBatch(text: string, fields: Field[], format: BatchFormat): Batch {
  const batch: Batch = { format, rows: [], problems: [] };
  const known = new Map(fields.map((f) => [f.name, f]));
  const add = (line: number, entries: [string, unknown][]) => {
    const values: Record<string, Value> = {};
    const before = batch.problems.length;
    for (const [rawKey, raw] of entries) {
      const key = fieldName(rawKey);
      const field = known.get(key);
      if (raw === null || raw === undefined) continue;
      if (key === 'prompt' || key === 'model') values[key] = String(raw);
      else if (!field) batch.problems.push({ line, kind: 'key', what: rawKey });
      else {
        const value = valueOf(field, raw);
        if (value === undefined) batch.problems.push({ line, kind: 'value', what: `${key}: ${String(raw)}` });
        else values[key] = value;
      }
    }
    if (!values['prompt']) batch.problems.push({ line, kind: 'prompt', what: '' });
    // As mezzo batch: a line of which something cannot be used is not drawn as something else.
    else if (batch.problems.length === before) batch.rows.push({ line, values });
  };
  const plain = text.replace(/^\uFEFF/, '');
  if (format === 'csv') readCsv(plain, batch, add);
  else readLines(plain, batch, add);
  return batch;
}

export type Expansion = { how: 'all' } | { how: 'random'; draws: number; seed: number };

/** Of one line: as many as the queue holds. */
export const drawLimit = 512;

/** A row for each variant of its prompt, or for each draw of them. */
export function expandVariants(rows: BatchRow[], expansion: Expansion, limit = variantLimit): BatchRow[] {
  const random = expansion.how === 'random' ? numbersFrom(expansion.seed) : null;
  const draws = expansion.how === 'random' ? Math.max(1, Math.min(drawLimit, Math.floor(expansion.draws) || 1)) : 0;
  const expanded: BatchRow[] = [];
  for (const row of rows) {
    const prompt = String(row.values['prompt']);
    if (!hasVariants(prompt)) {
      expanded.push(row);
      continue;
    }
    const prompts = expansion.how === 'all' ? allVariants(prompt, limit) : Array.from({ length: draws }, () => randomVariant(prompt, random!));
    for (const one of prompts) expanded.push({ line: row.line, values: { ...row.values, prompt: one } });
    if (expanded.length >= limit) break;
  }
  return expanded.slice(0, limit);
}

type Add = (line: number, entries: [string, unknown][]) => void;

function readCsv(text: string, batch: Batch, add: Add): void {
  let rows: ReturnType<typeof parseCsv>;
  try {
    rows = parseCsv(text);
  } catch (error) {
    batch.problems.push({ line: Number((error as Error).message), kind: 'quote', what: '' });
    return;
  }
  const [header, ...rest] = rows;
  if (!header) return;
  for (const row of rest) {
    if (row.cells.length > header.cells.length) {
      batch.problems.push({ line: row.line, kind: 'columns', what: String(row.cells.length) });
    } else add(row.line, row.cells.map((cell, i): [string, unknown] => [header.cells[i] ?? '', cell]).filter(([, cell]) => cell !== ''));
  }
}

function readLines(text: string, batch: Batch, add: Add): void {
  text.split(/\r\n|\n|\r/).forEach((raw, index) => {
    const line = raw.trim();
    if (line === '' || (batch.format === 'txt' && line.startsWith('#'))) return;
    if (batch.format === 'txt') return line.startsWith('--') ? readFlags(index + 1, line, batch, add) : add(index + 1, [['prompt', line]]);
    try {
      const parsed: unknown = JSON.parse(line);
      if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new Error();
      add(index + 1, Object.entries(parsed));
    } catch {
      batch.problems.push({ line: index + 1, kind: 'json', what: line.slice(0, 40) });
    }
  });
}

/** --name value or --name=value ..., as A1111's "Prompts from file" has them. */
function readFlags(line: number, text: string, batch: Batch, add: Add): void {
  const problem = (kind: BatchProblem['kind'], what = '') => void batch.problems.push({ line, kind, what });
  let words: string[];
  try {
    words = shellWords(text);
  } catch {
    return problem('quote');
  }
  const entries: [string, string][] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (!word.startsWith('--')) return problem('outside', word);
    const equals = word.indexOf('=');
    const value = equals < 0 ? words[++i] : word.slice(equals + 1);
    if (value === undefined) return problem('missing', word);
    entries.push([word.slice(2, equals < 0 ? undefined : equals), value]);
  }
  add(line, entries);
}

// Variants in a prompt: {red|green} apple, {2::a|1::b} with weights, {2$$a|b|c} takes two of them, {1-2$$ and $$a|b}
// joins them by " and ". They nest; \{ is a brace. What is not well formed stays as it is written.
export const variantLimit = 4096;

interface Choice {
  options: { weight: number; parts: Part[] }[];
  min: number;
  max: number;
  joint: string;
}
type Part = string | Choice;

const head = /^(\d+)(?:-(\d+))?\$\$/;
const jointPattern = /^([^{}|$]*)\$\$/;
const weightPattern = /^\s*(\d+(?:\.\d+)?)::/;
const deepest = 16;

/** Where variants begin: braces that are closed, with a | of their own or a number of things to take. */
function beginnings(text: string): Set<number> {
  const found = new Set<number>();
  const open: { at: number; barred: boolean }[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '\\') i++;
    else if (c === '{') open.push({ at: i, barred: head.test(text.slice(i + 1, i + 12)) });
    else if (c === '|' && open.length > 0) open[open.length - 1]!.barred = true;
    else if (c === '}') {
      const brace = open.pop();
      if (brace?.barred && open.length < deepest) found.add(brace.at);
    }
  }
  return found;
}

class Reader {
  private at = 0;
  private readonly begins: Set<number>;
  constructor(private readonly text: string) {
    this.begins = beginnings(text);
  }

  /** Up to the end, or inside braces to the next | or }. */
  parts(inside = false): Part[] {
    /** Braces that are only text may hold a | or } that is text, too. */
    let braces = 0;
    const parts: Part[] = [];
    let plain = '';
    while (this.at < this.text.length) {
      const c = this.text[this.at]!;
      if (c === '\\' && '{}|'.includes(this.text[this.at + 1] ?? ' ')) {
        // A backslash before brackets belongs to the prompt's own grammar and is not touched.
        plain += this.text[this.at + 1]!;
        this.at += 2;
        continue;
      }
      if (inside && braces === 0 && (c === '|' || c === '}')) break;
      if (this.begins.has(this.at)) {
        parts.push(plain, this.choice());
        plain = '';
        continue;
      }
      if (c === '{') braces++;
      if (c === '}') braces--;
      plain += c;
      this.at++;
    }
    return [...parts, plain].filter((part) => part !== '');
  }

  private take(pattern: RegExp): RegExpExecArray | null {
    const match = pattern.exec(this.text.slice(this.at));
    if (match) this.at += match[0].length;
    return match;
  }

  private choice(): Choice {
    this.at++;
    const count = this.take(head);
    const joint = count ? (this.take(jointPattern)?.[1] ?? ', ') : ', ';
    const options: Choice['options'] = [];
    do {
      const weight = Number(this.take(weightPattern)?.[1] ?? 1);
      options.push({ weight, parts: this.parts(true) });
    } while (this.text[this.at++] === '|');
    const min = Math.min(options.length, Number(count?.[1] ?? 1));
    const max = Math.min(options.length, Math.max(min, Number(count?.[2] ?? min)));
    return { options, min, max, joint };
  }
}

export function hasVariants(prompt: string): boolean {
  return new Reader(prompt).parts().some((part) => typeof part !== 'string');
}

/** Every way to take `count` things, in their order. */
function* subsets<T>(things: readonly T[], count: number, from = 0): Generator<T[]> {
  if (count === 0) yield [];
  else for (let i = from; i <= things.length - count; i++) for (const rest of subsets(things, count - 1, i + 1)) yield [things[i]!, ...rest];
}

function* ofChoice(choice: Choice): Generator<string> {
  for (let count = choice.min; count <= choice.max; count++) {
    for (const some of subsets(choice.options, count)) yield* joined(some.map((o) => o.parts), choice.joint);
  }
}

function* joined([first, ...rest]: Part[][], joint: string): Generator<string> {
  if (!first) yield '';
  else for (const text of ofParts(first)) for (const after of rest.length > 0 ? joined(rest, joint) : ['']) yield rest.length > 0 ? text + joint + after : text;
}

function* ofParts([first, ...rest]: Part[]): Generator<string> {
  if (first === undefined) yield '';
  else for (const text of typeof first === 'string' ? [first] : ofChoice(first)) for (const after of ofParts(rest)) yield text + after;
}

const tidy = (text: string) => text.replace(/ {2,}/g, ' ').trim();

/** All of them, at most `limit`. */
export function allVariants(prompt: string, limit = variantLimit): string[] {
  const found: string[] = [];
  for (const text of ofParts(new Reader(prompt).parts())) {
    found.push(tidy(text));
    if (found.length >= limit) break;
  }
  return found;
}

/** Numbers from 0 up to 1 that a seed repeats (mulberry32). */
export function numbersFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

function drawOne(parts: Part[], random: () => number): string {
  return parts.map((part) => (typeof part === 'string' ? part : drawChoice(part, random))).join('');
}

function drawChoice(choice: Choice, random: () => number): string {
  const count = choice.min + Math.floor(random() * (choice.max - choice.min + 1));
  const left = [...choice.options];
  const taken: string[] = [];
  while (taken.length < count) {
    let point = random() * left.reduce((sum, o) => sum + o.weight, 0);
    const at = left.findIndex((o) => (point -= o.weight) < 0);
    const [option] = left.splice(Math.max(0, at), 1);
    taken.push(drawOne(option!.parts, random));
  }
  return taken.join(choice.joint);
}

export function randomVariant(prompt: string, random: () => number): string {
  return tidy(drawOne(new Reader(prompt).parts(), random));
}

// Ctrl+Up and Ctrl+Down in the prompt: (words:1.05) by steps of 0.05.
export interface Edit {
  text: string;
  start: number;
  end: number;
}

const weighted = /\(([^()]*):(-?\d*\.?\d+)\)/g;

/** Changes the weight of the group round the selection, or of the selected words, or of the word at the cursor. */
export function changeWeight(text: string, start: number, end: number, by: number): Edit {
  for (const match of text.matchAll(weighted)) {
    const from = match.index;
    const to = from + match[0].length;
    if (from > start || to < end) continue;
    const weight = Math.round((Number(match[2]) + by) * 100) / 100;
    const inner = match[1]!;
    const piece = weight === 1 ? inner : `(${inner}:${weight})`;
    const shift = weight === 1 ? 0 : 1;
    return { text: text.slice(0, from) + piece + text.slice(to), start: from + shift, end: from + shift + inner.length };
  }
  let from = start;
  let to = end;
  if (from === to) {
    while (from > 0 && /[^\s,()]/.test(text[from - 1]!)) from--;
    while (to < text.length && /[^\s,()]/.test(text[to]!)) to++;
  }
  while (from < to && /\s/.test(text[from]!)) from++;
  while (to > from && /\s/.test(text[to - 1]!)) to--;
  if (from === to) return { text, start, end };
  const inner = text.slice(from, to);
  const piece = `(${inner}:${Math.round((1 + by) * 100) / 100})`;
  return { text: text.slice(0, from) + piece + text.slice(to), start: from + 1, end: from + 1 + inner.length };
}

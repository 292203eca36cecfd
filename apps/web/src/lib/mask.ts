// A mask as a list of what was done to it. It is replayed at the picture's own resolution, so it stays
// sharp at every zoom, and undo is a shorter list.

/** Image pixels and a width factor 0..1 (pen pressure; 1 for mouse and finger). */
export type Point = readonly [x: number, y: number, width: number];

export type MaskStep =
  | { kind: 'stroke'; erase: boolean; size: number; points: Point[] }
  | { kind: 'rectangle'; erase: boolean; x: number; y: number; width: number; height: number }
  | { kind: 'lasso'; erase: boolean; points: Point[] }
  | { kind: 'picture'; source: CanvasImageSource }
  | { kind: 'fill' }
  | { kind: 'clear' }
  | { kind: 'invert' };

export class MaskHistory {
  private done: MaskStep[] = [];
  private undone: MaskStep[] = [];

  get steps(): readonly MaskStep[] {
    return this.done;
  }
  get canUndo(): boolean {
    return this.done.length > 0;
  }
  get canRedo(): boolean {
    return this.undone.length > 0;
  }

  push(step: MaskStep): void {
    this.done.push(step);
    this.undone = [];
  }

  undo(): boolean {
    const step = this.done.pop();
    if (step) this.undone.push(step);
    return step !== undefined;
  }

  redo(): boolean {
    const step = this.undone.pop();
    if (step) this.done.push(step);
    return step !== undefined;
  }

  /** What was done, to be put back with `reset` when something larger is undone. */
  keep(): MaskStep[] {
    return [...this.done];
  }

  reset(steps: MaskStep[] = []): void {
    this.done = [...steps];
    this.undone = [];
  }

  /** What a replay has to draw: everything before the last fill or clear has no effect. */
  effective(): MaskStep[] {
    let from = this.done.length - 1;
    while (from > 0 && this.done[from]!.kind !== 'fill' && this.done[from]!.kind !== 'clear') from--;
    return this.done.slice(Math.max(0, from));
  }
}

/** Appends a point unless it is nearer than half a pixel: fast pens report hundreds of them. */
export function extendStroke(points: Point[], next: Point): boolean {
  const last = points[points.length - 1];
  if (last && Math.hypot(last[0] - next[0], last[1] - next[1]) < 0.5) return false;
  points.push(next);
  return true;
}

/** A light touch still leaves a third of the brush's width. */
export function penWidth(pointerType: string, pressure: number): number {
  return pointerType === 'pen' ? 0.3 + 0.7 * Math.min(1, Math.max(0, pressure)) : 1;
}

export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The part of a rectangle, dragged in any direction, that lies in the picture, in whole pixels; null: nothing. */
export function clipRectangle(rect: Rect, width: number, height: number): Rect | null {
  const clamp = (v: number, top: number) => Math.min(top, Math.max(0, Math.round(v)));
  const x0 = clamp(Math.min(rect.x, rect.x + rect.width), width);
  const x1 = clamp(Math.max(rect.x, rect.x + rect.width), width);
  const y0 = clamp(Math.min(rect.y, rect.y + rect.height), height);
  const y1 = clamp(Math.max(rect.y, rect.y + rect.height), height);
  return x1 > x0 && y1 > y0 ? { x: x0, y: y0, width: x1 - x0, height: y1 - y0 } : null;
}

/** A stretch of `length` round begin..begin+size, moved inside 0..limit. */
function widened(begin: number, size: number, length: number, limit: number): [number, number] {
  const fits = Math.min(length, limit);
  return [Math.min(limit - fits, Math.max(0, begin - Math.trunc((fits - size) / 2))), fits];
}

/** What is drawn of a picture when only the painted part is: the box of src/pipeline/inpaint_area.cpp. */
export function drawnArea(painted: Rect, padding: number, size: { width: number; height: number }, picture: { width: number; height: number }): Rect {
  let [x, width] = widened(painted.x, painted.width, painted.width + 2 * padding, picture.width);
  let [y, height] = widened(painted.y, painted.height, painted.height + 2 * padding, picture.height);
  const shape = size.width / size.height;
  if (width < shape * height) [x, width] = widened(x, width, Math.round(shape * height), picture.width);
  else [y, height] = widened(y, height, Math.round(width / shape), picture.height);
  return { x, y, width, height };
}

/** What a lasso encloses, in square pixels; the line is closed from its end to its beginning. */
export function enclosed(points: readonly Point[]): number {
  let twice = 0;
  points.forEach(([x, y], i) => {
    const [nextX, nextY] = points[(i + 1) % points.length]!;
    twice += x * nextY - nextX * y;
  });
  return Math.abs(twice) / 2;
}

/** `[` and `]` change the size by about a sixth, at least by one pixel. */
export function nextBrushSize(size: number, direction: 1 | -1, largest = 512): number {
  const step = Math.max(1, Math.round(size / 6));
  return Math.min(largest, Math.max(1, size + direction * step));
}

/** Of colours written #rrggbb, the one that stands out most from RGBA pixels: from the tenth of them that it is nearest to. */
export function clearestColour(colours: readonly string[], pixels: Uint8ClampedArray): string {
  const distance = (colour: string) => {
    const channels = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
    const all = Array.from({ length: pixels.length / 4 }, (_, i) => Math.hypot(...channels.map((c, k) => c - pixels[4 * i + k]!)));
    return all.sort((a, b) => a - b)[Math.floor(all.length / 10)] ?? 0;
  };
  const clearness = colours.map(distance);
  return colours[clearness.indexOf(Math.max(...clearness))]!;
}

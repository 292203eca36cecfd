// Zoom and pan: screen = image * scale + offset, in CSS pixels of the canvas.
export interface View {
  scale: number;
  x: number;
  y: number;
}

export const smallest = 0.05;
export const largest = 32;

export function fit(imageWidth: number, imageHeight: number, width: number, height: number, margin = 16): View {
  const room = (side: number) => Math.max(1, side - 2 * margin);
  const scale = Math.min(room(width) / imageWidth, room(height) / imageHeight, largest);
  return { scale, x: (width - imageWidth * scale) / 2, y: (height - imageHeight * scale) / 2 };
}

export function toImage(view: View, x: number, y: number): [number, number] {
  return [(x - view.x) / view.scale, (y - view.y) / view.scale];
}

/** The image point under (x, y) stays under it. */
export function zoomAt(view: View, x: number, y: number, factor: number): View {
  const scale = Math.min(largest, Math.max(smallest, view.scale * factor));
  const k = scale / view.scale;
  return { scale, x: x - (x - view.x) * k, y: y - (y - view.y) * k };
}

export function pan(view: View, dx: number, dy: number): View {
  return { ...view, x: view.x + dx, y: view.y + dy };
}

type Pair = readonly [{ x: number; y: number }, { x: number; y: number }];

/** Two fingers: their distance zooms, their middle pans. */
export function pinch(view: View, before: Pair, after: Pair): View {
  const distance = (p: Pair) => Math.max(1, Math.hypot(p[0].x - p[1].x, p[0].y - p[1].y));
  const middle = (p: Pair) => ({ x: (p[0].x + p[1].x) / 2, y: (p[0].y + p[1].y) / 2 });
  const from = middle(before);
  const to = middle(after);
  const zoomed = zoomAt(view, from.x, from.y, distance(after) / distance(before));
  return pan(zoomed, to.x - from.x, to.y - from.y);
}

// Draws a mask: opaque where the picture is repainted, transparent where it is kept.
import type { MaskStep, Point, Rect } from './mask';
import { greyPng } from './png';

type Context = CanvasRenderingContext2D;

export function contextOf(canvas: HTMLCanvasElement): Context {
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('canvas');
  return context;
}

export function newCanvas(width: number, height: number): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

/** The colour of the mask that is sent; a picture of it on the screen has another. */
const white = '#fff';

function drawSegment(c: Context, from: Point, to: Point, size: number): void {
  c.lineWidth = size * Math.min(from[2], to[2]) + (size * Math.abs(to[2] - from[2])) / 2;
  c.beginPath();
  c.moveTo(from[0], from[1]);
  c.lineTo(to[0], to[1]);
  c.stroke();
}

/** Draws the points from index `from` on: a stroke in progress only adds its newest piece. */
export function drawStroke(c: Context, step: Extract<MaskStep, { kind: 'stroke' }>, from = 0, colour = white): void {
  c.globalCompositeOperation = step.erase ? 'destination-out' : 'source-over';
  c.fillStyle = c.strokeStyle = colour;
  c.lineCap = c.lineJoin = 'round';
  for (let i = from; i < step.points.length; i++) {
    const point = step.points[i]!;
    const before = step.points[i - 1];
    if (before) drawSegment(c, before, point, step.size);
    else {
      c.beginPath();
      c.arc(point[0], point[1], (step.size * point[2]) / 2, 0, 2 * Math.PI);
      c.fill();
    }
  }
  c.globalCompositeOperation = 'source-over';
}

function drawLasso(c: Context, step: Extract<MaskStep, { kind: 'lasso' }>): void {
  c.globalCompositeOperation = step.erase ? 'destination-out' : 'source-over';
  c.beginPath();
  for (const [x, y] of step.points) c.lineTo(x, y);
  c.fill();
  c.globalCompositeOperation = 'source-over';
}

/** Bright parts of a picture become the mask; what is transparent in it is kept. */
function drawPicture(canvas: HTMLCanvasElement, source: CanvasImageSource): void {
  const { width, height } = canvas;
  const scratch = newCanvas(width, height);
  const s = contextOf(scratch);
  s.imageSmoothingEnabled = false;
  s.drawImage(source, 0, 0, width, height);
  const data = s.getImageData(0, 0, width, height);
  const p = data.data;
  for (let i = 0; i < p.length; i += 4) {
    const grey = 0.299 * p[i]! + 0.587 * p[i + 1]! + 0.114 * p[i + 2]!;
    p[i + 3] = grey >= 128 && p[i + 3]! >= 128 ? 255 : 0;
    p[i] = p[i + 1] = p[i + 2] = 255;
  }
  contextOf(canvas).putImageData(data, 0, 0);
}

export function applyStep(canvas: HTMLCanvasElement, step: MaskStep): void {
  const c = contextOf(canvas);
  c.fillStyle = white;
  switch (step.kind) {
    case 'stroke':
      return drawStroke(c, step);
    case 'lasso':
      return drawLasso(c, step);
    case 'rectangle':
      if (step.erase) c.clearRect(step.x, step.y, step.width, step.height);
      else c.fillRect(step.x, step.y, step.width, step.height);
      return;
    case 'picture':
      return drawPicture(canvas, step.source);
    case 'fill':
      return c.fillRect(0, 0, canvas.width, canvas.height);
    case 'clear':
      return c.clearRect(0, 0, canvas.width, canvas.height);
    case 'invert':
      c.globalCompositeOperation = 'xor';
      c.fillRect(0, 0, canvas.width, canvas.height);
      c.globalCompositeOperation = 'source-over';
  }
}

export function replay(canvas: HTMLCanvasElement, steps: readonly MaskStep[]): void {
  contextOf(canvas).clearRect(0, 0, canvas.width, canvas.height);
  for (const step of steps) applyStep(canvas, step);
}

/** One byte a pixel: 255 is repainted. The edge of a stroke is smooth on the screen and hard here. */
export function maskBytes(canvas: HTMLCanvasElement): Uint8Array {
  const { data } = contextOf(canvas).getImageData(0, 0, canvas.width, canvas.height);
  const bytes = new Uint8Array(data.length / 4);
  for (let i = 0; i < bytes.length; i++) bytes[i] = data[4 * i + 3]! >= 128 ? 255 : 0;
  return bytes;
}

/** The smallest rectangle round all that is repainted; null: nothing is. */
export function paintedRect(canvas: HTMLCanvasElement): Rect | null {
  const bytes = maskBytes(canvas);
  const first = bytes.indexOf(255);
  if (first < 0) return null;
  const { width } = canvas;
  const [top, bottom] = [Math.floor(first / width), Math.floor(bytes.lastIndexOf(255) / width)];
  let [left, right] = [width, -1];
  for (let y = top; y <= bottom; y++) {
    const row = bytes.subarray(y * width, (y + 1) * width);
    const start = row.indexOf(255);
    if (start < 0) continue;
    left = Math.min(left, start);
    right = Math.max(right, row.lastIndexOf(255));
  }
  return { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}

export function maskPng(canvas: HTMLCanvasElement): Promise<Blob> {
  return greyPng(maskBytes(canvas), canvas.width, canvas.height);
}

export function canvasBlob(canvas: HTMLCanvasElement): Promise<Blob> {
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('canvas'))), 'image/png'),
  );
}

/** Draws a picture with its outermost pixels drawn out to fill the room round it. */
export function drawWithEdges(
  c: Context,
  source: CanvasImageSource,
  { width, height }: { width: number; height: number },
  m: { left: number; top: number; right: number; bottom: number },
): void {
  const columns = [[0, 1, 0, m.left], [0, width, m.left, width], [width - 1, 1, m.left + width, m.right]] as const;
  const rows = [[0, 1, 0, m.top], [0, height, m.top, height], [height - 1, 1, m.top + height, m.bottom]] as const;
  c.imageSmoothingEnabled = false;
  for (const [sx, sw, x, w] of columns) {
    for (const [sy, sh, y, h] of rows) if (w > 0 && h > 0) c.drawImage(source, sx, sy, sw, sh, x, y, w, h);
  }
}

/** A picture's colours, a few of them: RGBA of 16 x 16 pixels. */
export function roughPixels(image: CanvasImageSource): Uint8ClampedArray {
  const side = 16;
  const c = contextOf(newCanvas(side, side));
  c.drawImage(image, 0, 0, side, side);
  return c.getImageData(0, 0, side, side).data;
}

// Extending a picture (outpainting): a larger picture whose new edge is only a guess, and the mask of that edge.
import { largestPicture, loadElement, PictureError, readAsDataUrl, type Picture } from './pictures';
import { canvasBlob, drawWithEdges, newCanvas } from './mask_canvas';

export const sides = ['left', 'top', 'right', 'bottom'] as const;
export type Margins = Record<(typeof sides)[number], number>;
export interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Sides go in steps of 8, as pictures are drawn. */
const step = 8;
const largestSide = 4096;
const largestArea = 16_000_000;

function room(margin: number): number {
  return Number.isFinite(margin) ? Math.max(0, Math.round(margin)) : 0;
}

/** The margins as they can be used: whole, not negative, and the sides multiples of 8 where anything is added. */
export function usable(width: number, height: number, margins: Margins): Margins {
  const [left, top] = [room(margins.left), room(margins.top)];
  const fill = (before: number, side: number, after: number) =>
    before + after === 0 ? 0 : Math.ceil((before + side + after) / step) * step - before - side;
  return { left, top, right: fill(left, width, room(margins.right)), bottom: fill(top, height, room(margins.bottom)) };
}

export function extendedSize(width: number, height: number, margins: Margins): { width: number; height: number; fits: boolean } {
  const m = usable(width, height, margins);
  const size = { width: width + m.left + m.right, height: height + m.top + m.bottom };
  return { ...size, fits: size.width <= largestSide && size.height <= largestSide && size.width * size.height <= largestArea };
}

/** What is new, and a little of what was there, so that the seam is drawn anew as well. */
export function newParts(width: number, height: number, margins: Margins, overlap = step): Rectangle[] {
  const m = usable(width, height, margins);
  const full = { width: width + m.left + m.right, height: height + m.top + m.bottom };
  const parts: Rectangle[] = [];
  if (m.left > 0) parts.push({ x: 0, y: 0, width: m.left + overlap, height: full.height });
  if (m.right > 0) parts.push({ x: m.left + width - overlap, y: 0, width: m.right + overlap, height: full.height });
  if (m.top > 0) parts.push({ x: 0, y: 0, width: full.width, height: m.top + overlap });
  if (m.bottom > 0) parts.push({ x: 0, y: m.top + height - overlap, width: full.width, height: m.bottom + overlap });
  return parts;
}

/** The picture with room round it. Its outermost pixels are drawn out: colours near the seam then begin right. */
export async function extend(picture: Picture, margins: Margins): Promise<Picture> {
  const { width, height } = picture;
  const m = usable(width, height, margins);
  const image = await loadElement(picture.url);
  const canvas = newCanvas(width + m.left + m.right, height + m.top + m.bottom);
  const c = canvas.getContext('2d')!;
  drawWithEdges(c, image, picture, m);
  const blob = await canvasBlob(canvas);
  if (blob.size > largestPicture) throw new PictureError('large', picture.name);
  return { url: await readAsDataUrl(blob), name: picture.name, width: canvas.width, height: canvas.height };
}

// The mask editor's drawing. A frame of a stroke costs two copies: the scaled picture and the coloured mask are
// kept, and a stroke adds its newest piece to both the mask and its coloured twin.
import type { MaskStep, Point, Rect } from './mask';
import { drawStroke, drawWithEdges, newCanvas } from './mask_canvas';
import { toImage, type View } from './view';

export interface Scene {
  image: HTMLImageElement;
  mask: HTMLCanvasElement;
  view: View;
  width: number;
  height: number;
  colour: string;
  opacity: number;
  /** How soft the seam is shown, in pixels of the picture. */
  blur: number;
  outline: Outline;
  /** What is drawn, where that is not all of the picture. */
  area: Rect | null;
}

export type Outline =
  | { kind: 'none' }
  | { kind: 'brush'; x: number; y: number; size: number }
  | { kind: 'rectangle'; x: number; y: number; width: number; height: number }
  | { kind: 'lasso'; points: readonly Point[] };

export class MaskPainter {
  private base = newCanvas(1, 1);
  private baseOf = '';
  private tint = newCanvas(1, 1);
  private tintOf = '';
  private image: HTMLImageElement | null = null;

  /** The mask was changed other than by `extend`. */
  stale(): void {
    this.tintOf = '';
  }

  /** Adds the newest piece of a stroke to the coloured mask, without its soft edge. */
  extend(step: Extract<MaskStep, { kind: 'stroke' }>, from: number, colour: string): void {
    drawStroke(this.tint.getContext('2d')!, step, from, colour);
  }

  paint(canvas: HTMLCanvasElement, scene: Scene): void {
    const c = canvas.getContext('2d');
    if (!c) return;
    const ratio = window.devicePixelRatio || 1;
    this.prepareBase(scene, ratio);
    this.prepareTint(scene);
    if (canvas.width !== this.base.width) canvas.width = this.base.width;
    if (canvas.height !== this.base.height) canvas.height = this.base.height;
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.globalCompositeOperation = 'copy';
    c.drawImage(this.base, 0, 0);
    c.globalCompositeOperation = 'source-over';
    place(c, scene.view, ratio);
    c.globalAlpha = scene.opacity;
    c.drawImage(this.tint, 0, 0);
    c.globalAlpha = 1;
    outline(c, scene);
    frame(c, scene);
  }

  /** The picture as large as it is seen. */
  private prepareBase(scene: Scene, ratio: number): void {
    const { view, width, height, image } = scene;
    const key = [view.scale, view.x, view.y, width, height, ratio].join();
    if (key === this.baseOf && image === this.image) return;
    this.baseOf = key;
    this.image = image;
    this.base.width = Math.max(1, Math.round(width * ratio));
    this.base.height = Math.max(1, Math.round(height * ratio));
    const c = this.base.getContext('2d')!;
    place(c, view, ratio);
    c.drawImage(image, 0, 0);
  }

  /** The mask in its colour, softened as the seam will be. */
  private prepareTint({ mask, colour, blur }: Scene): void {
    const key = [mask.width, mask.height, colour, blur].join();
    if (key === this.tintOf) return;
    this.tintOf = key;
    this.tint.width = mask.width;
    this.tint.height = mask.height;
    const c = this.tint.getContext('2d')!;
    c.drawImage(mask, 0, 0);
    if (blur > 0) {
      c.globalCompositeOperation = 'destination-out';
      c.drawImage(nearKept(mask, blur), 0, 0);
    }
    c.globalCompositeOperation = 'source-in';
    c.fillStyle = colour;
    c.fillRect(0, 0, mask.width, mask.height);
    c.globalCompositeOperation = 'source-over';
  }
}

/** What is kept, reaching so far into the mask as it fades: full at the edge, less and less inside. */
function nearKept(mask: HTMLCanvasElement, blur: number): HTMLCanvasElement {
  // Beyond the picture's edge the mask goes on: it does not fade there.
  const room = Math.ceil(2 * blur);
  const kept = newCanvas(mask.width + 2 * room, mask.height + 2 * room);
  const k = kept.getContext('2d')!;
  drawWithEdges(k, mask, mask, { left: room, top: room, right: room, bottom: room });
  k.globalCompositeOperation = 'source-out';
  k.fillRect(0, 0, kept.width, kept.height);
  const near = newCanvas(mask.width, mask.height);
  const c = near.getContext('2d')!;
  c.filter = `blur(${blur / 2}px)`;
  c.globalCompositeOperation = 'lighter';
  // Twice: half of a blurred edge lies on either side of it.
  c.drawImage(kept, -room, -room);
  c.drawImage(kept, -room, -room);
  return near;
}

function place(c: CanvasRenderingContext2D, view: View, ratio: number): void {
  c.setTransform(ratio * view.scale, 0, 0, ratio * view.scale, ratio * view.x, ratio * view.y);
  c.imageSmoothingEnabled = view.scale < 3;
}

/** Dashes, so that it is not taken for a shape of the mask. */
function frame(c: CanvasRenderingContext2D, { area, view }: Scene): void {
  if (!area) return;
  c.beginPath();
  c.rect(area.x, area.y, area.width, area.height);
  c.setLineDash([8 / view.scale, 6 / view.scale]);
  twoTone(c, view);
  c.setLineDash([]);
}

function outline(c: CanvasRenderingContext2D, { outline: shape, view }: Scene): void {
  if (shape.kind === 'none') return;
  c.beginPath();
  if (shape.kind === 'rectangle') c.rect(shape.x, shape.y, shape.width, shape.height);
  else if (shape.kind === 'lasso') for (const [x, y] of shape.points) c.lineTo(x, y);
  else c.arc(...toImage(view, shape.x, shape.y), shape.size / 2, 0, 2 * Math.PI);
  twoTone(c, view);
}

/** Dark and light together are seen on every picture. */
function twoTone(c: CanvasRenderingContext2D, view: View): void {
  for (const [colour, width] of [['#000', 3], ['#fff', 1.2]] as const) {
    c.strokeStyle = colour;
    c.lineWidth = width / view.scale;
    c.stroke();
  }
}

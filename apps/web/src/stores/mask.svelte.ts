// The mask of the picture that is repainted, and its tools.
import { clearestColour, MaskHistory, type MaskStep, type Rect } from '../lib/mask';
import { applyStep, maskPng, newCanvas, paintedRect, replay, roughPixels } from '../lib/mask_canvas';

export type Tool = 'brush' | 'eraser' | 'lasso' | 'rectangle' | 'move';

export const maskColours = ['#e0531f', '#1f6fe0', '#12875a', '#c2189b'] as const;

export interface KeptMask {
  canvas: HTMLCanvasElement;
  steps: MaskStep[];
}

class Mask {
  tool = $state<Tool>('brush');
  size = $state(24);
  opacity = $state(0.6);
  colour = $state<string>(maskColours[0]);
  showBlur = $state(true);
  /** Counts changes: the editor draws again when it moves. */
  version = $state(0);
  canUndo = $state(false);
  canRedo = $state(false);
  /** The box of what is painted. */
  painted = $state<Rect | null>(null);
  empty = $derived(this.painted === null);
  canvas = newCanvas(1, 1);
  private history = new MaskHistory();
  private coloured = false;

  resize(picture: { width: number; height: number; url: string } | null): void {
    this.canvas = newCanvas(picture?.width ?? 1, picture?.height ?? 1);
    this.history.reset();
    this.size = Math.max(4, Math.round(Math.min(this.canvas.width, this.canvas.height) / 8));
    this.changed();
  }

  pickColour(colour: string): void {
    this.colour = colour;
    this.coloured = true;
  }

  /** The colour that is seen best on a picture, unless one was picked. */
  suitColour(image: HTMLImageElement): void {
    if (!this.coloured) this.colour = clearestColour(maskColours, roughPixels(image));
  }

  add(step: MaskStep, drawn = false): void {
    this.history.push(step);
    if (!drawn) applyStep(this.canvas, step);
    this.changed();
  }

  undo(): void {
    if (this.history.undo()) this.redraw();
  }

  redo(): void {
    if (this.history.redo()) this.redraw();
  }

  /** A gesture that turned out to be something else leaves nothing behind. */
  redraw(): void {
    replay(this.canvas, this.history.effective());
    this.changed();
  }

  /** All of it, to come back to with `restore`. */
  keep(): KeptMask {
    return { canvas: this.canvas, steps: this.history.keep() };
  }

  restore(kept: KeptMask): void {
    this.canvas = kept.canvas;
    this.history.reset(kept.steps);
    this.redraw();
  }

  png(): Promise<Blob> {
    return maskPng(this.canvas);
  }

  private changed(): void {
    this.canUndo = this.history.canUndo;
    this.canRedo = this.history.canRedo;
    this.painted = paintedRect(this.canvas);
    this.version++;
  }
}

export const mask = new Mask();

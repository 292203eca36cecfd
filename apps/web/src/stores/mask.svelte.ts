// The mask of the picture that is repainted, and its tools.
import { MaskHistory, type MaskStep } from '../lib/mask';
import { applyStep, maskBytes, maskPng, newCanvas, replay } from '../lib/mask_canvas';

export type Tool = 'brush' | 'eraser' | 'rectangle' | 'move';

class Mask {
  tool = $state<Tool>('brush');
  size = $state(24);
  opacity = $state(0.6);
  showBlur = $state(true);
  /** Counts changes: the editor draws again when it moves. */
  version = $state(0);
  canUndo = $state(false);
  canRedo = $state(false);
  empty = $state(true);
  canvas = newCanvas(1, 1);
  private history = new MaskHistory();

  resize(picture: { width: number; height: number; url: string } | null): void {
    this.canvas = newCanvas(picture?.width ?? 1, picture?.height ?? 1);
    this.history.reset();
    this.size = Math.max(4, Math.round(Math.min(this.canvas.width, this.canvas.height) / 8));
    this.changed();
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

  png(): Promise<Blob> {
    return maskPng(this.canvas);
  }

  private changed(): void {
    this.canUndo = this.history.canUndo;
    this.canRedo = this.history.canRedo;
    this.empty = !maskBytes(this.canvas).includes(255);
    this.version++;
  }
}

export const mask = new Mask();

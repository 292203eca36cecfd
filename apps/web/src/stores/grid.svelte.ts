// The grid of effects: what is written on its panel, and the one that was asked for last with the jobs of its cells.
import { isRefusal, type ApiError, type Job, type Request } from '../lib/api';
import type { Axis } from '../lib/grid';
import { remember, remembered } from '../lib/storage';
import { t } from '../lib/strings';
import { jobs } from './jobs.svelte';

export interface WrittenAxis {
  label: string;
  field: string;
  text: string;
}

/** Kept while other panels are open. */
class GridForm {
  /** The first is never without a setting. */
  axes = $state<WrittenAxis[]>([
    { label: t.grid.across, field: 'steps', text: '4, 8, 16' },
    { label: t.grid.down, field: 'guidance', text: '1.5, 2.5, 4' },
    { label: t.grid.sheets, field: '', text: '' },
  ]);
  withPicture = $state(false);
  withMask = $state(false);
}

export interface GridRun {
  prompt: string;
  /** Across, down, and one sheet for each value. */
  x: Axis;
  y: Axis | null;
  z: Axis | null;
  /** Row by row, sheet by sheet; '' where the server would not take one, shorter where the queue took no more. */
  cells: string[];
}

/** An earlier page remembered grids of two axes. */
function whole(run: GridRun | null): GridRun | null {
  return run && { ...run, z: run.z ?? null };
}

class Grid {
  run = $state<GridRun | null>(whole(remembered<GridRun | null>('grid', null)));
  sending = $state(false);
  /** The first that the server would not take. */
  refusal = $state<ApiError | null>(null);
  cells = $derived<(Job | undefined)[]>((this.run?.cells ?? []).map((id) => jobs.find(id)));
  done = $derived(this.cells.filter((job) => job && job.images.length > 0).length);

  /** Queues the cells, but for those that cannot be drawn; throws where the queue takes no more. */
  async send(run: Omit<GridRun, 'cells'>, requests: () => Promise<Request[]>): Promise<void> {
    this.sending = true;
    this.refusal = null;
    try {
      const all = await requests();
      this.run = { ...run, cells: [] };
      for (const request of all) {
        const id = await this.#queue(request);
        if (!this.run) break; // cleared meanwhile
        this.run.cells.push(id);
        remember('grid', $state.snapshot(this.run));
      }
    } finally {
      this.sending = false;
    }
  }

  async #queue(request: Request): Promise<string> {
    try {
      return (await jobs.submit(request, false)).id;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.refusal ??= error;
      return '';
    }
  }

  clear(): void {
    this.run = null;
    this.refusal = null;
    remember('grid', null);
  }
}

export const gridForm = new GridForm();
export const grid = new Grid();

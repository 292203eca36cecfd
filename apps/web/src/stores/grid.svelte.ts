// The grid of effects that was asked for last: its axes and the jobs of its cells.
import type { Job } from '../lib/api';
import type { Axis } from '../lib/grid';
import { remember, remembered } from '../lib/storage';
import { jobs } from './jobs.svelte';

export interface GridRun {
  prompt: string;
  /** Across, down, and one sheet for each value. */
  x: Axis;
  y: Axis | null;
  z: Axis | null;
  /** Row by row, sheet by sheet; shorter where not all could be queued. */
  cells: string[];
}

/** An earlier page remembered grids of two axes. */
function whole(run: GridRun | null): GridRun | null {
  return run && { ...run, z: run.z ?? null };
}

class Grid {
  run = $state<GridRun | null>(whole(remembered<GridRun | null>('grid', null)));
  cells = $derived<(Job | undefined)[]>((this.run?.cells ?? []).map((id) => jobs.find(id)));
  done = $derived(this.cells.filter((job) => job && job.images.length > 0).length);

  start(run: GridRun): void {
    this.run = run;
  }

  queued(id: string): void {
    this.run?.cells.push(id);
    remember('grid', $state.snapshot(this.run));
  }

  clear(): void {
    this.run = null;
    remember('grid', null);
  }
}

export const grid = new Grid();

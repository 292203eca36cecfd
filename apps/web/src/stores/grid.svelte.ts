// The grid of effects that was asked for last: its axes and the jobs of its cells.
import type { Job } from '../lib/api';
import type { Axis } from '../lib/grid';
import { remember, remembered } from '../lib/storage';
import { jobs } from './jobs.svelte';

export interface GridRun {
  prompt: string;
  x: Axis;
  y: Axis | null;
  /** Row by row; an empty name where the cell could not be queued. */
  cells: string[];
}

class Grid {
  run = $state<GridRun | null>(remembered<GridRun | null>('grid', null));
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

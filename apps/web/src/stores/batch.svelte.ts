// The list of prompts that was queued last: its jobs, and how far they are.
import type { Job } from '../lib/api';
import { remember, remembered } from '../lib/storage';
import { jobs } from './jobs.svelte';

class BatchRun {
  ids = $state<string[]>(remembered<string[]>('batch', []));
  /** Those that the page knows of; the server's list goes back 200 jobs. */
  jobs = $derived<Job[]>(this.ids.map((id) => jobs.find(id)).filter((job) => job !== undefined));
  images = $derived(this.jobs.flatMap((job) => job.images));
  waiting = $derived(this.jobs.filter((job) => job.state === 'queued' || job.state === 'running'));
  failed = $derived(this.jobs.filter((job) => job.error !== null));

  start(): void {
    this.ids = [];
  }

  queued(id: string): void {
    this.ids.push(id);
    remember('batch', $state.snapshot(this.ids));
  }

  clear(): void {
    this.ids = [];
    remember('batch', []);
  }
}

export const batchRun = new BatchRun();

// Lists of prompts: what is written on their panel, and the one that was queued last with its jobs.
import { api, ApiError, isRefusal, type Job, type Request } from '../lib/api';
import type { BatchFormat, BatchRow } from '../lib/batch';
import { randomSeed } from '../lib/grid';
import { pictureFrom } from '../lib/pictures';
import { remember, remembered } from '../lib/storage';
import { jobs } from './jobs.svelte';

/** Lines that are refused one after the other before the first that is taken. */
const patience = 5;

/** Kept while other panels are open. */
class BatchForm {
  text = $state('');
  name = $state('');
  format = $state<BatchFormat | 'auto'>('auto');
  how = $state<'all' | 'random'>('all');
  draws = $state(3);
  seed = $state(randomSeed());
  starts = $state.raw<File[]>([]);
}

class BatchRun {
  ids = $state<string[]>(remembered<string[]>('batch', []));
  sending = $state(false);
  sent = $state(0);
  /** What the server would not take: the line of the list, and why. */
  refused = $state<{ line: number; error: ApiError }[]>([]);
  total = $state(0);
  /** Those that the page knows of; the server's list goes back 300 jobs. */
  jobs = $derived<Job[]>(this.ids.map((id) => jobs.find(id)).filter((job) => job !== undefined));
  images = $derived(this.jobs.flatMap((job) => job.images));
  waiting = $derived(this.jobs.filter((job) => job.state === 'queued' || job.state === 'running'));
  failed = $derived(this.jobs.filter((job) => job.error !== null));

  /**
   * Queues a job for each row and starting picture, but for those that the server does not take; throws where the
   * queue takes no more. `base` is what the rows leave open: the settings may change meanwhile. Pictures are read one
   * at a time, since hundreds of them need not fit in memory.
   */
  async send(base: Request, rows: BatchRow[], starts: File[]): Promise<void> {
    this.sending = true;
    this.sent = 0;
    this.total = rows.length * Math.max(1, starts.length);
    this.ids = [];
    this.refused = [];
    try {
      const requests = rows.map(({ line, values }) => ({ line, request: { ...base, ...values } }));
      for (const start of starts.length > 0 ? starts : [null]) {
        const picture = start && { init_image: (await pictureFrom(start)).url };
        for (const { line, request } of requests) {
          try {
            this.ids.push((await jobs.submit({ ...request, ...picture }, false)).id);
          } catch (error) {
            if (!isRefusal(error)) throw error;
            this.refused.push({ line, error });
            // A setting of every line may be what is wrong.
            if (this.ids.length === 0 && this.refused.length === patience) throw error;
          }
          remember('batch', $state.snapshot(this.ids));
          this.sent++;
        }
      }
    } finally {
      this.sending = false;
    }
  }

  /** Its pictures, without those that were deleted: one of them and the server refuses all. */
  async zip(): Promise<Blob> {
    const ids = () => this.images.map((image) => image.id);
    try {
      return await api.zip(ids());
    } catch (error) {
      const known = error instanceof ApiError && error.status === 404;
      if (known) await jobs.forgetMissing(ids());
      if (!known || ids().length === 0) throw error;
      return api.zip(ids());
    }
  }

  clear(): void {
    this.ids = [];
    this.refused = [];
    remember('batch', []);
  }
}

export const batchForm = new BatchForm();
export const batchRun = new BatchRun();

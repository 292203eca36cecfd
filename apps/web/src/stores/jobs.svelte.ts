// The queue, kept in step with the server by its events.
import { api, type Job, type JobImage, type JobKind, type Progress, type Request } from '../lib/api';
import { duration } from '../lib/format';
import { remember, remembered } from '../lib/storage';
import { t } from '../lib/strings';
import { gallery } from './gallery.svelte';
import { ui } from './ui.svelte';

const waiting = new Set(['queued', 'running']);
/** Jobs of the past that the page asks for. */
const listed = 200;
const firstDelay = 1000;
const longestDelay = 30_000;
/** Something between the page and the server may hold events back: after this silence the page asks. */
const patience = 5000;

class Jobs {
  list = $state<Job[]>([]);
  previews = $state<Record<string, string>>({});
  /** The job on the stage; null: the newest. */
  watched = $state<string | null>(null);
  connected = $state(true);
  loaded = $state(false);
  #retried = $state(remembered<string[]>('retried', []));
  #source: EventSource | null = null;
  #delay = firstDelay;
  #announced = -1;
  #heard = 0;

  constructor() {
    setInterval(() => {
      if (this.active === 0 || Date.now() - this.#heard < patience) return;
      void this.load();
      void gallery.refresh();
    }, patience);
  }

  running = $derived(this.list.find((j) => j.state === 'running'));
  queued = $derived(this.list.filter((j) => j.state === 'queued').sort((a, b) => (a.position ?? 0) - (b.position ?? 0)));
  over = $derived(this.list.filter((j) => !waiting.has(j.state)).reverse());
  /** Those that have not been tried again yet. */
  failed = $derived(this.over.filter((j) => j.error !== null && !this.#retried.includes(j.id)));
  active = $derived(this.queued.length + (this.running ? 1 : 0));
  shown = $derived.by<Job | undefined>(
    () => this.list.find((j) => j.id === this.watched) ?? this.running ?? this.list.findLast((j) => j.state === 'completed'),
  );

  async load(): Promise<void> {
    try {
      const list = await api.jobs(listed);
      this.list = list;
      this.loaded = true;
    } catch (error) {
      if (!this.loaded) ui.fail(error);
    }
  }

  /** Listens until the page is closed. The browser itself reconnects short breaks and continues where it was. */
  connect(): void {
    this.#source?.close();
    const source = api.events();
    this.#source = source;
    source.onopen = () => {
      if (!this.connected) void this.load();
      this.connected = true;
      this.#delay = firstDelay;
    };
    source.onerror = () => {
      this.connected = false;
      if (source.readyState !== EventSource.CLOSED) return;
      setTimeout(() => this.connect(), this.#delay);
      this.#delay = Math.min(longestDelay, this.#delay * 2);
    };
    const on = <T>(name: string, take: (data: T) => void) =>
      source.addEventListener(name, (event) => {
        this.#heard = Date.now();
        take(JSON.parse((event as MessageEvent<string>).data) as T);
      });
    on<Job>('job', (job) => this.#put(job));
    on<{ id: string; progress: Progress }>('progress', ({ id, progress }) => this.#progress(id, progress));
    on<{ id: string; image: string }>('preview', ({ id, image }) => (this.previews[id] = image));
    on<{ id: string; image: JobImage }>('image', ({ id, image }) => this.#image(id, image));
    on('reset', () => {
      void this.load();
      void gallery.refresh();
    });
  }

  find(id: string): Job | undefined {
    return this.list.find((j) => j.id === id);
  }

  async submit(request: Request, watch = true): Promise<Job> {
    const job = await api.submit(request);
    // Its events may have come before this answer, and know more.
    if (!this.find(job.id)) this.#put(job);
    if (watch) this.watched = job.id;
    return job;
  }

  /** A request that names its kind: the queue shows it before the server answers with it. */
  kindOf(request: Request): JobKind {
    return request.mask_image ? 'inpaint' : request.init_image ? 'image' : 'text';
  }

  async cancel(id: string): Promise<void> {
    await api.cancel(id).catch((error: unknown) => ui.fail(error));
  }

  async cancelAll(): Promise<void> {
    await api.cancelAll().catch((error: unknown) => ui.fail(error));
  }

  async move(id: string, position: number): Promise<void> {
    await api.move(id, position).catch((error: unknown) => ui.fail(error));
  }

  /** Whether it is in the queue again. */
  async retry(id: string): Promise<boolean> {
    try {
      const job = await api.retry(id);
      this.#retried = [...this.#retried, id].slice(-listed);
      remember('retried', $state.snapshot(this.#retried));
      if (!this.find(job.id)) this.#put(job);
      return true;
    } catch (error) {
      ui.fail(error);
      return false;
    }
  }

  /** The oldest first, as they were asked for, until one is refused: the queue is full then. */
  async retryFailed(): Promise<void> {
    for (const job of [...this.failed].reverse()) if (!(await this.retry(job.id))) return;
  }

  #put(job: Job): void {
    const at = this.list.findIndex((j) => j.id === job.id);
    const before = this.list[at];
    if (at < 0) this.list.push(job);
    else this.list[at] = job;
    if (waiting.has(job.state) || before?.state === job.state) return;
    delete this.previews[job.id];
    if (job.id === this.shown?.id) {
      this.#announced = -1;
      ui.announcement = t.queue.announced(job.state, job.images.length);
    }
  }

  #progress(id: string, progress: Progress): void {
    const job = this.find(id);
    if (!job) return;
    job.progress = progress;
    if (job.id !== this.shown?.id || progress.phase !== 'denoise' || progress.steps === 0) return;
    const tenth = Math.floor((10 * progress.step) / progress.steps);
    if (tenth === this.#announced || tenth === 0) return;
    this.#announced = tenth;
    ui.announcement = t.result.announced(tenth * 10, duration(progress.seconds_left));
  }

  #image(id: string, image: JobImage): void {
    const job = this.find(id);
    if (job && !job.images.some((i) => i.id === image.id)) job.images.push(image);
    void gallery.arrived(image.id);
  }
}

export const jobs = new Jobs();

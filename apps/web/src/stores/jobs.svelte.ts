// The queue, kept in step with the server by its events.
import { api, ApiError, type Job, type JobImage, type JobState, type Progress, type Request } from '../lib/api';
import { duration } from '../lib/format';
import { joinJobs } from '../lib/jobs';
import { remember, remembered } from '../lib/storage';
import { t } from '../lib/strings';
import { catalog } from './catalog.svelte';
import { gallery } from './gallery.svelte';
import { ui } from './ui.svelte';

const live: JobState[] = ['queued', 'running'];
const past: JobState[] = ['completed', 'failed', 'cancelled', 'poisoned'];
const waiting = new Set<JobState>(live);
/** More than the queue holds, and the most that the server lists. */
const allLive = 1000;
/** Jobs of the past that the page asks for: the largest grid has 256. */
const listed = 300;
/** Jobs in line whose place the server tells when it changes. */
const told = 50;
const settling = 3000;
const firstDelay = 1000;
const longestDelay = 30_000;
/** Something between the page and the server may hold events back: after this silence the page asks. */
const patience = 5000;

const paceKey = (request: Request) => String(request['model'] ?? '');

class Jobs {
  list = $state<Job[]>([]);
  previews = $state<Record<string, string>>({});
  /** What the stage follows: the jobs sent from here, or one that was picked. */
  #followed = $state<string[]>([]);
  connected = $state(true);
  loaded = $state(false);
  /** How many times what a plan says pictures of a model took here lately. */
  #pace = $state(remembered<Record<string, number>>('pace', {}));
  /** Jobs for which the model was loaded. */
  #loading = new Set<string>();
  /** Seconds that plans gave jobs of this page. */
  #planned = new Map<string, number>();
  #retried = $state(remembered<string[]>('retried', []));
  #source: EventSource | null = null;
  #delay = firstDelay;
  #announced = -1;
  #heard = 0;
  /** Counts what was heard of jobs, and when of which: an answer that was asked for before knows less. */
  #news = 0;
  #newsOf = new Map<string, number>();
  /** Pictures that were deleted, with their jobs: the server still names them there. */
  #gone = new Map<number, { job: string; image: JobImage } | null>();
  #soon: ReturnType<typeof setTimeout> | null = null;

  constructor() {
    gallery.onremoved = (ids) => this.forget(ids);
    gallery.onrestored = (ids) => this.#bringBack(ids);
    setInterval(() => {
      if (this.active > 0 && Date.now() - this.#heard >= patience) void this.catchUp();
    }, patience);
  }

  running = $derived(this.list.find((j) => j.state === 'running'));
  queued = $derived(this.list.filter((j) => j.state === 'queued').sort((a, b) => (a.position ?? 0) - (b.position ?? 0)));
  over = $derived(this.list.filter((j) => !waiting.has(j.state)).reverse());
  /** Those that have not been tried again yet. */
  failed = $derived(this.over.filter((j) => j.error !== null && !this.#retried.includes(j.id)));
  active = $derived(this.queued.length + (this.running ? 1 : 0));
  /** The job on the stage: of those followed the one that is drawn, else the next in line, else the last. */
  shown = $derived.by<Job | undefined>(() => {
    const follows = (j: Job | undefined) => j !== undefined && this.#followed.includes(j.id);
    if (follows(this.running)) return this.running;
    return this.queued.find(follows) ?? this.find(this.#followed.at(-1) ?? '') ?? this.running ?? this.list.findLast((j) => j.images.length > 0);
  });

  async load(): Promise<void> {
    const before = this.#news;
    try {
      // In this order: a job that ends in between is in both lists, not in none.
      const now = await api.jobs(live, allLive);
      const over = await api.jobs(past, listed);
      const newer = this.list.filter((j) => (this.#newsOf.get(j.id) ?? 0) > before);
      this.list = joinJobs(this.list.filter((j) => !waiting.has(j.state)), now, over, newer).map((j) => this.#pruned(j));
      this.loaded = true;
    } catch (error) {
      if (!this.loaded) ui.fail(error);
    }
  }

  /** Asks for what no event told of. The gallery keeps its place: only pictures that are new come to it. */
  async catchUp(): Promise<void> {
    if (!this.loaded) return this.load();
    const pictures = () => this.list.flatMap((j) => j.images.map((i) => i.id));
    const known = new Set(pictures());
    await this.load();
    for (const id of pictures()) if (!known.has(id)) await gallery.arrived(id);
  }

  /** Places beyond those that are told go stale when a job leaves the queue: asks for them, but not with every job. */
  #settle(): void {
    if (this.queued.length <= told || this.#soon !== null) return;
    this.#soon = setTimeout(() => {
      this.#soon = null;
      void this.load();
    }, settling);
  }

  /** Listens until the page is closed. The browser itself reconnects short breaks and continues where it was. */
  connect(): void {
    this.#source?.close();
    const source = api.events();
    this.#source = source;
    source.onopen = () => {
      if (!this.connected) void this.catchUp();
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

  /** `planned`: the seconds that a plan gives it, 0 where none was made. */
  async submit(request: Request, watch = true, planned = 0): Promise<Job> {
    const job = await api.submit(request);
    if (planned > 0) this.#planned.set(job.id, planned);
    // Its events may have come before this answer, and know more.
    if (!this.find(job.id)) this.#put(job);
    if (watch) this.#followed = [...this.#followed.filter((id) => waiting.has(this.find(id)?.state ?? 'completed')), job.id];
    return job;
  }

  /** Puts a job on the stage; null: the newest. */
  watch(id: string | null): void {
    this.#followed = id === null ? [] : [id];
  }

  async cancel(id: string): Promise<void> {
    await api.cancel(id).catch((error: unknown) => ui.fail(error));
  }

  async cancelAll(): Promise<void> {
    await api.cancelAll().catch((error: unknown) => ui.fail(error));
  }

  async move(id: string, position: number): Promise<void> {
    await api.move(id, position).catch((error: unknown) => ui.fail(error));
    await this.load();
  }

  /** Whether it is in the queue again. */
  async retry(id: string): Promise<boolean> {
    try {
      const job = await api.retry(id);
      this.#retried = [...this.#retried, id].slice(-listed);
      remember('retried', $state.snapshot(this.#retried));
      if (!this.find(job.id)) this.#put(job);
      this.#followed = this.#followed.map((one) => (one === id ? job.id : one));
      return true;
    } catch (error) {
      ui.fail(error);
      return false;
    }
  }

  /** These pictures are no more. */
  forget(ids: number[]): void {
    for (const id of ids) this.#gone.set(id, null);
    for (const job of this.list) this.#pruned(job);
  }

  /** Those of these pictures that were deleted elsewhere. */
  async forgetMissing(ids: number[]): Promise<void> {
    const missing = (error: unknown) => error instanceof ApiError && error.status === 404;
    const gone = await Promise.all(ids.map((id) => api.image(id).then(() => false, missing)));
    this.forget(ids.filter((_, i) => gone[i]));
  }

  #pruned(job: Job): Job {
    const gone = job.images.filter((i) => this.#gone.has(i.id));
    for (const image of gone) this.#gone.set(image.id, { job: job.id, image });
    if (gone.length > 0) job.images = job.images.filter((i) => !this.#gone.has(i.id));
    return job;
  }

  #bringBack(ids: number[]): void {
    for (const id of ids) {
      const kept = this.#gone.get(id);
      this.#gone.delete(id);
      const job = kept && this.find(kept.job);
      if (job && !job.images.some((i) => i.id === id)) job.images = [...job.images, kept.image].sort((a, b) => a.id - b.id);
    }
  }

  /** The oldest first, as they were asked for, until one is refused: the queue is full then. */
  async retryFailed(): Promise<void> {
    for (const job of [...this.failed].reverse()) if (!(await this.retry(job.id))) return;
  }

  #put(job: Job): void {
    const at = this.list.findIndex((j) => j.id === job.id);
    const before = this.list[at];
    const shown = this.shown?.id;
    this.#pruned(job);
    if (at < 0) this.list.push(job);
    else this.list[at] = job;
    this.#newsOf.set(job.id, ++this.#news);
    if (before?.state === 'queued' && job.state !== 'queued') this.#settle();
    if (waiting.has(job.state) || before?.state === job.state) return;
    if (before?.state === 'running') this.#noteModel(job);
    this.#notePace(job, this.#loading.delete(job.id));
    delete this.previews[job.id];
    if (job.id === shown) {
      this.#announced = -1;
      ui.announcement = t.queue.announced(job.state, job.images.length);
    }
  }

  /** The seconds of a plan as pictures of the model take them on this machine, with what else it does. */
  expected(request: Request, planned: number): number {
    return planned * (this.#pace[paceKey(request)] ?? 1);
  }

  #notePace(job: Job, loaded: boolean): void {
    const planned = this.#planned.get(job.id);
    this.#planned.delete(job.id);
    const took = (Date.parse(job.finished ?? '') - Date.parse(job.started ?? '')) / 1000;
    if (!planned || !(took > 0) || loaded || job.state !== 'completed') return;
    const [slowest, now, fastest] = [50, took / planned, 0.02];
    const before = this.#pace[paceKey(job.request)] ?? now;
    this.#pace[paceKey(job.request)] = Math.min(slowest, Math.max(fastest, (before + now) / 2));
    remember('pace', $state.snapshot(this.#pace));
  }

  /** A job loaded its model, and another one may have had to go for it. */
  #noteModel(job: Job): void {
    const { model } = job.request;
    if (!catalog.models.some((m) => m.loaded && (model === undefined || m.name === model))) void catalog.loadModels();
  }

  #progress(id: string, progress: Progress): void {
    const job = this.find(id);
    if (!job) return;
    if (progress.phase === 'load') this.#loading.add(id);
    if (job.progress?.phase === 'load' && progress.phase !== 'load') this.#noteModel(job);
    job.progress = progress;
    if (job.id !== this.shown?.id || progress.phase !== 'denoise' || progress.steps === 0) return;
    const tenth = Math.floor((10 * progress.step) / progress.steps);
    if (tenth === this.#announced || tenth === 0) return;
    this.#announced = tenth;
    ui.announcement = t.result.announced(tenth * 10, duration(progress.seconds_left));
  }

  #image(id: string, image: JobImage): void {
    const job = this.find(id);
    this.#newsOf.set(id, ++this.#news);
    if (job && !this.#gone.has(image.id) && !job.images.some((i) => i.id === image.id)) job.images.push(image);
    void gallery.arrived(image.id);
  }
}

export const jobs = new Jobs();

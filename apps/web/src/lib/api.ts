// The client of /api/v1 (docs/http_api.md): every route that the page uses, with its types.

export type JobKind = 'text' | 'image' | 'inpaint';
export type JobState = 'queued' | 'running' | 'completed' | 'failed' | 'cancelled' | 'poisoned';
export type FieldType = 'integer' | 'number' | 'text' | 'boolean';
export type Value = string | number | boolean;

export interface Field {
  name: string;
  type: FieldType;
  min: number;
  max: number;
  choices: string[];
  default: string;
  help: string;
}

export interface Named {
  name: string;
  label: string;
}

export interface Options {
  fields: Field[];
  samplers: Named[];
  schedules: Named[];
  version: string;
}

export interface Model {
  name: string;
  family: string;
  form: string;
  bytes: number;
  shipped: boolean;
  loaded: boolean;
  inpainting: boolean;
  objects: string[];
  /** Parameters that do nothing for this model, or that it refuses. */
  unused: string[];
  /** Width and height are multiples of it. */
  size_step: number;
  defaults: Record<string, Value>;
  error: string;
}

/** What a request may say; the keys of the parameter table are added to these. */
export interface Request {
  prompt?: string;
  prompts?: string[];
  model?: string;
  init_image?: string | { image: number } | true;
  mask_image?: string | { image: number } | true;
  preview_every?: number;
  [field: string]: unknown;
}

export interface Progress {
  phase: string;
  step: number;
  steps: number;
  picture: number;
  pictures: number;
  seconds_per_step: number;
  seconds_left: number;
}

export interface JobImage {
  id: number;
  url: string;
  thumbnail: string;
  seed: number;
  width: number;
  height: number;
}

export interface Problem {
  code: string;
  message: string;
  field?: string;
}

export interface Job {
  id: string;
  kind: JobKind;
  state: JobState;
  /** 0 runs, 1 is next; null when it is over. */
  position: number | null;
  created: string;
  started: string | null;
  finished: string | null;
  request: Request;
  progress: Progress | null;
  images: JobImage[];
  warnings: string[];
  error: Problem | null;
}

export interface GalleryImage extends JobImage {
  created: string;
  bytes: number;
  prompt: string;
  negative_prompt: string;
  model: string;
  sampler: string;
  steps: number;
  guidance: number;
  favourite: boolean;
  tags: string[];
  /** Told of one picture, not of a list of them. */
  request?: Request;
  infotext?: string;
}

export interface GalleryQuery {
  query?: string;
  model?: string;
  sampler?: string;
  favourite?: boolean;
  tag?: string;
  since?: string;
  until?: string;
  before?: number;
  limit?: number;
}

export interface Tag {
  name: string;
  pictures: number;
}

export interface Tokens {
  used: number;
  limit: number;
  cut: string;
}

export interface Recipe {
  request: Request;
  infotext: string;
  model: string;
}

export interface Plan {
  peak: number;
  seconds: number;
}

/** An answer that is not a success, or no answer at all (status 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly field = '',
    readonly retryAfter = 0,
  ) {
    super(message);
  }
}

/** Whether the server finds the request itself wrong: the next one may be right. */
export function isRefusal(error: unknown): error is ApiError {
  return error instanceof ApiError && (error.status === 400 || error.status === 422);
}

/** Makes an error of any body: a proxy in between may answer with something that is not JSON. */
export function errorFrom(status: number, body: string, retryAfter: string | null = null): ApiError {
  const seconds = Number(retryAfter) || 0;
  try {
    const { error } = JSON.parse(body) as { error?: Partial<Problem> };
    if (error && typeof error.message === 'string') {
      return new ApiError(status, String(error.code ?? ''), error.message, error.field ?? '', seconds);
    }
  } catch {
    // Not JSON: the status has to do.
  }
  return new ApiError(status, '', '', '', seconds);
}

const root = '/api/v1';
const jsonType = { 'Content-Type': 'application/json' };

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(root + path, { credentials: 'same-origin', ...init });
  } catch {
    throw new ApiError(0, 'offline', '');
  }
  if (!answer.ok) {
    throw errorFrom(answer.status, await answer.text(), answer.headers.get('Retry-After'));
  }
  return answer;
}

async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await ask(path, signal ? { signal } : {})).json()) as T;
}

async function send(method: string, path: string, body?: unknown): Promise<Response> {
  return ask(path, { method, headers: jsonType, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}

async function sendFor<T>(method: string, path: string, body?: unknown): Promise<T> {
  return (await (await send(method, path, body)).json()) as T;
}

export function queryText(query: object): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== '' && value !== false) params.set(key, String(value));
  }
  const text = params.toString();
  return text === '' ? '' : `?${text}`;
}

export const api = {
  options: () => get<Options>('/options'),
  models: () => get<{ models: Model[]; folders: string[] }>('/models'),
  tokens: (prompt: string, model: string) => sendFor<Tokens>('POST', '/tokens', { prompt, ...(model ? { model } : {}) }),
  plan: (request: Request) => sendFor<Plan>('POST', '/plan', request),

  jobs: async (states: JobState[], limit: number) => (await get<{ jobs: Job[] }>(`/jobs${queryText({ state: states.join(), limit })}`)).jobs,
  submit: (request: Request) => sendFor<Job>('POST', '/jobs', request),
  cancel: (id: string) => send('DELETE', `/jobs/${id}`),
  cancelAll: () => send('DELETE', '/jobs'),
  move: (id: string, position: number) => send('PATCH', `/jobs/${id}`, { position }),
  retry: (id: string) => sendFor<Job>('POST', `/jobs/${id}/retry`),

  images: (query: GalleryQuery, signal?: AbortSignal) =>
    get<{ images: GalleryImage[]; total: number }>(`/images${queryText(query)}`, signal),
  image: (id: number) => get<GalleryImage>(`/images/${id}`),
  favour: (id: number, favourite: boolean) => send('PATCH', `/images/${id}`, { favourite }),
  tags: async () => (await get<{ tags: Tag[] }>('/tags')).tags,
  tag: async (ids: number[], change: { add?: string[]; remove?: string[] }) =>
    (await sendFor<{ images: { id: number; tags: string[] }[] }>('POST', '/images/tags', { ids, ...change })).images,
  remove: (id: number) => send('DELETE', `/images/${id}`),
  restore: (id: number) => send('POST', `/images/${id}/restore`),
  zip: async (ids: number[]) => (await send('POST', '/images/zip', { ids })).blob(),
  recipe: async (picture: Blob) =>
    (await (
      await ask('/recipe', {
        method: 'POST',
        headers: { 'Content-Type': picture.type || 'application/octet-stream' },
        body: picture,
      })
    ).json()) as Recipe,
  blob: async (url: string) => {
    const answer = await fetch(url, { credentials: 'same-origin' }).catch(() => null);
    if (!answer?.ok) throw new ApiError(answer?.status ?? 0, answer ? '' : 'offline', '');
    return answer.blob();
  },
  events: () => new EventSource(`${root}/events`),
};

import { beforeEach, describe, expect, it, vi } from 'vitest';

import type { GalleryImage, Job, JobImage, JobState, Model } from '../../src/lib/api';

/** What the stores ask of a browser when they are made. */
class Source {
  static last: Source;
  static readonly CLOSED = 2;
  readyState = 1;
  onopen = () => {};
  onerror = () => {};
  heard = new Map<string, (event: { data: string }) => void>();
  constructor() {
    Source.last = this;
  }
  addEventListener(name: string, take: (event: { data: string }) => void) {
    this.heard.set(name, take);
  }
  tell(name: string, data: unknown) {
    this.heard.get(name)!({ data: JSON.stringify(data) });
  }
  close() {}
}
vi.useFakeTimers();
vi.stubGlobal('window', { addEventListener: () => {} });
vi.stubGlobal('location', { hash: '' });
vi.stubGlobal('EventSource', Source);

const { ApiError, api } = await import('../../src/lib/api');
const { grid } = await import('../../src/stores/grid.svelte');
const { batchRun } = await import('../../src/stores/batch.svelte');
const { catalog } = await import('../../src/stores/catalog.svelte');
const { gallery } = await import('../../src/stores/gallery.svelte');
const { jobs } = await import('../../src/stores/jobs.svelte');
const { ui } = await import('../../src/stores/ui.svelte');

const picture = (id: number): JobImage => ({ id, url: '', thumbnail: '', seed: 1, width: 8, height: 8 });
const kept = (id: number) => ({ ...picture(id), favourite: false, tags: [] }) as unknown as GalleryImage;
const job = (n: number, state: JobState, rest: Partial<Job> = {}): Job => ({
  id: `j-${String(n).padStart(6, '0')}`, kind: 'text', state, position: state === 'queued' ? n : null, created: '', started: null, finished: null,
  request: { prompt: 'a', model: 'icons' }, progress: null, images: [], warnings: [], error: null, ...rest,
});
/** The queue of the server. */
let queue: Job[] = [];
const asked = vi.spyOn(api, 'jobs').mockImplementation(async (states, limit) => structuredClone(queue.filter((j) => states.includes(j.state)).slice(-limit)));
const looked = vi.spyOn(api, 'image').mockImplementation(async (id) => kept(id));
const models = vi.spyOn(api, 'models').mockImplementation(async () => ({ models: [{ name: 'icons', loaded: true, error: '' } as Model], folders: [] }));
vi.spyOn(api, 'tags').mockResolvedValue([]);
const lists = vi.spyOn(api, 'images').mockResolvedValue({ images: [], total: 0 });
vi.spyOn(api, 'remove').mockResolvedValue(new Response());
vi.spyOn(api, 'restore').mockResolvedValue(new Response());

const ids = () => jobs.list.map((j) => j.id);
const images = (n: number) => jobs.find(job(n, 'completed').id)?.images.map((i) => i.id);

beforeEach(async () => {
  vi.clearAllTimers();
  vi.clearAllMocks();
  queue = [];
  jobs.list = [];
  jobs.watch(null);
  gallery.images = gallery.recent = [];
  gallery.total = 0;
  gallery.selected = [];
  catalog.models = [{ name: 'icons', loaded: true, error: '' } as Model];
  ui.toasts = [];
  batchRun.clear();
  jobs.connect();
});

describe('a grid', () => {
  const axis = { field: 'width', values: [96, 100, 104] };

  it('leaves a cell empty that the server does not take', async () => {
    vi.spyOn(api, 'submit')
      .mockResolvedValueOnce(job(1, 'queued'))
      .mockRejectedValueOnce(new ApiError(422, 'usage', 'width: 100', 'width'))
      .mockResolvedValueOnce(job(2, 'queued'));
    await grid.send({ prompt: 'a', x: axis, y: null, z: null }, async () => [{}, {}, {}]);
    expect(grid.run?.cells).toEqual(['j-000001', '', 'j-000002']);
    expect(grid.refusal?.field).toBe('width');
  });

  it('stops where the queue is full', async () => {
    vi.spyOn(api, 'submit').mockResolvedValueOnce(job(1, 'queued')).mockRejectedValueOnce(new ApiError(429, 'queue_full', ''));
    await expect(grid.send({ prompt: 'a', x: axis, y: null, z: null }, async () => [{}, {}, {}])).rejects.toThrow(ApiError);
    expect(grid.run?.cells).toEqual(['j-000001']);
  });
});

describe('the list of jobs', () => {
  it('has all that wait, however many are newer', async () => {
    queue = [job(1, 'completed'), job(2, 'running'), ...Array.from({ length: 512 }, (_, i) => job(i + 3, 'queued'))];
    await jobs.load();
    expect(ids()).toEqual(queue.map((j) => j.id));
    expect(jobs.running?.id).toBe('j-000002');
    expect(jobs.queued[0]?.id).toBe('j-000003');
  });

  it('takes the later of two words on a job that ends while it asks', async () => {
    asked.mockImplementationOnce(async () => [job(1, 'running')]).mockImplementationOnce(async () => [job(1, 'completed')]);
    await jobs.load();
    expect(jobs.list.map((j) => j.state)).toEqual(['completed']);
  });

  it('keeps what an event said while it asked, and jobs that the list is too short for', async () => {
    queue = [job(1, 'completed'), job(2, 'running')];
    await jobs.load();
    queue = [job(2, 'running')];
    const answer = jobs.load();
    Source.last.tell('job', job(2, 'completed'));
    Source.last.tell('job', job(3, 'queued'));
    await answer;
    expect(jobs.list.map((j) => j.state)).toEqual(['completed', 'completed', 'queued']);
  });

  it('forgets a job that neither waits nor is known any more', async () => {
    queue = [job(1, 'queued'), job(2, 'running')];
    await jobs.load();
    queue = [job(2, 'running')];
    await jobs.load();
    expect(ids()).toEqual(['j-000002']);
  });

  it('sorts by number when the numbers grow longer', async () => {
    queue = [job(999_999, 'completed'), job(1_000_000, 'completed')];
    await jobs.load();
    expect(ids()).toEqual(['j-999999', 'j-1000000']);
  });

  it('adds pictures that no event told of, and leaves the pages of the gallery alone', async () => {
    queue = [job(1, 'running', { images: [picture(7)] })];
    await jobs.load();
    gallery.images = [kept(7), kept(5)];
    queue = [job(1, 'running', { images: [picture(7), picture(8)] })];
    await jobs.catchUp();
    expect(gallery.images.map((i) => i.id)).toEqual([8, 7, 5]);
    expect(looked.mock.calls).toEqual([[8]]);
    expect(lists).not.toHaveBeenCalled();
  });

  it('asks for the places after a move', async () => {
    queue = [job(60, 'queued')];
    await jobs.load();
    vi.spyOn(api, 'move').mockImplementationOnce(async () => (queue[0]!.position = 1, new Response()));
    await jobs.move('j-000060', 1);
    expect(jobs.queued[0]?.position).toBe(1);
  });

  it('asks for places that are not told once for several jobs', async () => {
    queue = Array.from({ length: 60 }, (_, i) => job(i + 1, 'queued'));
    await jobs.load();
    asked.mockClear();
    queue.splice(0, 2, job(1, 'running'), job(2, 'cancelled'));
    for (const one of queue.slice(0, 2)) Source.last.tell('job', one);
    await vi.advanceTimersByTimeAsync(4000);
    expect(asked).toHaveBeenCalledTimes(2);
    Source.last.tell('job', job(1, 'completed'));
    await vi.advanceTimersByTimeAsync(4000);
    expect(asked).toHaveBeenCalledTimes(2);
  });

  it('shows the new job in the place of the one that was tried again', async () => {
    queue = [job(1, 'failed')];
    await jobs.load();
    vi.spyOn(api, 'retry').mockResolvedValueOnce(job(2, 'queued')).mockResolvedValueOnce(job(3, 'queued'));
    jobs.watch('j-000001');
    await jobs.retry('j-000001');
    expect(jobs.shown?.id).toBe('j-000002');
    await jobs.retry('j-000001');
    expect(jobs.shown?.id).toBe('j-000002');
  });

  it('keeps the picture that is drawn on the stage when another is asked for, and goes on to it', async () => {
    vi.spyOn(api, 'submit').mockResolvedValueOnce(job(1, 'queued')).mockResolvedValueOnce(job(2, 'queued'));
    await jobs.submit({});
    Source.last.tell('job', job(1, 'running'));
    await jobs.submit({});
    expect(jobs.shown?.id).toBe('j-000001');
    Source.last.tell('job', job(1, 'completed'));
    expect(jobs.shown?.id).toBe('j-000002');
    expect(ui.announcement).toContain('Done');
    for (const state of ['running', 'failed'] as const) Source.last.tell('job', job(2, state));
    expect(jobs.shown?.state).toBe('failed');
  });

  it('expects as much time as pictures of the model took lately', async () => {
    vi.spyOn(api, 'submit').mockResolvedValueOnce(job(1, 'queued'));
    expect(jobs.expected({ model: 'slow' }, 2)).toBe(2);
    await jobs.submit({ model: 'slow' }, true, 2);
    const times = { request: { model: 'slow' }, started: '2026-01-01T10:00:00.000Z', finished: '2026-01-01T10:00:05.000Z' };
    Source.last.tell('job', job(1, 'running', times));
    Source.last.tell('job', job(1, 'completed', times));
    expect(jobs.expected({ model: 'slow' }, 4)).toBe(10);
    expect(jobs.expected({}, 4)).toBe(4);
  });

  it('learns nothing from a picture for which the model was loaded', async () => {
    vi.spyOn(api, 'submit').mockResolvedValueOnce(job(1, 'queued'));
    await jobs.submit({ model: 'large' }, true, 2);
    const times = { request: { model: 'large' }, started: '2026-01-01T10:00:00.000Z', finished: '2026-01-01T10:01:00.000Z' };
    Source.last.tell('job', job(1, 'running', times));
    Source.last.tell('progress', { id: 'j-000001', progress: { phase: 'load', step: 0, steps: 3 } });
    Source.last.tell('job', job(1, 'completed', times));
    expect(jobs.expected({ model: 'large' }, 2)).toBe(2);
  });

  it('has a picture on the stage, not a job without one', async () => {
    queue = [job(1, 'completed', { images: [picture(7)] }), job(2, 'completed')];
    await jobs.load();
    expect(jobs.shown?.id).toBe('j-000001');
  });

  it('asks which models are in memory when a job used another one', async () => {
    catalog.models = [{ name: 'icons', loaded: false, error: '' } as Model, { name: 'other', loaded: true, error: '' } as Model];
    catalog.chosen = 'icons';
    queue = [job(1, 'running'), job(2, 'queued')];
    await jobs.load();
    Source.last.tell('job', job(2, 'cancelled'));
    expect(models).not.toHaveBeenCalled();
    Source.last.tell('job', job(1, 'completed'));
    await vi.advanceTimersByTimeAsync(0);
    expect(catalog.model?.loaded).toBe(true);
    expect(models).toHaveBeenCalledTimes(1);
  });

  it('does not change the model under the hand when another one is loaded', async () => {
    catalog.chosen = '';
    catalog.models = [{ name: 'own', loaded: true, error: '' } as Model];
    models.mockResolvedValueOnce({ models: [{ name: 'icons', loaded: true, error: '' }, { name: 'own', loaded: false, error: '' }] as Model[], folders: [] });
    await catalog.loadModels();
    expect(catalog.model?.name).toBe('own');
  });
});

describe('deleted pictures', () => {
  it('leave their jobs, stay away when the list is asked for, and come back', async () => {
    queue = [job(1, 'completed', { images: [picture(4), picture(5)] })];
    await jobs.load();
    await gallery.remove([4]);
    expect(images(1)).toEqual([5]);
    await jobs.load();
    expect(images(1)).toEqual([5]);
    ui.toasts[0]!.action!.run();
    await vi.advanceTimersByTimeAsync(0);
    expect(images(1)).toEqual([4, 5]);
    await jobs.load();
    expect(images(1)).toEqual([4, 5]);
  });

  it('do not keep a list from being packed', async () => {
    queue = [job(1, 'completed', { images: [picture(4), picture(5)] })];
    await jobs.load();
    batchRun.ids = ['j-000001'];
    const zip = vi.spyOn(api, 'zip').mockImplementation(async (asked) => {
      if (asked.includes(4)) throw new ApiError(404, 'not_found', '');
      return new Blob();
    });
    looked.mockImplementation(async (id) => {
      if (id === 4) throw new ApiError(404, 'not_found', '');
      return kept(id);
    });
    await batchRun.zip();
    expect(zip.mock.calls).toEqual([[[4, 5]], [[5]]]);
    queue = [job(1, 'completed', { images: [picture(4)] })];
    jobs.list = [];
    await jobs.load();
    expect(images(1)).toEqual([]);
    zip.mockRejectedValueOnce(new ApiError(500, '', ''));
    await expect(batchRun.zip()).rejects.toThrow(ApiError);
  });

  it('are not selected any more when a filter hides them', async () => {
    gallery.selected = [1, 2];
    lists.mockResolvedValue({ images: [kept(2), kept(3)], total: 2 });
    await gallery.refresh();
    expect(gallery.selected).toEqual([1, 2]);
    gallery.filters = { query: 'apple' };
    await gallery.refresh();
    expect(gallery.selected).toEqual([2]);
    gallery.filters = { query: 'apple', model: '' };
    gallery.selected = [2, 9];
    await gallery.refresh();
    expect(gallery.selected).toEqual([2, 9]);
    gallery.filters = {};
  });
});

describe('a list of prompts', () => {
  it('goes on after a line that the server does not take', async () => {
    vi.spyOn(api, 'submit')
      .mockResolvedValueOnce(job(1, 'queued'))
      .mockRejectedValueOnce(new ApiError(422, 'usage', 'width: 100', 'width'))
      .mockResolvedValueOnce(job(2, 'queued'));
    await batchRun.send({}, [1, 2, 3].map((line) => ({ line, values: { prompt: `p${line}` } })), []);
    expect(batchRun.ids).toEqual(['j-000001', 'j-000002']);
    expect(batchRun.refused.map((one) => one.line)).toEqual([2]);
  });

  it('is sent as it was when the sending began', async () => {
    const base = { prompt: '', steps: 4 };
    const sent: unknown[] = [];
    vi.spyOn(api, 'submit').mockImplementation(async (request) => {
      sent.push(request);
      base.steps = 9;
      return job(sent.length, 'queued');
    });
    await batchRun.send(base, [1, 2].map((line) => ({ line, values: { prompt: `p${line}` } })), []);
    expect(sent).toEqual([{ prompt: 'p1', steps: 4 }, { prompt: 'p2', steps: 4 }]);
    expect([batchRun.sent, batchRun.total, batchRun.sending, batchRun.ids]).toEqual([2, 2, false, ['j-000001', 'j-000002']]);
  });

  it('stops where the queue is full', async () => {
    vi.spyOn(api, 'submit').mockResolvedValueOnce(job(1, 'queued')).mockRejectedValueOnce(new ApiError(429, 'queue_full', ''));
    await expect(batchRun.send({}, [1, 2, 3].map((line) => ({ line, values: { prompt: 'p' } })), [])).rejects.toThrow(ApiError);
    expect([batchRun.sent, batchRun.sending]).toEqual([1, false]);
  });
});

describe('open dialogs', () => {
  it('are known by the topmost, in whatever order they close', () => {
    const [first, second] = [ui.modal('a'), ui.modal('b')];
    expect(ui.modals.at(-1)).toBe('b');
    first();
    expect(ui.modals).toEqual(['b']);
    second();
    expect(ui.modals).toEqual([]);
  });
});

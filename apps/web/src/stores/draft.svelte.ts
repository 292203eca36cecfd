// The picture that is being asked for: prompts, parameters that differ from the model's, pictures.
import { api, type GalleryImage, type JobKind, type Request, type Value } from '../lib/api';
import { readAsDataUrl, type Picture } from '../lib/pictures';
import { remember, remembered } from '../lib/storage';
import { catalog } from './catalog.svelte';
import { mask } from './mask.svelte';

/** Parameters that only count with a starting picture, or only with a mask. */
export const imageFields = new Set(['strength', 'fit']);
export const maskFields = new Set(['mask_blur', 'masked_content', 'only_masked', 'mask_padding', 'keep_unmasked']);
/** Parameters that only count while another one is on. */
const dependent: Record<string, string> = { mask_padding: 'only_masked', skip_layers: 'skip_layer_guidance', skip_layer_start: 'skip_layer_guidance', skip_layer_stop: 'skip_layer_guidance' };
/** The prompts of text encoders beside the first. */
export const encoderPrompts = ['prompt_2', 'prompt_3', 'negative_prompt_2', 'negative_prompt_3'];
export type Reuse = 'all' | 'seed' | 'prompt' | 'size';

class Draft {
  prompt = $state(remembered('prompt', ''));
  negative = $state(remembered('negative', ''));
  values = $state<Record<string, Value>>(remembered('values', {}));
  picture = $state<Picture | null>(remembered<Picture | null>('picture', null));
  history = $state(remembered<string[]>('prompts', []));

  /** Called by the page whenever something changed. */
  keep(): void {
    remember('prompt', this.prompt);
    remember('negative', this.negative);
    remember('values', $state.snapshot(this.values));
    // Only a picture of the gallery is small enough to remember.
    remember('picture', this.picture?.id === undefined ? null : $state.snapshot(this.picture));
  }

  set(name: string, value: Value | undefined): void {
    const { [name]: _, ...rest } = this.values;
    this.values = value === undefined ? rest : { ...rest, [name]: value };
  }

  applies(name: string, kind: JobKind): boolean {
    if (catalog.model?.unused?.includes(name)) return false;
    const on = dependent[name];
    if (on !== undefined && !this.values[on]) return false;
    if (imageFields.has(name)) return kind !== 'text';
    return !maskFields.has(name) || kind === 'inpaint';
  }

  /** The request without its pictures. */
  parameters(kind: JobKind): Request {
    const request: Request = { prompt: this.prompt.trim() };
    if (this.negative.trim() !== '') request['negative_prompt'] = this.negative.trim();
    for (const [name, value] of Object.entries(this.values)) {
      if (catalog.field(name) && this.applies(name, kind)) request[name] = value;
    }
    if (catalog.model) request.model = catalog.model.name;
    return request;
  }

  async request(kind: JobKind): Promise<Request> {
    const request = this.parameters(kind);
    if (kind !== 'text' && this.picture) {
      const { id, url } = this.picture;
      request.init_image = id === undefined ? url : { image: id };
    }
    if (kind === 'inpaint') request.mask_image = await readAsDataUrl(await mask.png());
    return request;
  }

  /** Prompts that were used, the newest first. */
  noteUse(): void {
    const prompt = this.prompt.trim();
    if (prompt === '') return;
    this.history = [prompt, ...this.history.filter((p) => p !== prompt)].slice(0, 50);
    remember('prompts', $state.snapshot(this.history));
  }

  reuse(image: Pick<GalleryImage, 'request' | 'seed' | 'width' | 'height' | 'prompt'>, what: Reuse): void {
    const request = image.request ?? {};
    if (what === 'prompt' || what === 'all') {
      this.prompt = image.prompt || String(request.prompt ?? '');
      this.negative = String(request['negative_prompt'] ?? '');
    }
    if (what === 'seed') this.set('seed', image.seed);
    if (what === 'size') this.values = { ...this.values, width: image.width, height: image.height };
    if (what === 'all') this.reuseAll(request, image.seed);
  }

  private reuseAll(request: Request, seed: number): void {
    const values: Record<string, Value> = {};
    for (const [name, value] of Object.entries(request)) {
      const field = catalog.field(name);
      if (!field || name === 'negative_prompt' || name === 'count') continue;
      if (value !== '' && (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean')) values[name] = value;
    }
    this.values = { ...values, seed };
    if (typeof request.model === 'string' && catalog.models.some((m) => m.name === request.model)) catalog.choose(request.model);
  }

  usePicture(picture: Picture | null): void {
    this.picture = picture;
    mask.resize(picture);
  }

  useGallery(image: { id: number; url: string; width: number; height: number }, name: string): void {
    this.usePicture({ id: image.id, url: image.url, name, width: image.width, height: image.height });
  }
}

export const draft = new Draft();

/** A remembered picture may have been deleted in the meantime. */
export async function checkPicture(): Promise<void> {
  const picture = draft.picture;
  if (picture?.id === undefined) return;
  try {
    await api.image(picture.id);
    mask.resize(picture);
  } catch {
    draft.usePicture(null);
  }
}

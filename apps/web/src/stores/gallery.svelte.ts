// The pictures that were made: a page of them at a time, as the filters say.
import { api, queryText, type GalleryImage, type GalleryQuery, type Tag } from '../lib/api';
import { t } from '../lib/strings';
import { ui } from './ui.svelte';

const page = 60;

class Gallery {
  filters = $state<GalleryQuery>({});
  images = $state<GalleryImage[]>([]);
  total = $state(0);
  loading = $state(false);
  loaded = $state(false);
  selected = $state<number[]>([]);
  /** All that there are, with their counts. */
  tags = $state<Tag[]>([]);
  /** The newest pictures whatever the filters are, for the strip under the stage. */
  recent = $state<GalleryImage[]>([]);
  #asked: AbortController | null = null;
  /** The picture that was selected last: a range begins there. */
  #from: number | null = null;
  /** The filters that `images` were found with. */
  #found = '';
  /** Called with pictures that were deleted, and with those that came back. */
  onremoved: (ids: number[]) => void = () => {};
  onrestored: (ids: number[]) => void = () => {};

  filtered = $derived(Object.values(this.filters).some((v) => v !== undefined && v !== '' && v !== false));

  async refresh(): Promise<void> {
    await Promise.all([this.#ask(undefined), this.#askTags()]);
    if (!this.filtered) this.recent = this.images.slice(0, 12);
  }

  async more(): Promise<void> {
    if (this.loading || this.images.length >= this.total) return;
    await this.#ask(this.images[this.images.length - 1]?.id);
  }

  async #ask(before: number | undefined): Promise<void> {
    this.#asked?.abort();
    const asked = (this.#asked = new AbortController());
    this.loading = true;
    try {
      const filters = $state.snapshot(this.filters);
      const answer = await api.images({ ...filters, limit: page, ...(before === undefined ? {} : { before }) }, asked.signal);
      if (asked.signal.aborted) return;
      if (before === undefined) this.#keepSelected(queryText(filters), answer.images);
      this.images = before === undefined ? answer.images : [...this.images, ...answer.images];
      this.total = answer.total;
      this.loaded = true;
    } catch (error) {
      if (!asked.signal.aborted) ui.fail(error);
    } finally {
      if (this.#asked === asked) this.loading = false;
    }
  }

  /** What other filters hide must not be deleted with what they show. */
  #keepSelected(filters: string, shown: GalleryImage[]): void {
    if (filters !== this.#found) this.selected = this.selected.filter((id) => shown.some((i) => i.id === id));
    this.#found = filters;
  }

  async #askTags(): Promise<void> {
    this.tags = await api.tags().catch(() => this.tags);
  }

  /** A picture was saved just now. */
  async arrived(id: number): Promise<void> {
    try {
      const image = await api.image(id);
      const known = (list: GalleryImage[]) => list.some((i) => i.id === id);
      if (!known(this.recent)) this.recent = [image, ...this.recent].slice(0, 12);
      if (this.filtered || known(this.images)) return;
      this.images = [image, ...this.images];
      this.total++;
    } catch {
      // Deleted already.
    }
  }

  /** The picture with its recipe: lists come without. */
  async whole(image: GalleryImage): Promise<GalleryImage> {
    return image.request ? image : { ...(await api.image(image.id)), favourite: image.favourite, tags: image.tags };
  }

  async view(image: GalleryImage): Promise<void> {
    ui.viewed = image;
    try {
      const whole = await this.whole(image);
      if (ui.viewed?.id === image.id) ui.viewed = { ...whole, favourite: ui.viewed.favourite, tags: ui.viewed.tags };
    } catch (error) {
      ui.fail(error);
    }
  }

  /** Whether it is a favourite now. */
  async favour(image: GalleryImage): Promise<boolean> {
    const favourite = !image.favourite;
    try {
      await api.favour(image.id, favourite);
      for (const list of [this.images, this.recent]) {
        const own = list.find((i) => i.id === image.id);
        if (own) own.favourite = favourite;
      }
      if (ui.viewed?.id === image.id) ui.viewed = { ...ui.viewed, favourite };
      return favourite;
    } catch (error) {
      ui.fail(error);
      return image.favourite;
    }
  }

  async tag(ids: number[], change: { add?: string[]; remove?: string[] }): Promise<void> {
    try {
      const tags = new Map((await api.tag(ids, change)).map((image) => [image.id, image.tags]));
      const tagged = (image: GalleryImage) => ({ ...image, tags: tags.get(image.id) ?? image.tags });
      this.images = this.images.map(tagged);
      this.recent = this.recent.map(tagged);
      if (ui.viewed) ui.viewed = tagged(ui.viewed);
      await this.#askTags();
    } catch (error) {
      ui.fail(error);
    }
  }

  async remove(ids: number[]): Promise<void> {
    const done: number[] = [];
    try {
      for (const id of ids) {
        await api.remove(id);
        done.push(id);
      }
    } catch (error) {
      ui.fail(error);
    }
    if (done.length === 0) return;
    const stays = (i: { id: number }) => !done.includes(i.id);
    this.images = this.images.filter(stays);
    this.recent = this.recent.filter(stays);
    this.total -= done.length;
    this.selected = this.selected.filter((id) => !done.includes(id));
    this.onremoved(done);
    void this.#askTags();
    ui.toast({ tone: 'info', title: t.gallery.deleted(done.length), text: t.gallery.deletedHelp }, { label: t.actions.undo, run: () => void this.#restore(done) }, 15);
  }

  async #restore(ids: number[]): Promise<void> {
    const done: number[] = [];
    try {
      for (const id of ids) {
        await api.restore(id);
        done.push(id);
      }
    } catch (error) {
      ui.fail(error);
    }
    this.onrestored(done);
    await this.refresh();
  }

  /** With `range`, all from the one before to this one. */
  toggle(id: number, range = false): void {
    const on = !this.selected.includes(id);
    const ids = this.images.map((image) => image.id);
    const [from, to] = [ids.indexOf(this.#from ?? id), ids.indexOf(id)].sort((a, b) => a - b) as [number, number];
    const touched = range && from >= 0 ? ids.slice(from, to + 1) : [id];
    const others = this.selected.filter((i) => !touched.includes(i));
    this.selected = on ? [...others, ...touched] : others;
    this.#from = id;
  }

  selectAll(): void {
    this.selected = this.images.map((image) => image.id);
  }
}

export const gallery = new Gallery();

// What the program offers: its parameters, samplers and models.
import { api, type Field, type Model, type Named, type Options, type Value } from '../lib/api';
import { defaultOf, rangeOf, type Range } from '../lib/ranges';
import { remember, remembered } from '../lib/storage';

class Catalog {
  options = $state<Options | null>(null);
  models = $state<Model[]>([]);
  folders = $state<string[]>([]);
  chosen = $state(remembered('model', ''));
  failure = $state<unknown>(null);

  model = $derived.by<Model | undefined>(() => {
    const usable = this.models.filter((m) => m.error === '');
    return usable.find((m) => m.name === this.chosen) ?? usable.find((m) => m.loaded) ?? usable.find((m) => m.shipped) ?? usable[0];
  });

  async load(): Promise<void> {
    try {
      const [options, models] = await Promise.all([api.options(), api.models()]);
      this.options = options;
      this.models = models.models;
      this.folders = models.folders;
      this.failure = null;
    } catch (error) {
      this.failure = error;
    }
  }

  /** Which of them are in memory changes as they are used. The one that is chosen here stays chosen. */
  async loadModels(): Promise<void> {
    const { models, folders } = await api.models().catch(() => this);
    this.chosen = this.model?.name ?? this.chosen;
    this.models = models;
    this.folders = folders;
  }

  choose(name: string): void {
    this.chosen = name;
    remember('model', name);
  }

  field(name: string): Field | undefined {
    return this.options?.fields.find((f) => f.name === name);
  }

  range(field: Field): Range {
    return rangeOf(field, this.model);
  }

  default(field: Field, withMask = false): Value | undefined {
    return defaultOf(field, this.model, withMask);
  }

  /** What a text parameter can be; empty where anything goes. */
  choices(field: Field): Named[] {
    if (field.name === 'sampler') return this.options?.samplers ?? [];
    if (field.name === 'schedule') return this.options?.schedules ?? [];
    return field.choices.map((name) => ({ name, label: name.replaceAll('_', ' ') }));
  }
}

export const catalog = new Catalog();

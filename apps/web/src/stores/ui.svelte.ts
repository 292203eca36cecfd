// What the page itself remembers: the open tab, notices, the theme and the keys.
import { untrack } from 'svelte';

import { explain, type Notice } from '../lib/errors';
import { remembered, remember } from '../lib/storage';
import type { GalleryImage } from '../lib/api';

export const tabs = ['text', 'image', 'inpaint', 'batch', 'grid', 'gallery', 'queue'] as const;
export type Tab = (typeof tabs)[number];
export type Theme = 'auto' | 'light' | 'dark';

export interface Toast extends Notice {
  id: number;
  action?: { label: string; run: () => void };
}

function tabFromAddress(): Tab {
  const name = location.hash.replace(/^#\/?/, '');
  return (tabs as readonly string[]).includes(name) ? (name as Tab) : 'text';
}

class Ui {
  tab = $state<Tab>(tabFromAddress());
  theme = $state<Theme>(remembered<Theme>('theme', 'auto'));
  keys = $state(remembered('keys', true));
  toasts = $state<Toast[]>([]);
  /** Read aloud by screen readers. */
  announcement = $state('');
  /** The dialogs and sheets that are open, the topmost last: all below is out of reach. */
  modals = $state<string[]>([]);
  keysOpen = $state(false);
  viewed = $state<GalleryImage | null>(null);
  zoomed = $state<{ url: string; label: string; width: number; height: number } | null>(null);
  compared = $state<{ left: Comparable; right: Comparable } | null>(null);
  #next = 1;
  #opening = false;

  constructor() {
    window.addEventListener('hashchange', () => {
      const tab = tabFromAddress();
      // Another panel begins at its top.
      if (tab !== this.tab || this.#opening) scrollTo(0, 0);
      this.#opening = false;
      this.tab = tab;
    });
  }

  open(tab: Tab): void {
    this.#opening = tab !== this.tab;
    location.hash = `#/${tab}`;
    this.tab = tab;
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    remember('theme', theme);
  }

  setKeys(on: boolean): void {
    this.keys = on;
    remember('keys', on);
  }

  /** One opened; the answer is to be called when it closes. */
  modal(id: string): () => void {
    const others = () => untrack(() => this.modals).filter((other) => other !== id);
    this.modals = [...others(), id];
    return () => (this.modals = others());
  }

  /** The answer is for dismiss. */
  toast(notice: Notice, action?: Toast['action'], seconds = 8): number {
    const id = this.#next++;
    this.toasts = [...this.toasts.slice(-3), { ...notice, id, ...(action ? { action } : {}) }];
    // An error stays until it is closed: it may take longer to read.
    if (notice.tone !== 'error') setTimeout(() => this.dismiss(id), seconds * 1000);
    return id;
  }

  fail(error: unknown): number {
    return this.toast(explain(error));
  }

  dismiss(id: number): void {
    this.toasts = this.toasts.filter((t) => t.id !== id);
  }
}

export interface Comparable {
  url: string;
  label: string;
}

export const ui = new Ui();

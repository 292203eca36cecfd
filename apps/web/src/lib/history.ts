// Alt+Up and Alt+Down in the prompt: through the prompts that were used, and back to the one being written.
export class PromptWalk {
  #at = -1;
  #own = '';

  /** The text that stands `by` places further back; `used` has the newest first. */
  step(used: string[], current: string, by: number): string {
    if (used[this.#at] !== current) {
      this.#own = current;
      this.#at = used.indexOf(current);
    }
    this.#at = Math.max(-1, Math.min(used.length - 1, this.#at + by));
    return used[this.#at] ?? this.#own;
  }
}

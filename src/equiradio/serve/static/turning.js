// Angles of turning, and one question in flight; while it is, only the latest wish is kept.

/** An angle as 0 to 360 degrees in tenths; a whole turn stays 360, so that the slider reaches its end. */
export function wrapped(angle) {
  return angle === 360 ? 360 : (Math.round((((angle % 360) + 360) % 360) * 10) / 10) % 360;
}

export class Latest {
  /** @param ask wish -> promise of an answer. @param tell called with (answer, wish). @param fail called with (error, wish). */
  constructor(ask, tell, fail) {
    Object.assign(this, { ask, tell, fail, busy: false, next: null, times: [] });
  }

  want(wish) {
    this.next = wish;
    if (!this.busy) this.go();
  }

  async go() {
    this.busy = true;
    while (this.next !== null) {
      const wish = this.next;
      this.next = null;
      const start = performance.now();
      try {
        const answer = await this.ask(wish);
        if (this.warm) this.times = [...this.times.slice(-30), performance.now() - start];
        this.warm = true; // the first of a model waits for it to be opened
        this.tell(answer, wish);
      } catch (error) {
        this.fail(error, wish);
      }
    }
    this.busy = false;
  }

  /** Median milliseconds of the latest answers. */
  median() {
    const sorted = [...this.times].sort((a, b) => a - b);
    return sorted.length ? sorted[Math.floor(sorted.length / 2)] : null;
  }
}

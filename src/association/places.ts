/** So many places in all, and so many for one address. */
export class Places {
  readonly #limit: number;
  readonly #limitPerPeer: number;
  #taken = 0;
  /** Never holds a zero. */
  readonly #takenBy = new Map<string, number>();

  constructor(limit: number, limitPerPeer: number) {
    this.#limit = limit;
    this.#limitPerPeer = limitPerPeer;
  }

  /** @returns  disposed once, gives the place back; undefined if none is free for this peer */
  take(peer: string): Disposable | undefined {
    const own = this.#takenBy.get(peer) ?? 0;
    if (this.#taken >= this.#limit || own >= this.#limitPerPeer) return undefined;
    this.#taken += 1;
    this.#takenBy.set(peer, own + 1);
    return { [Symbol.dispose]: () => this.#giveBack(peer) };
  }

  #giveBack(peer: string): void {
    this.#taken -= 1;
    const left = (this.#takenBy.get(peer) ?? 0) - 1;
    if (left > 0) this.#takenBy.set(peer, left);
    else this.#takenBy.delete(peer);
  }
}

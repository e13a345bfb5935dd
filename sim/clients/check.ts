/** What must hold between clients and their nodes, by name (protocol.md section 15). */

export const CLIENT_CHECKS = {
  'client-believes': 'a client never believes longer than its node keeps: nobody else is given a lock that a client still counts on, but readers beside readers',
  'resumed-whole': 'a session that comes back in time loses no lock and no place',
  'given-back-is-free': 'a lock that was given back while there is a way to the node is free at once',
  'taken-is-told': 'a client that can be reached hears at once that its lock was taken',
  usable: 'a client that enters a lock again by itself, or passes it on, has a tenth of the lease before it',
  'within-limit': 'a client counts on no lock beyond the time for which it asked to hold it at most',
  'held-on': 'a lock is held on for as long as its client asked, but one that was taken is not',
  'told-when-given-back': 'a client hears that its node knows of what it gave back only when the node has given it back',
  answered: 'each request is told within the time limit that it waits, is held, or failed',
  'progress': 'once nothing breaks any more, each request is granted or refused within a bound; no storm of frames',
  'token-told': 'a client is told the token of its own grant, and tokens rise',
  'called-in': 'in `calm` runs a lock that its client keeps and does not use is given back as soon as others want it',
  'free-is-given': 'in `calm` runs nobody is refused a lock as not free that its client keeps and does not use',
  sparing: 'a client that waits for nothing says no more than it has to',
  'older-stream': 'nothing that comes over an older stream changes anything',
  'no-residue': 'with nothing wanted, both sides and the quorum forget everything',
  deterministic: 'two runs of one seed are the same',
} as const;

export type ClientCheck = keyof typeof CLIENT_CHECKS;

export class ClientCheckError extends Error {
  override readonly name = 'ClientCheckError';

  constructor(readonly check: ClientCheck, detail: string) {
    super(detail);
  }
}

export function violated(check: ClientCheck, detail: string): never {
  throw new ClientCheckError(check, detail);
}

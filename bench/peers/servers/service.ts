/** A lock service as the benchmark starts it: where clients find it, and which processes do its work. */
export interface Service {
  /** As a reader knows it, such as `etcd 3.4.23`. */
  readonly version: string;
  /** Of its members, in order. */
  readonly ports: readonly number[];
  /** The processes that were started; their children count as theirs. */
  readonly pids: () => readonly number[];
  readonly stop: () => Promise<void>;
}

/** Where on this machine a service is, or null where it is missing. */
export interface Found {
  readonly version: string;
  readonly start: () => Promise<Service>;
}

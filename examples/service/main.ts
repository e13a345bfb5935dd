/** One machine of the service: a node of the lock, HTTP, a nightly job, and an end in good order. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { startNode } from 'maekawa';
import { Accounts } from './accounts';
import { everyDayAt, nightly } from './nightly';
import { createService } from './server';

/** For all of the end together; your orchestrator must wait longer than this before it kills. */
const GRACE_MS = 20_000;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(): Promise<void> {
  const { NODE_ID: id = 'n1', CONFIG: config = 'quorums.json', PORT = '8080', FOLDER: folder = 'shared', FIRST_START: firstStart } = process.env;
  const node = await startNode({ id, config, firstStart: firstStart === 'yes' });
  const jobs = new Set<Promise<unknown>>();
  const stopJobs = everyDayAt(2, (day) => {
    const steps = [() => Promise.resolve(say(`${id} does the job of ${day}`))];
    const job = nightly(node.locks, folder, day, steps).then(
      (outcome) => say(`${id}: the job of ${day}: ${outcome}`),
      (error: unknown) => say(`${id}: the job of ${day} failed, and another machine begins again: ${String(error)}`),
    );
    jobs.add(job);
    void job.finally(() => jobs.delete(job));
  });
  const server = createService(node, new Accounts(node.locks, folder));
  server.listen(Number(PORT));
  await once(server, 'listening');
  say(`${id} serves on port ${(server.address() as AddressInfo).port}`);

  // A bug, or another process with this id, has stopped the node: without it this process can take no lock.
  node.signal.addEventListener('abort', () => void end(1), { once: true });
  process.once('SIGTERM', () => void end(0));
  process.once('SIGINT', () => void end(0));

  let ending: Promise<void> | undefined;
  function end(code: number): Promise<void> {
    return (ending ??= inOrder(code));
  }

  /** First nothing new, then what is under way, and the node last: what is under way needs its locks. */
  async function inOrder(code: number): Promise<void> {
    say(`${id} is stopping`);
    stopJobs();
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeIdleConnections();
    const deadline = new Promise((resolve) => setTimeout(resolve, GRACE_MS / 2).unref());
    await Promise.race([Promise.all([closed, ...jobs]), deadline]);
    await node.stop({ graceMs: GRACE_MS / 2 }); // resolves at once when no lock is held
    say(`${id} has stopped`);
    process.exit(code);
  }
}

main().catch((error: unknown) => {
  say(String(error));
  process.exit(1);
});

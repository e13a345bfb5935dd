/** `maekawa node`: runs one node until a signal ends it. */
import { createInterface } from 'node:readline';
import type { Interface } from 'node:readline';
import { Command, Option } from 'commander';
import { LockError } from '../errors';
import type { LogThreshold, Logger } from '../log';
import { startNode } from '../node/start';
import type { MaekawaNode } from '../node/start';
import { EXIT, ExitWith } from './exit-codes';
import { NodeConsole } from './node-console';
import { jsonLog, terminalLog } from './node-log';
import { collectPeers, configOption, parseAddress, parseDurationMs, tlsFilesOf, tlsOptions } from './options';
import type { TlsOptions } from './options';
import { runWorkload } from './workload';

interface NodeOptions extends TlsOptions {
  readonly id: string;
  readonly config: string;
  readonly peer?: Record<string, string>;
  readonly listen?: string;
  readonly dataDir?: string;
  readonly ephemeral?: true;
  readonly firstStart?: true;
  readonly insecure?: true;
  readonly retain: boolean;
  readonly logLevel: LogThreshold;
  readonly trace?: string;
  readonly lock?: string;
  readonly every?: number;
  readonly work: number;
  readonly file?: string;
  readonly shared?: true;
}

export function nodeCommand(): Command {
  const command = new Command('node')
    .description('start a node')
    .requiredOption('--id <id>', 'which node of the configuration this is')
    .addOption(configOption())
    .option('--peer <id=host:port>', "a peer's address where it differs from the configuration (repeatable)", collectPeers)
    .option('--listen <host:port>', "where to listen (default: this node's address in the configuration)", parseAddress)
    .option('--data-dir <dir>', "where the clock's ceiling is kept (default: ./maekawa-data/<id>)")
    .option('--ephemeral', 'keep nothing on disk')
    .option('--first-start', 'this node has never run before: lend its vote at once, not after one silent lease')
    .option('--insecure', 'listen beyond this machine without TLS')
    .option('--no-retain', 'give the votes of a released lock back at once')
    .addOption(new Option('--log-level <level>', 'what to log; debug shows every message').choices(['fatal', 'error', 'warn', 'info', 'debug', 'silent']).default('info'))
    .option('--trace <file>', 'append every event of the core and its effects to this file, to be replayed')
    .option('--lock <name>', 'want this lock again and again')
    .option('--every <duration>', 'pause before wanting it again (default: 500ms)', parseDurationMs)
    .option('--work <duration>', 'how long to hold it', parseDurationMs, 50)
    .option('--file <file>', 'append a line for each enter and leave')
    .option('--shared', 'want it shared');
  for (const option of tlsOptions()) command.addOption(option);
  return command
    .addHelpText('after', `
Examples:
  maekawa node --id n1
  maekawa node --id n2 --config /etc/maekawa.json --data-dir /var/lib/maekawa
  maekawa node --id n1 --listen 0.0.0.0:7001 --tls-cert n1.pem --tls-key n1.key --tls-ca ca.pem
  maekawa node --id n1 --log-level debug --lock invoices --every 500ms --work 50ms --file shared.log

On a terminal, type \`help\` for what can be typed. Ctrl-C stops the node in good order, a second one at once.`)
    .action(run);
}

async function run(options: NodeOptions): Promise<void> {
  if (options.lock === undefined && (options.every !== undefined || options.file !== undefined || options.shared === true)) {
    throw new LockError('config', '--every, --file and --shared say how to want a lock; name it with --lock');
  }
  const tls = tlsFilesOf(options);
  const isTerminal = process.stdout.isTTY;
  const terminal = isTerminal && process.stdin.isTTY
    ? createInterface({ input: process.stdin, output: process.stdout, prompt: `${options.id}> ` })
    : undefined;
  const log = isTerminal ? terminalLog(options.logLevel, terminal) : jsonLog(options.logLevel, { node: options.id });

  let node: MaekawaNode;
  try {
    node = await startNode({
      id: options.id,
      config: options.config,
      retain: options.retain,
      log,
      ...(options.peer === undefined ? {} : { peers: options.peer }),
      ...(options.listen === undefined ? {} : { listen: options.listen }),
      ...(options.dataDir === undefined ? {} : { dataDir: options.dataDir }),
      ...(options.ephemeral === undefined ? {} : { ephemeral: true }),
      ...(options.firstStart === undefined ? {} : { firstStart: true }),
      ...(options.insecure === undefined ? {} : { insecure: true }),
      ...(tls === undefined ? {} : { tls }),
      ...(options.trace === undefined ? {} : { traceFile: options.trace }),
    });
  } catch (error) {
    terminal?.close();
    throw error;
  }
  const interrupted = stopOnSignal(node, log, terminal);
  if (terminal !== undefined) new NodeConsole(node, terminal).start();
  let working: Promise<void> | undefined;
  if (options.lock !== undefined) {
    const workload = {
      lock: options.lock,
      mode: options.shared === true ? ('shared' as const) : ('exclusive' as const),
      everyMs: options.every ?? 500,
      workMs: options.work,
      ...(options.file === undefined ? {} : { file: options.file }),
    };
    working = runWorkload(node, workload, log);
    working.catch(() => node.stop());
  }
  await new Promise<void>((resolve) => node.signal.addEventListener('abort', () => resolve()));
  await node.stop();
  terminal?.close();
  const reason: unknown = node.signal.reason;
  if (!interrupted() && reason instanceof LockError && !reason.definite) {
    throw reason.cause instanceof LockError ? reason.cause : new ExitWith(EXIT.bug);
  }
  log.info(`node ${node.id} stopped`);
  // Whatever still waits for something, such as a half-open connection, must not keep the process.
  setTimeout(() => process.exit(), 300).unref();
  await working; // it may have failed, which ended the node
}

function stopOnSignal(node: MaekawaNode, log: Logger, terminal: Interface | undefined): () => boolean {
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    signals++;
    if (signals > 1) process.exit(signal === 'SIGINT' ? 130 : 143);
    log.info(`${signal}: giving the locks back and stopping; once more to stop at once`);
    void node.stop();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => onSignal(signal));
  terminal?.on('SIGINT', () => onSignal('SIGINT'));
  terminal?.on('close', () => {
    if (signals === 0 && !node.signal.aborted) onSignal('SIGTERM');
  });
  return () => signals > 0;
}

/** `maekawa node`: runs one node until a signal ends it. */
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import type { Interface } from 'node:readline';
import { Command, Option } from 'commander';
import { readConfiguration } from '../config';
import { LockError } from '../errors';
import type { LogThreshold, Logger } from '../log';
import { startNode } from '../node/start';
import type { MaekawaNode } from '../node/start';
import { DEFAULT_LIMITS } from '../service/limits';
import { EXIT, ExitWith } from './exit-codes';
import { NodeConsole } from './node-console';
import { withManual } from './manual';
import { jsonLog, terminalLog } from './node-log';
import { checkLockNames, collectLimits, collectPeers, configOption, durationOption, parseAddress, parseLimit, tlsFilesOf, tlsOptions } from './options';
import type { TlsOptions } from './options';
import { untilNameKnown } from './own-name';
import { runWorkload } from './workload';

const ADDRESS_OPTIONS = 'Addresses:';

/** How long a node with --lock pauses before it wants the lock again. */
const EVERY_MS = 500;

interface NodeOptions extends TlsOptions {
  readonly limit?: Readonly<Record<string, number>>;
  readonly id: string;
  readonly config: string;
  readonly peer?: Record<string, string>;
  readonly listen?: string;
  readonly dataDir?: string;
  readonly ephemeral?: true;
  readonly firstStart?: true;
  readonly insecure?: true;
  readonly maxConnections?: number;
  readonly retain: boolean;
  readonly logLevel: LogThreshold;
  readonly trace?: string;
  readonly lock?: string;
  readonly every?: number;
  readonly work: number;
  readonly file?: string;
  readonly shared?: true;
  readonly grace: number;
}

export function nodeCommand(): Command {
  const command = new Command('node')
    .description('run a node')
    .requiredOption('--id <id>', 'which node of the configuration this is')
    .addOption(configOption())
    .optionsGroup(ADDRESS_OPTIONS)
    .option('--peer <id=host:port>', "address of a peer, where it differs from the configuration (repeatable)", collectPeers)
    .option('--listen <host:port>', "where to listen (default: this node's address in the configuration)", parseAddress)
    .option('--insecure', 'listen beyond this machine without TLS, in a network that you trust')
    .optionsGroup('What clients may use of it:')
    .option('--max-connections <count>', 'let in so many connections of clients at once (default: 10000, or three quarters of the files that the process may have open)', parseLimit)
    .option('--limit <name=number>', 'another limit than the default, such as locksPerNode=20000 (repeatable)', collectLimits)
    .optionsGroup('Across restarts:')
    .option('--data-dir <dir>', 'where the node keeps what it must not forget: its clock, its lease and its quorums (default: ./maekawa-data/<id>)')
    .option('--ephemeral', 'keep nothing on disk: every start is silent for one lease, and tokens may fall')
    .option('--first-start', 'nobody has ever run this cluster: lend the vote at once, not after one silent lease')
    .optionsGroup('When it stops:')
    .addOption(durationOption('--grace <duration>', 'after SIGTERM or Ctrl-C let locks that are held go on for so long, and then take them back', '0s'))
    .optionsGroup('What it reports:')
    .addOption(new Option('--log-level <level>', 'what to log; debug shows every message').choices(['fatal', 'error', 'warn', 'info', 'debug', 'silent']).default('info'))
    .option('--trace <file>', 'append every event of the core and its effects to this file, for a replay')
    .optionsGroup('To try it out with a lock:')
    .option('--lock <lock>', 'want this lock again and again')
    .addOption(durationOption('--every <duration>', `how long to pause before wanting it again (default: ${EVERY_MS}ms)`))
    .addOption(durationOption('--work <duration>', 'how long to hold it', '50ms'))
    .option('--file <file>', 'append a line to this file at each entry and at each exit')
    .option('--shared', 'want it in shared mode')
    .option('--no-retain', 'give back the votes of a released lock at once');
  for (const option of tlsOptions()) command.addOption(option);
  return withManual(command, {
    description: [
      'Each node of the configuration is one such process. All nodes are equal: each asks for locks, and each lends its vote. Give all of them the same file; only the addresses in it may differ. Nodes whose files differ otherwise refuse each other and log why. To change nodes or quorums, stop all nodes and run `maekawa quorums change`: before that, a node does not start with others than it last ran with, if its data directory remembers them.',
      'After a restart a node lends no vote for one lease, because it may have lent it just before. Meanwhile the others are asked; then it takes part again by itself. --first-start skips this wait. Use it only when nobody has ever run this cluster: in any other case it can let two holders in. A node that ran before ignores it, and says so in its log and in `maekawa status`; one that hears of an earlier life from a peer is silent like any other.',
      'A node does not begin to lend its vote while a peer that it reaches serves under another configuration. It logs that as an error, and `maekawa status` shows it.',
      `What clients may use of the node is limited, so that one client cannot take what others need. A call beyond a limit is refused with the reason. --limit changes one: ${Object.entries(DEFAULT_LIMITS).map(([name, limit]) => `${name}=${limit}`).join(', ')}.`,
      'SIGTERM and SIGINT stop the node. It takes no new request, and who waits through it goes on to another node. With --grace it then waits for the locks that are held through it, by its own process and by clients: it renews them and lends its vote, and logs what it waits for. At the end of the grace, or at a second signal, it tells the holders to stop, and ends within half a second. A further signal ends it at once; what is held then ends with its lease.',
      'SIGHUP does not stop a node. It reads its configuration only when it starts, and TLS files again when they change.',
      'If this machine does not know the name on which the node is to listen, the node says so and waits until it does.',
      'A node reads its TLS files again when they change, so a renewed certificate, or another authority, needs no restart. Files that do not fit each other or could not work are not used; the log says why.',
      'On a terminal, type `help` to see the commands. Ctrl-C stops the node in good order, as SIGTERM does, and so does the end of the input.',
    ],
    exitCodes: ['usage', ['unreachable', 'the address to listen on is in use'], 'storage'],
    examples: [
      ['maekawa node --id n1'],
      ['maekawa node --id n2 --config /etc/maekawa.json --data-dir /var/lib/maekawa'],
      ['maekawa node --id n1 --listen 0.0.0.0:7001 --tls-cert n1.pem --tls-key n1.key --tls-ca ca.pem'],
      ['maekawa node --id n1 --grace 25s', 'for a service manager that kills after 30 s'],
      ['maekawa node --id n1 --log-level debug --lock invoices --every 500ms --file shared.log'],
    ],
  }).action(run);
}

async function run(options: NodeOptions): Promise<void> {
  if (options.lock === undefined && (options.every !== undefined || options.file !== undefined || options.shared === true)) {
    throw new LockError('config', '--every, --file and --shared need a lock; name it with --lock');
  }
  if (options.lock !== undefined) checkLockNames([options.lock]);
  const tls = tlsFilesOf(options);
  const isTerminal = process.stdout.isTTY;
  const terminal = isTerminal && process.stdin.isTTY
    ? createInterface({ input: process.stdin, output: process.stdout, prompt: `${options.id}> ` })
    : undefined;
  const log = isTerminal ? terminalLog(options.logLevel, terminal) : jsonLog(options.logLevel, { node: options.id });
  const stopper = new Stopper(log, terminal, options.grace);

  let node: MaekawaNode;
  try {
    const configuration = readConfiguration(options.config);
    const address = options.listen ?? configuration.nodes.find(({ id }) => id === options.id)?.address;
    if (address !== undefined) await untilNameKnown(address, log, () => stopper.wasOrdered);
    node = await startNode({
      id: options.id,
      config: configuration,
      retain: options.retain,
      log,
      ...(options.peer === undefined ? {} : { peers: options.peer }),
      ...(options.listen === undefined ? {} : { listen: options.listen }),
      ...(options.dataDir === undefined ? {} : { dataDir: options.dataDir }),
      ...(options.ephemeral === undefined ? {} : { ephemeral: true }),
      ...(options.firstStart === undefined ? {} : { firstStart: true }),
      ...(options.insecure === undefined ? {} : { insecure: true }),
      ...(options.maxConnections === undefined ? {} : { connectionsMax: options.maxConnections }),
      ...(tls === undefined ? {} : { tls }),
      ...(options.limit === undefined ? {} : { limits: options.limit }),
      ...(options.trace === undefined ? {} : { traceFile: options.trace }),
    });
  } catch (error) {
    terminal?.close();
    throw error;
  }
  stopper.attach(node);
  if (terminal !== undefined) {
    const console = new NodeConsole(node, terminal, () => stopper.order('quit', EXIT.ok));
    // Nobody can unlock what was locked there any more.
    stopper.onOrder = () => console.giveBack();
    console.start();
  }
  let working: Promise<void> | undefined;
  if (options.lock !== undefined) {
    const workload = {
      lock: options.lock,
      mode: options.shared === true ? ('shared' as const) : ('exclusive' as const),
      everyMs: options.every ?? EVERY_MS,
      workMs: options.work,
      ...(options.file === undefined ? {} : { file: options.file }),
    };
    working = runWorkload(node, workload, log);
    working.catch(() => node.stop());
  }
  await new Promise<void>((resolve) => {
    node.signal.addEventListener('abort', () => resolve());
    if (node.signal.aborted) resolve();
  });
  await (stopper.stopped ?? node.stop());
  terminal?.close();
  const reason: unknown = node.signal.reason;
  if (!stopper.wasOrdered && reason instanceof LockError && !reason.definite) {
    throw reason.cause instanceof LockError ? reason.cause : new ExitWith(EXIT.bug);
  }
  log.info(`node ${node.id} stopped`);
  // Whatever still waits for something, such as a half-open connection, must not keep the process.
  setTimeout(() => process.exit(), 300).unref();
  await working; // it may have failed, which ended the node
}

/**
 * Stops the node when it is told to: in good order and after the grace the first time, without the grace the second time, and
 * without a word to anybody after that.
 */
class Stopper {
  /** Settles when the node has stopped; undefined before that was ordered. */
  stopped: Promise<void> | undefined;
  /** Called at the first order. */
  onOrder: () => void = () => undefined;
  private orders = 0;
  private node: MaekawaNode | undefined;

  constructor(
    private readonly log: Logger,
    terminal: Interface | undefined,
    private readonly graceMs: number,
  ) {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGQUIT'] as const) process.on(signal, () => this.order(signal, 128 + constants.signals[signal]));
    process.on('SIGHUP', () => this.log.info('SIGHUP: nothing to do, for a node reads its configuration only when it starts, and TLS files when they change. To stop it, send SIGTERM'));
    terminal?.on('SIGINT', () => this.order('Ctrl-C', 130));
    terminal?.on('close', () => {
      if (this.orders === 0 && this.node?.signal.aborted === false) this.order('end of input', EXIT.ok);
    });
  }

  get wasOrdered(): boolean {
    return this.orders > 0;
  }

  /** What was ordered while the node was starting is done now. */
  attach(node: MaekawaNode): void {
    this.node = node;
    if (this.wasOrdered) this.stopped = node.stop();
  }

  order(how: string, exitCode: number): void {
    this.orders++;
    const hasGrace = this.graceMs > 0 && this.node !== undefined;
    if (this.orders > (hasGrace ? 2 : 1)) process.exit(exitCode);
    const isGrace = hasGrace && this.orders === 1;
    this.log.info(isGrace
      ? `${how}: stopping when what is held has been given back, in ${this.graceMs} ms at the latest; repeat it to stop without this grace`
      : `${how}: giving the locks back and stopping; repeat it to stop at once`);
    this.onOrder();
    this.stopped = this.node?.stop({ graceMs: isGrace ? this.graceMs : 0 });
  }
}
